//! A small world for the gateway: PLCs by address, a listener to browse, connections that can be cut.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway_under_test::Gateway;
use gateway_under_test::config::{Config, StationConfig, TagConfig, TagType};
use gateway_under_test::net::{BoxStream, Listener, Net};
use s7_sim::{Plc, PlcConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// All that one direction of a connection holds.
pub const LINK_BYTES: usize = 4096;
/// Simulated time after which a condition will not come any more.
const PATIENCE: Duration = Duration::from_secs(600);

/// What is behind an address.
pub type Behaviour = Arc<dyn Fn(DuplexStream) -> BoxFuture<'static, ()> + Send + Sync>;

/// The network of a test.
pub struct World {
    peers: Mutex<BTreeMap<String, Behaviour>>,
    cut: Mutex<CancellationToken>,
    browsers: Arc<Waiting>,
    addr: Mutex<&'static str>,
    /// When and where the gateway connected, once someone has asked for it to be noted.
    pub connects: Mutex<Option<Vec<(Duration, String)>>>,
    began: Instant,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            peers: Mutex::default(),
            cut: Mutex::default(),
            browsers: Arc::default(),
            addr: Mutex::new("gateway:80"),
            connects: Mutex::default(),
            began: Instant::now(),
        })
    }

    /// Puts a PLC at `address`.
    pub fn plc(&self, address: &str) -> Plc {
        let plc = Plc::new(PlcConfig::default()).expect("the default is sound");
        let serving = plc.clone();
        self.peer(address, move |stream| {
            let plc = serving.clone();
            async move { drop(plc.serve(stream).await) }
        });
        plc
    }

    /// Puts anything at `address`.
    pub fn peer<F>(&self, address: &str, serve: impl Fn(DuplexStream) -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let behaviour: Behaviour = Arc::new(move |stream| serve(stream).boxed());
        self.peers.lock().unwrap().insert(address.to_owned(), behaviour);
    }

    /// Cuts every connection to a PLC; new ones are not affected.
    pub fn cut(&self) {
        std::mem::take(&mut *self.cut.lock().unwrap()).cancel();
    }

    /// Says what address the next listener has.
    pub fn listens_at(&self, addr: &'static str) {
        *self.addr.lock().unwrap() = addr;
    }

    /// The next `count` accepts fail.
    pub fn fail_accepts(&self, count: usize) {
        *self.browsers.failing.lock().unwrap() = count;
        self.browsers.came.notify_one();
    }

    /// Connects to the gateway's HTTP side, with a link that holds little.
    pub fn browse(&self) -> DuplexStream {
        let (ours, theirs) = duplex(LINK_BYTES);
        self.browsers.streams.lock().unwrap().push_back(theirs);
        self.browsers.came.notify_one();
        ours
    }

    /// The body of the answer to a GET.
    pub async fn get(&self, path: &str) -> String {
        let answer = self.answer(path).await;
        answer.split_once("\r\n\r\n").expect("head and body").1.to_owned()
    }

    /// The whole answer to a request with a body of JSON.
    pub async fn send(&self, request: &str, headers: &str, body: &str) -> String {
        let mut stream = self.browse();
        send(&mut stream, request, &format!("Connection: close\r\n{headers}"), body).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer in UTF-8");
        answer
    }

    /// The whole answer to a GET.
    pub async fn answer(&self, path: &str) -> String {
        let mut stream = self.browse();
        ask(&mut stream, path, "Connection: close\r\n").await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer in UTF-8");
        answer
    }
}

/// Sends a request with a body of JSON.
pub async fn send(stream: &mut DuplexStream, request: &str, headers: &str, body: &str) {
    let length = body.len();
    let request = format!(
        "{request} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("the gateway reads");
}

/// A link whose buffers have grown as far as they can: it weighs the same whatever goes through it.
fn link() -> (DuplexStream, DuplexStream) {
    let (mut ours, mut theirs) = duplex(LINK_BYTES);
    let grow = async {
        let mut full = [0; LINK_BYTES];
        for _ in 0..2 {
            ours.write_all(&full).await.expect("it holds so much");
            theirs.read_exact(&mut full).await.expect("it was written");
            std::mem::swap(&mut ours, &mut theirs);
        }
    };
    tokio::task::unconstrained(grow).now_or_never().expect("nothing to wait for");
    (ours, theirs)
}

/// Sends a GET.
pub async fn ask(stream: &mut DuplexStream, path: &str, headers: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("the gateway reads");
}

impl Net for World {
    fn connect(&self, to: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        if let Some(connects) = &mut *self.connects.lock().unwrap() {
            connects.push((self.began.elapsed(), to.to_owned()));
        }
        let Some(behaviour) = self.peers.lock().unwrap().get(to).cloned() else {
            return async { Err(io::Error::from(io::ErrorKind::ConnectionRefused)) }.boxed();
        };
        let (ours, theirs) = link();
        let serving = behaviour(theirs);
        let cut = self.cut.lock().unwrap().clone();
        tokio::spawn(async move { cut.run_until_cancelled(serving).await });
        async { Ok(Box::new(ours) as BoxStream) }.boxed()
    }

    fn listen(&self, _at: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (waiting, addr) = (Arc::clone(&self.browsers), *self.addr.lock().unwrap());
        async move { Ok(Box::new(Browsers(waiting, addr)) as Box<dyn Listener>) }.boxed()
    }
}

/// Browsers that the gateway has not accepted yet.
#[derive(Default)]
struct Waiting {
    streams: Mutex<VecDeque<DuplexStream>>,
    failing: Mutex<usize>,
    came: Notify,
}

impl Waiting {
    fn fails(&self) -> bool {
        let mut failing = self.failing.lock().unwrap();
        let fails = *failing > 0;
        *failing = failing.saturating_sub(1);
        fails
    }
}

struct Browsers(Arc<Waiting>, &'static str);

impl Listener for Browsers {
    fn accept(&mut self) -> BoxFuture<'_, io::Result<(BoxStream, String)>> {
        async {
            loop {
                if self.0.fails() {
                    return Err(io::Error::other("too many open files"));
                }
                if let Some(stream) = self.0.streams.lock().unwrap().pop_front() {
                    return Ok((Box::new(stream) as BoxStream, "browser".to_owned()));
                }
                self.0.came.notified().await;
            }
        }
        .boxed()
    }

    fn local_addr(&self) -> String {
        self.1.to_owned()
    }
}

/// A station at `name:102` with what moves in data block 1 of the simulator.
pub fn station(name: &str) -> StationConfig {
    let tags = vec![
        TagConfig::in_db("count", 1, 0, TagType::Dint),
        TagConfig::in_db("sine", 1, 4, TagType::Real),
        TagConfig::in_db("seven", 1, 12, TagType::Word),
    ];
    StationConfig::new(name, format!("{name}:102"), tags)
}

/// A station like [`station`] whose tags may be written.
pub fn writable(name: &str) -> StationConfig {
    let mut station = station(name);
    station.tags.iter_mut().for_each(|tag| tag.writable = true);
    station
}

/// These stations, and an HTTP side.
pub fn config(stations: Vec<StationConfig>) -> Config {
    let mut config = Config { stations, ..Config::default() };
    config.http.listen = Some("gateway:80".to_owned());
    config
}

/// Starts a gateway in `world`.
pub async fn start(world: &Arc<World>, config: Config) -> Gateway {
    Gateway::start(config, Arc::clone(world) as Arc<dyn Net>, 7).await.expect("a sound configuration")
}

/// One gauge.
pub fn gauge(gateway: &Gateway, name: &str) -> u64 {
    gateway.gauges()[name] as u64
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_elapsed| panic!("{what}: not within {PATIENCE:?}"));
}

/// Waits until every station is connected and polled.
pub async fn until_online(gateway: &Gateway) {
    until("every station online", || gauge(gateway, "sessions") == gauge(gateway, "stations")).await;
}

//! Reads of 64 bytes from the simulator over loopback TCP, one connection: one after the other, and eight under way.
#![allow(missing_docs, reason = "criterion's macros make public items")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures wall-clock time")]

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gateway_under_test::client::{Client, ClientConfig, Reply};
use s7_sim::{Plc, PlcConfig, listener};
use s7_wire::{ConnectionType, Item};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const ITEM: Item = Item::db_bytes(2, 0, 64);
const AMQ: u16 = 8;
/// How long each way runs for the figures that are printed and compared.
const COMPARED: Duration = Duration::from_secs(2);

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a current-thread runtime")
}

/// Starts the simulator on a thread of its own; it serves until the process ends.
fn simulator() -> SocketAddr {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let plc =
                Plc::new(PlcConfig { amq: AMQ, ..PlcConfig::default() }).expect("a sound configuration");
            let socket = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
            tell.send(socket.local_addr().expect("a bound socket has an address")).expect("the bench waits");
            listener::serve(plc, socket, CancellationToken::new()).await;
        });
    });
    told.recv().expect("the simulator listens")
}

async fn connect(address: SocketAddr) -> Client<TcpStream> {
    let stream = TcpStream::connect(address).await.expect("the simulator accepts");
    stream.set_nodelay(true).expect("a TCP option");
    let config = ClientConfig { pipeline: AMQ, ..ClientConfig::new(ConnectionType::Pg, 0, 1) };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(3);
    Client::connect(stream, config, deadline).await.expect("the simulator takes everybody")
}

async fn sequential(client: &mut Client<TcpStream>, reads: u64) {
    for _ in 0..reads {
        let data = client.read_one(&ITEM).await.expect("an answer");
        assert_eq!(data.len(), 64);
    }
}

async fn pipelined(client: &mut Client<TcpStream>, reads: u64) {
    let (mut asked, mut answered) = (0, 0);
    while answered < reads {
        while asked < reads && client.has_room() {
            client.ask_read(0, &[ITEM]).expect("there is room");
            asked += 1;
        }
        let settled = client.next().await.expect("an answer");
        let Ok(Reply::Read(answer)) = settled.reply else { panic!("{settled:?}") };
        assert_eq!(answer.items.len(), 1);
        answered += 1;
    }
}

/// Reads a second over `COMPARED`; `read` carries out as many as it is told.
fn rate(mut read: impl FnMut(u64) -> Duration) -> f64 {
    const BATCH: u64 = 1000;
    let (mut took, mut reads) = (Duration::ZERO, 0);
    while took < COMPARED {
        took += read(BATCH);
        reads += BATCH;
    }
    reads as f64 / took.as_secs_f64()
}

fn timed(run: impl FnOnce()) -> Duration {
    let began = Instant::now();
    run();
    began.elapsed()
}

fn reads_of_64_bytes(c: &mut Criterion) {
    let runtime = runtime();
    let mut client = runtime.block_on(connect(simulator()));
    let mut one = |reads| timed(|| runtime.block_on(sequential(&mut client, reads)));
    let mut group = c.benchmark_group("read of 64 bytes over loopback");
    group.throughput(Throughput::Elements(1));
    group.bench_function("one after the other", |bencher| bencher.iter_custom(&mut one));
    let one = rate(one);
    let mut eight = |reads| timed(|| runtime.block_on(pipelined(&mut client, reads)));
    group.bench_function("eight under way", |bencher| bencher.iter_custom(&mut eight));
    group.finish();
    let eight = rate(eight);
    println!("sequential {one:.0}/s, {AMQ} under way {eight:.0}/s, ratio {:.2}", eight / one);
}

criterion_group!(benches, reads_of_64_bytes);
criterion_main!(benches);

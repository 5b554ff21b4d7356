//! The speed table: servers under a raw client, clients against one server, sessions that come and go. Everything in one run, in
//! turns, several rounds; the median is shown, and the ratio to ours.

use std::time::{Duration, Instant};

use gateway_under_test::client::{Client, ClientConfig};
use s7_interop::{Blocking, ITEM, Raw, SERVERS, Server};
use s7_wire::ConnectionType;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_millis(700);
/// Against which the clients are measured: the fastest peer.
const LIBSNAP7: usize = 1;
const OURS: usize = 0;

/// A name and requests (or sessions) per second, one figure a round.
type Row = (String, Vec<f64>);

fn main() -> Outcome<()> {
    let servers = SERVERS.iter().map(|(_, command)| Server::start(command)).collect::<Result<Vec<_>, _>>()?;
    for outstanding in [1, 8] {
        let measure = |server: &Server| {
            let mut raw = Raw::connect(server.port)?;
            Ok(rate(|| Ok(raw.reads(outstanding, TIME)?))?)
        };
        print(&format!("servers, {outstanding} outstanding"), &rounds(&servers, measure)?);
    }
    for clients in [1, 8] {
        let title = format!("sessions, {clients} at once: connect, setup, read, close");
        print(&title, &rounds(&servers, |server| rate(|| crowd(server.port, clients)))?);
    }
    let of_processor = |server: &Server| {
        let before = server.processor_time()?;
        let done = crowd(server.port, 8)?;
        Ok(done as f64 / (server.processor_time()? - before).as_secs_f64())
    };
    print(
        "sessions, 8 at once, in a second of the server's processor time",
        &rounds(&servers, of_processor)?,
    );
    print("clients against libsnap7's server, sequentially", &clients(servers[LIBSNAP7].port)?);
    print("clients against s7-sim", &clients(servers[OURS].port)?);
    Ok(())
}

/// Every server in turn, round after round.
fn rounds(servers: &[Server], measure: impl Fn(&Server) -> Outcome<f64>) -> Outcome<Vec<Row>> {
    let mut rows: Vec<Row> = SERVERS.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect();
    for _ in 0..ROUNDS {
        for ((_, figures), server) in rows.iter_mut().zip(servers) {
            figures.push(measure(server).unwrap_or(0.0));
        }
    }
    Ok(rows)
}

fn rate(work: impl FnOnce() -> Outcome<usize>) -> Outcome<f64> {
    let began = Instant::now();
    let done = work()?;
    Ok(done as f64 / began.elapsed().as_secs_f64())
}

/// So many clients at once; sessions of all together.
fn crowd(port: u16, clients: usize) -> Outcome<usize> {
    let threads: Vec<_> = (0..clients)
        .map(|_| std::thread::spawn(move || sessions(port).map_err(|error| error.to_string())))
        .collect();
    let mut all = 0;
    for thread in threads {
        all += thread.join().expect("a client that fails says so")?;
    }
    Ok(all)
}

fn sessions(port: u16) -> Outcome<usize> {
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        Raw::connect(port)?.read()?;
        done += 1;
    }
    Ok(done)
}

fn clients(port: u16) -> Outcome<Vec<Row>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows: Vec<Row> = [
        "ours",
        "ours, over a blocking socket",
        "ours, 8 outstanding",
        "rust7 0.1.2 (blocking)",
        "snap7-client 0.1.7",
    ]
    .map(|name| (name.to_owned(), Vec::new()))
    .into();
    for _ in 0..ROUNDS {
        rows[0].1.push(rate(|| runtime.block_on(asynchronous(port, 1)))?);
        rows[1].1.push(rate(|| runtime.block_on(blocking(port)))?);
        rows[2].1.push(rate(|| runtime.block_on(asynchronous(port, 8)))?);
        rows[3].1.push(rate(|| rust7(port))?);
        rows[4].1.push(rate(|| runtime.block_on(snap7_client(port)))?);
    }
    Ok(rows)
}

async fn asynchronous(port: u16, outstanding: u16) -> Outcome<usize> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    ours(stream, outstanding).await
}

async fn blocking(port: u16) -> Outcome<usize> {
    let stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    ours(Blocking(stream), 1).await
}

async fn ours(stream: impl AsyncRead + AsyncWrite + Unpin, outstanding: u16) -> Outcome<usize> {
    let config = ClientConfig { pipeline: outstanding, ..ClientConfig::new(ConnectionType::Pg, 0, 1) };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    let mut client = Client::connect(stream, config, deadline).await?;
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        while client.has_room() {
            client.ask_read(0, &[ITEM])?;
        }
        // The first answer of a batch is waited for; those that came with it are there already.
        client.next().await?.reply?;
        done += 1;
    }
    Ok(done)
}

fn rust7(port: u16) -> Outcome<usize> {
    let mut client = rust7::client::S7Client::new();
    let told = |error: rust7::client::S7Error| format!("rust7: {error:?}");
    client.set_connection_port(port).map_err(told)?;
    client.connect_rack_slot("127.0.0.1", 0, 1).map_err(told)?;
    let mut buffer = [0; 64];
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        client.read_db(1, 0, &mut buffer).map_err(told)?;
        done += 1;
    }
    client.disconnect();
    Ok(done)
}

async fn snap7_client(port: u16) -> Outcome<usize> {
    let address = ([127, 0, 0, 1], port).into();
    let client =
        snap7_client::S7Client::connect(address, snap7_client::types::ConnectParams::default()).await?;
    let (began, mut done) = (Instant::now(), 0);
    while began.elapsed() < TIME {
        client.db_read(1, 0, 64).await?;
        done += 1;
    }
    Ok(done)
}

fn print(title: &str, rows: &[Row]) {
    println!("\n| {title} | a second | lowest | highest | ours is |\n| --- | ---: | ---: | ---: | ---: |");
    let ours = median(&rows[0].1);
    for (name, figures) in rows {
        let (low, high) =
            figures.iter().fold((f64::MAX, 0.0_f64), |(low, high), &one| (low.min(one), high.max(one)));
        let middle = median(figures);
        println!("| {name} | {middle:.0} | {low:.0} | {high:.0} | {:.2} × |", ours / middle);
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

//! The measurements: each takes one way to the server, as a client.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::roles::{Child, purpose};

/// How long bytes flow.
const FLOW: Duration = Duration::from_millis(700);

/// How long connections are made: short, so that the ports left behind in TIME_WAIT do not run out.
const CONNECTING: Duration = Duration::from_millis(500);

/// Clients that connect at the same time.
const CLIENTS: usize = 16;

/// Round trips of one measurement, and the bytes of one.
const ROUND_TRIPS: usize = 8_000;
const FRAME_BYTES: usize = 31;

/// Connections of which the memory is measured.
const IDLE: usize = 1_000;

pub async fn open(at: SocketAddr, purpose: u8) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.expect("connects");
    stream.set_nodelay(true).expect("a socket");
    stream.write_all(&[purpose]).await.expect("is heard");
    stream
}

pub async fn megabytes_per_second(at: SocketAddr) -> f64 {
    let mut stream = open(at, purpose::SINK).await;
    let chunk = vec![7; 256 * 1024];
    let begin = Instant::now();
    while begin.elapsed() < FLOW {
        stream.write_all(&chunk).await.expect("is heard");
    }
    stream.shutdown().await.expect("is heard");
    let count = stream.read_u64().await.expect("is answered");
    count as f64 / begin.elapsed().as_secs_f64() / 1e6
}

pub async fn median_round_trip_us(at: SocketAddr) -> f64 {
    let mut stream = open(at, purpose::ECHO).await;
    let mut took = Vec::with_capacity(ROUND_TRIPS);
    let mut frame = [7; FRAME_BYTES];
    for _ in 0..ROUND_TRIPS {
        let begin = Instant::now();
        stream.write_all(&frame).await.expect("is heard");
        stream.read_exact(&mut frame).await.expect("is answered");
        took.push(begin.elapsed());
    }
    took.sort_unstable();
    took[ROUND_TRIPS / 2].as_secs_f64() * 1e6
}

pub async fn connections_per_second(at: SocketAddr) -> f64 {
    let begin = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            tokio::spawn(async move {
                let mut made = 0;
                while begin.elapsed() < CONNECTING {
                    let mut stream = open(at, purpose::GREET).await;
                    stream.read_u8().await.expect("is greeted");
                    made += 1;
                }
                made
            })
        })
        .collect();
    let mut made = 0;
    for client in clients {
        made += client.await.expect("runs to its end");
    }
    f64::from(made) / begin.elapsed().as_secs_f64()
}

/// What the process grows by per connection that has carried a frame and is at rest.
pub async fn kib_per_idle_connection(proxy: &Child) -> f64 {
    let mut all = vec![greeted(proxy.at).await];
    let before = proxy.rss_kib();
    for _ in 0..IDLE {
        all.push(greeted(proxy.at).await);
    }
    let grown = proxy.rss_kib() - before;
    grown / IDLE as f64
}

async fn greeted(at: SocketAddr) -> TcpStream {
    let mut stream = open(at, purpose::ECHO).await;
    let mut frame = [7; FRAME_BYTES];
    stream.write_all(&frame).await.expect("is heard");
    stream.read_exact(&mut frame).await.expect("is answered");
    stream
}

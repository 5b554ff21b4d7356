//! Simulated round trips per second of a link, on one core: one connection, then 100 and 1,000 in turn.
//!
//! `cargo bench -p watertight --bench link`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use watertight::chaos::{Link, Side, SimNet, SimStream};
use watertight::scenario::model::LinkSpec;
use watertight::units::Time;

/// The size of a short S7 read request.
const FRAME_BYTES: usize = 31;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime")
}

fn echo(net: &SimNet) {
    let listener = net.listen("plc", "plc-0").expect("the name is free");
    tokio::spawn(async move {
        while let Ok(mut stream) = listener.accept().await {
            tokio::spawn(async move {
                let mut frame = [0; FRAME_BYTES];
                while stream.read_exact(&mut frame).await.is_ok() && stream.write_all(&frame).await.is_ok() {}
            });
        }
    });
}

async fn round_trip(stream: &mut SimStream) {
    let mut frame = [7; FRAME_BYTES];
    stream.write_all(&frame).await.expect("echoed");
    stream.read_exact(&mut frame).await.expect("echoed");
    black_box(frame);
}

async fn connect(net: &SimNet, link: &Arc<Link>, count: usize) -> Vec<SimStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        streams.push(net.connect("target", link, "plc-0").await.expect("connects"));
    }
    streams
}

/// All connections make one round trip each, at the same time.
fn at_once(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("round_trips");
    for (name, spec) in [("bare", LinkSpec::default()), ("latency_1ms", delayed())] {
        for count in [1, 100, 1_000] {
            let runtime = runtime();
            let net = SimNet::new();
            let streams = runtime.block_on(async {
                echo(&net);
                let link = net.link("plc", &spec, Side::Server);
                connect(&net, &link, count).await
            });
            let mut streams = Some(streams);
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter_custom(|rounds| {
                    let (taken, elapsed) = runtime.block_on(play(streams.take().unwrap_or_default(), rounds));
                    streams = Some(taken);
                    elapsed
                });
            });
        }
    }
    group.finish();
}

fn delayed() -> LinkSpec {
    LinkSpec { buffer: None, latency: Some(Time(Duration::from_millis(1))) }
}

/// `rounds` round trips on each stream, each stream in a task of its own; with the wall-clock time that took.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures the wall clock")]
async fn play(streams: Vec<SimStream>, rounds: u64) -> (Vec<SimStream>, Duration) {
    let begin = std::time::Instant::now();
    let tasks: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            tokio::spawn(async move {
                for _ in 0..rounds {
                    round_trip(&mut stream).await;
                }
                stream
            })
        })
        .collect();
    let mut back = Vec::new();
    for task in tasks {
        back.push(task.await.expect("plays to its end"));
    }
    (back, begin.elapsed())
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10);
    targets = at_once
}
criterion_main!(benches);

//! The simulated network holds the same heap after every cycle, to the byte. One test: the count is process-wide.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use watertight::chaos::{Fault, Link, Side, SimListener, SimNet};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;
use watertight::units::Time;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const FAULTS: [&str; 6] = [
    "reset: { link: plc }",
    "close: { link: plc }",
    "half_open: { link: plc }",
    "blackhole: { link: plc, on_heal: drop }",
    "latency: { link: plc, delay: 3ms, jitter: 4ms }",
    "slow_read: { link: plc, rate: 64B/s }",
];

#[tokio::test(start_paused = true)]
async fn live_heap_is_equal_to_the_byte_after_every_cycle() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let net = SimNet::new();
    let spec = LinkSpec { buffer: None, latency: Some(Time(Duration::from_millis(1))) };
    let link = net.link("plc", &spec, Side::Server);
    let listener = net.listen("plc", "plc-0").expect("the name is free");
    let mut resting = Vec::with_capacity(50);
    for n in 0..50 {
        for yaml in FAULTS {
            cycle(&net, &link, &listener, yaml, n).await;
        }
        let stats = dhat::HeapStats::get();
        resting.push((stats.curr_bytes, stats.curr_blocks));
    }
    let warm = resting[4];
    assert!(resting[4..].iter().all(|at_rest| *at_rest == warm), "{resting:?}");
    assert_eq!(link.stats().open_now, 0);
}

/// A few connections, traffic, a fault in the middle of it, and everything closed again.
async fn cycle(net: &SimNet, link: &std::sync::Arc<Link>, listener: &SimListener, yaml: &str, n: u64) {
    let fault: Fault = serde_saphyr::from_str(yaml).expect("a fault");
    let id = fault.id(0, Seed(n));
    let mut pairs = Vec::new();
    for _ in 0..5 {
        let client = net.connect("target", link, "plc-0").await.expect("connects");
        pairs.push((client, listener.accept().await.expect("accepts")));
    }
    link.apply(id, &fault);
    for (client, server) in &mut pairs {
        _ = client.write(&[1; 9_000]).await;
        _ = timeout(Duration::from_secs(1), server.read(&mut [0; 5_000])).await;
    }
    link.heal(id);
}

//! What each toxic does to a simulated connection, and the contract they all keep.

use std::io::ErrorKind;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use watertight::chaos::{Effect, Effects, LinkStats, SimStream};
use watertight::scenario::model::LinkSpec;
use watertight::seed::Seed;

use crate::sim::{World, fault};

const SECOND: Duration = Duration::from_secs(1);
const NEVER: Duration = Duration::from_secs(1_000_000);

/// One of each toxic, without `p`; with whether it may lose bytes.
pub const TOXICS: [(&str, bool); 21] = [
    ("latency: { link: plc, delay: 10ms, jitter: 30ms", false),
    ("bandwidth: { link: plc, rate: 100KiB/s, burst: 100B", false),
    ("refuse: { link: plc", false),
    ("accept_hang: { link: plc", false),
    ("accept_delay: { link: plc, delay: 100ms", false),
    ("mute: { link: plc, dir: both, after_bytes: 100B", false),
    ("half_close: { link: plc, dir: up, after_bytes: 1000B", true),
    ("limit: { link: plc, bytes: 1000B", true),
    ("slice: { link: plc, bytes: 70B, delay: 1ms", false),
    ("coalesce: { link: plc, within: 20ms, bytes: 500B", false),
    ("retransmit: { link: plc, loss: 20%, rto: 10ms", false),
    ("flap: { link: plc, up: 1s, down: 1s, mode: accept_hang", false),
    ("reset: { link: plc, after_bytes: 1000B", true),
    ("close: { link: plc, dir: up", true),
    ("half_open: { link: plc", true),
    ("blackhole: { link: plc", false),
    ("stall: { link: plc", false),
    ("slow_read: { link: plc, dir: both, rate: 10KiB/s", false),
    ("flap: { link: plc, up: 1s, down: 1s, mode: blackhole", false),
    ("flap: { link: plc, up: 1s, down: 1s, mode: reset", true),
    ("storm: { link: plc, conns: 5", false),
];

pub fn whole(toxic: &str, more: &str) -> String {
    format!("{toxic}{more} }}")
}

/// Sends 20 KB each way under `yaml`, heals after 500 ms, and returns what each end read until its end or for a while.
async fn exchange(yaml: &str) -> (Vec<u8>, Vec<u8>, LinkStats, Effects) {
    let world = World::new(LinkSpec::default());
    let (client, server) = world.pair().await;
    let id = world.begin(yaml);
    let link = world.link.clone();
    let healer = tokio::spawn(async move {
        tokio::time::sleep(SECOND / 2).await;
        link.heal(id);
    });
    let (down, up) = tokio::join!(speak(client), speak(server));
    healer.await.unwrap();
    (up, down, world.link.stats(), world.link.effects())
}

async fn speak(stream: SimStream) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        for at in 0..100_u8 {
            if writer.write_all(&[at; 200]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        _ = writer.shutdown().await;
    };
    let mut heard = Vec::new();
    let read = timeout(NEVER, reader.read_to_end(&mut heard));
    let ((), _) = tokio::join!(write, read);
    heard
}

fn all_bytes() -> Vec<u8> {
    (0..100).flat_map(|at| [at; 200]).collect()
}

#[tokio::test(start_paused = true)]
async fn every_toxic_keeps_order_and_only_lossy_ones_lose() {
    for (toxic, lossy) in TOXICS {
        let (up, down, ..) = exchange(&whole(toxic, "")).await;
        for heard in [up, down] {
            assert!(all_bytes().starts_with(&heard), "{toxic}: order");
            assert!(lossy || heard == all_bytes(), "{toxic}: {} bytes", heard.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn p_0_does_nothing_at_all() {
    for (toxic, _) in TOXICS {
        let begin = Instant::now();
        let (up, down, stats, effects) = exchange(&whole(toxic, ", p: 0")).await;
        assert_eq!((up, down), (all_bytes(), all_bytes()), "{toxic}");
        let disturbed = (stats.cut, stats.refused, stats.chunks_delayed, stats.bytes_swallowed);
        assert_eq!(disturbed, (0, 0, 0, 0), "{toxic}");
        assert!(effects.values().all(|effect| *effect == Effect::default()), "{toxic}: {effects:?}");
        assert_eq!(begin.elapsed(), SECOND / 2, "{toxic}: the healer's own time");
    }
}

#[tokio::test(start_paused = true)]
async fn every_toxic_that_works_is_seen_to_work() {
    for (toxic, _) in TOXICS {
        let world = World::new(LinkSpec::default());
        let (client, server) = world.pair().await;
        let id = world.begin(&whole(toxic, ""));
        let spoken = timeout(SECOND, async { tokio::join!(speak(client), speak(server)) });
        let connect = world.net.connect("target", &world.link, "plc-0");
        let (_spoken, _refused) = tokio::join!(spoken, timeout(SECOND, connect));
        assert_eq!(world.link.faults_at_work(), 1, "{toxic}");
        world.link.heal(id);
        let kind = toxic.split(':').next().unwrap_or_default();
        // What a storm does is counted by whoever opens its connections.
        let spells = u64::from(kind != "storm");
        assert_eq!(world.link.effects()[kind].spells, spells, "{toxic}: {:?}", world.link.effects());
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_meets_the_same_fate() {
    for (toxic, _) in TOXICS {
        let yaml = whole(toxic, ", p: 50%");
        let begin = Instant::now();
        let first = exchange(&yaml).await;
        let took = begin.elapsed();
        let begin = Instant::now();
        assert_eq!(exchange(&yaml).await, first, "{toxic}");
        assert_eq!(begin.elapsed(), took, "{toxic}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_healed_link_carries_new_connections_as_if_nothing_had_been() {
    for (toxic, _) in TOXICS {
        let world = World::new(LinkSpec::default());
        let held = world.pair().await;
        let id = world.begin(&whole(toxic, ""));
        tokio::time::sleep(SECOND).await;
        world.link.heal(id);
        let (client, server) = world.pair().await;
        let begin = Instant::now();
        let (down, up) = tokio::join!(speak(client), speak(server));
        assert_eq!((up, down), (all_bytes(), all_bytes()), "{toxic}");
        assert_eq!(begin.elapsed(), SECOND / 10, "{toxic}: the speakers' own time");
        drop(held);
        assert_eq!(world.link.stats().open_now, 0, "{toxic}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unrelated_fault_changes_nobodys_draw() {
    let cut_of = async |also: bool| {
        let world = World::new(LinkSpec::default());
        if also {
            world.begin("latency: { link: plc, delay: 1ms, p: 50% }");
        }
        let mut pairs = Vec::new();
        for _ in 0..64 {
            pairs.push(world.pair().await);
        }
        world.begin("reset: { link: plc, p: 50% }");
        let mut cut = Vec::new();
        for (client, _) in &mut pairs {
            cut.push(timeout(SECOND, client.read(&mut [0])).await.is_ok());
        }
        cut
    };
    let alone = cut_of(false).await;
    assert_eq!(cut_of(true).await, alone);
    assert!(alone.contains(&true) && alone.contains(&false));
}

#[tokio::test(start_paused = true)]
async fn a_jittered_latency_keeps_what_is_under_way_or_flushes_it_as_declared() {
    for (on_heal, heard) in [("deliver", 2), ("drop", 0)] {
        let world = World::new(LinkSpec::default());
        let (mut client, mut server) = world.pair().await;
        let id = world.begin(&format!("latency: {{ link: plc, delay: 10s, on_heal: {on_heal} }}"));
        client.write_all(b"hi").await.unwrap();
        tokio::time::sleep(SECOND).await;
        world.link.heal(id);
        client.shutdown().await.unwrap();
        let begin = Instant::now();
        let mut all = Vec::new();
        assert_eq!(server.read_to_end(&mut all).await.unwrap(), heard, "{on_heal}");
        assert_eq!(begin.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn bandwidth_takes_the_time_that_the_bytes_need() {
    let world = World::new(LinkSpec::default());
    let (mut client, mut server) = world.pair().await;
    world.begin("bandwidth: { link: plc, rate: 10KiB/s }");
    let begin = Instant::now();
    let send = async { client.write_all(&[0; 102_400]).await.unwrap() };
    let mut all = vec![0; 102_400];
    let (_, read) = tokio::join!(send, server.read_exact(&mut all));
    read.unwrap();
    let took = begin.elapsed().as_secs_f64();
    assert!((9.9..10.1).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_connect_into_a_black_hole_waits_until_it_heals_and_leaves_nothing_if_dropped() {
    let world = World::new(LinkSpec::default());
    let id = world.begin("blackhole: { link: plc }");
    let given_up = timeout(SECOND, world.net.connect("target", &world.link, "plc-0")).await;
    assert!(given_up.is_err());
    assert_eq!((world.net.sockets_of("target"), world.link.stats().open_now), (0, 0));
    let mut patient = tokio_test::task::spawn(world.net.connect("target", &world.link, "plc-0"));
    assert!(patient.poll().is_pending());
    world.link.heal(id);
    assert!(patient.await.is_ok());
    assert_eq!(world.link.stats().hung, 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connect_says_so_and_existing_connections_go_on() {
    let world = World::new(LinkSpec::default());
    let (mut client, mut server) = world.pair().await;
    world.begin("refuse: { link: plc }");
    let refused = world.net.connect("target", &world.link, "plc-0").await.unwrap_err();
    assert_eq!((refused.kind(), world.link.stats().refused), (ErrorKind::ConnectionRefused, 1));
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'x');
}

#[tokio::test(start_paused = true)]
async fn reset_after_bytes_lets_exactly_those_through() {
    let world = World::new(LinkSpec::default());
    let (mut client, mut server) = world.pair().await;
    world.begin("reset: { link: plc, dir: up, after_bytes: 10B }");
    client.write_all(&[1; 25]).await.unwrap();
    let mut heard = [0; 64];
    assert_eq!(server.read(&mut heard).await.unwrap(), 10);
    assert_eq!(server.read(&mut heard).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(client.write(b"x").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn reset_on_idle_waits_for_silence_and_wakes_both_ends() {
    let world = World::new(LinkSpec::default());
    let (mut client, mut server) = world.pair().await;
    world.begin("reset: { link: plc, on_idle: 5s }");
    tokio::time::sleep(3 * SECOND).await;
    client.write_all(b"x").await.unwrap();
    server.read_u8().await.unwrap();
    let begin = Instant::now();
    let (mut a, mut b) = ([0], [0]);
    let (client, server) = tokio::join!(client.read(&mut a), server.read(&mut b));
    assert_eq!(begin.elapsed(), 5 * SECOND);
    assert_eq!(client.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(server.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_half_open_survivor_hears_nothing_and_the_vanished_end_is_freed() {
    let world = World::new(LinkSpec::default());
    let (mut client, mut server) = world.pair().await;
    let id = world.begin("half_open: { link: plc }");
    assert_eq!(server.read(&mut [0]).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    drop(server);
    let mut sent = 0;
    while let Ok(Ok(count)) = timeout(SECOND, client.write(&[0; 5_000])).await {
        sent += count;
    }
    assert_eq!(sent, 64 * 1024, "what is never acknowledged stays in the send buffer");
    world.link.heal(id);
    assert!(timeout(NEVER, client.read(&mut [0])).await.is_err());
    assert!(timeout(NEVER, client.write(&[0])).await.is_err());
    drop(client);
    let stats = world.link.stats();
    assert_eq!((stats.bytes_up, stats.open_now, stats.cut), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_makes_the_link_hold_no_more_than_its_buffer() {
    let world = World::new(LinkSpec::default());
    let (_client, mut server) = world.pair().await;
    world.begin("slow_read: { link: plc, rate: 0 }");
    let mut sent = 0;
    while let Ok(Ok(count)) = timeout(SECOND, server.write(&[0; 5_000])).await {
        sent += count;
    }
    assert_eq!(sent, 64 * 1024);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_writes_reads_and_harmless_faults_conserves_bytes(
        steps in proptest::collection::vec((0_usize..12, 1_usize..3_000), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(interleave(steps));
    }
}

/// Plays `steps` on one connection: write, read, wait, or begin and heal one of the faults that lose nothing.
async fn interleave(steps: Vec<(usize, usize)>) {
    let harmless: Vec<_> =
        TOXICS.iter().filter(|(_, lossy)| !lossy).map(|(toxic, _)| whole(toxic, "")).collect();
    let world = World::new(LinkSpec::default());
    let (mut client, mut server) = world.pair().await;
    let (mut sent, mut heard, mut buffer) = (Vec::new(), Vec::new(), [0; 4_096]);
    for (step, amount) in steps {
        match step {
            0..=3 => {
                let data: Vec<u8> = (0..amount).map(|at| (sent.len() + at) as u8).collect();
                if let Ok(count) = timeout(SECOND, client.write(&data)).await {
                    sent.extend_from_slice(&data[..count.expect("nothing ends the connection")]);
                }
            }
            4..=6 => {
                if let Ok(count) = timeout(SECOND / 10, server.read(&mut buffer[..amount])).await {
                    heard.extend_from_slice(&buffer[..count.expect("nothing ends the connection")]);
                }
            }
            7 => tokio::time::sleep(Duration::from_millis(amount as u64)).await,
            step => {
                let fault = fault(&harmless[amount % harmless.len()]);
                let id = fault.id(0, Seed(7));
                if step < 10 { world.link.apply(id, &fault) } else { world.link.heal(id) }
            }
        }
    }
    for toxic in &harmless {
        world.link.heal(fault(toxic).id(0, Seed(7)));
    }
    client.shutdown().await.expect("nothing ended the connection");
    server.read_to_end(&mut heard).await.expect("nothing ended the connection");
    assert_eq!(heard, sent);
}

//! The gateway watches itself: what it shows of each station, and what the guardian does about a rise. Heap is counted to
//! the byte: each test is a process of its own, with one thread and a paused clock.

#![cfg(feature = "probe")]
#![expect(clippy::disallowed_methods, reason = "the peers in a test are no tasks of the gateway")]

#[path = "it/alone.rs"]
mod alone;
#[path = "it/world.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod world;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytesize::ByteSize;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway_under_test::config::{Config, StationConfig, TagConfig, TagType};
use gateway_under_test::guardian::{DumpSink, DumpsInMemory};
use gateway_under_test::hooks::{Connection, Hooks};
use gateway_under_test::net::{BoxStream, Listener, Net};
use gateway_under_test::observe::{Heap, ProcessVitals, Resource, Vitals};
use gateway_under_test::{Embedding, Gateway};
use tokio::time::{Instant, sleep};
use watertight_probe::{Tenant, heap};

use crate::alone::{alone, paused};
use crate::world::{World, ask, config, gauge, station, until, until_online};

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

const STATIONS: usize = 20;

/// `plc-0` to `plc-19`.
fn twenty_stations(world: &World) -> Vec<StationConfig> {
    let names = (0..STATIONS).map(|number| format!("plc-{number}"));
    names
        .map(|name| {
            world.plc(&format!("{name}:102"));
            station(&name)
        })
        .collect()
}

/// The network, whose peers are of a tenant of their own, although it is the gateway that makes them connect.
struct Apart(Arc<World>);

impl Net for Apart {
    fn connect(&self, to: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        let _world = Tenant::named("world").enter();
        self.0.connect(to)
    }

    fn listen(&self, at: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        self.0.listen(at)
    }
}

/// Starts a gateway of the tenant `gateway`.
async fn start(world: &Arc<World>, config: Config, embedding: Embedding) -> Gateway {
    let _gateway = Tenant::named("gateway").enter();
    let net = Arc::new(Apart(Arc::clone(world)));
    Gateway::start_with(config, net, 7, embedding).await.expect("a sound configuration")
}

/// The values of a metric that each station has, in the order of the configuration.
fn by_station(gateway: &Gateway, name: &str) -> Vec<u64> {
    let start = format!("s7_gateway_{name}{{station=\"");
    let metrics = gateway.metrics();
    let lines = metrics.lines().filter(|line| line.starts_with(&start));
    lines.map(|line| line.rsplit_once(' ').expect("a value").1.parse().expect("a whole number")).collect()
}

#[test]
fn a_scrape_leaves_not_one_byte() {
    alone("a_scrape_leaves_not_one_byte", || {
        paused(async {
            let world = World::new();
            let gateway = start(&world, config(twenty_stations(&world)), Embedding::default()).await;
            until_online(&gateway).await;
            for _scrape in 0..10 {
                let before = heap::live();
                drop(gateway.metrics());
                assert_eq!(heap::live(), before);
            }
        });
    });
}

/// What `/metrics` says it exports: `name type labels`, as the list of the rules' and the dashboard's tests has it.
fn exported(metrics: &str) -> BTreeSet<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let labelled =
        |name: &str| if metrics.contains(&format!("\n{name}{{station=")) { "station" } else { "-" };
    types.map(|line| format!("{line} {}", labelled(line.split(' ').next().unwrap_or_default()))).collect()
}

#[test]
fn what_rules_and_dashboard_ask_for_is_exported_and_nothing_else() {
    alone("what_rules_and_dashboard_ask_for_is_exported_and_nothing_else", || {
        paused(async {
            let world = World::new();
            let embedding = Embedding { vitals: Arc::new(ProcessVitals::start()), ..Embedding::default() };
            let gateway = start(&world, config(twenty_stations(&world)), embedding).await;
            until_online(&gateway).await;
            let list = include_str!("../../ci/observability/metrics.txt").lines();
            let listed: BTreeSet<String> =
                list.filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
            let exported = exported(&gateway.metrics());
            let missing: Vec<_> = listed.difference(&exported).collect();
            let unlisted: Vec<_> = exported.difference(&listed).collect();
            assert_eq!((missing, unlisted), (vec![], vec![]));
        });
    });
}

#[test]
fn each_stations_heap_and_tasks_are_its_own() {
    alone("each_stations_heap_and_tasks_are_its_own", || {
        paused(async {
            let world = World::new();
            let mut stations = twenty_stations(&world);
            stations[7].tags =
                (0..500_u32).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag, TagType::Byte)).collect();
            let gateway = start(&world, config(stations), Embedding::default()).await;
            until_online(&gateway).await;
            sleep(Duration::from_millis(100)).await;
            // The supervisor and its session's heartbeat.
            assert_eq!(by_station(&gateway, "station_tasks"), [2; STATIONS]);
            let mut heap = by_station(&gateway, "station_heap_bytes");
            let large = heap.remove(7);
            assert!(heap.iter().all(|bytes| (1_000..30_000).contains(bytes)), "{heap:?}");
            assert!(large > 40_000, "500 tags in {large} bytes");
            let whole = heap::live().expect("the probe's allocator counts").bytes;
            assert!(whole > large + heap.iter().sum::<u64>());
        });
    });
}

#[test]
fn a_station_that_is_gone_holds_nothing() {
    alone("a_station_that_is_gone_holds_nothing", || {
        paused(async {
            let world = World::new();
            let mut stations = twenty_stations(&world);
            let gateway = start(&world, config(stations.clone()), Embedding::default()).await;
            until_online(&gateway).await;
            stations.truncate(1);
            gateway.reload(config(stations)).await.expect("a sound configuration");
            let tenants = watertight_probe::tenant::all().filter(|tenant| tenant.name().starts_with("plc-"));
            let heap: Vec<u64> =
                tenants.map(|tenant| heap::live_of_tenant(tenant).expect("it is counted").bytes).collect();
            assert_eq!((heap.len(), &heap[1..]), (STATIONS, &[0; STATIONS - 1][..]));
        });
    });
}

/// What a test says is held.
#[derive(Default)]
struct Said {
    heap_bytes: AtomicU64,
    fds: AtomicU64,
    trims: AtomicU64,
    /// Bytes that a trim gives back.
    trimmable: AtomicU64,
}

impl Vitals for Said {
    fn tasks(&self) -> Option<u64> {
        Some(10)
    }

    fn heap(&self) -> Option<Heap> {
        Some(Heap { bytes: self.heap_bytes.load(Relaxed), blocks: 1 })
    }

    fn fds(&self) -> Option<u64> {
        Some(self.fds.load(Relaxed))
    }

    fn fds_limit(&self) -> Option<u64> {
        Some(1_000)
    }

    fn rss_bytes(&self) -> Option<u64> {
        None
    }

    fn started_at(&self) -> Option<f64> {
        None
    }

    fn trim(&self) -> BoxFuture<'static, Option<bool>> {
        self.trims.fetch_add(1, Relaxed);
        self.heap_bytes.fetch_sub(self.trimmable.swap(0, Relaxed), Relaxed);
        async { Some(true) }.boxed()
    }

    fn inventory(&self, of: Resource, _within: Duration) -> BoxFuture<'static, Option<String>> {
        async move { Some(format!("what there is of {of}")) }.boxed()
    }
}

/// A gateway with two stations, measured by `said`.
async fn guarded(world: &Arc<World>, said: &Arc<Said>, dumps: &Arc<DumpsInMemory>) -> Gateway {
    let _plcs = ["press", "oven"].map(|name| world.plc(&format!("{name}:102")));
    let embedding = Embedding {
        vitals: Arc::clone(said) as Arc<dyn Vitals>,
        dumps: Some(Arc::clone(dumps) as Arc<dyn DumpSink>),
        ..Embedding::default()
    };
    let mut config = config(vec![station("press"), station("oven")]);
    config.http.write_timeout = Duration::from_secs(24 * 60 * 60);
    let gateway = start(world, config, embedding).await;
    until_online(&gateway).await;
    gateway
}

/// The guardian's breaches, dumps, trims and evictions.
fn did(gateway: &Gateway) -> [u64; 4] {
    ["guardian_breaches", "guardian_dumps", "guardian_trims", "guardian_evictions"]
        .map(|name| gauge(gateway, name))
}

const GIB: u64 = 1 << 30;

#[tokio::test(start_paused = true)]
async fn a_breach_that_a_trim_ends_evicts_nobody() {
    let (world, said, dumps) = (World::new(), Arc::<Said>::default(), Arc::new(DumpsInMemory::new(10)));
    let gateway = guarded(&world, &said, &dumps).await;
    sleep(Duration::from_secs(120)).await;
    assert_eq!(did(&gateway), [0; 4]);
    said.heap_bytes.store(GIB + 1, Relaxed);
    said.trimmable.store(2, Relaxed);
    sleep(Duration::from_secs(120)).await;
    assert_eq!(did(&gateway), [1, 3, 1, 0]);
    let names: Vec<String> = dumps.take().into_iter().map(|(what, _)| what).collect();
    let of = |resource| format!("heap_bytes-too-much-{resource}");
    assert_eq!(names, ["tasks", "fds", "heap_bytes"].map(of));
}

#[tokio::test(start_paused = true)]
async fn a_breach_that_persists_ends_the_heaviest_and_then_waits() {
    let (world, said, dumps) = (World::new(), Arc::<Said>::default(), Arc::new(DumpsInMemory::new(10)));
    let gateway = guarded(&world, &said, &dumps).await;
    let mut never_reads = world.browse();
    ask(&mut never_reads, "/events", "").await;
    until("a queue", || gauge(&gateway, "queued_events") > 0).await;
    said.fds.store(901, Relaxed);
    // Its connection holds a descriptor.
    until("an eviction", || gauge(&gateway, "guardian_evictions") > 0).await;
    assert_eq!(gauge(&gateway, "sse_consumers"), 0);
    sleep(Duration::from_secs(240)).await;
    assert_eq!(did(&gateway)[0], 1, "it cools down");
    sleep(Duration::from_secs(240)).await;
    assert_eq!(did(&gateway)[0], 2);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_guardian_in_whatever_it_does() {
    let (world, said, dumps) = (World::new(), Arc::<Said>::default(), Arc::new(DumpsInMemory::new(10)));
    let gateway = guarded(&world, &said, &dumps).await;
    said.fds.store(901, Relaxed);
    until("a breach", || gauge(&gateway, "guardian_breaches") > 0).await;
    let began = Instant::now();
    gateway.shutdown().await.expect("an ordered end");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_new_configuration_is_guarded_by_its_own_limits() {
    let (world, said, dumps) = (World::new(), Arc::<Said>::default(), Arc::new(DumpsInMemory::new(10)));
    let gateway = guarded(&world, &said, &dumps).await;
    let tasks = gauge(&gateway, "tasks");
    said.fds.store(500, Relaxed);
    let mut stricter = config(vec![station("press"), station("oven")]);
    stricter.guardian.fds.max = 0.4;
    gateway.reload(stricter).await.expect("a sound configuration");
    assert_eq!((did(&gateway)[0], gauge(&gateway, "tasks")), (0, tasks));
    until("a breach", || gauge(&gateway, "guardian_breaches") > 0).await;
}

/// Bytes of each plant: a page's worth, as a leak in an answer's handling would lose.
const PLANT_BYTES: usize = 4 * 1024;

/// Loses memory with every answer of one station, for as long as it is told to.
struct Leaks {
    station: &'static str,
    on: AtomicBool,
    lost: AtomicU64,
}

impl Leaks {
    fn of(station: &'static str) -> Arc<Self> {
        Arc::new(Self { station, on: AtomicBool::new(false), lost: AtomicU64::new(0) })
    }
}

impl Hooks for Leaks {
    fn on_message(&self, connection: &Connection<'_>) {
        if connection.name == self.station && self.on.load(Relaxed) {
            std::mem::forget(vec![0_u8; PLANT_BYTES]);
            self.lost.fetch_add(1, Relaxed);
        }
    }
}

#[test]
fn a_leak_under_one_station_shows_in_that_station_alone() {
    alone("a_leak_under_one_station_shows_in_that_station_alone", || {
        paused(async {
            let world = World::new();
            let leaks = Leaks::of("plc-7");
            let embedding = Embedding { hooks: Arc::clone(&leaks) as Arc<dyn Hooks>, ..Embedding::default() };
            let gateway = start(&world, config(twenty_stations(&world)), embedding).await;
            until_online(&gateway).await;
            sleep(Duration::from_secs(30)).await;
            let before = by_station(&gateway, "station_heap_bytes");
            leaks.on.store(true, Relaxed);
            sleep(Duration::from_secs(60)).await;
            let after = by_station(&gateway, "station_heap_bytes");
            let grown: Vec<i64> =
                after.iter().zip(&before).map(|(now, then)| *now as i64 - *then as i64).collect();
            for (station, grown) in grown.iter().enumerate() {
                // A poll a second.
                let planted = if station == 7 { 60 * PLANT_BYTES as i64 } else { 0 };
                assert_eq!(*grown, planted, "plc-{station}: {grown:?}");
            }
        });
    });
}

#[test]
fn a_planted_rise_is_written_down_and_its_station_evicted_and_then_the_gateway_is_clean() {
    alone("a_planted_rise_is_written_down_and_its_station_evicted_and_then_the_gateway_is_clean", || {
        paused(a_planted_rise())
    });
}

/// The least that the gateway holds within three seconds: in each, every station rests between two polls.
async fn floor() -> (u64, u64) {
    let mut floor = (u64::MAX, u64::MAX);
    for _look in 0..60 {
        let own = |tenant: Tenant| tenant.is_within(Tenant::named("gateway"));
        let live = heap::live_of(own).expect("the probe's allocator counts");
        floor = (floor.0.min(live.bytes), floor.1.min(live.blocks));
        sleep(Duration::from_millis(50)).await;
    }
    floor
}

async fn a_planted_rise() {
    let world = World::new();
    let leaks = Leaks::of("plc-7");
    let dumps = Arc::new(DumpsInMemory::new(3));
    let embedding = Embedding {
        hooks: Arc::clone(&leaks) as Arc<dyn Hooks>,
        dumps: Some(Arc::clone(&dumps) as Arc<dyn DumpSink>),
        ..{
            let _gateway = Tenant::named("gateway").enter();
            Embedding::default()
        }
    };
    let mut config = config(twenty_stations(&world));
    // Sixty answers a minute lose 240 KiB.
    config.guardian.heap.growth_per_minute = ByteSize::kib(60);
    let gateway = start(&world, config, embedding).await;
    until_online(&gateway).await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(did(&gateway), [0; 4], "nothing rises yet");
    let before = floor().await;
    leaks.on.store(true, Relaxed);
    until("a breach", || gauge(&gateway, "guardian_breaches") == 1).await;
    leaks.on.store(false, Relaxed);
    until("evictions", || gauge(&gateway, "guardian_evictions") == 8).await;
    let dumped = dumps.take();
    let heap = &dumped.last().expect("a dump").1;
    assert!(heap.contains("tests/observe.rs") && heap.contains("plc-7"), "{heap}");
    assert!(dumped[0].1.contains("station/mod.rs"), "{}", dumped[0].1);
    let connects = by_station(&gateway, "station_connects_total");
    assert_eq!((connects[7], connects.iter().sum::<u64>()), (2, STATIONS as u64 + 7), "{connects:?}");
    until_online(&gateway).await;
    // Each new session's channel for heartbeats makes a second block of its own when it has seen 32 of them.
    sleep(Duration::from_secs(300)).await;
    let lost = leaks.lost.load(Relaxed);
    assert_eq!(floor().await, (before.0 + lost * PLANT_BYTES as u64, before.1 + lost));
    gateway.shutdown().await.expect("an ordered end");
}

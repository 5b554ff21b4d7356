//! What a scrape costs: every metric of a gateway with so many stations of four tags, none of them online.

use std::hint::black_box;
use std::io;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use gateway_under_test::config::{Config, StationConfig, TagConfig, TagType};
use gateway_under_test::net::{BoxStream, Listener, Net};
use gateway_under_test::observe::ProcessVitals;
use gateway_under_test::{Embedding, Gateway};

#[cfg(feature = "probe")]
#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

/// A network in which nobody answers.
struct Nobody;

impl Net for Nobody {
    fn connect(&self, _to: &str) -> BoxFuture<'static, io::Result<BoxStream>> {
        std::future::pending().boxed()
    }

    fn listen(&self, _at: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        std::future::pending().boxed()
    }
}

fn config(stations: usize) -> Config {
    let tags: Vec<TagConfig> =
        (0..4_u32).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag * 4, TagType::Dint)).collect();
    let station = |number| StationConfig::new(format!("plc-{number}"), "plc:102", tags.clone());
    Config { stations: (0..stations).map(station).collect(), ..Config::default() }
}

fn scrapes(criterion: &mut Criterion) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    #[cfg(feature = "probe")]
    watertight_probe::tasks::install(&mut builder);
    let runtime = builder.enable_all().build().expect("a current-thread runtime");
    let mut group = criterion.benchmark_group("scrape");
    for stations in [1, 100, 1_000] {
        let embedding = Embedding { vitals: Arc::new(ProcessVitals::start()), ..Embedding::default() };
        let started = Gateway::start_with(config(stations), Arc::new(Nobody), 7, embedding);
        let gateway = runtime.block_on(started).expect("a sound configuration");
        let id = BenchmarkId::from_parameter(stations);
        // In the runtime: ages are told by its clock.
        let _entered = runtime.enter();
        group.bench_with_input(id, &gateway, |bencher, gateway| {
            bencher.iter(|| black_box(gateway.metrics().len()));
        });
    }
    group.finish();
}

criterion_group!(benches, scrapes);
criterion_main!(benches);

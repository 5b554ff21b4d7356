//! Prometheus' text format: every metric in a fixed order, so that two scrapes can be compared line by line.
//!
//! Ours: the format is two kinds of line, and crates for it keep registries of atomics of their own beside our meters.

use std::fmt::{self, Write as _};

use tokio::time::Instant;

use super::Vitals;
use crate::shared::Shared;
use crate::station::Station;
use crate::station::status::Phase;
use crate::tenant::Books;

/// The content type that scrapers expect.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bytes of all metrics but those of stations, generously.
const OWN_BYTES: usize = 16 * 1024;
/// Bytes of one station's lines beside its name, generously.
const STATION_BYTES: usize = STATIONS.len() * 64;

/// Every metric.
pub fn render(shared: &Shared) -> String {
    // Before anything is allocated here: a scrape does not count itself.
    let vitals = vitals(&*shared.embedding.vitals);
    let books = Books::open();
    let stations = shared.stations.list();
    let names: usize = stations.iter().map(|station| STATIONS.len() * station.config.name.len()).sum();
    let mut text = Text(String::with_capacity(OWN_BYTES + stations.len() * STATION_BYTES + names));
    for (name, help, value) in shared.held() {
        text.one("gauge", name, help, Number::Whole(value));
    }
    for (name, help, value) in vitals {
        value.into_iter().for_each(|value| text.one("gauge", name, help, value));
    }
    for (name, help, value) in shared.meters.totals() {
        text.one("counter", name, help, Number::Whole(value));
    }
    for family in &STATIONS {
        text.per_station(family, &stations, &books);
    }
    text.0
}

fn vitals(vitals: &dyn Vitals) -> [(&'static str, &'static str, Option<Number>); 6] {
    let heap = vitals.heap();
    let whole = |value: Option<u64>| value.map(Number::Whole);
    [
        ("fds", "open file descriptors", whole(vitals.fds())),
        ("fds_limit", "file descriptors that may be open", whole(vitals.fds_limit())),
        ("heap_bytes", "live heap", whole(heap.map(|heap| heap.bytes))),
        ("heap_blocks", "live heap blocks", whole(heap.map(|heap| heap.blocks))),
        ("rss_bytes", "resident memory", whole(vitals.rss_bytes())),
        (
            "start_time_seconds",
            "when the process started, since 1970",
            vitals.started_at().map(Number::Seconds),
        ),
    ]
}

/// A value.
#[derive(Clone, Copy)]
enum Number {
    /// A count, or bytes.
    Whole(u64),
    /// A time.
    Seconds(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Seconds(value) => write!(f, "{value:.3}"),
        }
    }
}

/// A metric that each station has.
struct Family {
    kind: &'static str,
    name: &'static str,
    help: &'static str,
    value: fn(&Station, &Books) -> Option<Number>,
}

const STATIONS: [Family; 10] = [
    Family {
        kind: "gauge",
        name: "station_online",
        help: "whether the station is connected and polled",
        value: |station, _| Some(Number::Whole(u64::from(station.status.phase() == Phase::Online))),
    },
    Family {
        kind: "gauge",
        name: "station_tasks",
        help: "live tasks of the station",
        value: |station, books| books.tasks(station.tenant).map(Number::Whole),
    },
    Family {
        kind: "gauge",
        name: "station_heap_bytes",
        help: "live heap allocated for the station",
        value: |station, books| books.heap_bytes(station.tenant).map(Number::Whole),
    },
    Family {
        kind: "gauge",
        name: "station_breaker_open",
        help: "whether the station is left alone for a while",
        value: |station, _| Some(Number::Whole(u64::from(station.breaker().is_open()))),
    },
    Family {
        kind: "gauge",
        name: "station_pool_connections",
        help: "connections to the station's PLC",
        value: |station, _| Some(Number::Whole(station.pool.connections() as u64)),
    },
    Family {
        kind: "gauge",
        name: "station_pool_limit",
        help: "connections there may be now: configured, calibrated and granted",
        value: |station, _| Some(Number::Whole(station.pool.limit() as u64)),
    },
    Family {
        kind: "gauge",
        name: "station_value_age_seconds",
        help: "time since the station's oldest value was read",
        value: |station, _| oldest_value_seconds(station).map(Number::Seconds),
    },
    Family {
        kind: "counter",
        name: "station_connects",
        help: "sessions set up",
        value: |station, _| Some(Number::Whole(station.status.connects.read())),
    },
    Family {
        kind: "counter",
        name: "station_polls",
        help: "polls that published every tag",
        value: |station, _| Some(Number::Whole(station.status.polls.read())),
    },
    Family {
        kind: "counter",
        name: "station_failures",
        help: "sessions and attempts that failed",
        value: |station, _| Some(Number::Whole(station.status.failures.read())),
    },
];

fn oldest_value_seconds(station: &Station) -> Option<f64> {
    let oldest = station.cache.look(|tags| tags.iter().filter_map(|tag| tag.at).min())?;
    Some(Instant::now().saturating_duration_since(oldest).as_secs_f64())
}

struct Text(String);

impl Text {
    /// A metric with one value.
    fn one(&mut self, kind: &str, name: &str, help: &str, value: Number) {
        let ending = self.head(kind, name, help);
        self.line(format_args!("s7_gateway_{name}{ending} {value}"));
    }

    /// A metric with a value for each station that has one.
    fn per_station(&mut self, family: &Family, stations: &[std::sync::Arc<Station>], books: &Books) {
        let name = family.name;
        let ending = self.head(family.kind, name, family.help);
        for station in stations {
            let Some(value) = (family.value)(station, books) else { continue };
            // Station names are letters, digits and `_.-`: nothing to escape.
            let station = &station.config.name;
            self.line(format_args!("s7_gateway_{name}{ending}{{station=\"{station}\"}} {value}"));
        }
    }

    /// What it is; the name's ending for this kind.
    fn head(&mut self, kind: &str, name: &str, help: &str) -> &'static str {
        let ending = if kind == "counter" { "_total" } else { "" };
        self.line(format_args!("# HELP s7_gateway_{name}{ending} {help}"));
        self.line(format_args!("# TYPE s7_gateway_{name}{ending} {kind}"));
        ending
    }

    fn line(&mut self, text: fmt::Arguments<'_>) {
        writeln!(self.0, "{text}").expect("a string takes every write");
    }
}

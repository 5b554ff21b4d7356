//! Prometheus' text format.

use std::fmt::Write as _;

use crate::shared::Shared;
use crate::station::status::{Phase, Status};

/// The content type that scrapers expect.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric, in a fixed order.
pub fn render(shared: &Shared) -> String {
    let mut out = String::with_capacity(8 * 1024);
    for (name, help, value) in shared.held() {
        head(&mut out, name, help, "gauge");
        line(&mut out, format_args!("s7_gateway_{name} {value}"));
    }
    for (name, help, value) in shared.meters.totals() {
        let name = format!("{name}_total");
        head(&mut out, &name, help, "counter");
        line(&mut out, format_args!("s7_gateway_{name} {value}"));
    }
    let online = |status: &Status| u64::from(status.phase() == Phase::Online);
    per_station(
        &mut out,
        shared,
        "station_online",
        "whether the station is connected and polled",
        "gauge",
        online,
    );
    per_station(&mut out, shared, "station_connects_total", "sessions set up", "counter", |status| {
        status.connects.read()
    });
    per_station(
        &mut out,
        shared,
        "station_polls_total",
        "polls that published every tag",
        "counter",
        |status| status.polls.read(),
    );
    per_station(
        &mut out,
        shared,
        "station_failures_total",
        "sessions and attempts that failed",
        "counter",
        |status| status.failures.read(),
    );
    out
}

fn per_station(
    out: &mut String,
    shared: &Shared,
    name: &str,
    help: &str,
    kind: &str,
    value: impl Fn(&Status) -> u64,
) {
    head(out, name, help, kind);
    for station in shared.stations.list().iter() {
        // Station names are letters, digits and `_.-`: nothing to escape.
        let (station, value) = (&station.config.name, value(&station.status));
        line(out, format_args!("s7_gateway_{name}{{station=\"{station}\"}} {value}"));
    }
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    line(out, format_args!("# HELP s7_gateway_{name} {help}"));
    line(out, format_args!("# TYPE s7_gateway_{name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes every write");
}

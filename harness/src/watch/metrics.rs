//! What has been seen, as metrics.

use super::{Sample, Seen, Trend};
use crate::report::openmetrics::{Format, Page};

/// Figures of the process's own that are told: a process must not grow the page without end.
const GAUGES_MAX: usize = 256;

/// A page of metrics.
pub fn page(seen: &Seen, format: Format) -> String {
    let mut page = Page::new(format);
    page.gauge("watertight_watch_up", "whether the last look at the process came about")
        .sample(&[("target", &seen.target)], flag(seen.up));
    page.counter("watertight_watch_looks_total", "looks at the process").sample(&[], seen.looks as f64);
    page.counter("watertight_watch_failed_looks_total", "looks that did not come about")
        .sample(&[], seen.failed as f64);
    if let Some(latest) = seen.latest.as_ref().filter(|_| seen.up) {
        figures(&mut page, latest);
        details(&mut page, latest);
    }
    trends(&mut page, seen);
    page.finish()
}

const fn flag(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn figures(page: &mut Page, latest: &Sample) {
    let census = &latest.census;
    let whole = |figure: Option<u64>| figure.map(|figure| figure as f64);
    let all = [
        ("watertight_watch_rss_bytes", "resident memory", census.rss_bytes),
        ("watertight_watch_fds", "open file descriptors", census.fds),
        ("watertight_watch_threads", "threads of the system", census.threads),
        ("watertight_watch_tasks", "live async tasks", census.tasks),
        ("watertight_watch_heap_bytes", "live heap", census.heap_bytes),
        ("watertight_watch_heap_blocks", "live heap blocks", census.heap_blocks),
    ];
    for (name, help, figure) in all.into_iter().filter(|(_, _, figure)| figure.is_some()) {
        page.gauge(name, help).sample(&[], whole(figure));
    }
    let mut own = page.gauge("watertight_watch_figure", "figures that the process keeps of itself");
    for (name, figure) in census.gauges.iter().take(GAUGES_MAX) {
        own = own.sample(&[("name", name)], *figure);
    }
}

fn details(page: &mut Page, latest: &Sample) {
    let details = &latest.details;
    let mut kinds = page.gauge("watertight_watch_fds_of_kind", "open file descriptors by kind");
    for (kind, count) in &details.fds_by_kind {
        kinds = kinds.sample(&[("kind", kind)], *count as f64);
    }
    let mut states = page.gauge("watertight_watch_tcp_sockets", "TCP sockets of the process by state");
    for (state, count) in &details.tcp {
        states = states.sample(&[("state", state)], *count as f64);
    }
    if let Some(count) = details.tcp_time_wait {
        page.gauge(
            "watertight_watch_tcp_time_wait",
            "closed connections remembered in the process's network",
        )
        .sample(&[], count as f64);
    }
    let mut sites = page.gauge("watertight_watch_site_bytes", "live heap of the places that hold most");
    for site in &details.sites {
        sites = sites.sample(&[("site", &site.place)], site.live_bytes as f64);
    }
}

fn trends(page: &mut Page, seen: &Seen) {
    let mut floor =
        page.gauge("watertight_watch_floor", "lowest figure of the last window: bytes for rss, else a count");
    for (resource, floors) in seen.floors() {
        floor = floor.sample(&[("resource", resource.name())], floors.floor().map(|floor| floor as f64));
    }
    let mut rising =
        page.gauge("watertight_watch_rising", "whether every floor is above the one before; no verdict");
    for (resource, floors) in seen.floors() {
        let rises = matches!(floors.trend(), Trend::Rising | Trend::Slowing);
        rising = rising.sample(&[("resource", resource.name())], flag(rises));
    }
    let mut growth = page.gauge("watertight_watch_growth_per_hour", "slope over the later half of the watch");
    for (resource, floors) in seen.floors() {
        growth = growth.sample(&[("resource", resource.name())], seen.growth_per_hour(floors));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::census::Census;
    use crate::watch::{Details, Site};

    fn seen() -> Seen {
        let mut seen = Seen::of("pid 7 (a \"b\")".to_owned(), Duration::from_secs(1));
        for look in 0..40 {
            let census = Census { rss_bytes: Some(4096), fds: Some(3 + look), ..Census::default() };
            let details = Details {
                tcp: [("ESTAB".to_owned(), 2)].into(),
                sites: vec![Site { place: "src/a.rs:7".to_owned(), live_bytes: 64, live_blocks: 1 }],
                ..Details::default()
            };
            seen.note(Sample { after: Duration::from_secs(look), census, details });
        }
        Seen { up: true, looks: 40, ..seen }
    }

    #[test]
    fn a_page_tells_figures_details_and_trends() {
        let text = page(&seen(), Format::Prometheus);
        for line in [
            "watertight_watch_up{target=\"pid 7 (a \\\"b\\\")\"} 1",
            "watertight_watch_looks_total 40",
            "watertight_watch_fds 42",
            "watertight_watch_tcp_sockets{state=\"ESTAB\"} 2",
            "watertight_watch_site_bytes{site=\"src/a.rs:7\"} 64",
            "watertight_watch_rising{resource=\"fds\"} 1",
            "watertight_watch_rising{resource=\"rss\"} 0",
            "watertight_watch_growth_per_hour{resource=\"fds\"} 3600",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(!text.contains("watertight_watch_tasks"), "what is not measured has no figure");
    }

    #[test]
    fn one_that_is_gone_has_no_figures_left() {
        let text = page(&Seen { up: false, ..seen() }, Format::Prometheus);
        assert!(text.contains("watertight_watch_up{target=\"pid 7 (a \\\"b\\\")\"} 0"), "{text}");
        assert!(!text.contains("watertight_watch_fds "), "{text}");
    }
}

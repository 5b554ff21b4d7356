//! What a watch says where there is no screen to draw on: a line a look, and a summary.

use std::fmt::Write;
use std::time::Duration;

use watertight::census::Census;
use watertight::report::figures::{amount, bytes, grouped, signed, signed_bytes, time};
use watertight::resource::Resource;
use watertight::watch::{Details, Floors, NO_VERDICT, Seen, Trend};

/// What is about to be watched.
pub fn head(seen: &Seen) -> String {
    format!("watching {} every {}; {NO_VERDICT}", seen.target, time(seen.every))
}

/// The last look, in one line.
pub fn plain(seen: &Seen) -> String {
    let Some(latest) = &seen.latest else { return String::new() };
    let parts = [
        Some(format!("{:>8}", time(latest.after))),
        census(&latest.census),
        details(&latest.details),
        moving(seen),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

/// The last look as JSON, with where each resource goes.
pub fn json(seen: &Seen) -> String {
    let trends: serde_json::Map<String, serde_json::Value> =
        seen.floors().map(|(resource, floors)| (resource.name().to_owned(), trend(floors))).collect();
    let mut line = serde_json::json!(seen.latest);
    if let Some(line) = line.as_object_mut() {
        line.insert("trends".to_owned(), trends.into());
    }
    line.to_string()
}

fn trend(floors: &Floors) -> serde_json::Value {
    serde_json::json!({ "trend": floors.trend(), "floor": floors.floor() })
}

fn census(census: &Census) -> Option<String> {
    let heap = census.heap_bytes.map(|live| {
        let blocks = census.heap_blocks.map(|blocks| format!(" in {} blocks", grouped(blocks)));
        format!("heap {}{}", bytes(live), blocks.unwrap_or_default())
    });
    let count = |name: &str, count: Option<u64>| count.map(|count| format!("{name} {}", grouped(count)));
    let parts = [
        census.rss_bytes.map(|rss| format!("rss {}", bytes(rss))),
        count("fds", census.fds),
        count("threads", census.threads),
        count("tasks", census.tasks),
        heap,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("  "))
}

fn details(details: &Details) -> Option<String> {
    let list = |name: &str, counts: Vec<String>| {
        (!counts.is_empty()).then(|| format!("{name}: {}", counts.join(" ")))
    };
    let kinds = details.fds_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let states = details.tcp.iter().map(|(state, count)| format!("{state} {count}")).collect();
    let parts: Vec<String> = [list("fds", kinds), list("tcp", states)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("  "))
}

/// The resources whose floors rise.
fn moving(seen: &Seen) -> Option<String> {
    let rises = |floors: &Floors| matches!(floors.trend(), Trend::Rising | Trend::Slowing);
    let names: Vec<String> = seen
        .floors()
        .filter(|(_, floors)| rises(floors))
        .map(|(resource, floors)| format!("{} {}", floors.trend().sign(), resource.name()))
        .collect();
    (!names.is_empty()).then(|| names.join(" "))
}

/// What was seen of each resource over the whole watch.
pub fn summary(seen: &Seen, lasted: Duration) -> String {
    let mut text = format!("watched {} for {}, {} looks\n", seen.target, time(lasted), grouped(seen.looks));
    for (resource, floors) in seen.floors() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:<8} {}", resource.name(), of_resource(seen, resource, floors));
    }
    if let Some(latest) = &seen.latest {
        for site in &latest.details.sites {
            let _ = writeln!(
                text,
                "  {:>10} in {:>7} blocks  {}",
                bytes(site.live_bytes),
                grouped(site.live_blocks),
                site.place
            );
        }
    }
    text + NO_VERDICT
}

fn of_resource(seen: &Seen, resource: Resource, floors: &Floors) -> String {
    let (first, now) = floors.ends().unwrap_or_default();
    // Of the heap blocks are counted.
    let amount = |figure| match resource {
        Resource::Heap => format!("{} blocks", grouped(figure)),
        _ => amount(resource, figure),
    };
    let growth = seen.growth_per_hour(floors);
    let per_hour = match resource {
        Resource::Rss => signed_bytes(growth),
        _ => signed(growth),
    };
    let ends = format!("{} to {}", amount(first), amount(now));
    match floors.trend() {
        Trend::Early => format!("{ends}, too early for a trend"),
        Trend::Level => format!("{ends}, level"),
        trend => format!("{ends}, {}: {per_hour} an hour", trend.word()),
    }
}

#[cfg(test)]
mod tests {
    use watertight::watch::Sample;

    use super::*;

    fn seen(looks: u64) -> Seen {
        let mut seen = Seen::of("pid 7 (leaky)".to_owned(), Duration::from_secs(1));
        for look in 0..looks {
            let census = Census { rss_bytes: Some(24 << 20), fds: Some(10 + look), ..Census::default() };
            let details = Details {
                fds_by_kind: [("socket", 4), ("file", 3)].into(),
                tcp: [("ESTAB".to_owned(), 3)].into(),
                ..Details::default()
            };
            seen.note(Sample { after: Duration::from_secs(look), census, details });
        }
        seen
    }

    #[test]
    fn a_look_is_one_line_and_names_what_rises() {
        let line = plain(&seen(30));
        assert_eq!(
            line, "    29 s  rss 24.0 MiB  fds 39  fds: file 3 socket 4  tcp: ESTAB 3  ↑ fds",
            "in groups that stay in their order"
        );
        assert!(!plain(&seen(3)).contains('↑'), "too early to tell");
    }

    #[test]
    fn json_has_figures_and_trends() {
        let line: serde_json::Value = serde_json::from_str(&json(&seen(30))).expect("JSON");
        assert_eq!(line["fds"], 39);
        assert_eq!(line["after_seconds"], 29.0);
        assert_eq!(line["fds_by_kind"]["socket"], 4);
        assert_eq!(line["trends"]["fds"]["trend"], "rising");
        assert_eq!(line["tasks"], serde_json::Value::Null, "not measured is not zero");
    }

    #[test]
    fn a_summary_says_that_it_is_no_verdict() {
        let text = summary(&seen(30), Duration::from_secs(30));
        assert!(text.contains("fds      10 to 39, rising: +3600 an hour"), "{text}");
        assert!(text.contains("rss      24.0 MiB to 24.0 MiB, level"), "{text}");
        assert!(text.ends_with(NO_VERDICT), "{text}");
    }
}

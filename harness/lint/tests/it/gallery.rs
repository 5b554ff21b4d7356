//! Defects that have a syntactic trace, and the rule that sees it.

use std::collections::BTreeMap;

use watertight_lint::{Asked, Report, Sources, run};

use crate::root;

/// File of the gallery, and a rule that must find it there.
///
/// What is not in it has no trace in syntax: a deadline of a year (D13), the `?` between an entry and its removal (D02),
/// a box of which one field is read (D22), a request without a deadline of its own (D03), identifiers that outlive their
/// connection (D25), holes between blocks (D28).
const SEEN: &[(&str, &str)] = &[
    ("cache_without_eviction", "map-grows-per-connection"),
    ("callback_never_deregistered", "map-grows-per-connection"),
    ("cancel_not_propagated", "loop-without-cancel"),
    ("closure_captures_buffer", "slice-pins-buffer"),
    ("dead_session_generation", "map-grows-per-connection"),
    ("dirty_pooled_buffer", "unbounded-channel"),
    ("file_handle_kept", "map-grows-per-connection"),
    ("half_open_kept", "loop-without-cancel"),
    ("heartbeat_outlives_connection", "loop-without-cancel"),
    ("lost_wakeup_on_drain", "loop-without-cancel"),
    ("periodic_append", "map-grows-per-connection"),
    ("pool_entry_outlives_cancel", "loop-without-cancel"),
    ("reconnect_without_backoff", "loop-without-cancel"),
    ("reference_cycle", "arc-cycle-by-closure"),
    ("self_rearming_timer", "loop-without-cancel"),
    ("send_to_dead_consumer", "task-owns-its-sender"),
    ("slice_pins_block", "slice-pins-buffer"),
    ("spawn_per_tick", "detached-spawn"),
    ("subscription_never_ends", "loop-without-cancel"),
    ("ticker_never_stopped", "loop-without-cancel"),
    ("tracker_never_closed", "join-set-never-joined"),
    ("unbounded_consumer_backlog", "unbounded-channel"),
    ("unbounded_log_queue", "unbounded-channel"),
    ("unpolled_join_set", "join-set-never-joined"),
];

fn report(folder: &str) -> Report {
    let folder = root().join("gateway-under-test/src/defects").join(folder);
    run(Sources::of_paths(&[folder], false), &Asked::default(), None).expect("threads")
}

/// The rules that find something, by file.
fn found() -> BTreeMap<String, Vec<&'static str>> {
    let mut found: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for one in report("").findings {
        let name = one.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        found.entry(name).or_default().push(one.rule);
    }
    found
}

#[test]
fn what_has_a_trace_in_syntax_is_seen_by_its_rule() {
    let found = found();
    for (file, rule) in SEEN {
        let rules = found.get(*file);
        assert!(rules.is_some_and(|rules| rules.contains(rule)), "{file}: wanted {rule}, found {rules:?}");
    }
}

#[test]
fn what_only_looks_like_a_leak_is_not_found() {
    let report = report("harmless");
    assert!(report.files > 3 && report.findings.is_empty(), "{:#?}", report.findings);
}

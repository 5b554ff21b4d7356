use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::census::Census;
use crate::report::fixtures;
use crate::report::soak::{Capture, CaptureReason, Checkpoint};
use crate::seed::Seed;
use crate::timeline::CycleRecord;
use crate::verdict::Resting;

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("s.db")).unwrap();
    (folder, store)
}

fn soak(case: &str) -> NewRun {
    NewRun {
        kind: RunKind::Soak,
        scenario: "flapping-network".to_owned(),
        case: case.to_owned(),
        engine: "process".to_owned(),
        file: "gate/flapping-network.yaml".into(),
        seed: Seed(u64::MAX),
        target: "s7-gateway".to_owned(),
        commit: Some("4adca16".to_owned()),
        environment: BTreeMap::from([("cores".to_owned(), "2".to_owned())]),
        options: serde_json::json!({ "set": [["a", "b"]] }),
        asked: Some(Duration::from_secs(28_800)),
    }
}

/// What a gateway holds, with as many figures of its own as the real one publishes.
fn record(cycle: usize) -> CycleRecord {
    let gauges = (0..53).map(|n| (format!("gauge_of_the_gateway_{n}"), f64::from(n) * 1_000.5));
    CycleRecord {
        cycle,
        at: Duration::from_millis(1_000 * (cycle as u64 + 1) + 7),
        settled_after: Some(Duration::from_micros(123_456)),
        census: Census {
            tasks: Some(12 + (cycle % 3) as u64),
            fds: Some(19),
            threads: None,
            heap_blocks: Some(1_204),
            heap_bytes: Some(301_442),
            rss_bytes: Some(26_800_000),
            gauges: gauges.collect(),
        },
    }
}

fn tasks(records: &[CycleRecord]) -> Vec<(usize, Option<u64>)> {
    records.iter().map(|record| (record.cycle, record.census.tasks)).collect()
}

#[test]
fn what_is_put_in_comes_out_again_also_by_another_reader() {
    let (folder, store) = store();
    let run = store.begin_run(&soak("plcs=1")).unwrap();
    let segment = store.begin_segment(run).unwrap();
    (0..3).for_each(|cycle| store.add_cycle(run, segment, &record(cycle)).unwrap());
    let checkpoint = Checkpoint { notes: vec!["a note".to_owned()], ..Checkpoint::default() };
    store.set_checkpoint(run, segment, &checkpoint).unwrap();
    store.set_report(run, &fixtures::heap_leak()).unwrap();
    let reader = Store::open_to_read(&folder.path().join("s.db")).unwrap();
    let runs = reader.runs().unwrap();
    assert_eq!((runs.len(), &runs[0].what, &runs[0].ended), (1, &soak("plcs=1"), &None));
    assert_eq!(reader.cycles(run, segment).unwrap(), (0..3).map(record).collect::<Vec<_>>());
    assert_eq!(reader.segments(run).unwrap()[0].checkpoint, Some(checkpoint));
    let reports = reader.reports().unwrap();
    assert_eq!(reports[0].resting, Resting::of(&fixtures::heap_leak().timeline));
    assert_eq!(reports[0].report.headline, fixtures::heap_leak().headline);
    assert!(reports[0].report.timeline.cycles.is_empty(), "figures of cycles are kept once");
    store.end_run(run).unwrap();
    assert!(reader.runs().unwrap()[0].ended.is_some());
}

#[test]
fn the_latest_soak_of_a_case_is_found_and_none_of_another() {
    let (_folder, store) = store();
    let find =
        |case| store.latest_soak("gate/flapping-network.yaml", case, "process").unwrap().map(|run| run.id);
    assert_eq!(find("plcs=1"), None);
    let first = store.begin_run(&soak("plcs=1")).unwrap();
    store.begin_run(&soak("plcs=50")).unwrap();
    assert_eq!(find("plcs=1"), Some(first));
    let second = store.begin_run(&soak("plcs=1")).unwrap();
    assert_eq!(find("plcs=1"), Some(second));
}

#[test]
fn floors_of_cycles_leave_out_what_did_not_rest_and_keep_warm_up_apart() {
    let (_folder, store) = store();
    let run = store.begin_run(&soak("")).unwrap();
    store.begin_segment(run).unwrap();
    for cycle in 0..10 {
        let settled_after = record(cycle).settled_after.filter(|_| cycle != 3);
        store.add_cycle(run, 0, &CycleRecord { settled_after, ..record(cycle) }).unwrap();
    }
    let tally = store.tally(run, 0, 2).unwrap();
    assert_eq!((tally.cycles, tally.restless, tally.rows, tally.each_max), (10, 1, 10, 1));
    assert_eq!(tally.lasted, record(9).at);
    // Tasks are 12, 13, 14, 12, 13, …
    let floors = tasks(&store.floors(run, 0, 2, 4, false).unwrap());
    assert_eq!(floors, [(0, Some(12)), (1, Some(13)), (2, Some(13)), (6, Some(12))]);
    let all = store.floors(run, 0, 2, 4, true).unwrap();
    assert_eq!(tasks(&all), [(0, Some(12)), (1, Some(13)), (2, Some(12)), (6, Some(12))]);
    assert_eq!(all[2].settled_after, None, "one of them did not rest");
}

#[test]
fn old_cycles_are_thinned_and_the_floors_stay_what_they_were() {
    let (_folder, store) = store();
    let run = store.begin_run(&soak("")).unwrap();
    store.begin_segment(run).unwrap();
    const ROWS: usize = 100;
    for cycle in 0..1_002 {
        store.add_cycle(run, 0, &record(cycle)).unwrap();
        if cycle % 10 == 0 {
            store.thin(run, 0, 2, ROWS).unwrap();
        }
    }
    let tally = store.tally(run, 0, 2).unwrap();
    assert!(tally.rows <= ROWS + 10, "{tally:?}");
    assert_eq!((tally.cycles, tally.lasted), (1_002, record(1_001).at), "none is forgotten");
    assert!(tally.each_max.is_power_of_two(), "so that floors of floors fit");
    let floors = store.floors(run, 0, 2, tally.each_max, false).unwrap();
    let counted = &floors[2..];
    assert_eq!(counted.len(), 1_000_usize.div_ceil(tally.each_max));
    assert!(counted.iter().all(|record| record.census.tasks == Some(12)), "the floor of three neighbours");
}

#[test]
fn captures_are_bounded_and_the_first_ones_are_kept() {
    let (_folder, store) = store();
    let run = store.begin_run(&soak("")).unwrap();
    for cycle in 0..CAPTURES_MAX + 5 {
        let capture = Capture {
            segment: 0,
            why: CaptureReason::Later,
            cycle,
            at: Duration::ZERO,
            findings: vec![],
            growing: vec![],
            tasks: vec![("hub.rs:7".to_owned(), 4)],
            awaits: BTreeMap::new(),
            fds: vec![],
            tcp_states: BTreeMap::new(),
            events: vec![],
        };
        store.add_capture(run, &capture).unwrap();
    }
    let cycles: Vec<usize> = store.captures(run).unwrap().iter().map(|capture| capture.cycle).collect();
    assert_eq!(cycles.len(), CAPTURES_MAX);
    assert_eq!((cycles[0], cycles[CAPTURES_MAX - 1]), (0, CAPTURES_MAX + 4));
}

#[test]
fn eight_hours_of_a_census_a_second_take_less_than_fifty_megabytes() {
    const FEW: usize = 2_000;
    let (_folder, store) = store();
    let run = store.begin_run(&soak("")).unwrap();
    store.begin_segment(run).unwrap();
    let before = store.bytes().unwrap();
    store.db.execute_batch("BEGIN").unwrap();
    (0..FEW).for_each(|cycle| store.add_cycle(run, 0, &record(cycle)).unwrap());
    store.db.execute_batch("COMMIT").unwrap();
    let per_cycle = (store.bytes().unwrap() - before) / FEW as u64;
    let eight_hours = per_cycle * 8 * 3_600;
    assert!(eight_hours < 50_000_000, "{per_cycle} bytes a cycle, {eight_hours} in eight hours");
}

#[test]
fn a_store_that_is_full_says_so_and_keeps_what_it_has() {
    let (_folder, store) = store();
    let run = store.begin_run(&soak("")).unwrap();
    store.begin_segment(run).unwrap();
    store.limit(store.bytes().unwrap() + 40_000).unwrap();
    let refused = (0..10_000).find_map(|cycle| Some((cycle, store.add_cycle(run, 0, &record(cycle)).err()?)));
    let (kept, error) = refused.expect("it is full some time");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().ends_with("what was measured is kept; make room, then go on with `--resume`"));
    assert_eq!(store.tally(run, 0, 0).unwrap().cycles, kept);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    // A folder where even root makes no files.
    let error = Store::open(Path::new("/proc/watertight.db")).unwrap_err().to_string();
    assert!(error.starts_with("store /proc/watertight.db: it cannot be opened: "), "{error}");
    let error = Store::open_to_read(Path::new("/nowhere/w.db")).unwrap_err().to_string();
    assert!(error.starts_with("store /nowhere/w.db: it cannot be opened: "), "{error}");
}

#[test]
fn a_store_that_is_only_read_is_not_written() {
    let (folder, writer) = store();
    drop(writer);
    let reader = Store::open_to_read(&folder.path().join("s.db")).unwrap();
    let error = reader.begin_run(&soak("")).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    assert!(error.to_string().contains("choose another place with `--store`"), "{error}");
}

#[test]
fn a_file_that_is_no_store_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (text, other) = (folder.path().join("notes.txt"), folder.path().join("other.db"));
    let notes = "these are notes, not a database; and long enough for the header of one".repeat(20);
    std::fs::write(&text, &notes).unwrap();
    let error = Store::open(&text).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&text).unwrap(), notes);
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let error = Store::open(&other).unwrap_err().to_string();
    assert!(error.contains("it is a database of something else, expected a store of watertight"), "{error}");
}

#[test]
fn a_newer_store_is_refused_with_both_versions() {
    let (folder, writer) = store();
    writer.db.pragma_update(None, "user_version", 7).unwrap();
    drop(writer);
    let path = folder.path().join("s.db");
    for error in [Store::open(&path).unwrap_err(), Store::open_to_read(&path).unwrap_err()] {
        assert!(matches!(error, StoreError::Newer { found: 7, known: 1, .. }), "{error}");
        assert!(error.to_string().contains("its schema is version 7, this watertight knows 1"), "{error}");
    }
}

#[test]
fn a_run_belongs_to_one_and_the_second_is_told_who_has_it() {
    let (folder, store) = store();
    let other = Store::open(&folder.path().join("s.db")).unwrap();
    let held = store.lock(7).unwrap();
    let error = other.lock(7).unwrap_err().to_string();
    let me = format!("run 7 is being played by process {}, since ", std::process::id());
    assert!(error.contains(&me), "{error}");
    let _another_run = other.lock(8).expect("two runs may be played at once");
    drop(held);
    drop(other.lock(7).expect("it was given back"));
    let left = std::fs::read_dir(folder.path()).unwrap().filter_map(Result::ok);
    let locks: Vec<_> =
        left.filter(|file| file.path().extension().is_some_and(|end| end == "lock")).collect();
    assert_eq!(locks.len(), 1, "that of run 8 alone");
}

#[test]
fn two_processes_write_to_one_store() {
    let (folder, store) = store();
    let other = Store::open(&folder.path().join("s.db")).unwrap();
    let (ours, theirs) = (store.begin_run(&soak("a")).unwrap(), other.begin_run(&soak("b")).unwrap());
    for cycle in 0..20 {
        store.add_cycle(ours, 0, &record(cycle)).unwrap();
        other.add_cycle(theirs, 0, &record(cycle)).unwrap();
    }
    assert_eq!(store.cycles(theirs, 0).unwrap(), other.cycles(theirs, 0).unwrap());
    assert_eq!(other.tally(ours, 0, 0).unwrap().cycles, 20);
}

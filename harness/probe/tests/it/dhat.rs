//! dhat as the second witness, in the same binary.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::path::{Path, PathBuf};

use watertight_probe::heap::{self, Live, Mode, Testimony};
use watertight_probe::{Tenant, plant};

use crate::case::cases;

cases![
    dhat_sees_the_same_plant_and_writes_its_profile["WATERTIGHT_HEAP" = "dhat"],
    both_witnesses_agree_on_every_stack["WATERTIGHT_HEAP" = "dhat"],
    what_is_left_out_is_hidden_from_dhat["WATERTIGHT_HEAP" = "dhat"],
    a_block_that_dhat_was_not_shown_is_a_difference["WATERTIGHT_HEAP" = "dhat"],
    the_profile_has_what_the_viewer_asks_for["WATERTIGHT_HEAP" = "dhat"],
    dhat_is_not_started_unasked,
];

fn path() -> PathBuf {
    std::env::temp_dir().join(format!("watertight-probe-dhat-{}.json", std::process::id()))
}

/// What both say of the heap as it is now, and the profile.
fn testimony() -> (Testimony, String) {
    let sites = heap::sites();
    let testimony = heap::testify(&sites).expect("the profile is written").expect("dhat runs");
    let profile = std::fs::read_to_string(path()).expect("it is written");
    std::fs::remove_file(path()).expect("it is ours");
    (testimony, profile)
}

fn dhat_sees_the_same_plant_and_writes_its_profile() {
    assert_eq!((heap::mode(), heap::live()), (Mode::Dhat, None));
    assert!(heap::start_dhat(&path()));
    let before = heap::live().expect("it runs");
    plant::heap(1000);
    let after = heap::live().expect("it runs");
    assert_eq!((after.bytes - before.bytes, after.blocks - before.blocks), (1000, 1));
    let (_, profile) = testimony();
    assert!(!heap::finish_dhat());
    assert!(profile.contains("plant.rs"), "{profile}");
}

/// Maps, strings and vectors that grow and shrink, on `depth` different stacks.
#[inline(never)]
fn churn(depth: u32, kept: &mut Vec<BTreeMap<u32, String>>) {
    if depth > 0 {
        churn(black_box(depth - 1), kept);
    }
    let mut map: BTreeMap<u32, String> = (0..50).map(|n| (n, "x".repeat(n as usize + 1))).collect();
    map.retain(|n, _| n % 3 > 0);
    map.values_mut().for_each(String::shrink_to_fit);
    map.values_mut().step_by(2).for_each(|text| text.push_str("and more"));
    kept.push(map);
    black_box(());
}

fn both_witnesses_agree_on_every_stack() {
    let mut older = black_box(Vec::<u8>::with_capacity(10));
    assert!(heap::start_dhat(&path()));
    let mut kept = Vec::new();
    churn(40, &mut kept);
    // A block that dhat was not shown stays hidden when it moves.
    older.resize(100_000, 1);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let mut kept = Vec::new();
                churn(3, &mut kept);
                kept
            })
        })
        .collect();
    let theirs: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("it ends")).collect();
    let (testimony, _) = testimony();
    assert_eq!((&testimony.differences[..], testimony.hidden), (&[][..], 0));
    assert!(testimony.stacks_alike > 40, "{testimony:#?}");
    let places: BTreeSet<_> =
        testimony.dhat.keys().filter(|place| place.starts_with("harness/probe/tests/it/dhat.rs:")).collect();
    assert!(places.len() >= 3, "{places:#?}");
    drop((older, kept, theirs));
}

fn what_is_left_out_is_hidden_from_dhat() {
    assert!(heap::start_dhat(&path()));
    let harness = Tenant::named("harness");
    heap::leave_out_of_dhat(&[Tenant::NONE, harness]);
    let before = heap::live().expect("it runs");
    plant::heap(7);
    for hidden in [harness, harness.child("part"), Tenant::PROBE] {
        let _hidden = hidden.enter();
        plant::heap(8);
    }
    let target = Tenant::named("target");
    let of_harness = {
        let _target = target.enter();
        plant::heap(100);
        let _harness = harness.enter();
        black_box(vec![0_u8; 9])
    };
    let after = heap::live().expect("it runs");
    assert_eq!((after.bytes - before.bytes, after.blocks - before.blocks), (100, 1));
    assert_eq!(heap::live_of_tenant(target), Some(Live { bytes: 100, blocks: 1 }));
    drop(of_harness);
    let (testimony, _) = testimony();
    assert_eq!(testimony.differences, []);
}

fn a_block_that_dhat_was_not_shown_is_a_difference() {
    assert!(heap::start_dhat(&path()));
    plant::heap(10);
    let mut sites = heap::sites();
    let site = sites.iter_mut().find(|site| site.live_bytes == 10).expect("the plant's");
    (site.live_blocks, site.live_bytes) = (2, 11);
    let testimony = heap::testify(&sites).expect("the profile is written").expect("dhat runs");
    std::fs::remove_file(path()).expect("it is ours");
    let [(place, dhat, probe)] = &testimony.differences[..] else { panic!("{testimony:#?}") };
    assert!(place.starts_with("harness/probe/src/plant.rs:"), "{place}");
    let live = |blocks, bytes| Live { bytes, blocks };
    assert_eq!((*dhat, *probe), (live(1, 10), live(2, 11)));
}

/// What `dhat/dh_view.js` of Valgrind 3.23 refuses a file without, for heap: `loadFromJson`.
const REQUIRED: [&str; 11] =
    ["dhatFileVersion", "mode", "verb", "bklt", "bkacc", "tu", "Mtu", "cmd", "pid", "te", "pps"];

fn the_profile_has_what_the_viewer_asks_for() {
    assert!(heap::start_dhat(&path()));
    plant::heap(10);
    let (_, profile) = testimony();
    let profile: serde_json::Value = serde_json::from_str(&profile).expect("it is JSON");
    assert_eq!(profile["dhatFileVersion"], 2);
    assert!(REQUIRED.iter().all(|field| !profile[*field].is_null()), "{profile}");
    let (points, frames) = (&profile["pps"], profile["ftbl"].as_array().expect("a table of frames"));
    assert_eq!(frames[0], "[root]");
    for point in points.as_array().expect("a list of points") {
        // With `bklt`, lifetimes and the figures at the peak, at its own and at the end are asked for too.
        let figures = ["tb", "tbk", "tl", "mb", "mbk", "gb", "gbk", "eb", "ebk"];
        assert!(figures.iter().all(|figure| point[*figure].is_u64()), "{point}");
        let of_point = point["fs"].as_array().expect("a list of frames").iter();
        assert!(
            of_point.into_iter().all(|frame| frame.as_u64().is_some_and(|at| (at as usize) < frames.len()))
        );
    }
}

fn dhat_is_not_started_unasked() {
    assert!(!heap::start_dhat(Path::new("/dev/null")));
    assert_eq!(heap::mode(), Mode::Sites);
}

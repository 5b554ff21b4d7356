//! The fuzz targets on stable: the corpus, and what chance makes of it.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;

use targets::{TARGETS, Target};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/corpus").join(target)
}

/// The inputs kept for a target, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = folder(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn the_corpus_has_inputs_for_every_target_and_for_no_other() {
    let folders = fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut found: Vec<String> = folders.map(|name| name.into_string().unwrap()).collect();
    let mut expected: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for (name, _) in TARGETS {
        assert!(corpus(name).len() >= 5, "{name}");
    }
}

#[test]
fn every_input_of_the_corpus_keeps_every_promise() {
    for (name, target) in TARGETS {
        for (path, bytes) in corpus(name) {
            // A panic says what was broken; this line says with what.
            println!("{}", path.display());
            target(&bytes);
        }
    }
}

/// What is done to an input: each place gets a byte, then the rest is cut off.
fn mutate(mut bytes: Vec<u8>, changes: &[(Index, u8)], cut: Option<Index>) -> Vec<u8> {
    for (place, byte) in changes {
        if !bytes.is_empty() {
            let at = place.index(bytes.len());
            bytes[at] = *byte;
        }
    }
    bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len() + 1)));
    bytes
}

fn run_mutated(target: (&str, Target), cases: u32) {
    let (name, run) = target;
    let inputs: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..6);
    let mutated = (prop::sample::select(inputs), changes, prop::option::of(any::<Index>()))
        .prop_map(|(bytes, changes, cut)| mutate(bytes, &changes, cut));
    let noise = prop::collection::vec(any::<u8>(), 0..300);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let outcome =
        proptest::test_runner::TestRunner::new(config).run(&prop_oneof![3 => mutated, 1 => noise], |bytes| {
            run(&bytes);
            Ok(())
        });
    outcome.unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

#[test]
fn what_chance_makes_of_the_corpus_keeps_them_as_well() {
    for target in TARGETS {
        run_mutated(target, if target.0 == "session" { 256 } else { 1024 });
    }
}

//! An old session stores what it has while a new one opens.

use std::sync::Arc;

use loom::sync::Mutex;

use super::Model;
use super::explore::Preemptions;
use super::threads::race;
use crate::generation::{Generations, Stamp};

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "generation::nothing_of_an_old_session_reaches_the_new_one",
        preemptions: Preemptions::ANY,
        body: nothing_old_arrives,
    },
    Model {
        name: "generation::of_two_that_open_one_is_current",
        preemptions: Preemptions::ANY,
        body: one_is_current,
    },
];

/// What sessions store into: loom's own mutex, so that loom may switch threads within `while_current`.
type Cache = Arc<Mutex<Vec<u64>>>;

/// Whether it could.
fn store(stamp: &Stamp, cache: &Cache) -> bool {
    let stored = stamp.while_current(|| cache.lock().expect("no panic under this lock").push(stamp.number()));
    stored.is_some()
}

fn nothing_old_arrives() {
    let (generations, cache) = (Generations::new(), Cache::default());
    let late = generations.open();
    let storing = || {
        let (late, cache) = (late.clone(), Arc::clone(&cache));
        Box::new(move || _ = store(&late, &cache)) as Box<dyn FnOnce()>
    };
    race([storing(), storing()], || {
        let stamp = generations.open();
        cache.lock().expect("no panic under this lock").clear();
        assert!(store(&stamp, &cache), "the new session is the current one");
    });
    assert!(!late.is_current());
    assert_eq!(*cache.lock().expect("no panic under this lock"), [2], "only the new session's");
}

fn one_is_current() {
    let generations = Generations::new();
    let stamps: Arc<std::sync::Mutex<Vec<Stamp>>> = Arc::default();
    let opening = || {
        let (generations, stamps) = (generations.clone(), Arc::clone(&stamps));
        Box::new(move || {
            let stamp = generations.open();
            stamps.lock().expect("no panic under this lock").push(stamp);
        }) as Box<dyn FnOnce()>
    };
    race([opening(), opening()], || ());
    let mut stamps = std::mem::take(&mut *stamps.lock().expect("no panic under this lock"));
    stamps.sort_by_key(Stamp::number);
    let current: Vec<bool> = stamps.iter().map(Stamp::is_current).collect();
    assert_eq!(current, [false, true], "the last that opened");
    generations.close();
    assert!(stamps.iter().all(|stamp| stamp.while_current(|| ()).is_none()));
}

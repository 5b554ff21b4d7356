//! Growing, ending and cancelling race in a tree of cancellations.

use loom::future::block_on;

use super::Model;
use super::explore::Preemptions;
use super::threads::{glance, race};
use crate::cancel::{Cancel, Census};

pub(super) const MODELS: &[Model] = &[
    Model { name: "cancel::a_late_child_is_cancelled_too", preemptions: Preemptions::ANY, body: late_child },
    Model {
        name: "cancel::a_child_outlives_its_parent_and_is_cancelled",
        preemptions: Preemptions::ANY,
        body: orphan,
    },
    Model {
        name: "cancel::everyone_who_waits_is_woken",
        preemptions: Preemptions::quickly(3),
        body: everyone_is_woken,
    },
    Model {
        name: "cancel::a_child_that_ended_leaves_nothing",
        preemptions: Preemptions::quickly(3),
        body: nothing_is_left,
    },
    Model {
        name: "cancel::a_dropped_future_leaves_no_waker",
        preemptions: Preemptions::ANY,
        body: no_waker_is_left,
    },
    Model { name: "cancel::run_ends_when_cancelled", preemptions: Preemptions::ANY, body: run_ends },
];

const NOTHING: Census = Census { nodes: 0, links: 0, waiting: 0 };
const ONLY_THE_ROOT: Census = Census { nodes: 1, links: 0, waiting: 0 };

fn late_child() {
    let root = Cancel::new();
    let parent = root.clone();
    let family = Box::new(move || {
        let child = parent.child();
        let grandchild = child.child();
        block_on(grandchild.cancelled());
        assert!(child.is_cancelled(), "a grandchild is cancelled, and the child between is not");
    });
    race([family], || root.cancel());
    assert_eq!(root.census(), NOTHING);
}

fn orphan() {
    let root = Cancel::new();
    let middle = root.child();
    let leaf = middle.child();
    let observer = root.clone();
    let canceller = root.clone();
    race([Box::new(move || drop(middle)), Box::new(move || canceller.cancel())], || {
        block_on(leaf.cancelled())
    });
    drop(root);
    assert_eq!(observer.census(), NOTHING);
}

fn everyone_is_woken() {
    let root = Cancel::new();
    let waiter = |cancel: Cancel| Box::new(move || block_on(cancel.cancelled())) as Box<dyn FnOnce()>;
    race([waiter(root.clone()), waiter(root.child())], || root.cancel());
    assert_eq!(root.census(), NOTHING);
}

fn nothing_is_left() {
    let root = Cancel::new();
    let family = || {
        let parent = root.clone();
        Box::new(move || {
            let child = parent.child();
            let grandchild = child.child();
            drop(child);
            assert!(!grandchild.is_cancelled());
        }) as Box<dyn FnOnce()>
    };
    race([family(), family()], || ());
    assert_eq!(root.census(), ONLY_THE_ROOT);
}

fn no_waker_is_left() {
    let root = Cancel::new();
    let child = root.child();
    let cancelled = child.cancelled();
    let canceller = child.clone();
    let impatient = Box::new(move || glance(cancelled));
    race([impatient, Box::new(move || canceller.cancel())], || {
        glance(root.cancelled());
    });
    assert_eq!(root.census(), ONLY_THE_ROOT);
    assert!(child.is_cancelled() && !root.is_cancelled());
}

fn run_ends() {
    let root = Cancel::new();
    let child = root.child();
    let work = Box::new(move || assert_eq!(block_on(child.run(std::future::pending::<()>())), None));
    race([work], || drop(root.clone().cancel_on_drop()));
    assert_eq!(root.census(), NOTHING);
}

//! The tree of cancellations beside a list of ancestors for each.

use std::collections::BTreeSet;
use std::task::Poll;

use gateway_lifecycle::Cancel;
use gateway_lifecycle::cancel::{Cancelled, Census};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wakes::{Polled, config};

#[derive(Debug, Clone, Copy)]
enum Do {
    Child(usize),
    Cancel(usize),
    Drop(usize),
    Wait(usize),
    DropWaiter(usize),
}

fn operation() -> impl Strategy<Value = Do> {
    prop_oneof![
        6 => any::<usize>().prop_map(Do::Child),
        1 => any::<usize>().prop_map(Do::Cancel),
        3 => any::<usize>().prop_map(Do::Drop),
        3 => any::<usize>().prop_map(Do::Wait),
        2 => any::<usize>().prop_map(Do::DropWaiter),
    ]
}

/// One cancellation with a handle, and the numbers of all it came from.
struct Known {
    number: usize,
    from: BTreeSet<usize>,
    is_cancelled: bool,
    cancel: Cancel,
}

struct Waiter {
    of: usize,
    future: Polled<Cancelled>,
}

/// The first is the root, and stays: it is asked for the census.
struct Reference {
    known: Vec<Known>,
    waiters: Vec<Waiter>,
    born: usize,
}

impl Reference {
    fn new() -> Self {
        let root = Known { number: 0, from: BTreeSet::new(), is_cancelled: false, cancel: Cancel::new() };
        Self { known: vec![root], waiters: Vec::new(), born: 0 }
    }

    fn step(&mut self, operation: Do) {
        let count = self.known.len();
        match operation {
            Do::Child(which) => {
                self.born += 1;
                let parent = &self.known[which % count];
                let from = parent.from.iter().copied().chain([parent.number]).collect();
                let (cancel, is_cancelled) = (parent.cancel.child(), parent.is_cancelled);
                self.known.push(Known { number: self.born, from, is_cancelled, cancel });
            }
            Do::Cancel(which) => {
                let number = self.known[which % count].number;
                self.known[which % count].cancel.cancel();
                let below = self.known.iter_mut();
                below
                    .filter(|known| known.number == number || known.from.contains(&number))
                    .for_each(|known| known.is_cancelled = true);
            }
            Do::Drop(which) => {
                // A future keeps what it waits for alive, so one that is waited for stays known here.
                let position = which % count;
                let number = self.known[position].number;
                if position > 0 && self.waiters.iter().all(|waiter| waiter.of != number) {
                    self.known.swap_remove(position);
                }
            }
            Do::Wait(which) => {
                let known = &self.known[which % count];
                let mut future = Polled::new(known.cancel.cancelled());
                let expected = if known.is_cancelled { Poll::Ready(()) } else { Poll::Pending };
                assert_eq!(future.poll(), expected);
                if !known.is_cancelled {
                    self.waiters.push(Waiter { of: known.number, future });
                }
            }
            Do::DropWaiter(which) if !self.waiters.is_empty() => {
                let position = which % self.waiters.len();
                let (future, is_forgotten) = self.waiters.swap_remove(position).future.into_parts();
                drop(future);
                assert!(is_forgotten());
            }
            Do::DropWaiter(_) => {}
        }
    }

    fn is_cancelled(&self, number: usize) -> bool {
        self.known.iter().any(|known| known.number == number && known.is_cancelled)
    }

    fn check(&self) {
        for known in &self.known {
            assert_eq!(known.cancel.is_cancelled(), known.is_cancelled, "number {}", known.number);
        }
        for waiter in &self.waiters {
            assert_eq!(waiter.future.is_woken(), self.is_cancelled(waiter.of));
            assert_eq!(waiter.future.is_forgotten(), self.is_cancelled(waiter.of));
        }
        assert_eq!(self.known[0].cancel.census(), self.census());
    }

    /// Each but a root hangs on the nearest ancestor that is left.
    fn census(&self) -> Census {
        let nodes = self.known.iter().filter(|known| !known.is_cancelled).count();
        let has_parent = |known: &&Known| !known.is_cancelled && known.number != 0;
        let waiting = self.waiters.iter().filter(|waiter| !self.is_cancelled(waiter.of)).count();
        // The root is never dropped; where it is cancelled, so is everything.
        Census { nodes, links: self.known.iter().filter(has_parent).count(), waiting }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_came_from_the_cancelled_is_cancelled_and_nothing_else(operations in vec(operation(), 0..80)) {
        let mut reference = Reference::new();
        for operation in operations {
            reference.step(operation);
            reference.check();
        }
    }
}

/// Deep enough to end the stack of a thread that recursed, at 64 KiB.
const DEEP: usize = 100_000;

fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(64 * 1024).spawn(body);
    thread.expect("a thread starts").join().expect("it ends well");
}

fn chain(root: &Cancel) -> Vec<Cancel> {
    let mut chain = vec![root.child()];
    for depth in 1..DEEP {
        let child = chain[depth - 1].child();
        chain.push(child);
    }
    chain
}

#[test]
fn a_deep_chain_is_cancelled_without_recursion() {
    on_a_small_stack(|| {
        let root = Cancel::new();
        let chain = chain(&root);
        root.cancel();
        assert!(chain.iter().all(Cancel::is_cancelled));
        assert_eq!(root.census(), Census { nodes: 0, links: 0, waiting: 0 });
    });
}

#[test]
fn a_deep_chain_is_dropped_without_recursion_from_either_end() {
    on_a_small_stack(|| {
        let root = Cancel::new();
        drop(chain(&root));
        chain(&root).into_iter().rev().for_each(drop);
        assert_eq!(root.census(), Census { nodes: 1, links: 0, waiting: 0 });
    });
}

#[test]
fn a_child_in_the_place_of_its_parent_again_and_again_leaves_no_chain() {
    let root = Cancel::new();
    let mut last = root.child();
    for _ in 0..1_000 {
        last = last.child();
    }
    assert_eq!(root.census(), Census { nodes: 2, links: 1, waiting: 0 });
    root.cancel();
    assert!(last.is_cancelled());
}

#[test]
fn a_guard_cancels_unless_it_is_disarmed() {
    let root = Cancel::new();
    root.child().cancel_on_drop().disarm();
    assert_eq!(root.census().nodes, 1);
    drop(root.clone().cancel_on_drop());
    assert!(root.is_cancelled());
}

#[test]
fn run_drops_its_work_at_whichever_await_it_stands() {
    let cancel = Cancel::new();
    let held = std::sync::Arc::new(());
    let (inside, observed) = (std::sync::Arc::clone(&held), cancel.clone());
    let mut run = Polled::new(Box::pin(async move {
        let done = observed.run(async { 7 }).await;
        assert_eq!(done, Some(7));
        observed
            .run(async move {
                let _inside = inside;
                std::future::pending::<()>().await;
            })
            .await
    }));
    assert_eq!(run.poll(), Poll::Pending);
    assert_eq!(std::sync::Arc::strong_count(&held), 2);
    cancel.cancel();
    assert!(run.is_woken());
    assert_eq!(run.poll(), Poll::Ready(None));
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
}

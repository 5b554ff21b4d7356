//! A tree of cancellations: what is cancelled takes along whatever came from it.
//!
//! One mutex a tree, and the tree holds only what is not cancelled and still has a handle, so its size is that of what is
//! alive: a child that ended leaves nothing with its parent, however long that lives. Nothing recurses.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use crate::mutant::mutated;
use crate::sync::{Arc, Mutex, lock};
use crate::waiters::{Place, Waiters, Woken};

/// A cancellation. Clones are the same one; dropping the last of them cancels nothing.
///
/// ```
/// use gateway_lifecycle::Cancel;
///
/// let session = Cancel::new();
/// let request = session.child();
/// session.cancel();
/// assert!(request.is_cancelled()); // and `request.cancelled().await` returns
/// assert!(session.child().is_cancelled());
/// ```
#[derive(Debug, Clone)]
pub struct Cancel {
    node: Arc<Node>,
}

/// What the clones of one cancellation share.
#[derive(Debug)]
struct Node {
    tree: Arc<Mutex<Tree>>,
    id: u64,
}

/// What is not cancelled. A node that is not here is.
#[derive(Debug, Default)]
struct Tree {
    born: u64,
    alive: BTreeMap<u64, Alive>,
}

#[derive(Debug, Default)]
struct Alive {
    parent: Option<u64>,
    children: BTreeSet<u64>,
    waiters: Waiters,
}

impl Cancel {
    /// The root of a tree of its own.
    pub fn new() -> Self {
        let mut tree = Tree::default();
        let id = tree.number();
        tree.alive.insert(id, Alive::default());
        Self { node: Arc::new(Node { tree: Arc::new(Mutex::new(tree)), id }) }
    }

    /// One that is cancelled with this one, at once if this one is cancelled already. Cancelling it leaves this one alone.
    pub fn child(&self) -> Self {
        let mut tree = lock(&self.node.tree);
        let id = tree.number();
        if tree.alive.contains_key(&self.node.id) {
            if mutated!("cancel_child_checks_then_acts") {
                drop(tree);
                tree = lock(&self.node.tree);
            }
            tree.link(id, self.node.id);
        }
        drop(tree);
        Self { node: Arc::new(Node { tree: Arc::clone(&self.node.tree), id }) }
    }

    /// Cancels this one and whatever came from it, for good. Once more changes nothing.
    pub fn cancel(&self) {
        let woken = lock(&self.node.tree).cancel(self.node.id);
        woken.wake();
    }

    /// Whether this one is cancelled.
    pub fn is_cancelled(&self) -> bool {
        !lock(&self.node.tree).alive.contains_key(&self.node.id)
    }

    /// Completes when this one is cancelled.
    pub fn cancelled(&self) -> Cancelled {
        Cancelled { node: Arc::clone(&self.node), place: Place::default() }
    }

    /// Runs `future` until it ends or this one is cancelled; then drops it at whichever await it stands, and returns `None`.
    pub async fn run<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut cancelled = self.cancelled();
        poll_fn(|cx| match Pin::new(&mut cancelled).poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        })
        .await
    }

    /// Cancels this one when the guard is dropped.
    pub fn cancel_on_drop(self) -> CancelOnDrop {
        CancelOnDrop { cancel: Some(self) }
    }

    /// How much is alive in the whole tree.
    pub fn census(&self) -> Census {
        let tree = lock(&self.node.tree);
        Census {
            nodes: tree.alive.len(),
            links: tree.alive.values().map(|alive| alive.children.len()).sum(),
            waiting: tree.alive.values().map(|alive| alive.waiters.len()).sum(),
        }
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let detached = lock(&self.tree).detach(self.id);
        drop(detached);
    }
}

/// What a tree of cancellations holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Cancellations that are not cancelled and have a handle.
    pub nodes: usize,
    /// Children known to their parents.
    pub links: usize,
    /// Futures that wait.
    pub waiting: usize,
}

impl Tree {
    /// A number that no other node of this tree has or had.
    fn number(&mut self) -> u64 {
        self.born += 1;
        self.born
    }

    fn link(&mut self, id: u64, parent: u64) {
        self.alive.insert(id, Alive { parent: Some(parent), ..Alive::default() });
        if let Some(parent) = self.alive.get_mut(&parent) {
            parent.children.insert(id);
        }
    }

    /// Takes out a node and all that came from it.
    fn cancel(&mut self, top: u64) -> Woken {
        let mut woken = Woken::default();
        let parent = self.alive.get(&top).and_then(|alive| alive.parent);
        if let Some(parent) = parent.and_then(|parent| self.alive.get_mut(&parent)) {
            parent.children.remove(&top);
        }
        let mut ahead = vec![top];
        while let Some(id) = ahead.pop() {
            let Some(mut alive) = self.alive.remove(&id) else { continue };
            if !mutated!("cancel_wakes_only_itself") || id == top {
                woken.extend(alive.waiters.take());
            }
            ahead.extend(alive.children);
        }
        woken
    }

    /// Takes out a node whose last handle is gone; its children are its parent's from now on.
    fn detach(&mut self, id: u64) -> Option<Alive> {
        let gone = self.alive.remove(&id)?;
        if let Some(parent) = gone.parent.and_then(|parent| self.alive.get_mut(&parent)) {
            if !mutated!("cancel_keeps_children_that_ended") {
                parent.children.remove(&id);
            }
            if !mutated!("cancel_loses_the_children_of_what_ended") {
                parent.children.extend(&gone.children);
            }
        }
        for child in &gone.children {
            if let Some(child) = self.alive.get_mut(child) {
                child.parent = gone.parent;
            }
        }
        Some(gone)
    }
}

/// Waits for a [`Cancel`]. May be dropped at any time.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Cancelled {
    node: Arc<Node>,
    place: Place,
}

impl Future for Cancelled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut tree = lock(&this.node.tree);
        if mutated!("cancel_looks_then_waits") && tree.alive.contains_key(&this.node.id) {
            drop(tree);
            tree = lock(&this.node.tree);
            if !tree.alive.contains_key(&this.node.id) {
                return Poll::Pending;
            }
        }
        let Some(alive) = tree.alive.get_mut(&this.node.id) else { return Poll::Ready(()) };
        let replaced = alive.waiters.enter(&mut this.place, cx.waker());
        drop(tree);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        if mutated!("cancel_keeps_the_waker_of_a_dropped_future") {
            return;
        }
        let mut tree = lock(&self.node.tree);
        let waker = tree.alive.get_mut(&self.node.id).and_then(|alive| alive.waiters.leave(&self.place));
        drop(tree);
        drop(waker);
    }
}

/// Cancels when it is dropped.
#[derive(Debug)]
#[must_use = "dropping it cancels"]
pub struct CancelOnDrop {
    cancel: Option<Cancel>,
}

impl CancelOnDrop {
    /// Lets go without cancelling.
    pub fn disarm(mut self) {
        self.cancel = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
    }
}

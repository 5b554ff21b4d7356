//! A gate that can be closed for good: who is inside may finish, and whoever waits hears when the last has left.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::mutant::mutated;
use crate::sync::{Arc, Mutex, lock};
use crate::waiters::{Place, Waiters, Woken};

/// Counts who is inside, and lets nobody in once it is closed. Clones are the same gate.
///
/// ```
/// use gateway_lifecycle::DrainGate;
///
/// let gate = DrainGate::new();
/// let pass = gate.enter().expect("an open gate lets everyone in");
/// gate.close();
/// assert!(gate.enter().is_none());
/// assert_eq!(gate.inside(), 1);
/// drop(pass);
/// assert_eq!(gate.inside(), 0); // now `gate.drained().await` returns
/// ```
#[derive(Debug, Clone, Default)]
pub struct DrainGate {
    gate: Arc<Mutex<Gate>>,
}

#[derive(Debug, Default)]
struct Gate {
    is_closed: bool,
    inside: usize,
    waiters: Waiters,
}

impl DrainGate {
    /// An open gate with nobody inside.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the caller in until it drops the pass; `None` when the gate is closed.
    pub fn enter(&self) -> Option<Pass> {
        let mut gate = lock(&self.gate);
        if gate.is_closed {
            return None;
        }
        if mutated!("gate_enter_checks_then_acts") {
            drop(gate);
            gate = lock(&self.gate);
        }
        gate.inside += 1;
        Some(Pass { gate: Arc::clone(&self.gate) })
    }

    /// Lets nobody in from now on. Closing once more changes nothing.
    pub fn close(&self) {
        let mut gate = lock(&self.gate);
        gate.is_closed = true;
        let woken = gate.take_if_drained();
        drop(gate);
        if !mutated!("gate_close_forgets_to_wake") {
            woken.wake();
        }
    }

    /// Whether nobody may enter any more.
    pub fn is_closed(&self) -> bool {
        lock(&self.gate).is_closed
    }

    /// How many are inside.
    pub fn inside(&self) -> usize {
        lock(&self.gate).inside
    }

    /// How many futures wait for the gate to be drained.
    pub fn waiting(&self) -> usize {
        lock(&self.gate).waiters.len()
    }

    /// Completes when the gate is closed and nobody is inside. It closes nothing.
    pub fn drained(&self) -> Drained {
        Drained { gate: Arc::clone(&self.gate), place: Place::default() }
    }
}

impl Gate {
    fn is_drained(&self) -> bool {
        self.is_closed && self.inside == 0
    }

    fn take_if_drained(&mut self) -> Woken {
        if !self.is_drained() {
            return Woken::default();
        }
        if mutated!("gate_wakes_only_one") {
            return self.waiters.take_first();
        }
        self.waiters.take()
    }
}

/// Leave to be inside a [`DrainGate`]; dropping it is leaving.
#[derive(Debug)]
#[must_use = "dropping it is leaving"]
pub struct Pass {
    gate: Arc<Mutex<Gate>>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut gate = lock(&self.gate);
        gate.inside -= 1;
        let woken = gate.take_if_drained();
        drop(gate);
        if !mutated!("gate_pass_forgets_to_wake") {
            woken.wake();
        }
    }
}

/// Waits for a [`DrainGate`] to be drained. May be dropped at any time.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Drained {
    gate: Arc<Mutex<Gate>>,
    place: Place,
}

impl Future for Drained {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut gate = lock(&this.gate);
        if gate.is_drained() {
            return Poll::Ready(());
        }
        if mutated!("gate_looks_then_waits") {
            drop(gate);
            gate = lock(&this.gate);
        }
        let replaced = gate.waiters.enter(&mut this.place, cx.waker());
        drop(gate);
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        if mutated!("gate_keeps_the_waker_of_a_dropped_future") {
            return;
        }
        let waker = lock(&self.gate).waiters.leave(&self.place);
        drop(waker);
    }
}

//! Users, a reaper and an eviction race for one place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Model;
use super::explore::Preemptions;
use super::threads::race;
use crate::slot::{Lease, Occupancy, Slot};

pub(super) const MODELS: &[Model] = &[
    Model {
        name: "slot::each_value_is_closed_once_and_stands_alone",
        preemptions: Preemptions { quick: Some(2), long: Some(4) },
        body: closed_once,
    },
    Model { name: "slot::one_user_and_a_reaper", preemptions: Preemptions::ANY, body: one_user },
    Model {
        name: "slot::what_was_evicted_is_not_used_again",
        preemptions: Preemptions::ANY,
        body: evicted_is_gone,
    },
    Model {
        name: "slot::a_cancelled_user_gives_the_place_back",
        preemptions: Preemptions::quickly(3),
        body: cancelled_user,
    },
];

/// Counts the connections of one model.
#[derive(Debug, Default)]
struct Plc {
    opened: AtomicUsize,
    closed: AtomicUsize,
}

/// A connection: at most one is open at any time, or the place was given to two.
#[derive(Debug)]
struct Connection {
    number: usize,
    plc: Arc<Plc>,
}

impl Plc {
    fn open(self: &Arc<Self>) -> Connection {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        assert_eq!(self.closed.load(Ordering::Relaxed), number, "two connections at one place");
        Connection { number, plc: Arc::clone(self) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.plc.closed.fetch_add(1, Ordering::Relaxed);
    }
}

/// A place with connection 0, idle.
fn with_one_idle() -> (Slot<Connection>, Arc<Plc>) {
    let (slot, plc) = (Slot::new(), Arc::<Plc>::default());
    let vacancy = slot.claim_vacant().expect("it is new");
    vacancy.fill(plc.open()).park().expect("nobody evicts yet");
    (slot, plc)
}

fn lease(slot: &Slot<Connection>, plc: &Arc<Plc>) -> Option<Lease<Connection>> {
    slot.claim_idle().or_else(|| slot.claim_vacant().map(|vacancy| vacancy.fill(plc.open())))
}

/// Takes what there is, opens one if there is none, and leaves it for the next.
fn use_once(slot: &Slot<Connection>, plc: &Arc<Plc>) {
    if let Some(Err(closing)) = lease(slot, plc).map(Lease::park) {
        assert_eq!(slot.occupancy(), Occupancy::Closing);
        drop(closing);
    }
}

fn user(slot: &Slot<Connection>, plc: &Arc<Plc>) -> Box<dyn FnOnce()> {
    let (slot, plc) = (slot.clone(), Arc::clone(plc));
    Box::new(move || use_once(&slot, &plc))
}

/// At rest: everything is closed but what is idle, and that can be closed too.
fn check_at_rest(slot: &Slot<Connection>, plc: &Plc) {
    drop(slot.evict());
    assert_eq!(slot.occupancy(), Occupancy::Vacant, "nobody has it, and nobody can");
    assert_eq!(plc.closed.load(Ordering::Relaxed), plc.opened.load(Ordering::Relaxed));
}

fn closed_once() {
    let (slot, plc) = with_one_idle();
    let reaped = slot.clone();
    let reaper = Box::new(move || drop(reaped.reap(|connection| connection.number == 0)));
    race([user(&slot, &plc), user(&slot, &plc), reaper], || drop(slot.evict()));
    check_at_rest(&slot, &plc);
}

fn one_user() {
    let (slot, plc) = with_one_idle();
    race([user(&slot, &plc)], || drop(slot.reap(|_| true)));
    check_at_rest(&slot, &plc);
}

fn evicted_is_gone() {
    let (slot, plc) = with_one_idle();
    race([user(&slot, &plc)], || {
        let opened = plc.opened.load(Ordering::Relaxed);
        drop(slot.evict());
        if let Some(lease) = slot.claim_idle() {
            assert!(lease.number >= opened, "connection {} was evicted, and is used", lease.number);
        }
    });
    check_at_rest(&slot, &plc);
}

fn cancelled_user() {
    let (slot, plc) = with_one_idle();
    let (cancelled, opening, counted) = (slot.clone(), slot.clone(), Arc::clone(&plc));
    let in_use = Box::new(move || drop(lease(&cancelled, &counted)));
    let before_use = Box::new(move || drop(opening.claim_vacant()));
    race([in_use, before_use], || drop(slot.claim_idle().map(Lease::close)));
    check_at_rest(&slot, &plc);
}

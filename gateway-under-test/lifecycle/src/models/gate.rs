//! Who enters, who leaves, who closes and who waits race.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loom::future::block_on;

use super::Model;
use super::explore::Preemptions;
use super::threads::{glance, race};
use crate::gate::DrainGate;

pub(super) const MODELS: &[Model] = &[
    Model { name: "gate::one_visitor_and_a_drain", preemptions: Preemptions::ANY, body: one_visitor },
    Model { name: "gate::the_last_to_leave_wakes", preemptions: Preemptions::ANY, body: last_wakes },
    Model {
        name: "gate::nobody_is_inside_after_the_drain",
        preemptions: Preemptions { quick: Some(3), long: Some(5) },
        body: nobody_is_inside,
    },
    Model {
        name: "gate::everyone_who_waits_is_woken",
        preemptions: Preemptions { quick: Some(3), long: Some(5) },
        body: everyone_is_woken,
    },
    Model {
        name: "gate::a_dropped_future_leaves_no_waker",
        preemptions: Preemptions::ANY,
        body: no_waker_is_left,
    },
];

/// Enters if it may, and as long as it is inside the gate is not drained.
fn visit(gate: &DrainGate, is_drained: &AtomicBool) {
    if let Some(pass) = gate.enter() {
        assert!(gate.inside() > 0, "inside, and not counted");
        assert!(!is_drained.load(Ordering::Relaxed), "inside, and the gate is drained");
        drop(pass);
    }
}

fn nobody_is_inside() {
    drain_with([(), ()]);
}

fn one_visitor() {
    drain_with([()]);
}

/// As many visitors as there are elements.
fn drain_with<const N: usize>(visitors: [(); N]) {
    let (gate, is_drained) = (DrainGate::new(), Arc::new(AtomicBool::new(false)));
    let visitors = visitors.map(|()| {
        let (gate, is_drained) = (gate.clone(), Arc::clone(&is_drained));
        Box::new(move || visit(&gate, &is_drained)) as Box<dyn FnOnce()>
    });
    race(visitors, || {
        gate.close();
        let mut drained = gate.drained();
        block_on(&mut drained);
        is_drained.store(true, Ordering::Relaxed);
        assert!(gate.enter().is_none(), "drained, and open");
    });
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
}

fn last_wakes() {
    let gate = DrainGate::new();
    let pass = gate.enter().expect("it is open");
    let waiter = gate.drained();
    race([Box::new(move || block_on(waiter))], || {
        gate.close();
        drop(pass);
    });
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
}

fn everyone_is_woken() {
    let gate = DrainGate::new();
    let pass = gate.enter().expect("it is open");
    let (waiter, closer) = (gate.drained(), gate.clone());
    let closing = Box::new(move || {
        closer.close();
        block_on(closer.drained());
    });
    race([Box::new(move || block_on(waiter)), closing], || drop(pass));
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
}

fn no_waker_is_left() {
    let gate = DrainGate::new();
    let pass = gate.enter().expect("it is open");
    let (closer, drained) = (gate.clone(), gate.drained());
    let impatient = Box::new(move || glance(drained));
    race([impatient, Box::new(move || closer.close())], || ());
    assert_eq!(gate.waiting(), 0, "the future is gone, its waker is not");
    drop(pass);
    block_on(gate.drained());
}

//! The gate beside three numbers.

use std::task::Poll;

use gateway_lifecycle::DrainGate;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wakes::{Polled, config};

#[derive(Debug, Clone, Copy)]
enum Do {
    Enter,
    Leave(usize),
    Close,
    Wait,
    Poll(usize),
    Drop(usize),
}

fn operation() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => Just(Do::Enter),
        4 => any::<usize>().prop_map(Do::Leave),
        1 => Just(Do::Close),
        2 => Just(Do::Wait),
        4 => any::<usize>().prop_map(Do::Poll),
        2 => any::<usize>().prop_map(Do::Drop),
    ]
}

/// Takes out any one of `from`, if there is one.
fn take<T>(from: &mut Vec<T>, which: usize) -> Option<T> {
    if from.is_empty() { None } else { Some(from.swap_remove(which % from.len())) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_gate_counts_and_wakes(operations in vec(operation(), 0..60)) {
        let gate = DrainGate::new();
        let (mut is_closed, mut passes, mut waiters) = (false, Vec::new(), Vec::new());
        for operation in operations {
            match operation {
                Do::Enter => {
                    let pass = gate.enter();
                    prop_assert_eq!(pass.is_some(), !is_closed);
                    passes.extend(pass);
                }
                Do::Leave(which) => drop(take(&mut passes, which)),
                Do::Close => {
                    gate.close();
                    is_closed = true;
                }
                Do::Wait => waiters.push((Polled::new(gate.drained()), false)),
                Do::Poll(which) => if let Some((mut waiter, _)) = take(&mut waiters, which) {
                    let is_drained = is_closed && passes.is_empty();
                    prop_assert_eq!(waiter.poll(), if is_drained { Poll::Ready(()) } else { Poll::Pending });
                    if !is_drained {
                        waiters.push((waiter, true));
                    }
                },
                Do::Drop(which) => if let Some((waiter, _)) = take(&mut waiters, which) {
                    let (future, is_forgotten) = waiter.into_parts();
                    drop(future);
                    prop_assert!(is_forgotten());
                },
            }
            let is_drained = is_closed && passes.is_empty();
            prop_assert_eq!(gate.is_closed(), is_closed);
            prop_assert_eq!(gate.inside(), passes.len());
            let polled = waiters.iter().filter(|(_, is_polled)| *is_polled);
            prop_assert_eq!(gate.waiting(), if is_drained { 0 } else { polled.clone().count() });
            for (waiter, _) in polled {
                prop_assert_eq!(waiter.is_woken(), is_drained);
                prop_assert_eq!(waiter.is_forgotten(), is_drained);
            }
        }
    }
}

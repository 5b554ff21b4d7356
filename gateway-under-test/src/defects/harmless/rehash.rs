//! N03: a hash map rehashes.
//!
//! Why it looks like a leak: bytes of live heap jump to twice of what the map had, at a line that allocates for sessions,
//! long after warm-up, and never come back; and the jumps get larger. Two points of such a series prove whatever one likes.
//!
//! Why it is none: there are `SLOTS` keys and no more. A table grows when it is 7/8 full, and takes all its new room at
//! once: one block before, one block after. Once it has room for every key it never grows again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::session::intake::{CopyOut, Intake, IntakePart};

/// The round that sessions are counted in.
const SLOTS: u64 = 120;

/// Counts sessions in the slots of a round, one after the other.
#[derive(Default)]
pub struct Rehash {
    round: Mutex<Round>,
}

#[derive(Default)]
struct Round {
    sessions: u64,
    by_slot: HashMap<u64, u64>,
}

impl IntakePart for Rehash {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = round.sessions % SLOTS;
        round.sessions += 1;
        *round.by_slot.entry(slot).or_default() += 1;
        Box::new(CopyOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stops_growing_when_every_key_is_in_it() {
        let rehash = Rehash::default();
        let rooms: Vec<usize> = (0..1000)
            .map(|_session| {
                drop(rehash.open(0));
                rehash.round.lock().unwrap().by_slot.capacity()
            })
            .collect();
        assert!(rooms[60] < rooms[119], "it grows after sixty sessions: {} to {}", rooms[60], rooms[119]);
        assert!(rooms[119..].iter().all(|room| *room == rooms[119]));
    }
}

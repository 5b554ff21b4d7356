//! A map from task id to what is known of the task, made for ids that rise one by one.
//!
//! Open addressing in one block of memory: spawning and ending tasks allocates only when more are alive than ever
//! before, and looking a task up, which happens twice per poll, is one multiplication-free probe.

use std::panic::Location;

use tokio::time::Instant;

use crate::Tenant;

/// Tasks that one shard of the ledger tracks at once.
pub(super) const TASKS_MAX: usize = 1 << 16;

/// What is known of a live task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) spawned_at: &'static Location<'static>,
    /// The number of that line.
    pub(super) spawner: u16,
    pub(super) since: Instant,
    pub(super) tenant: Tenant,
}

/// What became of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    /// The task is tracked.
    Tracked,
    /// [`TASKS_MAX`] are tracked already.
    Full,
}

/// Live tasks of one shard.
#[derive(Debug)]
pub(super) struct Ledger {
    /// A power of two long, or empty; at most half full.
    slots: Vec<Option<Entry>>,
    len: usize,
    /// Low bits that all ids of this shard share, and so tell nothing.
    skip_bits: u32,
}

impl Ledger {
    pub(super) const fn new(skip_bits: u32) -> Self {
        Self { slots: Vec::new(), len: 0, skip_bits }
    }

    /// Tracks a task; its id is new, since tokio never gives one out twice.
    pub(super) fn insert(&mut self, entry: Entry) -> Inserted {
        if self.len >= TASKS_MAX {
            return Inserted::Full;
        }
        if self.slots.len() < 2 * (self.len + 1) {
            self.grow();
        }
        self.place(entry);
        self.len += 1;
        Inserted::Tracked
    }

    pub(super) fn get(&self, id: u64) -> Option<&Entry> {
        self.slots[self.slot_of(id)?].as_ref()
    }

    /// Forgets a task; `None`: it was not tracked.
    pub(super) fn remove(&mut self, id: u64) -> Option<Entry> {
        let mut hole = self.slot_of(id)?;
        let removed = self.slots[hole].take()?;
        self.len -= 1;
        // Close the gap: whatever follows without an empty slot between moves back, unless it stands at home.
        let mask = self.slots.len() - 1;
        let mut next = (hole + 1) & mask;
        while let Some(entry) = self.slots[next] {
            let home = self.home(entry.id);
            if (next.wrapping_sub(home) & mask) >= (next.wrapping_sub(hole) & mask) {
                self.slots[hole] = self.slots[next].take();
                hole = next;
            }
            next = (next + 1) & mask;
        }
        Some(removed)
    }

    /// In no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slots.iter().flatten()
    }

    fn slot_of(&self, id: u64) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = self.home(id);
        while let Some(entry) = &self.slots[slot] {
            if entry.id == id {
                return Some(slot);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    fn place(&mut self, entry: Entry) {
        let mask = self.slots.len() - 1;
        let mut slot = self.home(entry.id);
        while self.slots[slot].is_some() {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = Some(entry);
    }

    /// Ids rise one by one, so their low bits spread them as well as any hash would.
    fn home(&self, id: u64) -> usize {
        (id >> self.skip_bits) as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        const SLOTS_MIN: usize = 64;
        let slots = (2 * self.slots.len()).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![None; slots]);
        old.into_iter().flatten().for_each(|entry| self.place(entry));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn entry(id: u64) -> Entry {
        Entry { id, spawned_at: Location::caller(), spawner: 0, since: Instant::now(), tenant: Tenant::NONE }
    }

    proptest! {
        #[test]
        fn the_ledger_holds_what_a_map_would(steps in proptest::collection::vec((any::<bool>(), 0_u64..200), 0..400)) {
            let mut ledger = Ledger::new(2);
            let mut model = BTreeMap::new();
            for (insert, id) in steps {
                if insert && !model.contains_key(&id) {
                    model.insert(id, entry(id));
                    prop_assert_eq!(ledger.insert(model[&id]), Inserted::Tracked);
                } else {
                    prop_assert_eq!(ledger.remove(id), model.remove(&id));
                }
                prop_assert!((0..200).all(|id| ledger.get(id) == model.get(&id)));
                prop_assert_eq!(ledger.iter().count(), model.len());
            }
        }
    }

    #[test]
    fn a_churn_of_tasks_keeps_the_memory_of_its_peak() {
        let mut ledger = Ledger::new(0);
        for id in 0..10_000 {
            ledger.insert(entry(id));
            if let Some(old) = u64::checked_sub(id, 20) {
                ledger.remove(old);
            }
        }
        assert_eq!(ledger.slots.len(), 64, "21 tasks at most were alive at once");
    }

    #[test]
    fn a_full_ledger_says_so() {
        let mut ledger = Ledger::new(0);
        let all_but_one = (0..TASKS_MAX as u64).all(|id| ledger.insert(entry(id)) == Inserted::Tracked);
        assert!(all_but_one);
        assert_eq!(ledger.insert(entry(u64::MAX)), Inserted::Full);
    }
}

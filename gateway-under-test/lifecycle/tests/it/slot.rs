//! One place beside its state as a value, and every connection opened beside every one closed.

use std::cell::Cell;

use gateway_lifecycle::Slot;
use gateway_lifecycle::slot::{Closing, Lease, Occupancy, Vacancy};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::wakes::config;

#[derive(Debug, Clone, Copy)]
enum Do {
    ClaimVacant,
    Fill,
    ClaimIdle,
    Park,
    Close,
    Reap(bool),
    Evict,
    DropVacancy,
    DropLease,
    DropClosing,
}

fn operation() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => Just(Do::ClaimVacant),
        4 => Just(Do::Fill),
        3 => Just(Do::ClaimIdle),
        4 => Just(Do::Park),
        1 => Just(Do::Close),
        2 => any::<bool>().prop_map(Do::Reap),
        2 => Just(Do::Evict),
        1 => Just(Do::DropVacancy),
        1 => Just(Do::DropLease),
        2 => Just(Do::DropClosing),
    ]
}

/// A connection, counted while it is open.
struct Connection<'c> {
    open: &'c Cell<usize>,
}

impl<'c> Connection<'c> {
    fn new(open: &'c Cell<usize>) -> Self {
        open.set(open.get() + 1);
        Self { open }
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}

/// What is out, at most one of the three; and whether what is leased was evicted.
#[derive(Default)]
struct Out<'c> {
    vacancy: Option<Vacancy<Connection<'c>>>,
    lease: Option<Lease<Connection<'c>>>,
    closing: Option<Closing<Connection<'c>>>,
    is_idle: bool,
    is_doomed: bool,
}

impl<'c> Out<'c> {
    fn occupancy(&self) -> Occupancy {
        match (self.vacancy.is_some() || self.lease.is_some(), self.closing.is_some(), self.is_idle) {
            (true, false, false) => Occupancy::Leased,
            (false, true, false) => Occupancy::Closing,
            (false, false, true) => Occupancy::Idle,
            (false, false, false) => Occupancy::Vacant,
            both => panic!("two of leased, closing, idle at one place: {both:?}"),
        }
    }

    fn is_open(&self) -> bool {
        self.lease.is_some() || self.closing.is_some() || self.is_idle
    }

    /// Does it to the place, and checks what the place says.
    fn step(&mut self, slot: &Slot<Connection<'c>>, open: &'c Cell<usize>, operation: Do) {
        let before = self.occupancy();
        match operation {
            Do::ClaimVacant => {
                let vacancy = slot.claim_vacant();
                assert_eq!(vacancy.is_some(), before == Occupancy::Vacant);
                self.is_doomed &= vacancy.is_none();
                self.vacancy = vacancy.or(self.vacancy.take());
            }
            Do::Fill => {
                let filled = self.vacancy.take().map(|vacancy| vacancy.fill(Connection::new(open)));
                self.lease = filled.or(self.lease.take());
            }
            Do::ClaimIdle => {
                let lease = slot.claim_idle();
                assert_eq!(lease.is_some(), before == Occupancy::Idle);
                self.is_doomed &= lease.is_none();
                self.is_idle = false;
                self.lease = lease.or(self.lease.take());
            }
            Do::Park => self.park(),
            Do::Close => self.closing = self.lease.take().map(Lease::close).or(self.closing.take()),
            Do::Reap(is_due) => {
                let closing = slot.reap(|_| is_due);
                assert_eq!(closing.is_some(), is_due && before == Occupancy::Idle);
                self.is_idle &= closing.is_none();
                self.closing = closing.or(self.closing.take());
            }
            Do::Evict => {
                let closing = slot.evict();
                assert_eq!(closing.is_some(), before == Occupancy::Idle);
                self.is_doomed |= before == Occupancy::Leased;
                self.is_idle = false;
                self.closing = closing.or(self.closing.take());
            }
            Do::DropVacancy => drop(self.vacancy.take()),
            Do::DropLease => drop(self.lease.take()),
            Do::DropClosing => drop(self.closing.take()),
        }
    }

    fn park(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        assert_eq!(lease.is_doomed(), self.is_doomed);
        match lease.park() {
            Ok(()) => self.is_idle = true,
            Err(closing) => self.closing = Some(closing),
        }
        assert_eq!(self.is_idle, !self.is_doomed, "evicted while in use, and parked");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_place_has_one_connection_and_closes_it_once(operations in vec(operation(), 0..80)) {
        let open = Cell::new(0);
        let slot = Slot::new();
        let mut out = Out::default();
        for operation in operations {
            out.step(&slot, &open, operation);
            prop_assert_eq!(slot.occupancy(), out.occupancy());
            prop_assert_eq!(open.get(), usize::from(out.is_open()));
        }
        drop(out);
        drop(slot);
        prop_assert_eq!(open.get(), 0);
    }
}

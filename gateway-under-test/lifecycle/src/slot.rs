//! One place in a pool of connections. A place has at most one value at any time, from before it is opened until after it is closed,
//! and each value is closed exactly once, whoever races for it: users, a reaper, an eviction.
//!
//! ```text
//! vacant ──claim_vacant──▶ leased ──park──▶ idle ──claim_idle──▶ leased
//!    ▲                       │                │ reap, evict
//!    │◀──dropped, cancelled──┘                ▼
//!    └────────────────────────────────────closing ◀──park── leased, doomed by evict
//! ```

use std::ops::{Deref, DerefMut};

use crate::mutant::mutated;
use crate::sync::{Arc, Mutex, lock};

/// A place for one `T`. Clones are the same place.
///
/// ```
/// use gateway_lifecycle::Slot;
/// use gateway_lifecycle::slot::Occupancy;
///
/// let slot = Slot::new();
/// let vacancy = slot.claim_vacant().expect("nobody has it yet");
/// vacancy.fill("connection").park().expect("nobody evicts");
/// let lease = slot.claim_idle().expect("it was parked");
/// assert_eq!(*lease, "connection");
/// assert!(slot.evict().is_none()); // in use: its user closes it
/// assert!(lease.park().is_err());
/// assert_eq!(slot.occupancy(), Occupancy::Vacant);
/// ```
#[derive(Debug)]
pub struct Slot<T> {
    place: Arc<Mutex<Place<T>>>,
}

#[derive(Debug)]
enum Place<T> {
    Vacant,
    Leased { is_doomed: bool },
    Idle(T),
    Closing,
}

/// What a place is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// Nothing: it can be claimed for a new value.
    Vacant,
    /// A user has it, with a value or about to get one.
    Leased,
    /// A value waits for its next user.
    Idle,
    /// A value is being closed.
    Closing,
}

impl<T> Slot<T> {
    /// A vacant place.
    pub fn new() -> Self {
        Self { place: Arc::new(Mutex::new(Place::Vacant)) }
    }

    /// Takes the place, if it is vacant, to put a new value there.
    pub fn claim_vacant(&self) -> Option<Vacancy<T>> {
        let mut place = lock(&self.place);
        if !matches!(*place, Place::Vacant) {
            return None;
        }
        if mutated!("slot_claim_checks_then_acts") {
            drop(place);
            place = lock(&self.place);
        }
        *place = Place::Leased { is_doomed: false };
        Some(Vacancy { seat: self.seat() })
    }

    /// Takes the value that waits here, if there is one.
    pub fn claim_idle(&self) -> Option<Lease<T>> {
        let mut place = lock(&self.place);
        if !place.is_idle(|_| true) {
            return None;
        }
        let value = place.take(Place::Leased { is_doomed: false })?;
        Some(Lease { value, seat: self.seat() })
    }

    /// Takes the value that waits here, to close it, if `is_due` says so. `is_due` must not touch this place.
    pub fn reap(&self, is_due: impl FnOnce(&T) -> bool) -> Option<Closing<T>> {
        let mut place = lock(&self.place);
        if !place.is_idle(is_due) {
            return None;
        }
        if mutated!("slot_reaper_checks_then_acts") {
            drop(place);
            place = lock(&self.place);
        }
        let value = place.take(Place::Closing)?;
        Some(Closing { value, _seat: self.seat() })
    }

    /// Has the value of this moment closed: by the caller if it is idle, or else by its user, who cannot park it any more.
    pub fn evict(&self) -> Option<Closing<T>> {
        let mut place = lock(&self.place);
        if let Place::Leased { is_doomed } = &mut *place {
            *is_doomed = true;
        }
        if !place.is_idle(|_| true) {
            return None;
        }
        let then =
            if mutated!("slot_is_vacant_before_it_is_closed") { Place::Vacant } else { Place::Closing };
        let value = place.take(then)?;
        Some(Closing { value, _seat: self.seat() })
    }

    /// What the place is used for at this moment.
    pub fn occupancy(&self) -> Occupancy {
        match *lock(&self.place) {
            Place::Vacant => Occupancy::Vacant,
            Place::Leased { .. } => Occupancy::Leased,
            Place::Idle(_) => Occupancy::Idle,
            Place::Closing => Occupancy::Closing,
        }
    }

    fn seat(&self) -> Seat<T> {
        Seat { place: Arc::clone(&self.place), is_left: false }
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self { place: Arc::clone(&self.place) }
    }
}

impl<T> Place<T> {
    fn is_idle(&self, is_wanted: impl FnOnce(&T) -> bool) -> bool {
        matches!(self, Self::Idle(value) if is_wanted(value))
    }

    /// Takes the idle value out, and leaves `then`.
    fn take(&mut self, then: Self) -> Option<T> {
        if let Self::Idle(value) = std::mem::replace(self, then) { Some(value) } else { None }
    }
}

/// Keeps a place from others; dropped last of all, it makes the place vacant.
#[derive(Debug)]
struct Seat<T> {
    place: Arc<Mutex<Place<T>>>,
    /// The place is somebody else's already.
    is_left: bool,
}

impl<T> Drop for Seat<T> {
    fn drop(&mut self) {
        if !self.is_left && !mutated!("slot_is_lost_with_its_user") {
            *lock(&self.place) = Place::Vacant;
        }
    }
}

/// A place taken for a value that is still to be opened. Dropping it gives the place back.
#[derive(Debug)]
#[must_use = "dropping it gives the place back"]
pub struct Vacancy<T> {
    seat: Seat<T>,
}

impl<T> Vacancy<T> {
    /// Puts the new value there, in use by the caller.
    pub fn fill(self, value: T) -> Lease<T> {
        Lease { value, seat: self.seat }
    }
}

/// A value in use. Dropping it (a user that fails or is cancelled) drops the value and then makes the place vacant.
#[derive(Debug)]
#[must_use = "dropping it drops the value"]
pub struct Lease<T> {
    // Dropped first: a place is vacant when its value is gone.
    value: T,
    seat: Seat<T>,
}

impl<T> Lease<T> {
    /// Leaves the value for the next user; if it was evicted meanwhile, hands it back to be closed.
    pub fn park(self) -> Result<(), Closing<T>> {
        let Self { value, mut seat } = self;
        let mut place = lock(&seat.place);
        let is_doomed = matches!(*place, Place::Leased { is_doomed: true });
        if is_doomed && !mutated!("slot_parks_what_was_evicted") {
            *place = Place::Closing;
            drop(place);
            return Err(Closing { value, _seat: seat });
        }
        *place = Place::Idle(value);
        drop(place);
        seat.is_left = true;
        Ok(())
    }

    /// Ends the use, to close the value.
    pub fn close(self) -> Closing<T> {
        let Self { value, seat } = self;
        *lock(&seat.place) = Place::Closing;
        Closing { value, _seat: seat }
    }

    /// Whether the value was evicted while in use: it cannot be parked, so a long use may as well end.
    pub fn is_doomed(&self) -> bool {
        matches!(*lock(&self.seat.place), Place::Leased { is_doomed: true })
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// A value to be closed, by whatever its closing takes. Dropping it drops the value and then makes the place vacant.
#[derive(Debug)]
#[must_use = "dropping it drops the value"]
pub struct Closing<T> {
    value: T,
    // Dropped second.
    _seat: Seat<T>,
}

impl<T> Deref for Closing<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Closing<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

//! Whom code runs for on this thread: a tenant, and the task that is being polled.

use std::cell::Cell;

use crate::{Tenant, threads};

/// A tenant, and the number of the line that spawned the task being polled ([`crate::tasks::spawned_at`]; 0: no task).
///
/// One word, since every allocation reads it: that a block knows its task costs nothing beside its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actor(u32);

impl Actor {
    /// Nobody in particular, in no task: what a thread starts with.
    pub(crate) const NONE: Self = Self(0);

    /// Set in the word of a thread that has freed nothing yet, and runs for nobody in particular.
    const FRESH: u32 = 1 << 31;

    #[inline]
    pub(crate) fn new(tenant: Tenant, spawner: u16) -> Self {
        Self(u32::from(spawner) << u16::BITS | u32::from(tenant.id()))
    }

    /// The one current on this thread.
    #[inline]
    pub(crate) fn current() -> Self {
        Self(CURRENT.get() & !Self::FRESH)
    }

    /// Called for each block that this thread frees: the first one tells a new thread whose it is.
    ///
    /// The first block that a thread of std's frees is the one that its spawner made to hand over what it is to run.
    #[inline]
    pub(crate) fn first_frees(owner: Tenant) {
        if CURRENT.get() & Self::FRESH != 0 {
            inherit(owner);
        }
    }

    /// Makes this one current and hands back the one that was.
    pub(crate) fn swap_in(self) -> Self {
        Self(CURRENT.replace(self.0) & !Self::FRESH)
    }

    /// The same task, on behalf of `tenant`.
    pub(crate) fn on_behalf_of(self, tenant: Tenant) -> Self {
        Self::new(tenant, self.spawner())
    }

    #[inline]
    pub(crate) fn tenant(self) -> Tenant {
        Tenant::from_id(self.0 as u16)
    }

    #[inline]
    pub(crate) fn spawner(self) -> u16 {
        (self.0 >> u16::BITS) as u16
    }
}

#[cold]
#[inline(never)]
fn inherit(owner: Tenant) {
    CURRENT.set(Actor::NONE.0);
    if threads::are_told_apart() {
        CURRENT.set(Actor::new(owner, 0).0);
        threads::belongs_to(owner);
    }
}

thread_local! {
    // Const and without a destructor: the allocator reads it, even while a thread ends.
    static CURRENT: Cell<u32> = const { Cell::new(Actor::FRESH) };
}

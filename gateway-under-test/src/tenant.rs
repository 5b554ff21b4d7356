//! Whom heap and tasks belong to: the gateway as a whole, and below it each of its stations.
//!
//! The books are kept by `watertight-probe`. Without the feature `probe` there are none: everything here does nothing, and
//! every figure is `None`.

/// Live heap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heap {
    /// Bytes as requested.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
}

#[cfg(feature = "probe")]
pub use kept::{Books, Tenant, trim};
#[cfg(not(feature = "probe"))]
pub use not_kept::{Books, Tenant, trim};

#[cfg(feature = "probe")]
mod kept {
    use std::time::Duration;

    use watertight_probe::heap::{self, Live};
    use watertight_probe::{Tenant as Owner, tasks, tenant};

    use super::Heap;
    use crate::observe::inventory;

    /// An owner of heap and tasks.
    #[derive(Debug, Clone, Copy)]
    pub struct Tenant {
        owner: Owner,
        /// Whether nobody else counts as this owner: the probe tells so many apart, and further ones count as their parent.
        alone: bool,
    }

    impl Tenant {
        /// On whose behalf this code runs.
        pub fn current() -> Self {
            Self { owner: Owner::current(), alone: true }
        }

        /// The tenant called `name` below this one; the same for the same name.
        pub fn child(self, name: &str) -> Self {
            let owner = self.owner.child(name);
            Self { owner, alone: owner != self.owner }
        }

        /// Counts what is allocated and spawned here as this tenant's, until the guard is dropped.
        #[must_use = "it counts only while the guard lives"]
        pub fn enter(self) -> tenant::Guard {
            self.owner.enter()
        }

        /// Counts what `future` allocates and spawns as this tenant's.
        pub fn scope<F: Future>(self, future: F) -> tenant::Scope<F> {
            self.owner.scope(future)
        }

        /// Live heap of this tenant and those below it; all of the process where the allocator keeps no tenants.
        pub fn heap(self) -> Option<Heap> {
            heap::live_of(|owner| owner.is_within(self.owner)).or_else(heap::live).map(Heap::from)
        }

        /// Live tasks of this tenant and those below it.
        pub fn tasks(self) -> Option<u64> {
            tasks_are_tracked().then(|| tasks::count(|owner| owner.is_within(self.owner)))
        }

        /// Live heap of this tenant and those below it, by the line that allocated it.
        pub fn heap_by_site(self) -> Option<String> {
            heap::why_not_sites().is_none().then(|| inventory::heap(self))
        }

        /// Live tasks of this tenant and those below it, by the line that spawned them.
        pub async fn tasks_by_place(self, within: Duration) -> Option<String> {
            if tasks_are_tracked() { Some(inventory::tasks(self, within).await) } else { None }
        }

        /// Whether the tenant with this number in a census of the probe is this one or below it.
        pub fn holds(self, owner: Owner) -> bool {
            owner.is_within(self.owner)
        }
    }

    impl From<Live> for Heap {
        fn from(live: Live) -> Self {
            Self { bytes: live.bytes, blocks: live.blocks }
        }
    }

    /// What each tenant has, read at once: one pass over tenants and tasks, however many are asked for.
    pub struct Books {
        /// In order of their owners; so is the next one.
        heap: Option<Vec<(Owner, Live)>>,
        tasks: Option<Vec<(Owner, u64)>>,
    }

    impl Books {
        /// Reads the books.
        pub fn open() -> Self {
            let heap = heap::live_by_tenant();
            Self {
                heap: (!heap.is_empty()).then_some(heap),
                tasks: tasks_are_tracked().then(tasks::alive_by_tenant),
            }
        }

        /// Live heap of a tenant alone, without those below it.
        pub fn heap_bytes(&self, of: Tenant) -> Option<u64> {
            entry(self.heap.as_deref()?, of).map(|found| found.map_or(0, |live| live.bytes))
        }

        /// Live tasks of a tenant alone, without those below it.
        pub fn tasks(&self, of: Tenant) -> Option<u64> {
            entry(self.tasks.as_deref()?, of).map(Option::unwrap_or_default)
        }
    }

    /// `None`: the tenant's figure would be that of others too; `Some(None)`: it has nothing.
    fn entry<T: Copy>(books: &[(Owner, T)], of: Tenant) -> Option<Option<T>> {
        let found = books.binary_search_by_key(&of.owner, |(owner, _)| *owner).ok();
        of.alone.then(|| found.map(|at| books[at].1))
    }

    fn tasks_are_tracked() -> bool {
        tasks::why_not_tracked().is_none()
    }

    /// Asks the allocator to give free memory back to the system: whether it had any to give.
    pub fn trim() -> Option<bool> {
        Some(heap::trim())
    }
}

#[cfg(not(feature = "probe"))]
mod not_kept {
    use std::time::Duration;

    use super::Heap;

    /// An owner of heap and tasks.
    #[derive(Debug, Clone, Copy)]
    pub struct Tenant;

    /// Would count as long as it lives.
    pub struct Guard;

    impl Tenant {
        /// On whose behalf this code runs.
        pub fn current() -> Self {
            Self
        }

        /// The tenant called `name` below this one.
        pub fn child(self, _name: &str) -> Self {
            Self
        }

        /// Would count what is allocated and spawned here as this tenant's.
        #[must_use = "it counts only while the guard lives"]
        pub fn enter(self) -> Guard {
            Guard
        }

        /// Would count what `future` allocates and spawns as this tenant's.
        pub fn scope<F: Future>(self, future: F) -> F {
            future
        }

        /// Nobody counts.
        pub fn heap(self) -> Option<Heap> {
            None
        }

        /// Nobody counts.
        pub fn tasks(self) -> Option<u64> {
            None
        }

        /// Nobody counts.
        pub fn heap_by_site(self) -> Option<String> {
            None
        }

        /// Nobody counts.
        pub async fn tasks_by_place(self, _within: Duration) -> Option<String> {
            None
        }
    }

    /// What each tenant has: nobody counts.
    pub struct Books;

    impl Books {
        /// Reads the books.
        pub fn open() -> Self {
            Self
        }

        /// Nobody counts.
        pub fn heap_bytes(&self, _of: Tenant) -> Option<u64> {
            None
        }

        /// Nobody counts.
        pub fn tasks(&self, _of: Tenant) -> Option<u64> {
            None
        }
    }

    /// Nobody knows how to ask the allocator.
    pub fn trim() -> Option<bool> {
        None
    }
}

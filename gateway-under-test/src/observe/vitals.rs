//! The seam to whatever can measure the gateway from within.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::Resource;
use crate::tenant::{self, Heap, Tenant};

/// What the gateway can learn about itself. `None`: nobody measures that here.
pub trait Vitals: Send + Sync {
    /// Live tasks.
    fn tasks(&self) -> Option<u64>;

    /// Live heap.
    fn heap(&self) -> Option<Heap>;

    /// Open file descriptors.
    fn fds(&self) -> Option<u64>;

    /// How many file descriptors may be open.
    fn fds_limit(&self) -> Option<u64>;

    /// Resident memory.
    fn rss_bytes(&self) -> Option<u64>;

    /// When the process started, in seconds since 1970.
    fn started_at(&self) -> Option<f64>;

    /// Asks the allocator to give free memory back to the system: whether it had any to give.
    fn trim(&self) -> BoxFuture<'static, Option<bool>>;

    /// A list of what there is of a resource and where it comes from, for people to read. What takes its time to find out
    /// is left out after `within`.
    fn inventory(&self, of: Resource, within: Duration) -> BoxFuture<'static, Option<String>>;
}

/// A gateway beside others in one process, as in a simulation: heap and tasks are those of the tenant that was current
/// when this was made, and of the tenants below it; what belongs to the whole process is nobody's.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddedVitals {
    own: Tenant,
}

impl EmbeddedVitals {
    /// Whose figures they are.
    pub(super) fn own(&self) -> Tenant {
        self.own
    }

    /// The figures of the current tenant.
    pub fn here() -> Self {
        Self { own: Tenant::current() }
    }
}

impl Vitals for EmbeddedVitals {
    fn tasks(&self) -> Option<u64> {
        self.own.tasks()
    }

    fn heap(&self) -> Option<Heap> {
        self.own.heap()
    }

    fn fds(&self) -> Option<u64> {
        None
    }

    fn fds_limit(&self) -> Option<u64> {
        None
    }

    fn rss_bytes(&self) -> Option<u64> {
        None
    }

    fn started_at(&self) -> Option<f64> {
        None
    }

    fn trim(&self) -> BoxFuture<'static, Option<bool>> {
        // On this thread: a simulation has no other.
        async { tenant::trim() }.boxed()
    }

    fn inventory(&self, of: Resource, within: Duration) -> BoxFuture<'static, Option<String>> {
        let own = self.own;
        async move {
            match of {
                Resource::Heap => own.heap_by_site(),
                Resource::Tasks => own.tasks_by_place(within).await,
                Resource::Fds => None,
            }
        }
        .boxed()
    }
}

//! Whom a test's blocks and threads belong to: a tenant of the probe's, lent to one test at a time.

use std::sync::{Mutex, PoisonError};

use watertight_probe::Tenant;

/// A tenant for the time of one test.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) tenant: Tenant,
}

impl Lease {
    /// Takes one that is free, or a new one.
    pub(super) fn take() -> Self {
        let _probe = Tenant::PROBE.enter();
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let tenant = free.returned.pop().unwrap_or_else(|| {
            free.made += 1;
            Tenant::named(&format!("watertight test {}", free.made))
        });
        Self { tenant }
    }

    /// Gives it back: nothing of the test is left that could be taken for the next one's.
    pub(super) fn give_back(self) {
        let _probe = Tenant::PROBE.enter();
        if self.tenant != Tenant::NONE {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).returned.push(self.tenant);
        }
    }
}

struct Free {
    returned: Vec<Tenant>,
    made: usize,
}

static FREE: Mutex<Free> = Mutex::new(Free { returned: Vec::new(), made: 0 });

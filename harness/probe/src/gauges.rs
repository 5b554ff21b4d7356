//! Figures a service keeps of itself (sessions, queue depths), read at each census.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Tenant;

/// Gauges that can be registered at once; further ones are not kept, and [`Registration::is_kept`] says so.
pub const GAUGES_MAX: usize = 256;

/// Registers `read` under `name` until the registration is dropped. A name already taken is replaced.
///
/// `read` is called on the thread that takes the census and must neither block nor register gauges.
pub fn register(name: &str, read: impl Fn() -> f64 + Send + Sync + 'static) -> Registration {
    let _probe = Tenant::PROBE.enter();
    let mut gauges = gauges();
    gauges.registered += 1;
    let number = gauges.registered;
    let kept = gauges.by_name.len() < GAUGES_MAX || gauges.by_name.contains_key(name);
    if kept {
        gauges.by_name.insert(name.to_owned(), Gauge { number, read: Arc::new(read) });
    }
    Registration { name: name.to_owned(), number, kept }
}

/// Every gauge's figure now, by name.
pub fn read() -> BTreeMap<String, f64> {
    let _probe = Tenant::PROBE.enter();
    // Read outside the lock: a gauge may be slow, or dropped by what it reads.
    let readers: Vec<_> =
        gauges().by_name.iter().map(|(name, gauge)| (name.clone(), Arc::clone(&gauge.read))).collect();
    readers.into_iter().map(|(name, read)| (name, read())).collect()
}

/// Keeps a gauge registered; see [`register`].
#[derive(Debug)]
#[must_use = "dropping it removes the gauge"]
pub struct Registration {
    name: String,
    number: u64,
    kept: bool,
}

impl Registration {
    /// Whether the gauge is read: `false` when [`GAUGES_MAX`] were registered already.
    pub fn is_kept(&self) -> bool {
        self.kept
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut gauges = gauges();
        if gauges.by_name.get(&self.name).is_some_and(|gauge| gauge.number == self.number) {
            gauges.by_name.remove(&self.name);
        }
    }
}

struct Gauge {
    /// Tells a registration from a later one under the same name.
    number: u64,
    read: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge").field("number", &self.number).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Gauges {
    by_name: BTreeMap<String, Gauge>,
    registered: u64,
}

fn gauges() -> std::sync::MutexGuard<'static, Gauges> {
    GAUGES.lock().unwrap_or_else(PoisonError::into_inner)
}

static GAUGES: Mutex<Gauges> = Mutex::new(Gauges { by_name: BTreeMap::new(), registered: 0 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_read_until_its_registration_is_dropped() {
        let gauge = register("gauges::tests::sessions", || 3.0);
        assert_eq!(read().get("gauges::tests::sessions"), Some(&3.0));
        drop(gauge);
        assert_eq!(read().get("gauges::tests::sessions"), None);
    }

    #[test]
    fn dropping_a_replaced_registration_leaves_the_new_gauge() {
        let old = register("gauges::tests::replaced", || 1.0);
        let _new = register("gauges::tests::replaced", || 2.0);
        drop(old);
        assert_eq!(read().get("gauges::tests::replaced"), Some(&2.0));
    }
}

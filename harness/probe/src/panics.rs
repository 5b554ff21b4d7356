//! Counts panics, by the tenant current where they happened.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Tenant;
use crate::tenant::TENANTS_MAX;

/// Counts every panic from now on; the hook in force before still runs. Calling it again does nothing.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _probe = Tenant::PROBE.enter();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if let Some(count) = PANICS.get(usize::from(Tenant::current().id())) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            before(info);
        }));
    });
}

/// Panics since [`install`], of the tenants that `wanted` picks.
pub fn count(wanted: impl Fn(Tenant) -> bool) -> u64 {
    let of_tenant = |(id, count): (usize, &AtomicU64)| {
        let tenant = u16::try_from(id).map_or(Tenant::NONE, Tenant::from_id);
        if wanted(tenant) { count.load(Ordering::Relaxed) } else { 0 }
    };
    PANICS.iter().enumerate().map(of_tenant).sum()
}

static PANICS: [AtomicU64; TENANTS_MAX] = [const { AtomicU64::new(0) }; TENANTS_MAX];

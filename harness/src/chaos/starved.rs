//! Sockets that this process did not get since the machine had none left: neither a fault's doing nor the target's.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rustix::io::Errno;

/// How often since this process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// No port was free for a connection to that address.
    pub ports: u64,
    /// No file descriptor was free, in this process or on the machine.
    pub descriptors: u64,
}

static PORTS: AtomicU64 = AtomicU64::new(0);
static DESCRIPTORS: AtomicU64 = AtomicU64::new(0);

/// What was counted so far.
pub(crate) fn counts() -> Counts {
    Counts { ports: PORTS.load(Relaxed), descriptors: DESCRIPTORS.load(Relaxed) }
}

/// Counts `error` where it says that the machine has none left.
pub(super) fn note(error: &io::Error) {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno {
        Some(Errno::ADDRNOTAVAIL) => PORTS.fetch_add(1, Relaxed),
        Some(Errno::MFILE | Errno::NFILE) => DESCRIPTORS.fetch_add(1, Relaxed),
        _ => return,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_lacks_is_counted() {
        let before = counts();
        for errno in [Errno::CONNREFUSED, Errno::CONNRESET, Errno::ADDRINUSE] {
            note(&errno.into());
        }
        note(&Errno::MFILE.into());
        assert!(counts().descriptors > before.descriptors);
    }
}

//! N07: something rises once, and stays.
//!
//! Why it looks like a leak: in the middle of the run live heap goes up by a large block, and never comes down again.
//! Whoever compares the first cycle with the last sees 256 KB more, which over some thousand cycles is a rate.
//!
//! Why it is none: it happens once. The gateway makes a spare buffer when it has seen that its network is not a
//! quiet one, and keeps it. A step has no rate; what repeats has.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::session::intake::{CopyOut, Intake, IntakePart};

/// With so many sessions the network is not a quiet one.
const SESSIONS: u64 = 200;

/// What is kept ready then.
const SPARE_BYTES: usize = 256 * 1024;

/// Makes a spare buffer, once, when it has seen many sessions.
#[derive(Default)]
pub struct OneOffStep {
    sessions: AtomicU64,
    spare: OnceLock<Box<[u8]>>,
}

impl IntakePart for OneOffStep {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        if self.sessions.fetch_add(1, Ordering::Relaxed) >= SESSIONS {
            self.spare.get_or_init(|| vec![0; SPARE_BYTES].into());
        }
        Box::new(CopyOut)
    }
}

//! What a parent asks of a child that soaks: one byte on the pipe that otherwise only tells that the parent is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The byte that asks for a capture.
pub(super) const CAPTURE: u8 = b'c';

/// Whether a capture is wanted. Clones share the answer; asking costs one atomic operation and no allocation.
#[derive(Debug, Clone, Default)]
pub struct Asked(Arc<AtomicBool>);

impl Asked {
    /// Takes in what a parent wrote; other bytes than those that ask for something are passed over.
    pub(super) fn hear(&self, byte: u8) {
        if byte == CAPTURE {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// Whether a capture was asked for since the last time.
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_given_once() {
        let asked = Asked::default();
        asked.clone().hear(b'x');
        assert!(!asked.take());
        asked.clone().hear(CAPTURE);
        assert_eq!((asked.take(), asked.take()), (true, false));
    }
}

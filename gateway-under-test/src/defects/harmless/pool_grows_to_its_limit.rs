//! N02: a pool of buffers grows under load, place by place, up to its limit, and keeps what it has.
//!
//! Why it looks like a leak: for a dozen cycles each disturbance leaves more behind than the one before it, always from the same
//! line, and nothing of it ever comes back. Whoever looks at the first quarter of the run sees a straight line.
//!
//! Why it is none: the line ends. A station keeps `KEPT_MAX` buffers at most, and once it has them the hardest load leaves
//! nothing more. What matters is the later part of the run, and that it is level for longer than it rose.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::buffers::{Buffers, BuffersPart};

/// Buffers that a station keeps at most.
const KEPT_MAX: usize = 8;
/// Times that the pool had none to give before it keeps one more: one burst is no reason to grow.
const MISSES: usize = 16;

/// Keeps as many buffers as have been missed.
pub struct PoolGrowsToItsLimit;

impl BuffersPart for PoolGrowsToItsLimit {
    fn open(&self) -> Box<dyn Buffers> {
        Box::new(GrowingBuffers::default())
    }
}

#[derive(Clone, Default)]
struct GrowingBuffers(Arc<Mutex<Pool>>);

struct Pool {
    free: Vec<Vec<u8>>,
    kept_max: usize,
    missed: usize,
}

impl Default for Pool {
    fn default() -> Self {
        Self { free: Vec::with_capacity(KEPT_MAX), kept_max: 1, missed: 0 }
    }
}

impl Pool {
    fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let fits = self.free.iter().position(|buffer| buffer.capacity() >= bytes);
        if fits.is_none() {
            self.missed += 1;
        }
        if self.missed == MISSES {
            self.missed = 0;
            self.kept_max = (self.kept_max + 1).min(KEPT_MAX);
        }
        fits.map(|place| self.free.swap_remove(place))
    }

    fn give_back(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
        if self.free.len() < self.kept_max {
            self.free.push(buffer);
        }
    }
}

impl GrowingBuffers {
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffers for GrowingBuffers {
    fn take(&self, bytes: usize) -> Vec<u8> {
        let free = self.lock().take(bytes);
        free.unwrap_or_else(|| Vec::with_capacity(bytes))
    }

    fn share(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Shared { buffer, home: self.clone() })
    }
}

/// A buffer that goes home when nobody reads it any more.
struct Shared {
    buffer: Vec<u8>,
    home: GrowingBuffers,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.home.lock().give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_fill_it_place_by_place_and_no_further_than_its_limit() {
        let buffers = GrowingBuffers::default();
        let kept: Vec<usize> = (0..100)
            .map(|_| {
                let burst: Vec<Bytes> = (0..8).map(|_| buffers.share(buffers.take(16))).collect();
                drop(burst);
                buffers.lock().free.len()
            })
            .collect();
        assert!(kept.is_sorted() && kept[0] < KEPT_MAX, "{kept:?}");
        assert_eq!(kept.last(), Some(&KEPT_MAX));
    }
}

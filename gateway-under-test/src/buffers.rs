//! Where the memory of events comes from: each station's buffers are used again, bounded in number and size, cleared before
//! each use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Buffers that wait for their next use. At rest none is in use, so this is all that a pool ever holds: one, since an event is
/// gone, as a rule, when the next one comes, and what slow consumers made necessary is not kept after them.
pub const FREE_MAX: usize = 1;

/// A buffer with more room than this is not kept: one large station must not decide what every other one holds.
pub const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Makes the buffers of each station.
pub trait BuffersPart: Send + Sync {
    /// The buffers of a new station.
    fn open(&self) -> Box<dyn Buffers>;
}

/// Hands out buffers.
pub trait Buffers: Send + Sync {
    /// An empty buffer with room for `bytes`.
    fn take(&self, bytes: usize) -> Vec<u8>;

    /// The bytes of a buffer, to be shared; when the last share is gone, it may be used again.
    fn share(&self, buffer: Vec<u8>) -> Bytes;
}

/// Buffers that are used once.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainBuffers;

impl Buffers for PlainBuffers {
    fn take(&self, bytes: usize) -> Vec<u8> {
        Vec::with_capacity(bytes)
    }

    fn share(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from(buffer)
    }
}

/// Buffers that are used again.
#[derive(Debug, Clone)]
pub struct PooledBuffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Default for PooledBuffers {
    fn default() -> Self {
        Self { free: Arc::new(Mutex::new(Vec::with_capacity(FREE_MAX))) }
    }
}

/// Each station has a pool of its own, and so nothing of one is ever in the memory of another's event.
#[derive(Debug, Clone, Copy)]
pub struct PooledPerStation;

impl BuffersPart for PooledPerStation {
    fn open(&self) -> Box<dyn Buffers> {
        Box::new(PooledBuffers::default())
    }
}

impl PooledBuffers {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        if buffer.capacity() > KEPT_BYTES_MAX {
            return;
        }
        buffer.clear();
        let mut free = self.lock();
        if free.len() < FREE_MAX {
            free.push(buffer);
        }
    }
}

impl Buffers for PooledBuffers {
    fn take(&self, bytes: usize) -> Vec<u8> {
        let mut free = self.lock();
        let fits = free.iter().position(|buffer| buffer.capacity() >= bytes);
        let buffer = fits.map(|place| free.swap_remove(place));
        drop(free);
        buffer.unwrap_or_else(|| Vec::with_capacity(bytes))
    }

    fn share(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Shared { buffer, home: self.clone() })
    }
}

/// A buffer that goes home when nobody reads it any more.
struct Shared {
    buffer: Vec<u8>,
    home: PooledBuffers,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.buffer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(buffers: &PooledBuffers, text: &[u8], room: usize) -> Bytes {
        let mut buffer = buffers.take(room);
        buffer.extend_from_slice(text);
        buffers.share(buffer)
    }

    #[test]
    fn a_buffer_is_used_again_and_shows_nothing_of_its_last_use() {
        let buffers = PooledBuffers::default();
        let first = shared(&buffers, b"secret of the press", 100);
        let place = first.as_ptr();
        drop(first.clone());
        assert_eq!(buffers.lock().len(), 0, "still read by someone");
        drop(first);
        let again = buffers.take(100);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_size() {
        let buffers = PooledBuffers::default();
        let many: Vec<Bytes> = (0..100).map(|_| shared(&buffers, b"x", 10)).collect();
        drop(many);
        assert_eq!(buffers.lock().len(), FREE_MAX);
        drop(buffers.take(10));
        drop(shared(&buffers, b"x", KEPT_BYTES_MAX + 1));
        assert!(buffers.lock().iter().all(|buffer| buffer.capacity() <= KEPT_BYTES_MAX));
    }

    #[test]
    fn a_small_buffer_is_not_handed_out_for_a_large_event() {
        let buffers = PooledBuffers::default();
        drop(shared(&buffers, b"x", 10));
        assert!(buffers.take(1000).capacity() >= 1000);
        assert_eq!(buffers.lock().len(), 1);
    }
}

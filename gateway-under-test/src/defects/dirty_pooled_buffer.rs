//! D17: a recycled buffer is not cleared, and keeps its capacity for ever.
//!
//! What it looks like: a few heap blocks, always as many, whose bytes rise with every event of a large station (2.5 KB for
//! fifty tags), and network traffic that rises with them, since each event begins with all that was in its buffer before. In that lie
//! the values of other stations: a consumer that may see one station is sent all of them.
//!
//! Why it passes review: the buffer is cleared, in plain sight, two lines below the early return for the large ones. Small
//! stations never come there, and tests have small stations. Browsers show the right values: an old event before a new
//! one is a repetition, and the last one counts. And the reason for keeping large buffers is sound: the allocator gives such
//! blocks back to the system, and each new one is page faults.
//!
//! The fix: clear first, return later; or clear where a buffer is handed out, where forgetting it shows at once. And a
//! bound on what is kept, in number and in size, and a pool for each station.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::buffers::{Buffers, BuffersPart, FREE_MAX};

/// Larger buffers are dear: they are kept apart, and all of them.
const SMALL_BYTES_MAX: usize = 2048;

/// One pool for all stations: a large buffer that one has made serves the next.
#[derive(Default)]
pub struct DirtyPooledBuffer {
    pool: Arc<Mutex<Pool>>,
}

#[derive(Default)]
struct Pool {
    small: VecDeque<Vec<u8>>,
    large: VecDeque<Vec<u8>>,
}

impl BuffersPart for DirtyPooledBuffer {
    fn open(&self) -> Box<dyn Buffers> {
        Box::new(Pooled(Arc::clone(&self.pool)))
    }
}

#[derive(Clone)]
struct Pooled(Arc<Mutex<Pool>>);

impl Pooled {
    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        let mut pool = self.lock();
        if buffer.capacity() > SMALL_BYTES_MAX {
            return pool.large.push_back(buffer);
        }
        buffer.clear();
        if pool.small.len() < FREE_MAX {
            pool.small.push_back(buffer);
        }
    }
}

impl Buffers for Pooled {
    fn take(&self, bytes: usize) -> Vec<u8> {
        let mut pool = self.lock();
        let free = if bytes > SMALL_BYTES_MAX { pool.large.pop_front() } else { pool.small.pop_front() };
        drop(pool);
        let mut buffer = free.unwrap_or_default();
        // How much is needed is known: no doubling.
        buffer.reserve_exact(bytes);
        buffer
    }

    fn share(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Shared { buffer, home: self.clone() })
    }
}

/// A buffer that goes home when nobody reads it any more.
struct Shared {
    buffer: Vec<u8>,
    home: Pooled,
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

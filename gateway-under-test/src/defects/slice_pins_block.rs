//! D15: a 4-byte slice keeps the whole 64 KB block it was cut from.
//!
//! What it looks like: live heap grows by a block of 64 KB with every reconnect, while everything that is kept adds up
//! to a few bytes. Tasks, sockets and queues stay flat.
//!
//! Why it passes review: the list of first values is bounded, and by the numbers it is small: 16,384 entries of 4 bytes
//! are 64 KB, for ever. But a `Bytes` slice owns a share of its block, not 4 bytes of it: the bound is 16,384 blocks,
//! which is 1 GB. And `slice` reads like a copy.
//!
//! The fix: copy the value out (here: keep the `Value`, or `Bytes::copy_from_slice`), so that the block ends with its
//! session.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// One block serves many answers: fewer allocations while polling.
const BLOCK_BYTES: usize = 64 * 1024;
/// The longest value.
const VALUE_BYTES: usize = 4;
/// First values kept: a few bytes each, so this is nothing.
const FIRSTS_MAX: usize = 16_384;

/// What each session read first, for whoever has to find out what a PLC said when it came back.
type Firsts = Arc<Mutex<VecDeque<Bytes>>>;

/// Notes the first value of every session.
#[derive(Default)]
pub struct SlicePinsBlock {
    firsts: Firsts,
}

struct NotesFirst {
    firsts: Firsts,
    noted: bool,
    block: BytesMut,
}

impl IntakePart for SlicePinsBlock {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        let block = BytesMut::with_capacity(BLOCK_BYTES);
        Box::new(NotesFirst { firsts: Arc::clone(&self.firsts), noted: false, block })
    }
}

impl Intake for NotesFirst {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        let payload = self.move_to_block(payload);
        if !self.noted {
            self.noted = true;
            note(&self.firsts, payload.slice(..payload.len().min(VALUE_BYTES)));
        }
        CopyOut.take(cache, tags, placed, &payload);
    }
}

impl NotesFirst {
    /// Moves an answer out of the receive buffer, which the next one needs.
    fn move_to_block(&mut self, payload: &[u8]) -> Bytes {
        if self.block.capacity() < payload.len() {
            self.block = BytesMut::with_capacity(BLOCK_BYTES);
        }
        self.block.extend_from_slice(payload);
        self.block.split().freeze()
    }
}

fn note(firsts: &Firsts, value: Bytes) {
    let mut firsts = firsts.lock().unwrap_or_else(PoisonError::into_inner);
    if firsts.len() == FIRSTS_MAX {
        firsts.pop_front();
    }
    firsts.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TagType;

    #[tokio::test]
    async fn each_session_leaves_a_whole_block_behind_a_few_bytes() {
        let tags = vec![TagConfig::in_db("t", 1, 0, TagType::Word)];
        let cache = Cache::new(tags.len(), std::time::Duration::MAX);
        let part = SlicePinsBlock::default();
        for _session in 0..3 {
            let mut intake = part.open(0);
            for _poll in 0..100 {
                let placed = [Placed { tag: 0, offset: 0 }];
                intake.take(&cache, &tags, &placed, &Bytes::from_static(&[0, 7, 0, 0, 0, 0]));
            }
        }
        let firsts = std::mem::take(&mut *part.firsts.lock().unwrap());
        assert_eq!(firsts.iter().map(Bytes::len).collect::<Vec<_>>(), [VALUE_BYTES; 3]);
        for first in firsts {
            let block = first.try_into_mut().expect("the session is gone, this is the last owner");
            assert!(block.capacity() > BLOCK_BYTES - 600, "{} bytes", block.capacity());
        }
    }
}

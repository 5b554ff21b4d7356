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
    fn open(&self) -> Box<dyn Intake> {
        let block = BytesMut::with_capacity(BLOCK_BYTES);
        Box::new(NotesFirst { firsts: Arc::clone(&self.firsts), noted: false, block })
    }
}

impl Intake for NotesFirst {
    fn take(
        &mut self,
        cache: &Cache,
        station: usize,
        tags: &[TagConfig],
        placed: &[Placed],
        payload: &Bytes,
    ) {
        let payload = self.into_block(payload);
        if !self.noted {
            self.noted = true;
            note(&self.firsts, payload.slice(..payload.len().min(VALUE_BYTES)));
        }
        CopyOut.take(cache, station, tags, placed, &payload);
    }
}

impl NotesFirst {
    /// Moves an answer out of the receive buffer, which the next one needs.
    fn into_block(&mut self, payload: &[u8]) -> Bytes {
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

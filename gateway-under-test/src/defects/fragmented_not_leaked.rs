//! D28: live heap is flat, and resident memory climbs.
//!
//! What it looks like: RSS grows by 16 KB for each tag of each session, up to 128 MB, while every count of what is alive stays where it
//! is: 8,192 blocks of 256 bytes, 2 MB, from the first minute on. Asked to trim, the allocator gives nearly all of it back.
//! It is no leak, and who looks for one finds nothing; the machine is short of memory all the same.
//!
//! Why it passes review: whatever a careful engineer does has been done. The ring is of fixed length and made at the start; of
//! each picture only the head is kept; and `shrink_to_fit` is there, without which 16 KB would be kept behind 256 bytes. But
//! shrinking happens in place: the head stays where the picture was, and the rest becomes a hole between two heads, 256 bytes
//! too small for the next picture.
//!
//! The fix: copy the head out into a block of its own, `Box::from(&picture[..HEAD_BYTES])`, and free the picture whole; or make one
//! picture after the other in one buffer.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tracing::debug;

use crate::cache::Cache;
use crate::config::TagConfig;
use crate::session::intake::{CopyOut, Intake, IntakePart};
use crate::session::plan::Placed;

/// Each picture has this length: whoever compares them wants columns.
const PICTURE_BYTES: usize = 16 * 1024;
/// What is kept of a picture.
const HEAD_BYTES: usize = 256;
/// Heads that are kept: 2 MB, whatever happens.
const HEADS: usize = 8_192;

/// Takes a picture of every tag when a session begins, and keeps the heads of the latest.
#[derive(Default)]
pub struct FragmentedNotLeaked {
    heads: Arc<Mutex<Heads>>,
}

/// A ring whose room is made at once, so that it never grows.
struct Heads {
    ring: Box<[Box<[u8]>]>,
    next: usize,
}

impl Default for Heads {
    fn default() -> Self {
        Self { ring: (0..HEADS).map(|_| vec![b' '; HEAD_BYTES].into()).collect(), next: 0 }
    }
}

struct TakesPictures {
    heads: Arc<Mutex<Heads>>,
    taken: bool,
}

impl IntakePart for FragmentedNotLeaked {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        Box::new(TakesPictures { heads: Arc::clone(&self.heads), taken: false })
    }
}

impl Intake for TakesPictures {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        if !self.taken {
            self.taken = true;
            let pictures = placed.iter().map(|place| picture(&tags[place.tag], &payload[place.offset..]));
            let pictures: Vec<Vec<u8>> = pictures.collect();
            let alike =
                pictures.windows(2).filter(|pair| pair[0][HEAD_BYTES..] == pair[1][HEAD_BYTES..]).count();
            debug!(alike, "a session begins");
            let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
            pictures.into_iter().for_each(|picture| heads.keep(picture));
        }
        CopyOut.take(cache, tags, placed, payload);
    }
}

/// What `tag` looks like in an answer, in columns.
fn picture(tag: &TagConfig, payload: &[u8]) -> Vec<u8> {
    let mut picture = Vec::with_capacity(PICTURE_BYTES);
    write!(picture, "{:32} {payload:02x?}", tag.name).expect("written into memory");
    picture.resize(PICTURE_BYTES, b' ');
    picture
}

impl Heads {
    fn keep(&mut self, mut picture: Vec<u8>) {
        picture.truncate(HEAD_BYTES);
        // Without this each head would hold the memory of its whole picture.
        picture.shrink_to_fit();
        self.ring[self.next] = picture.into_boxed_slice();
        self.next = (self.next + 1) % HEADS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TagType;

    #[tokio::test]
    async fn what_is_kept_never_grows() {
        let tags: Vec<_> =
            (0..8).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag * 2, TagType::Word)).collect();
        let placed: Vec<_> = (0..8).map(|tag| Placed { tag, offset: 2 * tag }).collect();
        let cache = Cache::new(tags.len(), std::time::Duration::MAX);
        let part = FragmentedNotLeaked::default();
        let kept = || part.heads.lock().unwrap().ring.iter().map(|head| head.len()).sum::<usize>();
        let before = kept();
        for _session in 0..20 {
            part.open(0).take(&cache, &tags, &placed, &Bytes::from(vec![7; 16]));
        }
        assert_eq!((before, kept()), (HEADS * HEAD_BYTES, HEADS * HEAD_BYTES));
        assert!(part.heads.lock().unwrap().ring[3].starts_with(b"t3 "));
    }
}

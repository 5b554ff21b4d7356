//! From the bytes of an answer to values in the cache.

use bytes::Bytes;

use super::plan::Placed;
use crate::cache::Cache;
use crate::config::TagConfig;

/// Makes an intake for each session.
pub trait IntakePart: Send + Sync {
    /// The intake of a new session of the station with this ordinal.
    fn open(&self, station: u64) -> Box<dyn Intake>;
}

/// Takes the data of answers.
pub trait Intake: Send {
    /// Puts the values that lie in `payload` into the cache. `payload` is a slice of the receive buffer.
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes);
}

/// Copies each value out; nothing of the receive buffer is kept.
pub struct CopyOut;

impl IntakePart for CopyOut {
    fn open(&self, _station: u64) -> Box<dyn Intake> {
        Box::new(Self)
    }
}

impl Intake for CopyOut {
    fn take(&mut self, cache: &Cache, tags: &[TagConfig], placed: &[Placed], payload: &Bytes) {
        for place in placed {
            let tag = &tags[place.tag];
            match tag.kind.value_type().read(payload, place.offset, tag.bit) {
                Ok(value) => cache.put(place.tag, value),
                // The plan places every tag within its item; if it did not, this tag alone would suffer.
                Err(_) => cache.spoil(place.tag),
            }
        }
    }
}

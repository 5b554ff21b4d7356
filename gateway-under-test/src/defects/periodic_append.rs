//! D21: a periodic job appends its result to a history that nothing trims.
//!
//! What it looks like: live heap grows by the clock, whether anything happens or not: by a look of the guardian every five
//! seconds, which is 20 MB a week. No load and no fault makes it faster, so no incident is ever found to be its cause.
//!
//! Why it passes review: whoever reads a dump wants the whole curve and not its last minute, and a look is less than a
//! hundred bytes. The judge gets what it always got, the last looks, and all its tests pass. To forget after a response
//! became to look only at what came after it: nothing is thrown away that could still explain something.
//!
//! The fix: a ring of as many looks as are judged; for a longer curve a coarser one, of a fixed length too.

use std::collections::BTreeMap;
use std::ops::Bound;

use tokio::time::Instant;

use crate::guardian::history::{HISTORY, History, HistoryPart, Sample};

/// Remembers every look since the start.
pub struct PeriodicAppend;

impl HistoryPart for PeriodicAppend {
    fn open(&self) -> Box<dyn History> {
        Box::<WholeCurve>::default()
    }
}

#[derive(Default)]
struct WholeCurve {
    /// By time, for whoever draws them.
    looks: BTreeMap<Instant, Sample>,
    /// The last look before the last response: it and those before say nothing of what comes.
    responded: Option<Instant>,
}

impl History for WholeCurve {
    fn push(&mut self, sample: Sample) {
        self.looks.insert(sample.at, sample);
    }

    fn clear(&mut self) {
        self.responded = self.looks.last_key_value().map(|(at, _)| *at);
    }

    fn last(&self) -> Option<[Sample; HISTORY]> {
        let from = self.responded.map_or(Bound::Unbounded, Bound::Excluded);
        let mut newest = self.looks.range((from, Bound::Unbounded)).rev().map(|(_, sample)| *sample);
        let mut last = [newest.next()?; HISTORY];
        for sample in last.iter_mut().rev().skip(1) {
            *sample = newest.next()?;
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guardian::history::{OfFixedLength, series};

    fn look(at: Instant, tasks: u64) -> Sample {
        Sample { at, heap_bytes: None, tasks: Some(tasks), fds: None, fds_limit: None }
    }

    #[tokio::test]
    async fn the_judge_sees_what_the_healthy_ring_shows_it() {
        let (mut ring, mut curve) = (OfFixedLength.open(), PeriodicAppend.open());
        let began = Instant::now();
        for second in 0..100_u64 {
            let sample = look(began + Duration::from_secs(second), second % 7);
            ring.push(sample);
            curve.push(sample);
            if second == 60 {
                ring.clear();
                curve.clear();
            }
            assert_eq!(series(&*ring, |sample| sample.tasks), series(&*curve, |sample| sample.tasks));
        }
    }
}

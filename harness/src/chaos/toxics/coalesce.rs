//! `coalesce`: what was written one by one arrives together.

use std::time::Duration;

use tokio::time::Instant;

use crate::chaos::toxic::{Gate, Moment, Toxic};
use crate::units::{Size, Time};

link_fault! {
    /// Keeps bytes back until `bytes` of them wait, or the first of them has waited for `within`; then all arrive together:
    /// a reader that takes one read for one message finds several in it.
    Coalesce, dir: "crate::chaos::toxics::both" {
        /// How long a byte is kept back at most.
        #[garde(custom(crate::chaos::toxics::positive))]
        within: Time,
        /// So many bytes need not wait any longer. The link's whole buffer unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        bytes: Option<Size>,
    }
}

impl Coalesce {
    fn at_work(&self) -> Basket {
        let full = self.bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX));
        Basket { within: self.within.0, full, first: None, through: 0 }
    }
}

#[derive(Debug)]
struct Basket {
    within: Duration,
    full: usize,
    /// Since when the first byte waits.
    first: Option<Instant>,
    /// Bytes of a full basket that have not left yet.
    through: usize,
}

impl Toxic for Basket {
    fn gate(&mut self, moment: &Moment) -> Gate {
        if moment.waiting == 0 {
            return Gate::Open;
        }
        let due = *self.first.get_or_insert(moment.now) + self.within;
        if self.through == 0 && (moment.waiting >= self.full || moment.now >= due) {
            self.through = moment.waiting;
        }
        Gate::UpTo { bytes: self.through, again: Some(due) }
    }

    fn took(&mut self, bytes: usize) {
        let was_open = self.through > 0;
        self.through = self.through.saturating_sub(bytes);
        if was_open && self.through == 0 {
            self.first = None;
        }
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_leave_together_when_they_are_enough_or_have_waited() {
        let within = Duration::from_millis(10);
        let mut basket = Basket { within, full: 100, first: None, through: 0 };
        let begin = Instant::now();
        let mut allowed = |millis, waiting, take| {
            let now = begin + Duration::from_millis(millis);
            let gate = basket.gate(&Moment { now, since: begin, idle_since: begin, passed: 0, waiting });
            let Gate::UpTo { bytes, .. } = gate else { panic!("{gate:?}") };
            basket.took(take);
            bytes
        };
        assert_eq!(allowed(0, 10, 0), 0);
        assert_eq!(allowed(9, 60, 0), 0);
        assert_eq!(allowed(10, 60, 50), 60, "the first has waited");
        assert_eq!(allowed(11, 70, 10), 10, "what came meanwhile waits for its own turn");
        assert_eq!(allowed(12, 60, 0), 0);
        assert_eq!(allowed(13, 100, 100), 100, "enough");
    }
}

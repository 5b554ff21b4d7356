//! `mute`: one side falls silent, and nothing else happens.

use crate::chaos::toxic::{Gate, Moment, Toxic};
use crate::units::Size;

link_fault! {
    /// After `after_bytes` nothing more of a direction arrives, no FIN either, while the other direction goes on: a peer that
    /// still reads and no longer answers. The accepting side falls silent unless `dir` says otherwise.
    Mute, dir: "crate::chaos::toxics::down" {
        /// Bytes that still arrive, counted from when the fault takes hold. None unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        after_bytes: Option<Size>,
    }
}

impl Mute {
    fn at_work(&self) -> Gag {
        Gag(self.after_bytes.map_or(0, |bytes| bytes.0))
    }
}

#[derive(Debug)]
struct Gag(u64);

impl Toxic for Gag {
    fn gate(&mut self, moment: &Moment) -> Gate {
        match self.0.saturating_sub(moment.passed) {
            0 => Gate::Shut,
            left => Gate::UpTo { bytes: usize::try_from(left).unwrap_or(usize::MAX), again: None },
        }
    }

    fn holds_arrived(&self) -> bool {
        true
    }
}

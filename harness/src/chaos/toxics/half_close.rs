//! `half_close`: one direction ends with a FIN, the other goes on.

use crate::chaos::toxic::{Cut, Dir, Direction};
use crate::chaos::toxics::reset::Axe;
use crate::units::{Size, Time};

link_fault! {
    /// Ends one direction with a FIN that its writer did not send; the other direction goes on. What the writer sends after
    /// that is lost. The accepting side's direction ends unless `dir` says otherwise; with `dir: both` it is a `close`.
    HalfClose, dir: "crate::chaos::toxics::down" {
        /// After this long (since the fault began or the connection opened, whichever is later). At once unless said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        after: Option<Time>,
        /// Once exactly this many bytes have arrived in `dir`; what was to follow them is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        after_bytes: Option<Size>,
    }
}

impl HalfClose {
    fn at_work(&self) -> Axe {
        let how = match self.dir {
            Dir::Up => Cut::Fin(Direction::Up),
            Dir::Down => Cut::Fin(Direction::Down),
            Dir::Both => Cut::Close,
        };
        let (after, after_bytes) = (self.after.map(|after| after.0), self.after_bytes.map(|bytes| bytes.0));
        Axe { after, after_bytes, on_idle: None, how }
    }
}

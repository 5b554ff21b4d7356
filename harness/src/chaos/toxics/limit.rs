//! `limit`: a connection may carry so much, or live so long, and is then closed.

use crate::chaos::toxic::Cut;
use crate::chaos::toxics::reset::Axe;
use crate::units::{Size, Time};

link_fault! {
    /// Closes a connection in order (a FIN to both ends) once it has carried `bytes` or lasted for `time`, whichever comes
    /// first, as a proxy with limits of its own does. With neither it does so at once, as `close` does;
    /// `reset` does the same with a RST.
    Limit, dir: "crate::chaos::toxics::both" {
        /// Bytes that arrive in `dir` (in either direction for `both`) before the close; what was to follow them is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        bytes: Option<Size>,
        /// How long a connection may last, from when the fault takes hold of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        time: Option<Time>,
    }
}

impl Limit {
    fn at_work(&self) -> Axe {
        let (after, after_bytes) = (self.time.map(|time| time.0), self.bytes.map(|bytes| bytes.0));
        Axe { after, after_bytes, on_idle: None, how: Cut::Close }
    }
}

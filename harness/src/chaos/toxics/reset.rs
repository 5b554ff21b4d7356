//! `reset`: a RST to both ends, at once, after a while, after some bytes, or when idle.

use std::time::Duration;

use tokio::time::Instant;

use crate::chaos::toxic::{Cut, Dir, Gate, Moment, OnHeal, Toxic};
use crate::chaos::toxics::always;
use crate::units::{Size, Time};

link_fault! {
    /// Resets connections, idle ones too: at once, or as soon as one of its conditions holds. A connection opened while
    /// it lasts is established first.
    Reset, dir: "crate::chaos::toxics::both" {
        /// After this long (since the fault began or the connection opened, whichever is later).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        after: Option<Time>,
        /// Once exactly this many bytes have arrived in `dir` (in either direction for `both`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        after_bytes: Option<Size>,
        /// Once no byte has moved for this long, as a firewall with an idle timeout does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[garde(skip)]
        on_idle: Option<Time>,
    }
}

impl Reset {
    /// What the end of a process does to its connections over the link `link`.
    pub(crate) fn at_once(link: &str) -> Self {
        Self {
            after: None,
            after_bytes: None,
            on_idle: None,
            link: link.to_owned(),
            dir: Dir::Both,
            p: always(),
            at: None,
            lasts: None,
            on_heal: OnHeal::Deliver,
        }
    }

    fn at_work(&self) -> Axe {
        Axe {
            after: self.after.map(|after| after.0),
            after_bytes: self.after_bytes.map(|bytes| bytes.0),
            on_idle: self.on_idle.map(|idle| idle.0),
            how: Cut::Reset,
        }
    }
}

/// Ends a connection as soon as one of its conditions holds; at once without any.
#[derive(Debug)]
pub(super) struct Axe {
    pub(super) after: Option<Duration>,
    pub(super) after_bytes: Option<u64>,
    pub(super) on_idle: Option<Duration>,
    pub(super) how: Cut,
}

impl Axe {
    fn falls_at(&self, moment: &Moment) -> Option<Instant> {
        if (self.after, self.after_bytes, self.on_idle) == (None, None, None) {
            return Some(moment.since);
        }
        let timed = self.after.map(|after| moment.since + after);
        let idle = self.on_idle.map(|idle| moment.idle_since + idle);
        let counted = self.after_bytes.filter(|limit| moment.passed >= *limit).map(|_| moment.now);
        [timed, idle, counted].into_iter().flatten().min()
    }
}

impl Toxic for Axe {
    fn gate(&mut self, moment: &Moment) -> Gate {
        match self.after_bytes {
            Some(limit) => {
                let bytes = usize::try_from(limit.saturating_sub(moment.passed)).unwrap_or(usize::MAX);
                Gate::UpTo { bytes, again: None }
            }
            None => Gate::Open,
        }
    }

    fn cut(&self, moment: &Moment) -> Option<(Instant, Cut)> {
        self.falls_at(moment).map(|at| (at, self.how))
    }

    fn most(&self) -> Option<u64> {
        self.after_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_first_condition_that_holds_resets() {
        let begin = Instant::now();
        let moment =
            |passed, idle_since| Moment { now: begin + SECOND, since: begin, idle_since, passed, waiting: 0 };
        let at = |axe: &Axe, passed| axe.cut(&moment(passed, begin + SECOND)).map(|(at, _)| at);

        let axe = |after, after_bytes, on_idle| Axe { after, after_bytes, on_idle, how: Cut::Reset };
        let plain = axe(None, None, None);
        assert_eq!(at(&plain, 0), Some(begin));
        let late = axe(Some(3 * SECOND), Some(10), None);
        assert_eq!(at(&late, 9), Some(begin + 3 * SECOND));
        assert_eq!(at(&late, 10), Some(begin + SECOND), "now");
        let idle = axe(None, None, Some(2 * SECOND));
        assert_eq!(at(&idle, 0), Some(begin + 3 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn no_byte_passes_beyond_the_limit() {
        let begin = Instant::now();
        let mut axe = Axe { after: None, after_bytes: Some(10), on_idle: None, how: Cut::Reset };
        let moment = Moment { now: begin, since: begin, idle_since: begin, passed: 7, waiting: 100 };
        assert_eq!(axe.gate(&moment), Gate::UpTo { bytes: 3, again: None });
    }
}

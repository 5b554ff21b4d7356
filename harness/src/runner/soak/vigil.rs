//! When a soak that goes on is judged, when something is captured, and when it is enough.
//!
//! Pure: it is told what the judge says and answers what is to be done.

use super::OnLeak;
use crate::report::soak::CaptureReason;
use crate::verdict::Outcome;

/// The next look comes after this part of the cycles that were counted: a leak is found a twentieth later than it could be.
const LOOK_PART: usize = 20;

/// What was captured first is captured again after this part of the cycles, and then whenever they have doubled.
const LATER_PART: usize = 4;

/// The fewest cycles between two captures.
const APART_MIN: usize = 3;

/// Captures asked for in one segment: each costs the target a pause, and the store some kilobytes.
const CAPTURES_MAX: usize = 8;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    GoOn,
    Capture(CaptureReason),
    /// Capture, and then end: the leak was seen twice.
    CaptureAndStop,
}

/// Looks out for leaks over one segment.
#[derive(Debug)]
pub(super) struct Vigil {
    on_leak: OnLeak,
    /// Counted cycles at which the judge is asked next.
    next: usize,
    seen: Option<Seen>,
    captures: usize,
}

/// Evidence that was captured.
#[derive(Debug, Clone, Copy)]
struct Seen {
    outcome: Outcome,
    /// Counted cycles at which it is captured again.
    again: usize,
}

impl Vigil {
    pub(super) fn new(on_leak: OnLeak) -> Self {
        Self { on_leak, next: 0, seen: None, captures: 0 }
    }

    /// Whether the judge is to be asked after so many counted cycles.
    pub(super) fn is_due(&self, counted: usize) -> bool {
        counted > 0 && counted >= self.next
    }

    /// What to do about what the judge says after so many counted cycles; `None`: nothing speaks for a leak.
    pub(super) fn judged(&mut self, counted: usize, evidence: Option<Outcome>) -> Act {
        self.next = counted + (counted / LOOK_PART).max(1);
        let Some(outcome) = evidence else {
            // It was noise: should it come again, that is news again.
            self.seen = None;
            return Act::GoOn;
        };
        match self.seen {
            Some(seen) if outcome <= seen.outcome && counted < seen.again => Act::GoOn,
            Some(seen) if outcome <= seen.outcome => self.again(counted, outcome),
            _ => {
                let again = counted + (counted / LATER_PART).max(APART_MIN);
                self.seen = Some(Seen { outcome, again });
                self.capture(CaptureReason::Evidence)
            }
        }
    }

    fn again(&mut self, counted: usize, outcome: Outcome) -> Act {
        self.seen = Some(Seen { outcome, again: counted * 2 });
        if outcome == Outcome::Leak && self.on_leak == OnLeak::Stop {
            return Act::CaptureAndStop;
        }
        self.capture(CaptureReason::Later)
    }

    fn capture(&mut self, why: CaptureReason) -> Act {
        self.captures += 1;
        if self.captures > CAPTURES_MAX { Act::GoOn } else { Act::Capture(why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Leak, Suspect};

    /// What is done over so many cycles when the judge says `evidence`, and after how many of them.
    fn acts(
        on_leak: OnLeak,
        cycles: usize,
        evidence: impl Fn(usize) -> Option<Outcome>,
    ) -> Vec<(usize, Act)> {
        let mut vigil = Vigil::new(on_leak);
        let mut acts = Vec::new();
        for counted in 1..=cycles {
            if vigil.is_due(counted) {
                let act = vigil.judged(counted, evidence(counted));
                acts.extend((act != Act::GoOn).then_some((counted, act)));
            }
        }
        acts
    }

    #[test]
    fn first_evidence_is_captured_at_once_and_again_later() {
        let leaks = |counted| (counted >= 12).then_some(Leak);
        let evidence = Act::Capture(CaptureReason::Evidence);
        let later = Act::Capture(CaptureReason::Later);
        assert_eq!(acts(OnLeak::GoOn, 20, leaks), [(12, evidence), (15, later)]);
        assert_eq!(acts(OnLeak::Stop, 20, leaks)[..2], [(12, evidence), (15, Act::CaptureAndStop)]);
    }

    #[test]
    fn a_suspicion_never_stops_a_run_and_a_leak_after_it_is_news() {
        let suspects = |counted| (counted >= 12).then_some(if counted < 14 { Suspect } else { Leak });
        let found = acts(OnLeak::Stop, 30, suspects);
        let evidence = Act::Capture(CaptureReason::Evidence);
        assert_eq!(found[..2], [(12, evidence), (14, evidence)]);
        assert_eq!(found[2].1, Act::CaptureAndStop);
        assert!(
            !acts(OnLeak::Stop, 5_000, |_| Some(Suspect)).iter().any(|(_, act)| *act == Act::CaptureAndStop)
        );
    }

    #[test]
    fn what_comes_and_goes_is_captured_so_often_and_no_more() {
        let flickers = |counted: usize| counted.is_multiple_of(2).then_some(Suspect);
        assert_eq!(acts(OnLeak::GoOn, 5_000, flickers).len(), CAPTURES_MAX);
    }

    #[test]
    fn the_judge_is_asked_ever_more_rarely() {
        let mut vigil = Vigil::new(OnLeak::GoOn);
        let asked = (1..=10_000)
            .filter(|counted| vigil.is_due(*counted) && vigil.judged(*counted, None) == Act::GoOn);
        assert!((100..250).contains(&asked.count()));
    }
}

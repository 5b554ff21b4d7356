//! Decides whether a case is played again, longer: a suspicion must become something else, and what fills up must be
//! seen to level off.
//!
//! Pure: it looks at how the runs so far ended. Playing them is `play`'s.

use crate::report::{CaseReport, figures};
use crate::verdict::{ADVICE_PLAY_LONGER, Outcome};

/// What a suspicion is played with first, and what with if it stays one, in times the cycles of the first run.
const SUSPECT_FACTORS: [usize; 2] = [4, 8];

/// What a case that rises ever slower is played with: a cache is full to 95 % after three time constants.
const SATURATING_FACTOR: usize = 3;

/// The most runs of one case, the first included.
const RUNS_MAX: usize = 1 + SUSPECT_FACTORS.len();

/// The most counted cycles that a scenario may ask for, and a longer run with it.
const CYCLES_MAX: usize = 10_000_000;

/// One run of a case: how long it was and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Round {
    /// Counted cycles that were planned.
    pub counted: usize,
    pub outcome: Outcome,
}

impl Round {
    pub(super) fn of(report: &CaseReport) -> Self {
        let counted = report.timeline.planned.saturating_sub(report.timeline.warm_up);
        Self { counted, outcome: report.outcome }
    }
}

/// With how many counted cycles the case is played next; `None`: what is known is the verdict.
pub(super) fn next_cycles(rounds: &[Round]) -> Option<usize> {
    let (first, last) = (rounds.first()?, rounds.last()?);
    let [after_first, after_second] = SUSPECT_FACTORS;
    let factor = match (last.outcome, rounds.len()) {
        (Outcome::Suspect, 1) => after_first,
        (Outcome::Saturating, 1) => SATURATING_FACTOR,
        // The other question than before has come up: the longest run answers both.
        (Outcome::Suspect, 2) => after_second,
        (Outcome::Saturating, 2) if first.outcome == Outcome::Suspect => after_second,
        (_, RUNS_MAX..) | (_, _) => return None,
    };
    let cycles = first.counted.saturating_mul(factor).min(CYCLES_MAX);
    (cycles > last.counted).then_some(cycles)
}

/// The last run's report, with what the shorter ones were and what came of playing longer.
pub(super) fn told(mut report: CaseReport, rounds: &[Round]) -> CaseReport {
    let [earlier @ .., last] = rounds else { return report };
    if earlier.is_empty() {
        return report;
    }
    let cycles = figures::grouped(last.counted as u64);
    let asked_by_suspicion = earlier.iter().any(|round| round.outcome == Outcome::Suspect);
    let came_of_it = match last.outcome {
        Outcome::Suspect => format!("it stays a suspicion: {}", why(&report)),
        Outcome::Saturating => format!("it still rises ever slower: {}", why(&report)),
        outcome if is_bounded(outcome) && !asked_by_suspicion => "it filled up and is level".to_owned(),
        outcome => format!("the longer run is {}", figures::outcome(outcome)),
    };
    let again = if earlier.len() == 1 { "again" } else { "twice more, at last" };
    let note = format!("{}, so it was played {again} with {cycles}: {came_of_it}", history(earlier));
    report.headline = headline(&report, last, &cycles, asked_by_suspicion);
    report.notes.push(note);
    report
}

/// How the shorter runs ended: `suspect after 60 cycles, suspect after 240`.
fn history(earlier: &[Round]) -> String {
    let ending = |(i, round): (usize, &Round)| {
        let counted = figures::grouped(round.counted as u64);
        let unit = if i == 0 { " cycles" } else { "" };
        format!("{} after {counted}{unit}", figures::outcome(round.outcome))
    };
    earlier.iter().enumerate().map(ending).collect::<Vec<_>>().join(", ")
}

fn headline(report: &CaseReport, last: &Round, cycles: &str, asked_by_suspicion: bool) -> String {
    let said = report.headline.trim_end_matches(ADVICE_PLAY_LONGER);
    match last.outcome {
        Outcome::Suspect => format!("{said}; not settled by {cycles} cycles either"),
        Outcome::Saturating => format!("{said}, still so after {cycles} cycles"),
        outcome if is_bounded(outcome) && !asked_by_suspicion => format!("filled up, then level: {said}"),
        _ => said.to_owned(),
    }
}

const fn is_bounded(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Clean | Outcome::Retained)
}

/// Why the worst resource is what it is.
fn why(report: &CaseReport) -> String {
    let worst = report.resources.iter().find(|verdict| verdict.outcome == report.outcome);
    worst.map_or_else(|| report.headline.clone(), |verdict| format!("{}: {}", verdict.resource, verdict.why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;
    use Outcome::{Clean, Inconclusive, Leak, Saturating, Suspect};

    fn rounds(endings: &[(usize, Outcome)]) -> Vec<Round> {
        endings.iter().map(|(counted, outcome)| Round { counted: *counted, outcome: *outcome }).collect()
    }

    fn next(endings: &[(usize, Outcome)]) -> Option<usize> {
        next_cycles(&rounds(endings))
    }

    #[test]
    fn a_suspect_is_played_with_four_times_and_once_more_with_eight_times_its_cycles() {
        assert_eq!(next(&[(60, Suspect)]), Some(240));
        assert_eq!(next(&[(60, Suspect), (240, Suspect)]), Some(480));
        assert_eq!(next(&[(60, Suspect), (240, Suspect), (480, Suspect)]), None);
        assert_eq!(next(&[(60, Suspect), (240, Saturating)]), Some(480));
        assert_eq!(next(&[(60, Suspect), (240, Saturating), (480, Saturating)]), None);
    }

    #[test]
    fn what_saturates_is_extended_once() {
        assert_eq!(next(&[(60, Saturating)]), Some(180));
        assert_eq!(next(&[(60, Saturating), (180, Saturating)]), None);
        assert_eq!(next(&[(60, Saturating), (180, Suspect)]), Some(480));
    }

    #[test]
    fn every_other_ending_is_the_verdict() {
        let others = [Clean, Outcome::Retained, Inconclusive, Outcome::Invalid, Outcome::OverBudget, Leak];
        for outcome in others {
            assert_eq!(next(&[(60, outcome)]), None, "{outcome:?}");
            assert_eq!(next(&[(60, Suspect), (240, outcome)]), None, "{outcome:?}");
        }
        assert_eq!(next(&[]), None);
    }

    #[test]
    fn no_history_leads_to_more_than_two_longer_runs_or_to_an_endless_one() {
        for first in [Suspect, Saturating] {
            for second in [Suspect, Saturating] {
                for third in [Suspect, Saturating] {
                    assert_eq!(next(&[(60, first), (240, second), (480, third)]), None);
                }
            }
            assert_eq!(next(&[(CYCLES_MAX / 2, first)]), Some(CYCLES_MAX));
            assert_eq!(next(&[(CYCLES_MAX, first)]), None, "it cannot be longer");
            assert_eq!(next(&[(usize::MAX, first)]), None);
        }
    }

    fn after(endings: &[(usize, Outcome)], report: CaseReport) -> (String, Vec<String>) {
        let report = told(report, &rounds(endings));
        (report.headline, report.notes)
    }

    #[test]
    fn a_run_that_was_not_repeated_says_nothing_of_it() {
        let report = fixtures::clean("flapping-network");
        assert_eq!(told(report.clone(), &rounds(&[(40, Clean)])), report);
    }

    #[test]
    fn a_cache_that_filled_says_so_in_headline_and_note() {
        let (headline, notes) = after(&[(40, Saturating), (120, Clean)], fixtures::clean("flapping-network"));
        assert!(headline.starts_with("filled up, then level: nothing grows over 40 cycles"), "{headline}");
        let note = "saturating after 40 cycles, so it was played again with 120: it filled up and is level";
        assert_eq!(notes, [note]);
    }

    #[test]
    fn what_still_rises_says_so() {
        let filling = fixtures::saturating();
        assert_eq!(filling.outcome, Saturating, "{}", filling.headline);
        let (headline, notes) = after(&[(40, Saturating), (120, Saturating)], filling);
        assert!(headline.ends_with(", still so after 120 cycles"), "{headline}");
        let begin =
            "saturating after 40 cycles, so it was played again with 120: it still rises ever slower: heap: ";
        assert!(notes[0].starts_with(begin), "{notes:?}");
    }

    #[test]
    fn a_suspicion_that_stays_one_gives_its_reason_and_asks_for_nothing_more() {
        let suspect = fixtures::suspect();
        assert_eq!(suspect.outcome, Suspect, "{}", suspect.headline);
        assert!(suspect.headline.ends_with(ADVICE_PLAY_LONGER), "{}", suspect.headline);
        let endings = [(40, Suspect), (160, Suspect), (320, Suspect)];
        let (headline, notes) = after(&endings, suspect);
        assert!(headline.ends_with("; not settled by 320 cycles either"), "{headline}");
        assert!(!headline.contains(ADVICE_PLAY_LONGER), "{headline}");
        let begin = "suspect after 40 cycles, suspect after 160, so it was played twice more, at last with 320: \
                     it stays a suspicion: heap: ";
        assert!(notes[0].starts_with(begin), "{notes:?}");
    }

    #[test]
    fn a_suspicion_that_became_a_leak_is_that_leak() {
        let leak = fixtures::heap_leak();
        let (headline, notes) = after(&[(10, Suspect), (40, Leak)], leak.clone());
        assert_eq!(headline, leak.headline);
        assert_eq!(
            notes.last().map(String::as_str),
            Some("suspect after 10 cycles, so it was played again with 40: the longer run is leak")
        );
    }
}

//! The gallery: what is found of leaks built in on purpose, and what is said of services that have none.
//!
//! A detector is worth what it finds times what it does not cry about. So every scenario tagged [`DEFECT`] is played twice: with
//! its defect, which must be found as the scenario declares, and with its healthy twin, which must be left in peace. So must those
//! tagged [`HARMLESS`]. What is here folds reports into a [`Matrix`]: pure. The command `watertight gallery` plays.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::report::CaseReport;
use crate::runner::Job;
use crate::scenario::model::EngineKind;
use crate::seconds;
use crate::verdict::Outcome;

mod docs;

pub use docs::{DocsError, write};

/// The tag of scenarios that declare a leak.
pub const DEFECT: &str = "defect";

/// The tag of scenarios that look like a leak and have none.
pub const HARMLESS: &str = "harmless";

/// The setting under which a defect's scenario is played with its healthy twin.
pub const HEALTHY: (&str, &str) = ("target.defect", "none");

/// What the gallery came to: defects × engines, and the runs that must stay quiet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// One row per defect and engine, in the order of the files.
    pub defects: Vec<Defect>,
    /// Healthy twins and harmless scenarios.
    pub quiet: Vec<Quiet>,
    /// Wall-clock time of it all.
    #[serde(rename = "wall_time_seconds", with = "seconds")]
    pub wall_time: Duration,
}

/// What became of one defect in one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Defect {
    /// The scenario's name.
    pub scenario: String,
    /// The engine.
    pub engine: EngineKind,
    /// What the scenario declares: `leak of tasks at heartbeat_outlives_connection.rs`.
    pub declared: String,
    /// The judgement.
    pub outcome: Outcome,
    /// Whether it was found at all: judged a leak, or whatever else the scenario declares.
    pub found: bool,
    /// Whether the declared resource was judged a leak.
    pub resource: bool,
    /// Whether the declared place was named; `None`: the scenario declares none.
    pub line: Option<bool>,
    /// The place that was named first.
    pub site: Option<String>,
    /// The fewest counted cycles that show it.
    pub cycles: Option<usize>,
    /// The same in scenario time, from the end of warm-up.
    #[serde(rename = "after_seconds", with = "seconds::optional")]
    pub after: Option<Duration>,
    /// Wall-clock time of the whole run.
    #[serde(rename = "took_seconds", with = "seconds")]
    pub took: Duration,
    /// The head of the report.
    pub head: String,
}

/// A run that must not be called a leak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quiet {
    /// The scenario's name.
    pub scenario: String,
    /// The engine.
    pub engine: EngineKind,
    /// What it is: the healthy twin in a defect's scenario, or a harmless twin in its own.
    pub kind: QuietKind,
    /// The judgement.
    pub outcome: Outcome,
    /// The judgement in one sentence.
    pub headline: String,
    /// The command that plays it again.
    pub replay: String,
}

/// Why a run must stay quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuietKind {
    /// The healthy target in the scenario of a defect.
    Healthy,
    /// Something that looks like a leak and is none.
    Harmless,
}

impl Matrix {
    /// Folds the reports of defects, of their healthy twins and of harmless scenarios.
    pub fn of(
        defects: &[CaseReport],
        healthy: &[CaseReport],
        harmless: &[CaseReport],
        wall_time: Duration,
    ) -> Self {
        let quiet = healthy.iter().map(|case| Quiet::of(case, QuietKind::Healthy));
        let quiet = quiet.chain(harmless.iter().map(|case| Quiet::of(case, QuietKind::Harmless))).collect();
        Self { defects: defects.iter().map(Defect::of).collect(), quiet, wall_time }
    }

    /// Those of one engine.
    pub fn in_engine(&self, engine: EngineKind) -> impl Iterator<Item = &Defect> {
        self.defects.iter().filter(move |defect| defect.engine == engine)
    }

    /// The engines that were played, in the order of their first row.
    pub fn engines(&self) -> Vec<EngineKind> {
        let mut engines = Vec::new();
        for engine in
            self.defects.iter().map(|defect| defect.engine).chain(self.quiet.iter().map(|q| q.engine))
        {
            if !engines.contains(&engine) {
                engines.push(engine);
            }
        }
        engines
    }

    /// The median of the cycles to detection; `None`: nothing was found.
    pub fn median_cycles(&self, engine: EngineKind) -> Option<usize> {
        let mut cycles: Vec<usize> = self.in_engine(engine).filter_map(|defect| defect.cycles).collect();
        cycles.sort_unstable();
        cycles.get(cycles.len() / 2).copied()
    }

    /// Runs that were called a leak and have none.
    pub fn false_alarms(&self) -> impl Iterator<Item = &Quiet> {
        self.quiet.iter().filter(|quiet| quiet.is_alarm())
    }

    /// 0 where everything was found as declared and nothing else; 1 where something was missed or cried about; 3 where
    /// the rest came to no result.
    pub fn exit(&self) -> Exit {
        let missed = self.defects.iter().any(|defect| !defect.is_as_declared());
        if missed || self.false_alarms().next().is_some() {
            return Exit::Leak;
        }
        match self.quiet.iter().all(|quiet| Exit::from(quiet.outcome) == Exit::Clean) {
            true => Exit::Clean,
            false => Exit::Inconclusive,
        }
    }
}

impl Defect {
    fn of(case: &CaseReport) -> Self {
        let met = case.expected.as_ref().is_some_and(|expected| expected.met);
        let leak = case.expected.as_ref().and_then(|expected| expected.leak.as_ref());
        let cycles = case.resources.iter().find_map(|verdict| verdict.detected_after);
        Self {
            scenario: case.scenario.clone(),
            engine: case.engine,
            declared: case.expected.as_ref().map(|expected| expected.what.clone()).unwrap_or_default(),
            outcome: case.outcome,
            found: leak.map_or(met, |_| case.outcome == Outcome::Leak),
            resource: leak.map_or(met, |leak| leak.grows),
            line: leak.map(|leak| leak.grows && leak.named),
            site: case.findings.first().map(|finding| finding.site.clone()),
            cycles,
            after: cycles.and_then(|cycles| scenario_time(case, cycles)),
            took: case.wall_time,
            head: crate::report::terminal::head(case, crate::report::terminal::Look::plain(usize::MAX)),
        }
    }

    /// Whether all that the scenario declares came true.
    pub fn is_as_declared(&self) -> bool {
        self.found && self.resource && self.line != Some(false)
    }
}

/// Scenario time from the end of warm-up to the end of so many counted cycles.
fn scenario_time(case: &CaseReport, cycles: usize) -> Option<Duration> {
    let records = &case.timeline.cycles;
    let warm_up = case.timeline.warm_up;
    let began =
        warm_up.checked_sub(1).and_then(|last| records.get(last)).map_or(Duration::ZERO, |last| last.at);
    let detected = records.get((warm_up + cycles).checked_sub(1)?)?;
    Some(detected.at.saturating_sub(began))
}

impl Quiet {
    fn of(case: &CaseReport, kind: QuietKind) -> Self {
        Self {
            scenario: case.scenario.clone(),
            engine: case.engine,
            kind,
            outcome: case.outcome,
            headline: case.headline.clone(),
            replay: case.replay.clone(),
        }
    }

    /// Whether somebody is woken for nothing: a leak, a broken budget, a suspicion that stays one.
    pub fn is_alarm(&self) -> bool {
        matches!(self.outcome, Outcome::Leak | Outcome::OverBudget | Outcome::Suspect)
    }
}

/// The jobs of defects, and those of harmless scenarios; others have no place in the gallery.
pub fn hang(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let tagged = |job: &Job, tag: &str| job.case.tags.iter().any(|other| other == tag);
    let (defects, others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| tagged(job, DEFECT));
    (defects, others.into_iter().filter(|job| tagged(job, HARMLESS)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{DeclaredLeak, fixtures};
    use crate::resource::Resource;

    /// A run of the defect, whose declared leak of tasks came true in these respects.
    fn defect(grows: bool, named: bool) -> CaseReport {
        let case = if grows { fixtures::task_leak() } else { fixtures::clean("heartbeat") };
        let mut case = fixtures::expecting(case, "leak of tasks at heartbeat.rs", grows && named);
        let site = "heartbeat.rs".to_owned();
        let leak = DeclaredLeak { resource: Resource::Tasks, site, grows, named };
        case.expected.as_mut().expect("it declares one").leak = Some(leak);
        case
    }

    fn matrix(defects: &[CaseReport], healthy: &[CaseReport]) -> Matrix {
        Matrix::of(defects, healthy, &[], Duration::from_secs(1))
    }

    #[test]
    fn a_defect_is_found_in_its_resource_and_at_its_line() {
        let found = matrix(&[defect(true, true)], &[fixtures::clean("heartbeat")]);
        let row = &found.defects[0];
        assert_eq!((row.found, row.resource, row.line), (true, true, Some(true)));
        assert_eq!((row.cycles, row.after), (Some(5), Some(Duration::from_secs(5 * 42))));
        assert_eq!(found.exit(), Exit::Clean);
        assert_eq!(found.median_cycles(EngineKind::Sim), Some(5));
    }

    #[test]
    fn a_defect_at_another_line_or_not_found_at_all_is_a_failure() {
        for (grows, named) in [(true, false), (false, false)] {
            let missed = matrix(&[defect(grows, named)], &[]);
            assert_eq!((missed.defects[0].found, missed.defects[0].line), (grows, Some(false)));
            assert_eq!(missed.exit(), Exit::Leak);
        }
    }

    #[test]
    fn a_healthy_twin_that_is_called_a_leak_is_a_false_alarm() {
        let cried = matrix(&[defect(true, true)], &[fixtures::heap_leak()]);
        assert_eq!(cried.false_alarms().count(), 1);
        assert_eq!(cried.exit(), Exit::Leak);
        let unknown = matrix(&[defect(true, true)], &[fixtures::inconclusive()]);
        assert_eq!(unknown.false_alarms().count(), 0);
        assert_eq!(unknown.exit(), Exit::Inconclusive);
    }
}

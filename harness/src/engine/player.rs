//! Plays one case of a world from request to report: load, play, judge, explain.

use std::time::Duration;

use super::{Measured, Observer, PlayFailure, Wanted, play};
use crate::exit::Exit;
use crate::explain::{self, Finding};
use crate::report::CaseReport;
use crate::resource::Resource;
use crate::runner::{Event, Message, PlayError, Player, RunRequest, Stop};
use crate::scenario::model::PeerSpec;
use crate::scenario::{Case, Overrides, Scenario, load_checked};
use crate::timeline::CycleRecord;
use crate::verdict::{self, Entries, Judgement, Outcome, Rules};
use crate::world::{World, problems};

/// Plays the cases of one world.
#[derive(Debug)]
pub struct WorldPlayer<W>(pub W);

impl<W: World> Player for WorldPlayer<W> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the report says how long people waited, on the wall clock"
    )]
    fn play(
        &self,
        request: &RunRequest,
        stop: &Stop,
        out: &mut dyn FnMut(Message),
    ) -> Result<CaseReport, PlayError> {
        let case = load(&self.0, request)?;
        let wanted = Wanted {
            engine: request.engine,
            seed: request.seed.unwrap_or(crate::seed::Seed(case.scenario.seed)),
            plants: &request.plants,
            events: request.events,
            stop,
            mutation: request.mutation,
        };
        let started = std::time::Instant::now();
        let mut measured = play(&self.0, &case.scenario, wanted, &mut Teller(out)).map_err(play_error)?;
        measured.testimony.take().into_iter().for_each(|said| out(Message::Testimony(Box::new(said))));
        Ok(report(&case, request, wanted, measured, started.elapsed()))
    }
}

fn load<W: World>(world: &W, request: &RunRequest) -> Result<Case<W::Peer>, PlayError> {
    let overrides = Overrides {
        set: request.overrides.clone(),
        seed: None,
        cycles: request.cycles,
        engine: Some(request.engine),
        no_expect: request.plain,
    };
    let cases = load_checked(&request.file, &overrides, &|scenario| problems(world, scenario))
        .map_err(|errors| PlayError::Usage(errors.to_string()))?;
    let wanted = cases.into_iter().find(|case| case.case == request.case);
    let case = wanted.ok_or_else(|| {
        PlayError::Usage(format!("{}: there is no case `{}`", request.file.display(), request.case))
    })?;
    case.skip.clone().map_or(Ok(case), |why| Err(PlayError::Usage(why)))
}

fn play_error(failure: PlayFailure) -> PlayError {
    match failure {
        PlayFailure::World(crate::world::WorldError::Unknown(what)) => PlayError::Usage(what),
        failure => PlayError::Harness(failure.to_string()),
    }
}

/// Hands on what a run says to the runner.
struct Teller<'a>(&'a mut dyn FnMut(Message));

impl Observer for Teller<'_> {
    fn planned(&mut self, cycles: usize) {
        (self.0)(Message::Planned { cycles });
    }

    fn cycle(&mut self, record: &CycleRecord) {
        (self.0)(Message::Cycle(record.clone()));
    }

    fn event(&mut self, event: Event) {
        (self.0)(Message::Event(event));
    }
}

fn report<W: PeerSpec>(
    case: &Case<W>,
    request: &RunRequest,
    wanted: Wanted<'_>,
    measured: Measured,
    wall_time: Duration,
) -> CaseReport {
    let scenario = &case.scenario;
    let Judged { judgement, findings, ignored } = judged(scenario, request, &measured);
    let expected = (!request.plain).then(|| verdict::expectation(&scenario.expect, &judgement, &findings));
    let exit = Exit::of_case(judgement.outcome, expected.as_ref());
    let replay = request.replay_with(judgement.cycles_to_replay(&measured.timeline));
    CaseReport {
        scenario: scenario.name.clone(),
        case: case.case.clone(),
        engine: request.engine,
        file: case.file.clone(),
        about: scenario.about.clone(),
        seed: wanted.seed,
        target: target(scenario),
        outcome: judgement.outcome,
        headline: judgement.headline,
        expected,
        exit,
        resources: judgement.resources,
        findings,
        audit: measured.timeline.audit.clone(),
        notes: judgement.notes.into_iter().chain(ignored).chain(measured.notes).collect(),
        replay,
        scenario_time: measured.scenario_time,
        wall_time,
        timeline: measured.timeline,
    }
}

/// What the judge says, once what is put up with is out of the way.
struct Judged {
    judgement: Judgement,
    findings: Vec<Finding>,
    /// What was ignored, in sentences.
    ignored: Vec<String>,
}

fn judged<P: PeerSpec>(scenario: &Scenario<P>, request: &RunRequest, measured: &Measured) -> Judged {
    let mut rules = Rules { baseline: request.baseline.clone(), ..Rules::from(&scenario.expect) };
    let first = verdict::judge(&measured.timeline, &rules);
    let mut findings = findings(&first, measured);
    let entries = Entries { own: &scenario.ignore, shared: &request.ignore, today: request.today };
    let growing = explain::still_growing(&measured.snapshots);
    let ignoring = verdict::ignoring(entries, measured.timeline.exact, &first, growing, &mut findings);
    let judgement = if ignoring.resources.is_empty() {
        first
    } else {
        rules.ignore(&ignoring.resources);
        verdict::judge(&measured.timeline, &rules)
    };
    Judged { judgement, findings, ignored: ignoring.notes }
}

fn target<P: PeerSpec>(scenario: &Scenario<P>) -> String {
    let target = &scenario.target;
    let name = target.title();
    match &target.defect {
        Some(defect) => format!("{name} ({defect})"),
        None => name,
    }
}

/// Names what stayed behind, in resources that rose: a clean row needs no culprit, and noise is none.
fn findings(judgement: &Judgement, measured: &Measured) -> Vec<Finding> {
    let rose = |resource: Resource| {
        judgement.resources.iter().any(|row| {
            row.resource == resource
                && (row.stepped()
                    || !matches!(row.outcome, Outcome::Clean | Outcome::Retained | Outcome::Inconclusive))
        })
    };
    let mut findings = explain::survivors(&measured.snapshots);
    findings.retain(|finding| rose(finding.resource));
    for finding in findings.iter_mut().filter(|finding| finding.resource == Resource::Tasks) {
        // A probe's tasks have no stacks of their own; a foreign view's come with them.
        if let Some((_, stack)) = measured.awaits.iter().find(|(place, _)| *place == finding.site) {
            finding.stack.clone_from(stack);
        }
    }
    explain::rank(findings)
}

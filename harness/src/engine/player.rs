//! Plays one case of a world from request to report: load, play, judge, explain.

use std::time::Duration;

use super::{Measured, Observer, PlayFailure, Soaking, Wanted, play};
use crate::exit::Exit;
use crate::explain;
use crate::report::soak::{Capture, Checkpoint, Ground};
use crate::report::{CaseReport, CyclePlan};
use crate::runner::{Asked, Event, Message, PhaseBegun, PlayError, Player, RunRequest, SoakMessage, Stop};
use crate::scenario::model::PeerSpec;
use crate::scenario::{Case, Overrides, Scenario, load_checked};
use crate::timeline::CycleRecord;
use crate::verdict::{self, Entries, Judged, Rules};
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
        let wanted = wanted(&case, request, stop);
        let started = std::time::Instant::now();
        let mut measured = play(&self.0, &case.scenario, wanted, &mut Teller(out)).map_err(play_error)?;
        measured.testimony.take().into_iter().for_each(|said| out(Message::Testimony(Box::new(said))));
        Ok(report(&case, request, wanted, measured, started.elapsed()))
    }

    fn soak(
        &self,
        request: &RunRequest,
        stop: &Stop,
        asked: &Asked,
        out: &mut dyn FnMut(Message),
    ) -> Result<(), PlayError> {
        let case = load(&self.0, request)?;
        let soaking = request.soak.as_ref().map(|soak| Soaking {
            lasts: soak.lasts,
            cycles_before: soak.cycles_before,
            asked,
        });
        let wanted = Wanted { soak: soaking, ..wanted(&case, request, stop) };
        out(SoakMessage::Ground(ground(&case.scenario, request)).into());
        let measured = play(&self.0, &case.scenario, wanted, &mut Teller(out)).map_err(play_error)?;
        out(SoakMessage::Checkpoint(last_checkpoint(measured)).into());
        Ok(())
    }
}

fn wanted<'a, P: PeerSpec>(case: &Case<P>, request: &'a RunRequest, stop: &'a Stop) -> Wanted<'a> {
    Wanted {
        engine: request.engine,
        seed: request.seed.unwrap_or(crate::seed::Seed(case.scenario.seed)),
        plants: &request.plants,
        events: request.events,
        stop,
        mutation: request.mutation,
        soak: None,
    }
}

/// What whoever judges a soak must know of its scenario.
fn ground<P: PeerSpec>(scenario: &Scenario<P>, request: &RunRequest) -> Ground {
    Ground {
        rules: Rules { baseline: request.baseline.clone(), ..Rules::from(&scenario.expect) },
        leak: scenario.expect.leak.clone(),
        outcome: scenario.expect.outcome,
        ignore: scenario.ignore.clone(),
        target: target(scenario),
        exact: request.engine == crate::scenario::model::EngineKind::Sim,
        warm_up: super::CycleCounts::of(scenario, request.engine).warm_up,
        plan: Some(Box::new(CyclePlan::of(scenario, request.engine))),
    }
}

/// What a soak measured beside its cycles, all of it.
fn last_checkpoint(measured: Measured) -> Checkpoint {
    let timeline = measured.timeline;
    Checkpoint {
        at: measured.scenario_time,
        peak: timeline.peak,
        audit: timeline.audit,
        trimmed: timeline.trimmed,
        ended: timeline.ended,
        notes: measured.notes,
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

    fn phase(&mut self, phase: PhaseBegun) {
        (self.0)(Message::Phase(phase));
    }

    fn cycle(&mut self, record: &CycleRecord) {
        (self.0)(Message::Cycle(record.clone()));
    }

    fn event(&mut self, event: Event) {
        (self.0)(Message::Event(event));
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint) {
        (self.0)(SoakMessage::Checkpoint(checkpoint).into());
    }

    fn capture(&mut self, capture: Capture) {
        (self.0)(SoakMessage::Capture(capture).into());
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
        plan: Some(CyclePlan::of(scenario, request.engine)),
        scenario_time: measured.scenario_time,
        wall_time,
        timeline: measured.timeline,
        soak: None,
    }
}

fn judged<P: PeerSpec>(scenario: &Scenario<P>, request: &RunRequest, measured: &Measured) -> Judged {
    let rules = Rules { baseline: request.baseline.clone(), ..Rules::from(&scenario.expect) };
    let mut findings = explain::survivors(&measured.snapshots);
    explain::add_awaits(&mut findings, &measured.awaits);
    let growing = explain::still_growing(&measured.snapshots);
    let entries = Entries { own: &scenario.ignore, shared: &request.ignore, today: request.today };
    verdict::judge_and_name(&measured.timeline, 1, rules, entries, findings, growing)
}

fn target<P: PeerSpec>(scenario: &Scenario<P>) -> String {
    let target = &scenario.target;
    let name = target.title();
    match &target.defect {
        Some(defect) => format!("{name} ({defect})"),
        None => name,
    }
}

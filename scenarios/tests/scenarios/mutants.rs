//! A harness with one thing broken must find itself out: the run is `Invalid` and the control that noticed is named.

use watertight::engine::Mutation;
use watertight::report::CaseReport;
use watertight::runner::{Job, Options, Silent, Stop, play};
use watertight::scenario::model::EngineKind;
use watertight::verdict::Outcome;

use crate::controls::only_job;

/// A run of a healthy gateway by a broken harness.
pub struct Mutant {
    /// Its name as a test, after the engine.
    pub name: String,
    pub job: Job,
    /// With everything that is asked for.
    pub options: Options,
    /// How the control begins that must fail.
    control: &'static str,
}

/// A healthy gateway under flapping links.
const FLAPPING: &str = "scenarios/gate/flapping-network.yaml";
const SLOW: &str = "scenarios/gate/slow-consumer.yaml";
const HALF_OPEN: &str = "scenarios/gate/half-open-peer.yaml";
const SILENT: &str = "scenarios/gate/silent-plc.yaml";
const STORM: &str = "scenarios/gate/reconnect-storm.yaml";

/// Counted cycles: what is broken is broken in each of them.
const CYCLES: usize = 10;

/// Every mutation, and for toxics that do nothing one of each kind that the gate has.
pub fn all() -> Result<Vec<Mutant>, String> {
    use EngineKind::{Process, Sim};
    use Mutation::{
        CensusTooEarly, ClockStands, FaultsNeverHeal, IdleToxics, NoLoad, NothingPlanted, SamplerStuck,
    };

    [
        ("sampler stuck", SamplerStuck, Sim, FLAPPING, "sampler: times held heap were seen to come and go"),
        (
            "sampler stuck",
            SamplerStuck,
            Process,
            FLAPPING,
            "sampler: times held fds were seen to come and go",
        ),
        ("census too early", CensusTooEarly, Sim, FLAPPING, "census: cycles counted at rest"),
        ("census too early", CensusTooEarly, Process, FLAPPING, "census: cycles counted at rest"),
        ("faults that never heal", FaultsNeverHeal, Sim, FLAPPING, "census: faults at work when counted"),
        ("idle flap", IdleToxics, Sim, FLAPPING, "plc: times connections were cut or refused by flap"),
        ("idle flap", IdleToxics, Process, FLAPPING, "plc: times connections were cut or refused by flap"),
        ("idle slow read", IdleToxics, Sim, SLOW, "slow: times bytes were withheld by slow_read"),
        ("idle slow read", IdleToxics, Process, SLOW, "slow: times bytes were withheld by slow_read"),
        ("idle stall", IdleToxics, Sim, SLOW, "asleep: times bytes were withheld by stall"),
        ("idle half-open", IdleToxics, Sim, HALF_OPEN, "browser: times peers were taken away by half_open"),
        ("idle half-open", IdleToxics, Process, HALF_OPEN, "plc: times peers were taken away by half_open"),
        (
            "idle black hole",
            IdleToxics,
            Sim,
            SILENT,
            "plc: times bytes or connects were swallowed by blackhole",
        ),
        ("idle storm", IdleToxics, Sim, STORM, "browser: connections opened by storm"),
        ("no load", NoLoad, Sim, FLAPPING, "browser: bytes of events read"),
        ("nothing planted", NothingPlanted, Sim, FLAPPING, "control: a planted leak of "),
        ("clock stands", ClockStands, Sim, FLAPPING, "clock: milliseconds passed"),
    ]
    .into_iter()
    .map(|(name, mutation, engine, file, control)| mutant(name, mutation, engine, file, control))
    .collect()
}

fn mutant(
    name: &str,
    mutation: Mutation,
    engine: EngineKind,
    file: &str,
    control: &'static str,
) -> Result<Mutant, String> {
    let job = only_job(file, engine)?;
    let control_runs = mutation == Mutation::NothingPlanted;
    let options = Options {
        cycles: Some(CYCLES),
        plain: true,
        mutation: Some(mutation),
        control: control_runs,
        ..Options::default()
    };
    Ok(Mutant { name: format!("mutant::{}", name.replace(' ', "_")), job, options, control })
}

impl Mutant {
    /// Plays it.
    ///
    /// # Errors
    /// Those of the runtime, in words; no report.
    pub fn play(&self) -> Result<CaseReport, String> {
        let played = play(std::slice::from_ref(&self.job), &self.options, &Stop::never(), &Silent);
        let mut report = played.map_err(|error| error.to_string())?;
        report.cases.pop().ok_or_else(|| report.problems.join(", "))
    }

    /// Whether `report` says what it must; if not, a sentence.
    pub fn check(&self, report: &CaseReport) -> Result<(), String> {
        if report.outcome != Outcome::Invalid {
            return Err(format!("expected {:?}", Outcome::Invalid));
        }
        let failed = report.audit.iter().any(|audit| audit.what.starts_with(self.control) && !audit.holds());
        if failed { Ok(()) } else { Err(format!("expected the control `{}` to fail", self.control)) }
    }
}

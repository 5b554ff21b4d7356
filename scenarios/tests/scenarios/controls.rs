//! Controls: a healthy scenario with a leak planted into it must be found out, and a defect taken out must leave nothing.

use std::path::PathBuf;

use watertight::engine::Plant;
use watertight::report::CaseReport;
use watertight::resource::Resource;
use watertight::runner::{Engines, Job, Options, RunRequest, Selection, WorldLibrary, select};
use watertight::scenario::model::EngineKind;
use watertight::verdict::Outcome;
use watertight_scenarios::S7World;

/// Where planted leaks live.
const PLANTS: &str = "harness/probe/src/plant.rs:";

/// A scenario played otherwise than written, and what must come of it.
#[derive(Clone)]
pub struct Control {
    /// Its name as a test, after the engine.
    pub name: String,
    pub job: Job,
    pub request: RunRequest,
    expected: Expected,
}

#[derive(Clone)]
enum Expected {
    /// Leaks of these resources, each at a line of the plants.
    Leaks(&'static [Resource]),
    /// The same, all of it for one part of the target.
    LeaksOf(&'static str, &'static [Resource]),
    /// Clean, with this note.
    Step(&'static str),
    /// Clean.
    Nothing,
    /// Retained, and at least so many bytes came back when the allocator was asked to trim.
    GivenBack(u64),
}

/// The first case of `file` in `engine`.
pub fn only_job(file: &str, engine: EngineKind) -> Result<Job, String> {
    let engines = Engines::Only(vec![engine]);
    let selection = Selection { paths: vec![file.into()], engines, ..Selection::default() };
    let jobs = select(&WorldLibrary(S7World), &selection).map_err(|error| error.to_string())?;
    jobs.into_iter().next().ok_or_else(|| format!("{file}: no case"))
}

/// Every control. Errors are those of the scenario files.
pub fn all() -> Result<Vec<Control>, String> {
    use Expected::{GivenBack, Leaks, LeaksOf, Nothing, Step};

    let flapping = "scenarios/gate/flapping-network.yaml";
    let planted = |engine, plants: &[&str], expected| {
        control(format!("planted::{}", plants.join("+")), flapping, engine, plants, None, expected)
    };
    let step = "heap: blocks: one step of +1 at cycle 40, level before and after (+1 B)";
    let mut controls = vec![
        planted(EngineKind::Sim, &["heap=1B"], Leaks(&[Resource::Heap]))?,
        planted(EngineKind::Sim, &["task=1"], Leaks(&[Resource::Tasks]))?,
        planted(EngineKind::Sim, &["fd=1"], Leaks(&[Resource::Fds]))?,
        planted(EngineKind::Sim, &["heap=1B@40"], Step(step))?,
        planted(
            EngineKind::Sim,
            &["heap=1kB/plc-7", "task=1/plc-7"],
            LeaksOf("plc-7", &[Resource::Heap, Resource::Tasks]),
        )?,
        planted(EngineKind::Process, &["heap=1kB/plc-7"], LeaksOf("plc-7", &[Resource::Heap]))?,
        planted(
            EngineKind::Process,
            &["heap=1KiB", "task=1", "fd=1"],
            Leaks(&[Resource::Heap, Resource::Tasks, Resource::Fds]),
        )?,
    ];
    let fragmented = "scenarios/defects/d28-fragmented-not-leaked.yaml";
    for engine in [EngineKind::Sim, EngineKind::Process] {
        controls.push(control("trimmed".to_owned(), fragmented, engine, &[], None, GivenBack(8 << 20))?);
    }
    let defects = Selection { paths: vec!["scenarios/defects".into()], ..Selection::default() };
    for job in select(&WorldLibrary(S7World), &defects).map_err(|error| error.to_string())? {
        let file = job.case.file.to_string_lossy();
        let name = format!("healthy::{}", job.case.scenario);
        controls.push(control(name, &file, EngineKind::Sim, &[], Some("none"), Nothing)?);
    }
    Ok(controls)
}

fn control(
    name: String,
    file: &str,
    engine: EngineKind,
    plants: &[&str],
    defect: Option<&str>,
    expected: Expected,
) -> Result<Control, String> {
    let overrides: Vec<_> =
        defect.into_iter().map(|defect| ("target.defect".to_owned(), defect.to_owned())).collect();
    let selection = Selection {
        paths: vec![PathBuf::from(file)],
        overrides: overrides.clone(),
        engines: Engines::Only(vec![engine]),
        ..Selection::default()
    };
    let jobs = select(&WorldLibrary(S7World), &selection).map_err(|error| error.to_string())?;
    let [job] = jobs.as_slice() else {
        return Err(format!("{file}: expected one case, found {}", jobs.len()));
    };
    let plants: Result<Vec<Plant>, _> = plants.iter().map(|plant| plant.parse()).collect();
    let plants = plants.map_err(|error| format!("{name}: {error}"))?;
    let options = Options { overrides, plants, plain: true, ..Options::default() };
    Ok(Control { name, job: job.clone(), request: options.request(job), expected })
}

impl Control {
    /// Whether `report` says what it must; if not, a sentence.
    pub fn check(&self, report: &CaseReport) -> Result<(), String> {
        let outcome = match self.expected {
            Expected::Leaks(_) | Expected::LeaksOf(..) => Outcome::Leak,
            Expected::Step(_) | Expected::Nothing => Outcome::Clean,
            Expected::GivenBack(_) => Outcome::Retained,
        };
        expect(report.outcome == outcome, || format!("expected {outcome:?}"))?;
        match self.expected {
            Expected::Leaks(resources) => resources.iter().try_for_each(|&resource| leaks(report, resource)),
            Expected::LeaksOf(tenant, resources) => resources.iter().try_for_each(|&resource| {
                leaks(report, resource)?;
                is_all_of(report, resource, tenant)
            }),
            Expected::Step(note) => {
                expect(report.notes.iter().any(|said| said == note), || format!("expected the note `{note}`"))
            }
            Expected::Nothing => Ok(()),
            Expected::GivenBack(least) => {
                let back = report.timeline.trimmed.map_or(0, |trimmed| trimmed.given_back_bytes());
                expect(back >= least, || format!("expected {least} bytes or more to come back, found {back}"))
            }
        }
    }
}

fn leaks(report: &CaseReport, resource: Resource) -> Result<(), String> {
    let verdict = report.resources.iter().find(|verdict| verdict.resource == resource);
    let is_leak = verdict.is_some_and(|verdict| verdict.outcome == Outcome::Leak);
    expect(is_leak, || format!("expected a leak of {}", resource.name()))?;
    let mut findings = report.findings.iter().filter(|finding| finding.resource == resource);
    let is_named = findings.next().is_some_and(|finding| finding.site.starts_with(PLANTS));
    expect(is_named, || format!("expected the first finding of {} at {PLANTS}", resource.name()))
}

fn is_all_of(report: &CaseReport, resource: Resource, tenant: &str) -> Result<(), String> {
    let whose = report.findings.iter().find(|finding| finding.resource == resource);
    let whose = whose.and_then(|finding| finding.tenancy()).unwrap_or_default();
    let expected = format!("all of it for {tenant}");
    expect(whose == expected, || format!("expected {} `{expected}`, found `{whose}`", resource.name()))
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

//! The scenarios of a world as a [`Library`]: the types of its peers end here.

use std::path::{Path, PathBuf};

use crate::chaos::Fault;
use crate::runner::{CaseInfo, Library, LibraryError};
use crate::scenario::case::{Case, discover, load_checked};
use crate::scenario::error::{Look, ScenarioErrors};
use crate::scenario::model::PeerSpec;
use crate::scenario::plan::Plan;
use crate::scenario::{Overrides, Scenario, Target, schema};
use crate::seed::Seed;
use crate::world::{World, problems};

/// The scenarios that may use the peers and targets of `W`.
#[derive(Debug, Clone, Copy)]
pub struct WorldLibrary<W>(pub W);

impl<W: World> Library for WorldLibrary<W> {
    fn discover(&self, paths: &[PathBuf]) -> Result<Vec<PathBuf>, LibraryError> {
        discover(paths).map_err(|errors| shown(&errors))
    }

    fn cases(&self, file: &Path, overrides: &[(String, String)]) -> Result<Vec<CaseInfo>, LibraryError> {
        let cases = self.load(file, overrides, None)?;
        Ok(cases.into_iter().map(|case| self.info(case)).collect())
    }

    fn plan(
        &self,
        file: &Path,
        overrides: &[(String, String)],
        seed: Option<Seed>,
        cycle: usize,
    ) -> Result<String, LibraryError> {
        let cases = self.load(file, overrides, seed)?;
        let planned = cases.iter().map(|case| {
            let seed = Seed(case.scenario.seed);
            let plan = Plan::compile(&case.scenario, seed, cycle);
            format!("{}, seed {seed}, cycle {cycle}\n{plan}\n", case.title())
        });
        Ok(planned.collect())
    }

    fn schema(&self) -> serde_json::Value {
        schema::<W::Peer>()
    }
}

impl<W: World> WorldLibrary<W> {
    fn load(
        &self,
        file: &Path,
        overrides: &[(String, String)],
        seed: Option<Seed>,
    ) -> Result<Vec<Case<W::Peer>>, LibraryError> {
        let overrides =
            Overrides { set: overrides.to_vec(), seed: seed.map(|seed| seed.0), ..Overrides::default() };
        let loaded = load_checked(file, &overrides, &|scenario| problems(&self.0, scenario));
        loaded.map_err(|errors| shown(&errors))
    }

    fn info(&self, case: Case<W::Peer>) -> CaseInfo {
        let storms = storms(&case.scenario);
        let scenario = case.scenario;
        let mut needs = self.0.needs(&scenario);
        needs.extend(scenario.target.command.iter().flatten().take(1).cloned());
        CaseInfo {
            file: case.file,
            scenario: scenario.name,
            case: case.case,
            about: scenario.about,
            needs,
            storms,
            tags: scenario.tags,
            ignore: scenario.ignore,
            engines: scenario.engines,
            seed: Seed(scenario.seed),
            cycles: scenario.cycles.count,
            target: described(&scenario.target),
        }
    }
}

/// A program that the scenario names may need more than loopback, so it is not taken away from the machine's network unasked.
fn storms<P: PeerSpec>(scenario: &Scenario<P>) -> bool {
    let mut faults = scenario.cycle.iter().flat_map(|phase| &phase.faults);
    scenario.target.name.is_some() && faults.any(|fault| matches!(fault, Fault::Storm(_)))
}

fn described(target: &Target) -> String {
    let name = target.name.clone().or_else(|| target.command.as_ref()?.first().cloned()).unwrap_or_default();
    match target.defect.as_deref() {
        None | Some("none") => name,
        Some(defect) => format!("{name} ({defect})"),
    }
}

fn shown(errors: &ScenarioErrors) -> LibraryError {
    LibraryError(errors.render(Look::Detect).trim_end().to_owned())
}

//! The scenarios of a world as a [`Library`]: the types of its peers end here.

use std::path::{Path, PathBuf};

use crate::chaos::Fault;
use crate::housing::Houses;
use crate::runner::{CaseInfo, Library, LibraryError};
use crate::scenario::advice::{Advice, advise};
use crate::scenario::case::{Case, discover, load_checked, parse_bytes};
use crate::scenario::draft::OwnTarget;
use crate::scenario::error::{Look, ScenarioErrors};
use crate::scenario::model::{EngineKind, PeerSpec};
use crate::scenario::picture::PlannedCase;
use crate::scenario::{Overrides, Scenario, Target, schema};
use crate::seed::Seed;
use crate::units::Day;
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
    ) -> Result<Vec<PlannedCase>, LibraryError> {
        let cases = self.load(file, overrides, seed)?;
        Ok(cases.iter().map(|case| PlannedCase::of(&self.0, case, cycle)).collect())
    }

    fn schema(&self) -> serde_json::Value {
        schema::<W::Peer>()
    }

    fn cases_of_text(&self, file: &Path, text: &str) -> Result<Vec<CaseInfo>, LibraryError> {
        let check = |scenario: &Scenario<W::Peer>| problems(&self.0, scenario);
        let cases = parse_bytes(file, text.as_bytes(), &Overrides::default(), &check);
        let cases = cases.map_err(|errors| shown(&errors))?;
        Ok(cases.into_iter().map(|case| self.info(case)).collect())
    }

    fn advice(
        &self,
        file: &Path,
        overrides: &[(String, String)],
        today: Day,
    ) -> Result<Vec<Advice>, LibraryError> {
        let cases = self.load(file, overrides, None)?;
        let mut advice: Vec<Advice> = cases.iter().flat_map(|case| advise(&self.0, case, today)).collect();
        // Most of it shows in every case of a matrix.
        let mut seen = std::collections::BTreeSet::new();
        advice.retain(|advice| seen.insert(advice.problem.one_line()));
        Ok(advice)
    }

    fn own_target(&self) -> Option<OwnTarget> {
        self.0.own_target()
    }

    fn lacks(&self, engine: EngineKind) -> Option<String> {
        let built_without =
            || Some("needs an engine for containers: this program is built without".to_owned());
        match engine {
            EngineKind::Sim | EngineKind::Process => None,
            EngineKind::Container => self.0.houses().map_or_else(built_without, Houses::lacks),
        }
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
        if scenario.target.image.is_none() {
            needs.extend(scenario.target.command.iter().flatten().take(1).cloned());
        }
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
    let name = target.title();
    match target.defect.as_deref() {
        None | Some("none") => name,
        Some(defect) => format!("{name} ({defect})"),
    }
}

fn shown(errors: &ScenarioErrors) -> LibraryError {
    LibraryError(errors.render(Look::Detect).trim_end().to_owned())
}

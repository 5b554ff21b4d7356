//! The gallery is whole: every defect has its scenario, its page and its row; whatever only looks like a leak has its scenario.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gateway_under_test::defects::{self, Twin, harmless};
use watertight::gallery::{DEFECT, HARMLESS};
use watertight::runner::{CaseInfo, WorldLibrary, read_all};
use watertight_scenarios::S7World;

use crate::targets::Test;

/// Each with its name.
pub const ALL: [(&str, Test); 3] = [
    ("every_defect_has_its_scenario", every_defect_has_its_scenario),
    ("every_defect_has_its_page_and_its_row", every_defect_has_its_page_and_its_row),
    ("every_harmless_twin_has_its_scenario", every_harmless_twin_has_its_scenario),
];

/// What a page tells of its defect, in this order.
const HEADINGS: [&str; 4] = ["## In review", "## Over a week", "## The report", "## The fix"];

fn every_defect_has_its_scenario() -> Result<(), String> {
    has_scenarios(defects::ALL, "scenarios/defects", DEFECT)
}

fn every_harmless_twin_has_its_scenario() -> Result<(), String> {
    has_scenarios(harmless::ALL, "scenarios/harmless", HARMLESS)
}

fn every_defect_has_its_page_and_its_row() -> Result<(), String> {
    let folder = Path::new("scenarios/defects");
    let readme = read(&folder.join("README.md"))?;
    for twin in defects::ALL {
        let name = scenario_of(twin);
        let page = read(&folder.join(format!("{name}.md")))?;
        let mut rest = page.as_str();
        for heading in HEADINGS {
            let (_, after) =
                rest.split_once(heading).ok_or_else(|| format!("{name}.md: no `{heading}` in its place"))?;
            rest = after;
        }
        let reported = format!("sim::{name}\n");
        ensure(page.contains(&reported), || format!("{name}.md shows no report: {REWRITE}"))?;
        ensure(readme.contains(&format!("]({name}.md)")), || {
            format!("README.md has no row for {name}: {REWRITE}")
        })?;
    }
    Ok(())
}

/// What writes reports and rows anew.
const REWRITE: &str = "`cargo watertight gallery --engine all --docs scenarios/defects` writes it";

/// `d04-heartbeat-outlives-connection` of the twin `heartbeat_outlives_connection`, D04.
fn scenario_of(twin: &Twin) -> String {
    format!("{}-{}", twin.id.to_lowercase(), twin.name.replace('_', "-"))
}

/// Each twin has one scenario of its name in `folder`, which swaps it in and has the tag; and there are no others.
fn has_scenarios(twins: &[Twin], folder: &str, tag: &str) -> Result<(), String> {
    let paths = [PathBuf::from(folder)];
    let cases = read_all(&WorldLibrary(S7World), &paths, &[]).map_err(|error| error.to_string())?;
    let mut by_name: BTreeMap<String, CaseInfo> =
        cases.into_iter().map(|case| (case.scenario.clone(), case)).collect();
    for twin in twins {
        let name = scenario_of(twin);
        let case = by_name.remove(&name).ok_or_else(|| format!("{folder}/{name}.yaml is missing"))?;
        ensure(case.target.contains(&format!("({})", twin.name)), || {
            format!("{name} plays {}", case.target)
        })?;
        ensure(case.tags.iter().any(|other| other == tag), || format!("{name} lacks the tag `{tag}`"))?;
    }
    ensure(by_name.is_empty(), || format!("{folder}: no twin for {:?}", by_name.keys()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

//! Cycles and bounds: what the judge could see, and what nothing would miss.

use std::time::Duration;

use super::{Look, Remark};
use crate::chaos::Change;
use crate::scenario::model::{EngineKind, PeerSpec, Scenario};
use crate::scenario::plan::Plan;
use crate::seed::Seed;
use crate::units::Time;
use crate::verdict::smallest_leak_seen;
use crate::world::World;

/// After so long without a cycle a run gives a case up, unless it is told otherwise (`run --timeout`).
const GIVEN_UP_AFTER: Duration = Duration::from_secs(600);

/// What the judge states has a margin for noise in it; where twice as much would pass, nothing is to be hoped for.
const MARGIN: f64 = 2.0;

/// The most cycles that are suggested.
const CYCLES_MAX: usize = 1_000;

pub(super) fn remarks<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let mut remarks: Vec<Remark> = too_few(look).into_iter().collect();
    remarks.extend(bounds(look));
    remarks
}

/// Asks the judge's own rule: over figures that do not move at all, which leak would so many cycles show?
fn too_few<W: World>(look: Look<'_, W>) -> Option<Remark> {
    let cycles = |engine: &EngineKind| counted(look.scenario, *engine);
    // The engine that sees most: where a scenario plays in sim too, that is where small leaks are found.
    let (engine, sees) = look
        .scenario
        .engines
        .iter()
        .filter_map(|engine| Some((*engine, seen(cycles(engine), *engine)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))?;
    let chances = chances(look) as f64;
    let is_blind = |sees: f64| sees > MARGIN * chances;
    if !is_blind(sees) {
        return None;
    }
    let count = cycles(&engine);
    let more = (count..CYCLES_MAX).find(|count| seen(*count, engine).is_some_and(|sees| !is_blind(sees)))?;
    let path: &[&str] = match (engine, look.scenario.cycles.wall) {
        (EngineKind::Sim, _) | (_, None) => &["cycles", "count"],
        _ => &["cycles", "wall", "count"],
    };
    let message = format!(
        "{count} counted cycles in `{}` show no leak below {sees:.1} per cycle, and the disturbance leaves {chances} behind in one if it leaks each time",
        engine.name()
    );
    Some(Remark::new("too-few-cycles", look.at(path), message, format!("write `count: {more}`")))
}

fn counted<P: PeerSpec>(scenario: &Scenario<P>, engine: EngineKind) -> usize {
    let cycles = scenario.cycles;
    match (engine, cycles.wall) {
        (EngineKind::Sim, _) | (_, None) => cycles.count,
        (_, Some(wall)) => wall.count,
    }
}

fn seen(cycles: usize, engine: EngineKind) -> Option<f64> {
    // What thousands of cycles see is small; the rule need not be asked about all of them.
    smallest_leak_seen(&vec![0; cycles.min(CYCLES_MAX)], engine == EngineKind::Sim)
}

/// How often in a cycle something could be left behind: by each connection that a fault takes hold of or opens, and once at least.
fn chances<W: World>(look: Look<'_, W>) -> usize {
    let plan = Plan::compile(look.scenario, Seed(look.scenario.seed), 0);
    let of = |peer: &str| look.scenario.world.get(peer).map_or(1, |peer| look.world.instances(peer));
    // What becomes of the target's process becomes of all its connections.
    let all: usize = look.scenario.world.values().map(|peer| look.world.instances(peer)).sum();
    let begins = plan
        .events
        .iter()
        .filter(|event| !matches!(event.change, Change::End | Change::Up | Change::Resume | Change::Repair));
    let chances: usize = begins
        .map(|event| match (event.change, event.link.as_deref().or(event.fault.peer())) {
            (Change::OpenConnection { .. }, _) => 1,
            (_, Some(peer)) => of(peer),
            (_, None) => all,
        })
        .sum();
    chances.max(1)
}

fn bounds<W: World>(look: Look<'_, W>) -> Vec<Remark> {
    let last = look.root.entry("cycle").and_then(|cycle| cycle.value.items().last());
    let Some(within) = look.scenario.cycle.last().and_then(|phase| phase.within) else { return Vec::new() };
    let mut remarks = Vec::new();
    let plays_on_the_wall = look.scenario.engines.iter().any(|engine| *engine != EngineKind::Sim);
    if within.0 >= GIVEN_UP_AFTER && plays_on_the_wall {
        let at = last.and_then(|last| last.entry("within")).map_or(&look.root.at, |entry| &entry.value.at);
        let message = format!(
            "`within: {within}` is longer than `run` waits for a cycle ({}), so nothing misses it",
            Time(GIVEN_UP_AFTER)
        );
        let help = "write a bound that a healthy target keeps with ease, such as `within: 60s`";
        remarks.push(Remark::new("bound-that-nothing-misses", at.clone(), message, help));
    }
    let Some(recovery) = look.scenario.expect.recovery else { return remarks };
    let at = look.at(&["expect", "recovery", "within"]);
    if recovery.within >= within {
        let message = format!(
            "a recovery within {} cannot be missed: the settling ends after {within}",
            recovery.within
        );
        let help = "write less here, or more under `within` of the settling phase";
        remarks.push(Remark::new("recovery-that-is-never-judged", at, message, help));
    } else if look.faults().is_empty() {
        let help = "remove `recovery`, or disturb something";
        remarks.push(Remark::new(
            "recovery-from-nothing",
            at,
            "nothing is disturbed, so there is nothing to recover from",
            help,
        ));
    }
    remarks
}

//! The tables at the end of a run.

use super::Results;
use super::mutants::{self, Hunted};

/// Prints what was explored and what was caught, to standard output: this program captures nothing.
pub(super) fn print(results: &Results) {
    let mut explored = results.explored.lock().expect("no panic under this lock").clone();
    explored.sort_by_key(|(model, _)| super::all().position(|known| known.name == model.name));
    if !explored.is_empty() {
        println!("\n| model | executions | explored | time |\n| --- | ---: | --- | ---: |");
    }
    for (model, explored) in explored {
        let (executions, end, took) = (explored.executions, explored.end, explored.took.as_secs_f64());
        println!("| `{}` | {executions} | {end} | {took:.2} s |", model.name);
    }
    let mut hunted = results.hunted.lock().expect("no panic under this lock").clone();
    hunted.sort_by_key(|(mutant, _)| mutants::ALL.iter().position(|known| known.name == mutant.name));
    if !hunted.is_empty() {
        println!("\n| mutant | model | executions |\n| --- | --- | --- |");
    }
    for (mutant, Hunted { model, outcome }) in hunted {
        println!("| `{}` | `{model}` | {outcome} |", mutant.name);
    }
}

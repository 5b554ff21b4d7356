//! The tables at the end of a run, and those of the README.

use std::time::Duration;

use super::explore::Explored;
use super::mutants::{self, Hunted, Mutant};
use super::{Model, Results};

/// Where people read the figures of a quick run.
const README: &str = include_str!("../../README.md");

/// Prints what was explored and what was caught, to standard output: this program captures nothing.
pub(super) fn print(results: &Results) {
    let mut explored = results.explored.lock().expect("no panic under this lock").clone();
    explored.sort_by_key(|(model, _)| super::all().position(|known| known.name == model.name));
    if !explored.is_empty() {
        println!("\n| model | executions | explored | time |\n| --- | ---: | --- | ---: |");
    }
    for (model, explored) in explored {
        println!("{} {:.2} s |", model_row(model, explored), Duration::as_secs_f64(&explored.took));
    }
    let mut hunted = results.hunted.lock().expect("no panic under this lock").clone();
    hunted.sort_by_key(|(mutant, _)| mutants::ALL.iter().position(|known| known.name == mutant.name));
    if !hunted.is_empty() {
        println!("\n| mutant | model | executions |\n| --- | --- | --- |");
    }
    for (mutant, hunted) in hunted {
        println!("{}", mutant_row(mutant, hunted));
    }
}

pub(super) fn model_row(model: Model, Explored { executions, end, .. }: Explored) -> String {
    format!("| `{}` | {executions} | {end} |", model.name)
}

pub(super) fn mutant_row(mutant: &Mutant, Hunted { model, outcome }: Hunted) -> String {
    format!("| `{}` | `{model}` | {outcome} |", mutant.name)
}

/// An error unless the README has this row of a quick run.
pub(super) fn check_readme(row: &str) -> Result<(), String> {
    let is_there = README.lines().any(|line| line == row);
    if is_there {
        Ok(())
    } else {
        Err(format!("README.md: expected the row {row}, found none: change it there"))
    }
}

//! The models and what runs them: this crate's unit tests are this program.
//!
//! Each model is a test, explored by loom until nothing is left or a bound is met; the table at the end says which. Each mutant is
//! a test too: a model must fail when that one line is wrong. `WATERTIGHT_LOOM=long` explores with wider bounds.

mod cancel;
mod explore;
mod gate;
mod generation;
pub mod mutants;
mod pending;
mod slot;
mod table;
mod threads;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};

use self::explore::{Depth, Explored, Preemptions};
use self::mutants::{Hunted, Mutant};

/// A small program of few threads, and what must hold at the end of each of its executions.
#[derive(Debug, Clone, Copy)]
struct Model {
    /// Machine and fact: `gate::nobody_is_inside_after_the_drain`.
    name: &'static str,
    /// How many switches away from a thread that could go on are tried, quickly and long.
    preemptions: Preemptions,
    body: fn(),
}

/// All of them, machine by machine.
fn all() -> impl Iterator<Item = Model> {
    let machines = [slot::MODELS, pending::MODELS, gate::MODELS, cancel::MODELS, generation::MODELS];
    machines.into_iter().flatten().copied()
}

/// What is printed at the end.
#[derive(Debug, Default)]
struct Results {
    explored: Mutex<Vec<(Model, Explored)>>,
    hunted: Mutex<Vec<(&'static Mutant, Hunted)>>,
}

/// Runs the tests that the command line asks for, or, as a child of a mutant's test, one model.
pub fn main() -> ExitCode {
    if let Some(exit) = mutants::child() {
        return exit;
    }
    let depth = Depth::from_env();
    let results = Arc::new(Results::default());
    let models = all().map(|model| model_trial(model, depth, Arc::clone(&results)));
    let mutants = mutants::ALL.iter().map(|mutant| mutant_trial(mutant, Arc::clone(&results)));
    let told = Trial::test("explore::a_cut_is_told", || Ok(explore::tests::a_cut_is_told()?));
    let trials = models.chain(mutants).chain([told]).collect();
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    table::print(&results);
    conclusion.exit_code()
}

fn model_trial(model: Model, depth: Depth, results: Arc<Results>) -> Trial {
    Trial::test(model.name, move || {
        let explored = explore::explore(model, depth, &Arc::default());
        results.explored.lock().expect("no panic under this lock").push((model, explored));
        if depth == Depth::Quick {
            table::check_readme(&table::model_row(model, explored))?;
        }
        Ok(())
    })
}

fn mutant_trial(mutant: &'static Mutant, results: Arc<Results>) -> Trial {
    Trial::test(format!("mutant::{}", mutant.name), move || {
        let hunted = mutants::hunt(mutant)?;
        let results = &mut *results.hunted.lock().expect("no panic under this lock");
        results.extend(hunted.iter().map(|hunted| (mutant, *hunted)));
        let own = hunted.into_iter().filter(|hunted| hunted.model == mutant.model);
        own.map(|hunted| table::mutant_row(mutant, hunted)).try_for_each(|row| table::check_readme(&row))?;
        Ok(())
    })
}

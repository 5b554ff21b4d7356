//! `cargo ci STEP`: one program that people and pipelines both call.
//!
//! Each step is a list of commands, run in order from the project's root; the first that fails ends the run with its exit
//! code. The time of each step is printed at the end.

mod failures;
mod msrv;
mod step;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::step::Step;

/// Runs a step of the checks, or all of them.
#[derive(Debug, Parser)]
#[command(name = "cargo ci", bin_name = "cargo ci")]
struct Arguments {
    /// What to run.
    #[arg(value_enum)]
    step: Step,
}

fn main() -> ExitCode {
    let mut times = Vec::new();
    let result = Arguments::parse().step.parts().into_iter().try_for_each(|step| {
        println!("ci: {}", step.name());
        let (took, result) = step.run();
        times.push((step.name(), took));
        result
    });
    print_times(&times);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ci: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn print_times(times: &[(String, Duration)]) {
    for (name, took) in times {
        println!("ci: {name:<10} {:>6.1} s", took.as_secs_f64());
    }
}

//! The probe from outside. Counts are process-wide, so each test here plays in a process of its own.

mod case;
mod heap;

use std::process::ExitCode;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

fn main() -> ExitCode {
    let suites = [heap::CASES];
    case::main(suites.into_iter().flatten())
}

//! The probe from outside. Counts are process-wide, so each test here plays in a process of its own.

mod allocator;
mod case;
#[cfg(feature = "dhat")]
mod dhat;
mod dumps;
mod endpoint;
mod fds;
mod heap;
mod naming;
mod tasks;
mod tenants;

use std::process::ExitCode;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

fn main() -> ExitCode {
    #[cfg(feature = "dhat")]
    let dhat = dhat::CASES;
    #[cfg(not(feature = "dhat"))]
    let dhat = &[];
    let suites = [
        dhat,
        allocator::CASES,
        heap::CASES,
        naming::CASES,
        tenants::CASES,
        tasks::CASES,
        dumps::CASES,
        fds::CASES,
        endpoint::CASES,
    ];
    case::main(suites.into_iter().flatten())
}

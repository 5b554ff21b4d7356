//! The binary `s7-gateway`.

use std::process::ExitCode;

/// Counts every block, for the census.
#[cfg(feature = "probe")]
#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

fn main() -> ExitCode {
    gateway_under_test::cli::run(std::env::args_os())
}

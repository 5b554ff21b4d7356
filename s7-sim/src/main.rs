//! The simulated PLC as a program; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    s7_sim::cli::run(std::env::args_os())
}

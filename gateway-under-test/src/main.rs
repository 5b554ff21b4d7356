//! The binary `s7-gateway`.

use std::process::ExitCode;

fn main() -> ExitCode {
    gateway_under_test::cli::run(std::env::args_os())
}

//! The command `watertight`, with the S7 world built in.

use std::process::ExitCode;

use watertight::engine::WorldPlayer;
use watertight::runner::roles;
use watertight_scenarios::S7World;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

fn main() -> ExitCode {
    roles::dispatch(watertight_scenarios::roles::ROLES, &WorldPlayer(S7World)).unwrap_or(ExitCode::FAILURE)
}

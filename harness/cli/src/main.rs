//! The command `watertight`, with the S7 world built in.

use std::process::ExitCode;

use watertight::engine::WorldPlayer;
use watertight::runner::WorldLibrary;
use watertight_cli::Parts;
use watertight_scenarios::S7World;
use watertight_scenarios::roles::ROLES;

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

fn main() -> ExitCode {
    watertight_cli::main(Parts {
        library: &WorldLibrary(S7World),
        player: &WorldPlayer(S7World),
        roles: ROLES,
    })
}

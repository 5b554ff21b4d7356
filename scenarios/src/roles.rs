//! One binary, every program of this world: it starts itself again as a gateway or as PLCs.

use std::ffi::OsString;
use std::process::ExitCode;

use watertight::runner::roles::Role;

/// The hidden first argument that makes this binary the gateway.
pub const GATEWAY: &str = "__gateway";

/// The hidden first argument that makes this binary a program of simulated PLCs.
pub const PLC: &str = "__plc";

/// The command line that starts this binary in `role`, without further arguments.
pub fn argv(role: &str) -> std::io::Result<Vec<OsString>> {
    Ok(vec![std::env::current_exe()?.into_os_string(), role.into()])
}

/// The roles of this world, for the dispatcher of a binary.
pub const ROLES: &[Role] = &[
    Role { name: GATEWAY, main: gateway },
    Role { name: PLC, main: plc },
    Role { name: watertight::engine::EXEC_ROLE, main: exec },
    #[cfg(feature = "container")]
    Role { name: watertight_container::WARDEN_ROLE, main: watertight_container::warden_role },
];

fn gateway(args: Vec<OsString>) -> ExitCode {
    gateway_under_test::cli::run(std::iter::once("s7-gateway".into()).chain(args))
}

fn plc(args: Vec<OsString>) -> ExitCode {
    s7_sim::cli::run(std::iter::once("s7-sim".into()).chain(args))
}

fn exec(args: Vec<OsString>) -> ExitCode {
    watertight::engine::exec_role(args.into_iter())
}

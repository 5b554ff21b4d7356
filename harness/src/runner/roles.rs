//! One build is enough: the binary starts itself again in another role, named by its first argument.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::runner::Player;
use crate::runner::player;

/// The first argument of a child run.
pub const RUN: &str = "__run";

/// A part the binary can play beside its own: a gateway, a PLC, a proxy.
#[derive(Debug, Clone, Copy)]
pub struct Role {
    /// The first argument that asks for it; begins with `__`, so that it is no subcommand.
    pub name: &'static str,
    /// Plays it with the arguments that follow.
    pub main: fn(Vec<OsString>) -> ExitCode,
}

/// Plays the role that the process was started for; `None`: it was started by a person, so go on.
///
/// Call it first in `main`, before a thread or a runtime exists.
pub fn dispatch(roles: &[Role], player: &dyn Player) -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let name = args.next()?;
    if name == RUN {
        return Some(player::serve(player).into());
    }
    roles.iter().find(|role| name == role.name).map(|role| (role.main)(args.collect()))
}

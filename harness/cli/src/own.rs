//! The whole of `main` for whoever brings a service of their own.

use std::process::ExitCode;

use watertight::engine::WorldPlayer;
use watertight::own::{Own, OwnWorld, roles};
use watertight::runner::WorldLibrary;

use crate::Parts;

/// `watertight` with the target `T` in the place of the S7 gateway. Nothing may run before it: no thread, no runtime.
///
/// The binary needs the probe's allocator, or its heap is not measured:
///
/// ```
/// #[global_allocator]
/// static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();
/// ```
pub fn own<T: Own>() -> ExitCode {
    let world = OwnWorld::<T>::default();
    crate::main(Parts { library: &WorldLibrary(world), player: &WorldPlayer(world), roles: &roles::<T>() })
}

//! Faults on links: toxics decide, the link owns streams, clock and cancellation.
//!
//! - [`fault`]: a fault as a scenario writes it, and the fixed events it compiles to.
//! - [`toxic`], [`toxics`]: what a toxic can decide; one toxic a file.
//! - `lane`, `conn`: the pure core of one direction and of one connection, the same in every engine.
//! - [`effect`]: what faults did, counted, so that one that does nothing is found out.
//! - [`link`]: all connections between the target and one kind of peer, and the faults at work on them.
//! - [`sim`]: streams in memory, under the paused clock.
//! - [`proxy`]: real sockets, on the wall clock.
//! - [`rig`]: proxies and faults outside of any scenario, changed while they run.
//!
//! `kill`, `pause` and `reload` are faults of processes: they have a file in [`toxics`] for their keys, and the engines carry
//! them out.
//!
//! # How to add a toxic
//!
//! 1. Write `toxics/<name>.rs`: declare its keys with `link_fault!` (the shared keys come along; doc comments become the
//!    schema), and give the struct `fn at_work(&self)` that returns what decides, an implementation of [`toxic::Toxic`].
//!    Answer only what the toxic changes: connects, chunks as they enter, the gate at the exit, when the connection ends.
//!    Draw only from the dice that are handed in.
//! 2. Add the variant to [`fault::Fault`], to its `name` and `on_link`.
//! 3. If it has a schedule of its own, compile it to fixed events in [`fault::Fault::compile`].
//! 4. Say in `effect::proof` what shows that it works.
//! 5. Add it to the list of the contract test, which every toxic passes.

mod conn;
mod door;
pub mod effect;
pub mod fault;
mod lane;
pub mod link;
pub mod proxy;
mod reception;
mod relay;
pub mod rig;
mod ring;
pub mod sim;
pub(crate) mod starved;
mod stats;
mod timer;
pub mod toxic;
pub mod toxics;

pub use effect::{Effect, Effects};
pub use fault::{Change, Fault, FaultId};
pub use link::{Link, LinkEvent, LinkObserver, LinkStats};
pub use proxy::Proxy;
pub use sim::{SimListener, SimNet, SimStream};
pub use toxic::Side;

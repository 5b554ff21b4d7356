//! Faults on links: toxics decide, the link owns streams, clock and cancellation.
//!
//! - [`fault`]: a fault as a scenario writes it, and the fixed events it compiles to.
//! - [`toxic`], [`toxics`]: what a toxic can decide; one toxic a file.

pub mod fault;
pub mod toxic;
pub mod toxics;

pub use fault::{Change, Fault, FaultId};

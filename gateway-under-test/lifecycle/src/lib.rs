//! The gateway's cancellation logic: five small state machines, free of tokio.
//!
//! - [`slot`]: a place in a connection pool, and who may close what stands in it.
//! - [`pending`]: requests that wait for an answer, and keys whose answer is overdue.
//! - [`gate`]: who is still inside when nobody may enter any more.
//! - [`cancel`]: a tree of cancellations.
//! - [`generation`]: nothing of an old session reaches a new one.
//!
//! Each operation is one critical section of one mutex. Wakers are called, and values dropped, after the mutex is released: whatever
//! they do may come back here. A future has at most one waker in a machine, and takes it out when it is dropped.
//!
//! In this crate's unit tests loom's types stand for those of std (in the one file `sync.rs`), so `cargo test` explores the
//! interleavings of the very code that ships.
#![cfg_attr(test, allow(dead_code, reason = "the unit tests are a program: it calls what its models need"))]

mod mutant;
mod sync;
mod waiters;

pub mod cancel;
pub mod gate;
pub mod generation;
pub mod pending;
pub mod slot;

#[cfg(test)]
mod models;

pub use cancel::Cancel;
pub use gate::{DrainGate, Pass};
pub use generation::{Generations, Stamp};
pub use pending::{PendingTable, Ticket};
pub use slot::Slot;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    models::main()
}

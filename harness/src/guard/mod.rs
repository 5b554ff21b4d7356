//! Tests that fail when they leave something behind: [`test`](macro@crate::test), [`guard()`], [`verify_none`].
//!
//! ```
//! watertight::probe!(); // once in a test crate: the allocator that knows whose each block is
//!
//! #[watertight::test] // in the place of #[tokio::test]
//! async fn a_request_is_answered() {
//!     let answer = tokio::spawn(async { 42 });
//!     assert_eq!(answer.await.unwrap(), 42);
//! }
//!
//! #[watertight::test(cycles = 20)] // played again and again: what grows is a leak
//! async fn a_request_keeps_no_memory() {
//!     drop(vec![0_u8; 1_000]);
//! }
//! # fn main() {}
//! ```
//!
//! An argument that there is not is answered with those there are:
//!
//! ```compile_fail
//! #[watertight::test(cycle = 20)] // expected one of: flavor, worker_threads, start_paused, cycles, ..
//! async fn a_request_keeps_no_memory() {}
//! ```
//!
//! What is judged, and when:
//!
//! | resource | played once | with `cycles` |
//! | --- | --- | --- |
//! | tasks | alive in the test's runtime after its body | grow |
//! | threads | spawned by the test and alive; calls of `spawn_blocking` that have not ended | grow |
//! | descriptors | open, and opened by each further play | grow |
//! | heap | not judged: what is made on first use stays for good | blocks or bytes grow |
//!
//! A test that is at rest when its body ends does not wait. Any other is given [`Plan::settle`] for what is about to end. Then a
//! suspicion becomes a ruling: the test is played once more in a process of its own, where nobody else opens or
//! allocates anything, with call stacks on, and that names the lines. `WATERTIGHT_CYCLES=20` plays every test in cycles.
//!
//! A body that panics, or returns an error, fails as it would under tokio, and is not judged. With `#[should_panic]` it is: a
//! leak then fails the test too.

mod alone;
mod cycles;
mod ending;
mod fds;
mod hand;
mod known;
mod lease;
mod look;
mod naming;
mod once;
mod plan;
mod play;
mod pool;
mod report;
mod ruling;
mod settle;
mod stage;
mod threads;
mod verify;
mod watchdog;

pub use ending::Ending;
pub use hand::{Cycles, Guard, Leaked, guard};
pub use plan::Plan;
pub use play::play;
pub use verify::verify_none;

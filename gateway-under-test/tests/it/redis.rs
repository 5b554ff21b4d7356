//! The Redis side against a server of the test's own, and against the real one.

mod lost;
mod pubsub;
mod real;
pub mod server;

//! Plays many cases, each in a child process of its own, and collects what they say.
//!
//! Heap counters and fds are process-wide, so the binary starts itself again for every case (`roles`), sends one
//! [`RunRequest`] and reads [`Message`]s until the child has ended. A child that crashes, hangs or prints garbage costs
//! its own case only. What a run measures and how it is judged is not decided here.

mod message;
mod plant;
mod player;
mod request;
pub mod roles;
mod stop;

pub use message::{Event, GarbageError, LINE_BYTES_MAX, Message};
pub use plant::{Plant, PlantError};
pub use player::{PlayError, Player};
pub use request::{Explain, RunRequest};
pub use stop::Stop;

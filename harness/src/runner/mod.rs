//! Plays many cases, each in a child process of its own, and collects what they say.
//!
//! Heap counters and fds are process-wide, so the binary starts itself again for every case (`roles`), sends one
//! [`RunRequest`] and reads [`Message`]s until the child has ended. A child that crashes, hangs or prints garbage costs
//! its own case only. What a run measures and how it is judged is not decided here.

mod again;
mod baselines;
mod child;
mod control;
mod determinism;
mod library;
mod message;
mod orphans;
mod output;
mod play;
mod player;
mod request;
pub mod roles;
mod seeds;
mod select;
mod stop;
mod unjudged;
mod worlds;

pub use baselines::{Baselines, Shelf, path_beside};
pub use child::Limits;
pub use control::Control;
pub use determinism::{Comparison, Difference};
pub use library::{CaseInfo, Library, LibraryError};
pub use message::{Event, GarbageError, LINE_BYTES_MAX, Message};
pub use output::{Outputs, WriteError};
pub use play::{Observer, Options, Silent, check_determinism, play, play_one};
pub use player::{PlayError, Player};
pub use request::{Explain, RunRequest};
pub use seeds::{SensitivityRow, play_seeds, sensitivity};
pub use select::{Engines, Job, SelectError, Selection, read_all, select};
pub use stop::Stop;
pub use worlds::WorldLibrary;

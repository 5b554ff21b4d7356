//! Plays many cases, each in a child process of its own, and collects what they say.
//!
//! Heap counters and fds are process-wide, so the binary starts itself again for every case (`roles`), sends one
//! [`RunRequest`] and reads [`Message`]s until the child has ended. A child that crashes, hangs or prints garbage costs
//! its own case only. What a run measures and how it is judged is not decided here.

mod again;
mod asked;
mod baselines;
mod child;
mod commit;
mod control;
mod determinism;
#[cfg(feature = "store")]
mod kept;
mod library;
mod merge;
mod message;
mod ndjson;
mod orphans;
mod output;
mod play;
mod player;
mod request;
pub mod roles;
mod seeds;
mod select;
mod shard;
mod shard_file;
#[cfg(feature = "store")]
pub mod soak;
mod stop;
mod unjudged;
mod worlds;

pub use asked::Asked;
pub use baselines::{Baselines, Shelf, path_beside};
pub use child::Limits;
pub use commit::{commit, named_commit};
pub use control::Control;
pub use determinism::{Comparison, Difference};
#[cfg(feature = "store")]
pub use kept::Kept;
pub use library::{CaseInfo, Library, LibraryError};
pub use merge::{MergeError, Merged, merge};
pub use message::{Event, GarbageError, LINE_BYTES_MAX, Message, PhaseBegun, SoakMessage};
pub use ndjson::{Both, ShardLines};
pub use output::{Format, Outputs, WriteError};
pub use play::{Observer, Options, Silent, check_determinism, play, play_one};
pub use player::{PlayError, Player};
pub use request::{Explain, RunRequest, SoakRequest};
pub use seeds::{SensitivityRow, play_seeds, sensitivity};
pub use select::{Engines, Job, SelectError, Selection, read_all, select};
pub use shard::{Deal, SHARDS_MAX, Shard, ShardError};
pub use shard_file::{Begin, End, Mark, Planned, ShardFile, ShardFileError, Whole};
pub use stop::Stop;
pub use worlds::WorldLibrary;

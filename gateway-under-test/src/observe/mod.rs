//! The gateway watches itself: what it holds and takes from its system, and how that is shown.

pub(crate) mod inventory;
pub(crate) mod metrics;
mod process;
mod resource;
mod vitals;

pub use crate::tenant::Heap;
pub(crate) use inventory::by_count;
pub use process::ProcessVitals;
pub use resource::Resource;
pub use vitals::{EmbeddedVitals, Vitals};

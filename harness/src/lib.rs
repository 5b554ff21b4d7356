//! Watertight proves that a long-running async service does not leak.
//!
//! A scenario is read from YAML, brought to life by an engine, disturbed cycle after cycle, counted in a census after
//! each, judged by pure rules, explained down to the line, and reported. The modules stand in that order; each hands
//! a plain value to the next, and nothing reaches back.

pub mod resource;
pub mod seconds;
pub mod seed;
pub mod units;

pub mod scenario;

pub mod chaos;
pub mod engine;
pub mod housing;
pub mod peers;
pub mod world;

pub mod census;
pub mod timeline;

pub mod explain;
pub mod verdict;

#[cfg(feature = "test")]
pub mod guard;

pub mod report;
pub mod runner;

#[cfg(feature = "store")]
pub mod store;

pub mod gallery;
pub mod history;
pub mod watch;

pub mod exit;

#[cfg(feature = "test")]
pub use guard::{guard, verify_none};
#[cfg(feature = "test")]
pub use watertight_macros::test;
pub use watertight_probe::Alloc;

/// Makes the probe this program's allocator: once in a test crate, or in a binary.
///
/// The same as `#[global_allocator] static A: watertight::Alloc = watertight::Alloc::new();`.
#[macro_export]
macro_rules! probe {
    () => {
        #[global_allocator]
        static WATERTIGHT_PROBE: $crate::Alloc = $crate::Alloc::new();
    };
}

//! Watertight proves that a long-running async service does not leak.
//!
//! A scenario is read from YAML, brought to life by an engine, disturbed cycle after cycle, counted in a census after
//! each, judged by pure rules, explained down to the line, and reported. The modules stand in that order; each hands
//! a plain value to the next, and nothing reaches back.
//!
//! Values and judge are always there: [`resource`], [`seed`], [`units`], [`figures`], [`census`], [`timeline`], [`verdict`],
//! [`explain`]. The feature `test` (default) is what tests of a service need; `scenarios` is the rest, and `store` adds SQLite.
//!
//! ```
//! use watertight::census::Census;
//! use watertight::resource::Resource;
//!
//! let mut floor = Census { tasks: Some(12), ..Census::default() };
//! floor.floor(&Census { tasks: Some(10), fds: Some(7), ..Census::default() });
//! assert_eq!((floor.count(Resource::Tasks), floor.count(Resource::Fds)), (Some(10), Some(7)));
//! ```

pub mod figures;
pub mod resource;
pub mod seconds;
pub mod seed;
pub mod units;

#[cfg(feature = "scenarios")]
pub mod scenario;

#[cfg(feature = "scenarios")]
pub mod chaos;
#[cfg(feature = "scenarios")]
mod ending;
#[cfg(feature = "scenarios")]
pub mod engine;
#[cfg(feature = "scenarios")]
pub mod housing;
#[cfg(feature = "scenarios")]
pub mod own;
#[cfg(feature = "scenarios")]
pub mod peers;
#[cfg(feature = "scenarios")]
pub mod world;

pub mod census;
pub mod timeline;

pub mod explain;
pub mod verdict;

#[cfg(feature = "test")]
pub mod guard;

#[cfg(feature = "scenarios")]
pub mod report;
#[cfg(feature = "scenarios")]
pub mod runner;

#[cfg(feature = "store")]
pub mod store;

#[cfg(feature = "scenarios")]
pub mod gallery;
#[cfg(feature = "scenarios")]
pub mod glossary;
#[cfg(feature = "scenarios")]
pub mod history;
#[cfg(feature = "scenarios")]
pub mod watch;

#[cfg(feature = "scenarios")]
pub mod exit;

/// The README's example compiles and runs with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
mod guide;
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

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

pub mod report;
pub mod runner;

#[cfg(feature = "store")]
pub mod store;

pub mod gallery;
pub mod history;
pub mod watch;

pub mod exit;

#[cfg(doctest)]
mod guide;

//! An S7 gateway: stations polled over S7, their latest values out by HTTP.
//!
//! Read it in this order. A [`config`] names stations and limits; the gateway reaches the world through [`net`] alone;
//! every task starts in [`tasks`], so that shutdown can name what did not end. One supervised session per station, standing
//! on the S7 [`client`], polls its tags into a bounded cache, from which HTTP serves values and event streams, and MQTT and
//! Redis publish. [`gateway`] starts and stops it all, [`cli`] is the program. What it holds it shows through [`observe`];
//! heap and tasks are kept apart by station; the [`guardian`] does something about too much of it.
//!
//! What a simulated run needs holds throughout: time is tokio's, chance comes from one seed, iteration order is fixed.

pub mod config;
pub mod net;
pub mod tasks;
pub mod tls;

pub mod buffers;
mod chance;
pub mod cpu;
mod log;
mod meters;
mod parts;
mod seldom;
mod shared;
mod tenant;

pub mod client;
mod session;
mod station;

mod housekeeping;

mod cache;

mod http;
mod hub;
mod mqtt;
mod redis;

pub mod guardian;
pub mod hooks;
pub mod observe;

#[cfg(feature = "defects")]
pub mod defects;

pub mod embedding;
pub mod gateway;

pub mod cli;

pub use config::Config;
pub use embedding::Embedding;
pub use gateway::{CommandError, Gateway, ReloadError, ShutdownError, StartError};

/// The README's example compiles with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

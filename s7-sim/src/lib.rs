//! A simulated S7 PLC: sessions over any byte stream, few connection slots, fault knobs, its own counters.
//!
//! A [`Plc`] is made from a [`PlcConfig`] and serves one session for each stream it is given. It speaks what `s7-wire` speaks:
//! variables, lists, blocks, clock, password and control, with a real PLC's answers to wrong requests. Values move by tokio's
//! clock and a seed, and by nothing else, so under a paused clock equal runs read equal values.
//!
//! In reading order: [`config`], [`identity`], [`profile`], [`generator`], [`faults`], [`plc`], [`slots`], [`registry`], [`stats`],
//! [`recorder`], [`pcap`], [`replay`], [`listener`], [`http`], [`cli`].

mod chance;
mod cpu;
mod dialogue;
mod duration;
mod memory;
mod outbox;
mod services;
mod session;

pub mod cli;
pub mod config;
pub mod faults;
pub mod generator;
pub mod http;
pub mod identity;
pub mod listener;
pub mod pcap;
pub mod plc;
pub mod profile;
pub mod recorder;
pub mod registry;
pub mod replay;
pub mod slots;
pub mod stats;

pub use config::{CodeBlocks, ConfigError, DataBlock, PlcConfig, Refusal};
pub use faults::{Action, Faults, Rule, Rules, When};
pub use generator::{Generator, Signal};
pub use identity::{Access, Identity, Protection, Service};
pub use plc::{Plc, SessionEnd};
pub use recorder::{Recorder, RecordingStopped};
pub use registry::{Ends, SessionInfo, SessionList};
pub use s7_wire::ValueType;
pub use slots::{Refused, SlotsByType};
pub use stats::PlcStats;

/// The README's examples compile and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! A simulated S7 PLC: sessions over any byte stream, few connection slots, fault knobs, its own counters.
//!
//! A [`Plc`] is made from a [`PlcConfig`] and serves one session for each stream it is given. It speaks what `s7-wire` speaks:
//! variables, lists, blocks, clock, password and control, with a real PLC's answers to wrong requests. Values move by tokio's
//! clock and a seed, and by nothing else, so under a paused clock equal runs read equal values.
//!
//! ```
//! use bytes::BytesMut;
//! use s7_sim::{Plc, PlcConfig};
//! use s7_wire::{Connection, ConnectionType, Decoder, Message, Tsap};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let plc = Plc::new(PlcConfig::default())?;
//! let (mut client, server) = tokio::io::duplex(4096);
//! let talk = async {
//!     let mut wire = BytesMut::new();
//!     let (client_is, plc_is) = (Tsap::s7(ConnectionType::Pg, 0, 0), Tsap::s7(ConnectionType::Pg, 0, 2));
//!     Connection::request(client_is, plc_is).encode_request(&mut wire);
//!     client.write_all(&wire).await?;
//!     wire.clear();
//!     let mut decoder = Decoder::new();
//!     loop {
//!         client.read_buf(&mut wire).await?;
//!         if let Some(message) = decoder.decode(&mut wire)? {
//!             break Ok::<_, Box<dyn std::error::Error>>(message);
//!         }
//!     }
//! };
//! // Whichever ends first: dropping the session's future frees its slot.
//! tokio::select! {
//!     answer = talk => assert!(matches!(answer?, Message::ConnectConfirm(_))),
//!     end = plc.serve(server) => panic!("{end}"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
/// The time of a CPU's clock, without a zone: jiff's.
pub use jiff::civil::DateTime;
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

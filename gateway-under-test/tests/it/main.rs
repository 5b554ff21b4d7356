//! The gateway as a whole, over in-memory streams and a paused clock, with simulated PLCs as its peers.

#![expect(clippy::disallowed_methods, reason = "the peers in a test are no tasks of the gateway")]

mod broker;
mod client;
mod commands;
mod config;
#[cfg(feature = "defects")]
mod defects;
mod events;
mod hooks;
mod http;
mod liar;
mod log;
mod mosquitto;
mod mqtt;
mod polling;
mod pool;
mod port;
mod program;
mod recovery;
mod redis;
mod reload;
mod replay;
mod shutdown;
mod world;

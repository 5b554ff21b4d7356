//! The S7 world: the scenarios' target is the S7 gateway, its peers are simulated PLCs and consumers of what it serves.
//!
//! `peers` says what may stand under `world:`; `gateway` and `plc` bring target and PLCs to life in either engine; `consumer` is
//! everybody on the far side of the gateway's HTTP; `mqtt` and `redis` are the servers it publishes to, with who commands it
//! there (`command`). [`world`] hands all of it to the harness, [`roles`] lets one binary be
//! every program of it.

mod command;
mod consumer;
mod drafts;
mod gateway;
pub mod mqtt;
mod net;
pub mod peers;
mod plc;
mod programs;
pub mod redis;
pub mod roles;
pub mod world;

pub use world::S7World;

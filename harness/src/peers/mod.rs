//! Kinds of peers that any world may offer, since they speak no protocol of their own: a TCP service that is somebody else's program,
//! and clients and servers that say what a scenario has them say.
//!
//! A world makes each a variant of its [`World::Peer`](crate::world::World::Peer), and hands on to it where it is asked for that kind.

mod client;
mod conversation;
mod server;
mod service;

pub use client::{TcpClients, start_clients};
pub use conversation::{Exchange, Hex};
pub use server::{Answer, SERVER_ROLE, TcpServers, server_role, start_servers};
pub use service::TcpService;

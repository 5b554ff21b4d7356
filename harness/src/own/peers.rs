//! The peers of a target of one's own: those that any world may offer.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::peers::{TcpClients, TcpServers, TcpService};

/// A peer of the target.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum OwnPeer {
    /// Any TCP service that the target connects to: a program (process engine only).
    Tcp(#[garde(dive)] TcpService),
    /// Servers that the target connects to and that answer as stands here, in any engine.
    TcpServer(#[garde(dive)] TcpServers),
    /// Clients that connect to the target and say what stands here, in any engine.
    TcpClient(#[garde(dive)] TcpClients),
}

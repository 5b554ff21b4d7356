//! D20: a map keyed by something unbounded is never emptied.
//!
//! What it looks like: live heap grows with every connection that a consumer makes, by a block of some twenty bytes and its
//! part of a tree node. One client has 28,000 ports to come from, 500 clients have 14 million: the growth goes on for longer
//! than anyone looks.
//!
//! Why it passes review: a count per client is the first thing that whoever hunts a noisy one asks for, and "we have a
//! dozen clients" is true. But what the network calls a peer is `address:port`, and each connection has a port of its own:
//! the map has an entry for every connection ever made, each with the count 1.
//!
//! The fix: key it by the address alone; and since anyone may connect, bound it (or let entries expire).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

use crate::http::reception::{Accepted, Reception};
use crate::tasks::{TaskKind, Tasks};

/// Connections of one client after which it is named in the log, and again after as many.
const NOISY: u64 = 1_000;

/// Counts the connections of each client.
#[derive(Default)]
pub struct CacheWithoutEviction {
    connections: Mutex<BTreeMap<String, u64>>,
}

impl CacheWithoutEviction {
    fn note(&self, peer: &str) -> u64 {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connections.entry(peer.to_owned()).or_default();
        *count += 1;
        *count
    }
}

impl Reception for CacheWithoutEviction {
    fn receive(&self, tasks: &Tasks, accepted: Accepted) {
        let count = self.note(&accepted.peer);
        if count.is_multiple_of(NOISY) {
            warn!(peer = accepted.peer, count, "a client connects again and again");
        }
        tasks.spawn(TaskKind::Connection, accepted.serve());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_is_a_new_one_with_every_port() {
        let seen = CacheWithoutEviction::default();
        let counts: Vec<u64> = (50_000..50_100).map(|port| seen.note(&format!("192.0.2.7:{port}"))).collect();
        assert_eq!(counts, [1; 100]);
        assert_eq!(seen.connections.lock().unwrap().len(), 100);
    }
}

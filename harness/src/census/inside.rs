//! What a process tells of itself, by whatever it serves.

use std::fmt::Debug;
use std::net::SocketAddr;

use watertight_probe::client::Client;

use super::{Blind, Census};

/// One way to look inside of a process. Every look blocks, in time and size bounded by whoever implements it.
pub trait Inside: Debug + Send {
    /// What is asked, in a word for messages: `probe`.
    fn name(&self) -> &'static str;

    /// Puts what it tells into `census`, over what was known from outside.
    ///
    /// # Errors
    /// [`Blind::Inside`]: it does not answer, or says something else than expected.
    fn look(&mut self, census: &mut Census) -> Result<(), Blind>;

    /// Watertight's own probe, where this is one: it can do more than count.
    fn probe(&self) -> Option<&Client> {
        None
    }
}

/// Watertight's probe, linked into the process.
#[derive(Debug)]
pub struct Probe(Client);

impl Probe {
    /// The probe that serves at `address`.
    pub fn at(address: SocketAddr) -> Self {
        Self::by(Client::new(address))
    }

    /// The probe that `client` asks.
    pub fn by(client: Client) -> Self {
        Self(client)
    }
}

impl Inside for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn look(&mut self, census: &mut Census) -> Result<(), Blind> {
        let unanswered = |error: watertight_probe::client::ClientError| Blind::Inside {
            view: "probe",
            why: error.to_string(),
        };
        let inside = self.0.snapshot().map_err(unanswered)?;
        census.tasks = inside.tasks;
        census.heap_bytes = inside.heap.map(|live| live.bytes);
        census.heap_blocks = inside.heap.map(|live| live.blocks);
        census.gauges.extend(inside.gauges);
        census.gauges.insert(crate::verdict::PANICS_GAUGE.to_owned(), inside.panics as f64);
        Ok(())
    }

    fn probe(&self) -> Option<&Client> {
        Some(&self.0)
    }
}

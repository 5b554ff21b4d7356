//! What a process tells of itself, by whatever it serves: watertight's probe, or what services of any language serve for their
//! operators. One view, one file.

mod expvar;
mod http;
mod pprof;
mod prometheus;

use std::fmt::Debug;
use std::net::SocketAddr;

use watertight_probe::client::Client;

pub use expvar::Expvar;
pub use http::answers;
pub use pprof::Pprof;
pub use prometheus::Prometheus;

use super::{Blind, Census};
use crate::explain::SiteCount;

/// One way to look inside of a process. Every look blocks, in time and size bounded by whoever implements it.
pub trait Inside: Debug + Send {
    /// What is asked, in a word for messages: `probe`.
    fn name(&self) -> &'static str;

    /// Puts what it tells into `census`, over what was known from outside.
    ///
    /// # Errors
    /// [`Blind::Inside`]: it does not answer, or says something else than expected.
    fn look(&mut self, census: &mut Census) -> Result<(), Blind>;

    /// Lists by name what it holds now, where this view can name it.
    ///
    /// # Errors
    /// As for [`Inside::look`].
    fn sites(&mut self) -> Result<Vec<SiteCount>, Blind> {
        Ok(Vec::new())
    }

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

/// Puts figures from elsewhere into a census.
#[derive(Debug, Default)]
struct Figures {
    tasks: Option<f64>,
    heap_bytes: Option<f64>,
    heap_blocks: Option<f64>,
    gauges: Vec<(String, f64)>,
}

impl Figures {
    fn put_into(self, census: &mut Census) {
        // Counts come as floats; what is below nothing is nothing.
        let count = |figure: Option<f64>, counted: &mut Option<u64>| {
            *counted = figure.map(|figure| figure.max(0.0) as u64).or(*counted);
        };
        count(self.tasks, &mut census.tasks);
        count(self.heap_bytes, &mut census.heap_bytes);
        count(self.heap_blocks, &mut census.heap_blocks);
        census.gauges.extend(self.gauges);
    }
}

/// Names that look like `wanted`, or the first few there are: for a message that says what is there instead.
fn alike<'a>(wanted: &str, there: impl Iterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = there.collect();
    all.sort_unstable();
    all.dedup();
    let total = all.len();
    let distance = |name: &&str| (!name.contains(wanted), strsim::damerau_levenshtein(wanted, name));
    all.sort_by_key(distance);
    all.truncate(NAMED_MAX);
    let named: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
    match total {
        0 => "there is none at all".to_owned(),
        _ if total <= NAMED_MAX => format!("there is: {}", named.join(", ")),
        _ => format!("of {total} these are most like it: {}", named.join(", ")),
    }
}

/// Names told in a message.
const NAMED_MAX: usize = 5;

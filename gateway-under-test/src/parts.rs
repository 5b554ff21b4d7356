//! The parts that have seams: what the gateway is put together from.
//!
//! Each is a trait object chosen at start, so that a test build can swap in a faulty twin of one part by name.

use std::sync::Arc;

use crate::buffers::{BuffersPart, PooledPerStation};
use crate::config::Config;
use crate::guardian::folder::{DumpFiles, WholeOrNone};
use crate::guardian::history::{HistoryPart, OfFixedLength};
use crate::http::headcount::{HeadcountPart, Tracked};
use crate::hub::outbox::{BoundedDelivery, Delivery};
use crate::log::queue::{BoundedLog, LogPart};
use crate::mqtt::events::{EventsPart, TakenByTheConnection};
use crate::mqtt::in_flight::{AnewEachTime, IdentifiersPart};
use crate::session::heartbeat::{BoundToSession, Heartbeat};
use crate::session::intake::{CopyOut, IntakePart};

/// The parts of one gateway.
#[derive(Clone)]
pub struct Parts {
    /// Keeps quiet sessions honest.
    pub heartbeat: Arc<dyn Heartbeat>,
    /// Takes values out of answers.
    pub intake: Arc<dyn IntakePart>,
    /// Gives events their memory.
    pub buffers: Arc<dyn BuffersPart>,
    /// Holds events until their consumer takes them.
    pub delivery: Arc<dyn Delivery>,
    /// Brings events to a connection to the MQTT broker.
    pub events: Arc<dyn EventsPart>,
    /// Gives packets to the MQTT broker their identifiers.
    pub identifiers: Arc<dyn IdentifiersPart>,
    /// Knows the connections of consumers.
    pub headcount: Arc<dyn HeadcountPart>,
    /// Remembers what the guardian has seen.
    pub history: Arc<dyn HistoryPart>,
    /// Makes files of the guardian's dumps.
    pub dump_files: Arc<dyn DumpFiles>,
    /// Holds log lines until they are written.
    pub log: Arc<dyn LogPart>,
}

impl Parts {
    /// The parts that `config` asks for, which has been checked.
    pub fn for_config(config: &Config) -> Self {
        #[cfg_attr(
            not(feature = "defects"),
            expect(unused_mut, unused_variables, reason = "no twin to swap in")
        )]
        let (mut parts, config) = (Self::healthy(), config);
        #[cfg(feature = "defects")]
        if let Some(name) = &config.defect {
            let known = crate::defects::swap_in(name, &mut parts);
            assert!(known, "the configuration was checked, and `{name}` passed");
        }
        parts
    }

    /// The parts that ship.
    pub fn healthy() -> Self {
        Self {
            heartbeat: Arc::new(BoundToSession),
            intake: Arc::new(CopyOut),
            buffers: Arc::new(PooledPerStation),
            delivery: Arc::new(BoundedDelivery),
            events: Arc::new(TakenByTheConnection),
            identifiers: Arc::new(AnewEachTime),
            headcount: Arc::new(Tracked),
            history: Arc::new(OfFixedLength),
            dump_files: Arc::new(WholeOrNone),
            log: Arc::new(BoundedLog),
        }
    }
}

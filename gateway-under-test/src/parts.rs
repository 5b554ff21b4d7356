//! The parts that have seams: what the gateway is put together from.
//!
//! Each is a trait object chosen at start, so that a test build can swap in a faulty twin of one part by name.

use std::sync::Arc;

use crate::buffers::{BuffersPart, PooledPerStation};
use crate::config::Config;
use crate::guardian::folder::{DumpFiles, WholeOrNone};
use crate::guardian::history::{HistoryPart, OfFixedLength};
use crate::http::headcount::{HeadcountPart, Tracked};
use crate::http::reception::{Reception, TaskEach};
use crate::hub::outbox::{BoundedDelivery, Delivery};
use crate::log::queue::{BoundedLog, LogPart};
use crate::mqtt::events::{EventsPart, TakenByTheConnection};
use crate::mqtt::in_flight::{AnewEachTime, IdentifiersPart};
use crate::session::heartbeat::{BoundToSession, Heartbeat};
use crate::session::intake::{CopyOut, IntakePart};
use crate::station::carry_out::{CarryOut, WithinTheStation};
use crate::station::dial::{Dial, OwnsItsStream};
use crate::station::retry::{Retry, WaitsItsTurn};

/// The parts of one gateway.
#[derive(Clone)]
pub struct Parts {
    /// Sets up connections to PLCs.
    pub dial: Arc<dyn Dial>,
    /// Passes the time between two attempts at a session.
    pub retry: Arc<dyn Retry>,
    /// Carries out commands.
    pub carry_out: Arc<dyn CarryOut>,
    /// Keeps quiet sessions honest.
    pub heartbeat: Arc<dyn Heartbeat>,
    /// Takes values out of answers.
    pub intake: Arc<dyn IntakePart>,
    /// Gives events their memory.
    pub buffers: Arc<dyn BuffersPart>,
    /// Holds events until their consumer takes them.
    pub delivery: Arc<dyn Delivery>,
    /// Has connections of consumers served.
    pub reception: Arc<dyn Reception>,
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
            dial: Arc::new(OwnsItsStream),
            retry: Arc::new(WaitsItsTurn),
            carry_out: Arc::new(WithinTheStation),
            heartbeat: Arc::new(BoundToSession),
            intake: Arc::new(CopyOut),
            buffers: Arc::new(PooledPerStation),
            delivery: Arc::new(BoundedDelivery),
            reception: Arc::new(TaskEach),
            events: Arc::new(TakenByTheConnection),
            identifiers: Arc::new(AnewEachTime),
            headcount: Arc::new(Tracked),
            history: Arc::new(OfFixedLength),
            dump_files: Arc::new(WholeOrNone),
            log: Arc::new(BoundedLog),
        }
    }
}

//! The parts that have seams: what the gateway is put together from.
//!
//! Each is a trait object chosen at start, so that a test build can swap in a faulty twin of one part by name.

use std::sync::Arc;

use crate::hub::outbox::{BoundedDelivery, Delivery};
use crate::session::heartbeat::{BoundToSession, Heartbeat};
use crate::session::intake::{CopyOut, IntakePart};

/// The parts of one gateway.
#[derive(Clone)]
pub struct Parts {
    /// Keeps quiet sessions honest.
    pub heartbeat: Arc<dyn Heartbeat>,
    /// Takes values out of answers.
    pub intake: Arc<dyn IntakePart>,
    /// Holds events until their consumer takes them.
    pub delivery: Arc<dyn Delivery>,
}

impl Parts {
    /// The parts that ship.
    pub fn healthy() -> Self {
        Self {
            heartbeat: Arc::new(BoundToSession),
            intake: Arc::new(CopyOut),
            delivery: Arc::new(BoundedDelivery),
        }
    }
}

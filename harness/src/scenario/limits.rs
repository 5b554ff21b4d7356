//! What a target in a container is held to.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Size;

/// The least memory that an engine starts a container with: 6 MiB, says Docker's own documentation.
const MEMORY_MIN: Size = Size(6 << 20);

/// What a target in a container is held to. In other engines nothing holds it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory, page cache included; beyond it the kernel ends the target. There is no swap beside it. 1GiB unless said.
    #[garde(custom(at_least_the_minimum))]
    pub memory: Size,
    /// Processes and threads, both counted. 1024 unless said.
    #[garde(range(min = 1, max = 4_194_304))]
    pub pids: u32,
}

impl Default for Limits {
    /// No service that is watched for a leak needs so much, and a machine survives it.
    fn default() -> Self {
        Self { memory: Size(1 << 30), pids: 1024 }
    }
}

fn at_least_the_minimum(memory: &Size, _: &()) -> garde::Result {
    if *memory >= MEMORY_MIN {
        return Ok(());
    }
    Err(garde::Error::new(format!(
        "expected at least {MEMORY_MIN}, found {memory}: no engine starts a container with less"
    )))
}

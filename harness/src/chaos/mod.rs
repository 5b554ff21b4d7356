//! Faults on links: toxics decide, the link owns streams, clock and cancellation.

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;

/// A fault in a scenario's phase. (Skeleton: the chaos slice fills it.)
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Fault {
    /// Placeholder until the toxics land.
    Nothing(#[garde(skip)] ()),
}

pub mod sim {
    //! Placeholder until the chaos slice lands.
    /// Placeholder.
    pub struct SimNet;
}

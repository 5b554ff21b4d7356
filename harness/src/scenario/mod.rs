//! The scenario: one YAML file, one world, cycles of disturbance, what must stay bounded.
//!
//! `model` is the language (parser, validator, JSON Schema and reference come from its types); `parse` reads files
//! into it with positions; `case` expands the matrix; `plan` compiles faults to a flat list of events.

pub mod model;

pub use model::{Scenario, Target};

//! The scenario: one YAML file, one world, cycles of disturbance, what must stay bounded.
//!
//! A file goes text → tree (`yaml`, `tree`) → overrides (`set`) → one tree per case of the matrix (`case`) → types
//! (`de`, `parse`) → agreement (`check`). Each step notes what is wrong and goes on, so that [`load`] gives all cases or
//! all errors. [`schema`](schema::schema) describes the same types to editors, [`mod@reference`] to readers; [`Plan`] is a cycle compiled to
//! fixed events.

pub mod advice;
pub mod case;
mod check;
mod check_target;
mod de;
pub(crate) mod document;
pub mod draft;
pub mod error;
pub mod examples;
pub mod ignore;
pub mod inside;
pub mod keys;
pub mod limits;
pub mod model;
mod parse;
pub mod picture;
pub mod plan;
mod recovery;
pub mod reference;
pub mod schema;
pub mod set;
mod stand_in;
pub(crate) mod suggest;
pub mod target;
pub mod template;
mod tree;
mod yaml;

pub use case::BASELINES_FILE;
pub use case::{Case, discover, load, load_all, load_checked, parse_bytes};
pub use error::{Look, Problem, ScenarioErrors};
pub use ignore::{Ignore, IgnoreFile};
pub use model::{Scenario, Target};
pub use plan::Plan;
pub use schema::schema;
pub use set::Overrides;

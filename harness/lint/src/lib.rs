//! Reads Rust source for what leaks in async services, before it runs.
//!
//! Syntax alone: nothing is built, no type is inferred. A rule sees a file's syntax tree and says what it suspects and what it
//! knows ([`Sink`]); suspicions that what is known elsewhere in the crate refutes are dropped. So a rule may be wrong, says how
//! sure it is ([`Confidence`]), and can be answered in the source: `// watertight: allow(rule): reason`.

pub mod allow;
pub mod chain;
pub mod endless;
pub mod finding;
pub mod foresaw;
pub mod held;
pub mod kept;
pub mod macros;
pub mod names;
pub mod rule;
mod rules;
pub mod run;
pub mod shape;
pub mod source;
pub mod syntax;
pub mod task;
pub mod told;
pub mod workspace;

mod cache;
mod conclude;
mod depth;
mod look;
mod problem;
mod test_code;
#[cfg(test)]
mod testing;

pub use conclude::{Asked, Finding, Note};
pub use depth::STACK_BYTES;
pub use finding::{Confidence, Sink};
pub use foresaw::foresaw;
pub use problem::Problem;
pub use rule::{Rule, rule, rules};
pub use run::{Report, lint_text, run};
pub use source::SourceFile;
pub use workspace::{Sources, workspace_root};

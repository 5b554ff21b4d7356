//! Reads Rust source for what leaks in async services, before it runs.
//!
//! Syntax alone: nothing is built, no type is inferred. A rule sees a file's syntax tree and says what it suspects and what it
//! knows ([`Sink`]); suspicions that what is known elsewhere in the crate refutes are dropped. So a rule may be wrong, says how
//! sure it is ([`Confidence`]), and can be answered in the source: `// watertight: allow(rule): reason`.

pub mod chain;
pub mod finding;
pub mod held;
pub mod kept;
pub mod macros;
pub mod names;
pub mod rule;
mod rules;
pub mod shape;
pub mod source;
pub mod syntax;
#[cfg(test)]
mod testing;

mod depth;

pub use depth::STACK_BYTES;
pub use finding::{Confidence, Sink};
pub use rule::{Rule, rule, rules};
pub use source::SourceFile;

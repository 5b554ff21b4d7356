//! What whoever embeds a gateway may bring of their own.

use std::fmt;
use std::sync::Arc;

use crate::guardian::DumpSink;
use crate::hooks::{Hooks, NoHooks};
use crate::observe::{EmbeddedVitals, Vitals};

/// What an embedder brings. By default the gateway counts what its tenant holds, and nobody is told of anything.
#[derive(Clone)]
pub struct Embedding {
    /// How the gateway is measured.
    pub vitals: Arc<dyn Vitals>,
    /// Where the guardian's dumps go, in place of the configured folder.
    pub dumps: Option<Arc<dyn DumpSink>>,
    /// Who is told of connections.
    pub hooks: Arc<dyn Hooks>,
}

impl Default for Embedding {
    fn default() -> Self {
        Self { vitals: Arc::new(EmbeddedVitals::here()), dumps: None, hooks: Arc::new(NoHooks) }
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedding").finish_non_exhaustive()
    }
}

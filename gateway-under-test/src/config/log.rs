//! Where log lines go.

use std::path::PathBuf;

use garde::Validate;
use serde::Deserialize;

use super::{BackoffConfig, WhenFull, check};

/// Where log lines go: a collector, a file, or, if neither is said, stderr. Taken at the start, not by a reload.
#[derive(Debug, Clone, PartialEq, Deserialize, Validate)]
#[serde(deny_unknown_fields, default)]
#[garde(allow_unvalidated)]
pub struct LogConfig {
    /// A file; its directory must exist.
    #[garde(custom(check::one_sink(self.collector.is_some())))]
    pub file: Option<PathBuf>,
    /// Bytes after which a new file is begun.
    #[garde(range(min = 4_096))]
    pub max_bytes: u64,
    /// How many older files are kept, as `FILE.1` (the youngest), `FILE.2` and so on.
    #[garde(range(min = 1, max = 100))]
    pub keep: usize,
    /// A collector, `host:port`, that takes JSON lines.
    #[garde(inner(custom(check::host_port)))]
    pub collector: Option<String>,
    /// The wait before the next attempt to reach the collector.
    #[garde(dive)]
    pub backoff: BackoffConfig,
    /// Lines that wait to be written.
    #[garde(range(min = 1, max = 65_536))]
    pub queue: usize,
    /// What happens to one more: `drop_newest` or `drop_oldest`.
    #[garde(custom(check::drops))]
    pub when_full: WhenFull,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            file: None,
            max_bytes: 10 * 1024 * 1024,
            keep: 3,
            collector: None,
            backoff: BackoffConfig::default(),
            queue: 1024,
            when_full: WhenFull::DropNewest,
        }
    }
}

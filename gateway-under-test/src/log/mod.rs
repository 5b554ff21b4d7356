//! The log of one gateway: lines through a bounded queue to one task that writes them.

pub mod feed;
mod file;
pub mod queue;
mod writer;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::queue::{LogPart, LogQueue};
use crate::config::LogConfig;
use crate::shared::Shared;
use crate::tasks::TaskKind;

/// The log of one gateway.
pub struct Log {
    /// What waits to be written.
    pub queue: Arc<dyn LogQueue>,
    /// Whether anyone writes it.
    on: bool,
    /// Cancelled when what waits is all that is written any more.
    pub ending: CancellationToken,
}

impl Log {
    /// A log as configured; without configuration, nothing is logged.
    pub fn new(config: Option<&LogConfig>, part: &dyn LogPart) -> Self {
        let lines_max = config.map_or(0, |config| config.queue);
        let when_full = config.cloned().unwrap_or_default().when_full;
        Self {
            queue: part.open(lines_max, when_full),
            on: config.is_some(),
            ending: CancellationToken::new(),
        }
    }

    /// Takes no more lines; those that wait are written.
    pub fn end(&self) {
        self.queue.close();
        self.ending.cancel();
    }
}

/// Starts the writer.
pub fn start(shared: &Arc<Shared>, config: LogConfig) {
    shared.tasks.spawn(TaskKind::Log, writer::write_all(Arc::clone(shared), config));
}

impl Shared {
    /// Logs a line, if there is a log; made only then.
    pub fn log_line(&self, line: impl FnOnce() -> String) {
        if self.log.on && !self.log.queue.push(line()) {
            self.meters.log_lines_dropped.up();
        }
    }
}

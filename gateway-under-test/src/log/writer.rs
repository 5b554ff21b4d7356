//! The one task that writes log lines, to wherever they go.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncWriteExt as _, Stderr};
use tokio::time::{sleep, timeout};

use super::file::RotatedFile;
use crate::chance;
use crate::config::LogConfig;
use crate::net::BoxStream;
use crate::shared::Shared;
use crate::station::backoff;

/// How long a collector may take to accept a connection, or a line.
const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(2);

/// Where lines go.
enum Sink {
    Stderr(Stderr),
    File(RotatedFile),
    Collector(Collector),
}

/// A collector, and the connection to it.
struct Collector {
    config: LogConfig,
    address: String,
    stream: Option<BoxStream>,
    failures: u32,
    rng: fastrand::Rng,
}

/// Writes lines until the queue is closed and empty.
pub async fn write_all(shared: Arc<Shared>, config: LogConfig) {
    let mut sink = Sink::of(&shared, config);
    let mut said = false;
    while let Some(line) = poll_fn(|context| shared.log.queue.poll_next(context)).await {
        said = write(&shared, &mut sink, &line, said).await;
        if said && shared.log.ending.is_cancelled() {
            // Nobody waits for a sink that is not there.
            return shared.meters.log_lines_dropped.add(shared.log.queue.queued() as u64);
        }
        let dropped = shared.log.queue.take_dropped();
        if dropped > 0 {
            said = write(&shared, &mut sink, &format!("{dropped} lines dropped"), said).await;
        }
    }
}

/// Writes a line; whether the sink has been complained of since it last took one.
async fn write(shared: &Shared, sink: &mut Sink, line: &str, said: bool) -> bool {
    match sink.write(shared, line).await {
        Ok(()) => {
            shared.meters.log_lines.up();
            false
        }
        Err(error) => {
            shared.meters.log_lines_dropped.up();
            if !said {
                complain(&error);
            }
            true
        }
    }
}

/// The log itself cannot say it; a stderr that is closed cannot either.
fn complain(error: &io::Error) {
    use std::io::Write as _;
    let _ = writeln!(io::stderr().lock(), "s7-gateway: log lines are lost: {error}");
}

impl Sink {
    fn of(shared: &Shared, config: LogConfig) -> Self {
        if let Some(address) = config.collector.clone() {
            let rng = chance::stream(shared.seed, "log", 0);
            return Self::Collector(Collector { config, address, stream: None, failures: 0, rng });
        }
        match config.file {
            Some(path) => Self::File(RotatedFile::new(path, config.max_bytes, config.keep)),
            None => Self::Stderr(tokio::io::stderr()),
        }
    }

    async fn write(&mut self, shared: &Shared, line: &str) -> io::Result<()> {
        match self {
            Self::Stderr(stderr) => {
                stderr.write_all(format!("{line}\n").as_bytes()).await?;
                stderr.flush().await
            }
            Self::File(file) => file.append(line),
            Self::Collector(collector) => collector.write(shared, line).await,
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    line: &'a str,
}

impl Collector {
    /// Writes a line, over as many connections as it takes; once the log is to end, over one more at most.
    async fn write(&mut self, shared: &Shared, line: &str) -> io::Result<()> {
        let mut json = serde_json::to_vec(&Line { line }).expect("a text written into memory");
        json.push(b'\n');
        loop {
            let error = match self.try_write(shared, &json).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            self.stream = None;
            self.failures += 1;
            let wait = backoff::wait(&self.config.backoff, self.failures, self.rng.f64());
            if shared.log.ending.run_until_cancelled(sleep(wait)).await.is_none() {
                return Err(error);
            }
        }
    }

    async fn try_write(&mut self, shared: &Shared, json: &[u8]) -> io::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => timeout(COLLECTOR_TIMEOUT, shared.net.connect(&self.address)).await??,
        };
        timeout(COLLECTOR_TIMEOUT, stream.write_all(json)).await??;
        self.failures = 0;
        self.stream = Some(stream);
        Ok(())
    }
}

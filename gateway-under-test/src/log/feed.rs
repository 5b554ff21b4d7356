//! What the program's tracing says, on its way to the gateway's log.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock, Weak};

use tracing_subscriber::fmt::MakeWriter;

use crate::shared::Shared;

/// Takes lines; to stderr as long as there is no gateway, and when there is none any more.
#[derive(Clone, Default)]
pub struct Feed(Arc<OnceLock<Weak<Shared>>>);

impl Feed {
    /// From now on lines go to this gateway's log.
    pub fn connect(&self, shared: &Arc<Shared>) {
        // The program has one gateway: a second one would find the place taken, and lines go to the first.
        let _ = self.0.set(Arc::downgrade(shared));
    }
}

impl Write for Feed {
    /// Takes a line: the formatter hands on each event whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0.get().and_then(Weak::upgrade) {
            Some(shared) => shared.log_line(|| String::from_utf8_lossy(line.trim_ascii_end()).into_owned()),
            None => io::stderr().lock().write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Feed {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

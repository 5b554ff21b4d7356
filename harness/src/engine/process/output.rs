//! What programs print: read to the end whatever it is, so that none of them ever waits for a reader; the last lines are kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Lines of a program's output kept for the report.
const TAIL_LINES: usize = 20;

/// Bytes kept of a line: a program must not grow the harness.
const LINE_BYTES_MAX: usize = 4096;

/// Bytes read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// The last lines a program printed, and how often it said that it panicked.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    lines: VecDeque<String>,
    panics: u64,
}

impl Tail {
    fn push(&self, line: String) {
        let mut said = self.0.lock().expect("no code panics while it holds the tail");
        if said.lines.len() == TAIL_LINES {
            said.lines.pop_front();
        }
        said.panics += u64::from(is_a_panic(&line));
        said.lines.push_back(line);
    }

    pub(super) fn text(&self) -> String {
        let said = self.0.lock().expect("no code panics while it holds the tail");
        said.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Panics that Rust's own hook has told of.
    pub(super) fn panics(&self) -> u64 {
        self.0.lock().expect("no code panics while it holds the tail").panics
    }
}

/// `thread 'main' (4711) panicked at src/main.rs:1:1:`, before Rust 1.91 without the number.
fn is_a_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}

/// Reads until the program closes its output, at the latest when it ends: it is killed on drop. Each line is offered to
/// `announced`, as long as somebody listens there.
pub(super) fn read_lines(
    mut output: impl AsyncRead + Send + Unpin + 'static,
    said: Tail,
    announced: Option<mpsc::Sender<String>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (mut lines, mut chunk) = (Lines::default(), vec![0; CHUNK_BYTES]);
        loop {
            let read = output.read(&mut chunk).await.unwrap_or(0);
            let whole = if read == 0 { lines.rest() } else { lines.push(&chunk[..read]) };
            for line in whole {
                if let Some(announced) = &announced {
                    // Waits for whoever looks for an announcement; once nobody does, the line is only kept.
                    let _nobody_waits = announced.send(line.clone()).await;
                }
                said.push(line);
            }
            if read == 0 {
                return;
            }
        }
    })
}

/// Bytes cut into lines; what is no UTF-8 is shown as well as it can be.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that end in `bytes`; what a line has beyond its bound is dropped.
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = LINE_BYTES_MAX - self.begun.len();
            self.begun.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                whole.push(self.take());
            }
        }
        whole
    }

    /// What stands after the last line's end.
    fn rest(&mut self) -> Vec<String> {
        if self.begun.is_empty() { Vec::new() } else { vec![self.take()] }
    }

    fn take(&mut self) -> String {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned();
        line.trim_end_matches('\r').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_arrive() {
        let mut lines = Lines::default();
        assert!(lines.push(b"read").is_empty());
        assert_eq!(lines.push(b"y\r\nup\n\nla"), ["ready", "up", ""]);
        assert_eq!(lines.rest(), ["la"]);
        assert!(lines.rest().is_empty());
    }

    #[test]
    fn a_line_without_an_end_and_bytes_that_are_no_text_do_no_harm() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'x'; 1000]).is_empty());
        }
        assert_eq!(
            lines.push(b"\n\xff\xfe!\n"),
            ["x".repeat(LINE_BYTES_MAX), "\u{fffd}\u{fffd}!".to_owned()]
        );
    }

    #[test]
    fn panics_are_counted_beyond_the_lines_that_are_kept() {
        let said = Tail::default();
        said.push("thread 'main' (4711) panicked at src/main.rs:1:1:".to_owned());
        said.push("thread 'tokio-rt-worker' panicked at src/lib.rs:76:17:".to_owned());
        (0..TAIL_LINES).for_each(|_| said.push("a worker panicked at noon".to_owned()));
        assert_eq!(said.panics(), 2);
        assert!(!said.text().contains("main.rs"));
    }

    #[tokio::test]
    async fn a_program_that_prints_what_nobody_waits_for_is_read_to_the_end() {
        let (mut program, output) = tokio::io::duplex(64);
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        let said = Tail::default();
        let reading = read_lines(output, said.clone(), Some(sender));
        for n in 0..1000 {
            let line = format!("line {n} \u{1F600}\n");
            tokio::io::AsyncWriteExt::write_all(&mut program, line.as_bytes()).await.expect("it is read");
        }
        drop(program);
        reading.await.expect("reading does not panic");
        assert!(said.text().ends_with("line 999 \u{1F600}"), "{}", said.text());
        assert_eq!(said.text().lines().count(), TAIL_LINES);
    }
}

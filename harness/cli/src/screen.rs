//! Prints without panicking: a reader that has gone (`| head`) ends the printing, not the run.

use std::io::{self, Write};

use watertight::exit::Exit;

/// Columns of the screen behind standard output; without a screen (a file, a log of CI) nothing needs to be cut. Colour is
/// for the printing to decide: it takes escape codes away where they are not wanted.
pub fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(usize::MAX)
}

/// Prints to standard output.
pub fn out(text: &str) -> Exit {
    settle(write(anstream::stdout().lock(), text))
}

/// Prints to standard error.
pub fn err(text: &str) {
    // Nowhere is left to complain.
    let _ = write(anstream::stderr().lock(), text);
}

fn write(mut to: impl Write, text: &str) -> io::Result<()> {
    writeln!(to, "{}", text.trim_end_matches('\n'))?;
    to.flush()
}

fn settle(written: io::Result<()>) -> Exit {
    match written {
        Ok(()) => Exit::Clean,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Clean,
        Err(error) => {
            err(&format!("error: cannot write to standard output: {error}"));
            Exit::Harness
        }
    }
}

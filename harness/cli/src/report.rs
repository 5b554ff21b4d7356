//! `report`: a report that was saved as JSON, in every other form.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use watertight::exit::Exit;
use watertight::report::json::{self, ReadError};

use crate::formats::Formats;
use crate::run::fail;

const EXAMPLES: &str = "\
Examples:
  watertight report out/report.json --html leak.html
      The page of a run that was saved.
  watertight run scenarios/gate --json - | watertight report - --github
      Annotations of a run.

The exit code is the report's own.";

/// The arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A JSON report; `-` is standard input
    #[arg(value_name = "JSON")]
    file: PathBuf,
    #[command(flatten)]
    formats: Formats,
}

/// The largest report that is read: one with a million cycles has some 200 MB.
const BYTES_MAX: u64 = 1 << 30;

/// A report that cannot be used.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path}: {source}", path = path.display())]
    Form { path: PathBuf, source: ReadError },
}

/// Reads the report, tells it on the screen, and writes what is asked for.
pub fn report(args: &Args) -> Exit {
    let read = read(&args.file).map_err(|source| Error::Read { path: args.file.clone(), source });
    let parsed = read
        .and_then(|text| json::read(&text).map_err(|source| Error::Form { path: args.file.clone(), source }));
    let report = match parsed {
        Ok(report) => report,
        Err(error) => return fail(Exit::Usage, &error),
    };
    match args.formats.outputs().prepare() {
        Ok(()) => args.formats.tell(&report),
        Err(error) => fail(Exit::Harness, &error),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let from: Box<dyn Read> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(fs::File::open(path)?),
    };
    let length = from.take(BYTES_MAX + 1).read_to_string(&mut text)? as u64;
    if length > BYTES_MAX {
        return Err(io::Error::other(format!("larger than {BYTES_MAX} bytes")));
    }
    Ok(text)
}

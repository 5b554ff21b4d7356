//! `merge`: what several machines said becomes the report of one run.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use watertight::exit::Exit;
use watertight::report::RunReport;
use watertight::report::seeds::{self, SeedsReport};
use watertight::report::terminal::Look;
use watertight::runner::{Format, Merged, Outputs, SHARDS_MAX, ShardFile, ShardFileError, merge};

use crate::formats::Formats;
use crate::run::fail;
use crate::screen;

const EXAMPLES: &str = "\
Examples:
  watertight run scenarios/gate --shard 2/4 --ndjson out/2.ndjson
      On each of four machines, with its own number.
  watertight merge out --expect-shards 4 --report report
      Then once: one report, one exit code.";

/// The arguments of `merge`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// What `watertight run --shard K/N --ndjson FILE` wrote, one file a shard; a folder stands for each `.ndjson` in it
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Expect the files of a run that so many machines share
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SHARDS_MAX)))]
    expect_shards: Option<u32>,
    #[command(flatten)]
    formats: Formats,
}

/// Reads, joins, tells: the exit code that one run of everything would have had.
pub fn run(args: &Args) -> Exit {
    let outputs = args.formats.outputs();
    if let Err(error) = outputs.prepare() {
        return fail(Exit::Harness, &error);
    }
    let (files, empty) = match read(&args.paths) {
        Ok(read) => read,
        Err(error) => return fail(Exit::Usage, &error),
    };
    match merge(files, &empty, args.expect_shards) {
        Ok(Merged::Run(report)) => args.formats.tell(&report),
        Ok(Merged::Seeds { seeds, worst }) => tell_seeds(&seeds, &worst, outputs),
        Err(error) => fail(error.exit(), &error),
    }
}

/// The files, and those that are empty.
fn read(paths: &[PathBuf]) -> Result<(Vec<ShardFile>, Vec<PathBuf>), ShardFileError> {
    let (mut files, mut empty) = (Vec::new(), Vec::new());
    for path in paths {
        for path in expand(path)? {
            match open(&path)? {
                Some(file) => files.push(file),
                None => empty.push(path),
            }
        }
    }
    Ok((files, empty))
}

/// A file as it is; of a folder those that end as a shard's do, by name. A folder without any says so as a file would.
fn expand(path: &Path) -> Result<Vec<PathBuf>, ShardFileError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |source| ShardFileError::Read { path: path.to_owned(), source };
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(failed)?;
    let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ndjson"));
    files.sort();
    if files.is_empty() {
        return Err(failed(io::Error::other("expected files that end with .ndjson, found none")));
    }
    Ok(files)
}

fn open(path: &Path) -> Result<Option<ShardFile>, ShardFileError> {
    let opened = File::open(path).map_err(|source| ShardFileError::Read { path: path.to_owned(), source });
    ShardFile::read(path.to_owned(), BufReader::new(opened?))
}

/// Rows on the screen and in the JSON; every other format has each case with its worst run.
fn tell_seeds(seeds: &SeedsReport, worst: &RunReport, outputs: Outputs) -> Exit {
    let look = Look { width: screen::width(), color: true, stacks: false };
    let problems = worst.problems.iter().map(|problem| format!("problem: {problem}\n"));
    let text = problems.collect::<String>() + &seeds::text(seeds, look);
    let mut exit = seeds.exit;
    if outputs.takes_stdout() {
        screen::err(&text);
    } else {
        exit = exit.worse(screen::out(&text));
    }
    if let Err(error) = outputs.write_seeds(seeds) {
        exit = exit.worse(fail(Exit::Harness, &error));
    }
    let others = outputs.files.iter().filter(|(format, _)| *format != Format::Json).cloned().collect();
    Outputs { files: others, ..outputs }
        .write(worst)
        .iter()
        .fold(exit, |exit, error| exit.worse(fail(Exit::Harness, error)))
}

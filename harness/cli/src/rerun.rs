//! `run --watch`: plays again whenever what is played has changed.
//!
//! Files are looked at by their times and lengths, a few times a second: that needs no other crate, and sees files on every file system,
//! those of a container and of a network too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use watertight::exit::Exit;
use watertight::runner::{Library, Stop};
use watertight::scenario::{BASELINES_FILE, discover};

use crate::screen;

/// How often the files are looked at. A file is taken for whole once two looks find the same.
const LOOK_PERIOD: Duration = Duration::from_millis(150);

/// The most files that are named when they change at once.
const NAMED_MAX: usize = 4;

/// What a run is made of.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// Scenario files and folders.
    pub paths: &'a [PathBuf],
    /// `--set`.
    pub overrides: &'a [(String, String)],
    /// The file of ignored leaks.
    pub ignore: Option<&'a Path>,
}

/// When each file was written last, and how long it is; a file that is not there has neither.
type Seen = BTreeMap<PathBuf, Option<(SystemTime, u64)>>;

/// Plays rounds until Ctrl-C; the exit of the last one.
pub fn rerun(
    sources: &Sources<'_>,
    library: &dyn Library,
    stop: &Stop,
    play: &dyn Fn(&Stop) -> Exit,
) -> Exit {
    let mut exit = Exit::Clean;
    while !stop.is_requested() {
        let watched = Watched { paths: sources.paths, beside: beside(sources, library) };
        // Taken before anything is read: what changes from here on belongs to the next round.
        let before = watched.look();
        let round = stop.within();
        let changed = thread::scope(|scope| {
            let eye = scope.spawn(|| watched.change(&before, stop, &round));
            exit = play(&round);
            if !round.is_requested() {
                screen::err(&format!("watching {} files; Ctrl-C ends", before.len()));
            }
            eye.join().unwrap_or_default()
        });
        if !changed.is_empty() {
            screen::err(&format!("changed: {}; playing again", named(&changed)));
        }
    }
    exit
}

/// What is read beside the scenarios: known leaks, and the programs that are started from a path.
fn beside(sources: &Sources<'_>, library: &dyn Library) -> Vec<PathBuf> {
    let files = library.discover(sources.paths).unwrap_or_default();
    // A file that is broken names no program; mended, it is read again.
    let cases = files.iter().filter_map(|file| library.cases(file, sources.overrides).ok()).flatten();
    let programs = cases.flat_map(|case| case.needs).filter(|program| program.contains('/'));
    programs.map(PathBuf::from).chain(sources.ignore.map(Path::to_owned)).collect()
}

struct Watched<'a> {
    paths: &'a [PathBuf],
    beside: Vec<PathBuf>,
}

impl Watched<'_> {
    /// Waits for a change, ends the round, and waits until nothing changes any more. Empty: the end was asked for.
    fn change(&self, before: &Seen, stop: &Stop, round: &Stop) -> Vec<PathBuf> {
        let mut last = before.clone();
        while !stop.is_requested() {
            thread::sleep(LOOK_PERIOD);
            let now = self.look();
            if now != *before {
                round.request();
                if now == last {
                    return difference(before, &now);
                }
            }
            last = now;
        }
        Vec::new()
    }

    /// Folders are read anew each time: a scenario may come or go.
    fn look(&self) -> Seen {
        let below =
            |path: &PathBuf| discover(std::slice::from_ref(path)).unwrap_or_else(|_| vec![path.clone()]);
        let files: Vec<PathBuf> = self.paths.iter().flat_map(below).collect();
        let baselines = files.iter().map(|file| file.with_file_name(BASELINES_FILE));
        let all: BTreeSet<PathBuf> =
            baselines.chain(files.iter().cloned()).chain(self.beside.clone()).collect();
        all.into_iter().map(|path| (path.clone(), written(&path))).collect()
    }
}

fn written(path: &Path) -> Option<(SystemTime, u64)> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.modified().ok()?, data.len()))
}

/// Files that were written, came or went.
fn difference(before: &Seen, now: &Seen) -> Vec<PathBuf> {
    let gone = before.keys().filter(|path| !now.contains_key(*path));
    let other = now.iter().filter(|(path, seen)| before.get(*path) != Some(*seen)).map(|(path, _)| path);
    other.chain(gone).cloned().collect()
}

fn named(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().take(NAMED_MAX).map(|path| path.display().to_string()).collect();
    let more = files.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

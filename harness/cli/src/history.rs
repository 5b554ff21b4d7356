//! `history`: how figures went from commit to commit.

use std::path::PathBuf;

use serde::Serialize;
use watertight::exit::Exit;
use watertight::history::{Choice, Entry, text, trends};
use watertight::report::terminal::Look;
use watertight::resource::Resource;
use watertight::store::{DEFAULT_PATH, Store, StoreError};

use crate::run::fail;
use crate::screen;

const EXAMPLES: &str = "\
Examples:
  watertight run scenarios/gate --store watertight.db
      On each commit: keeps what the gate says.
  watertight history --resource heap --scenario flapping
      Then: what the heap of these cases held at rest, commit after commit.";

/// The arguments of `history`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Read this file, which `run --store` and `soak` fill
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    store: PathBuf,
    /// Only cases whose `engine::scenario::case` holds TEXT; may be repeated
    #[arg(long, value_name = "TEXT")]
    scenario: Vec<String>,
    /// Only this resource; may be repeated
    #[arg(long, value_name = "RESOURCE", value_parser = resource)]
    resource: Vec<Resource>,
    /// Only the latest N commits
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..))]
    commits: u16,
    /// Write every point as JSON; `-` is standard output, the table then goes to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Shows the trends; a store without any ends with 2.
pub fn run(args: &Args) -> Exit {
    let entries = match entries(&args.store) {
        Ok(entries) => entries,
        Err(error) => return fail(Exit::Usage, &error),
    };
    let (scenarios, resources) = (args.scenario.clone(), args.resource.clone());
    let all = trends(&entries, &Choice { scenarios, resources, commits: usize::from(args.commits) });
    if all.is_empty() {
        let (path, count) = (args.store.display(), entries.len());
        screen::err(&format!("error: {path}: none of its {count} reports is of such a case and resource"));
        return Exit::Usage;
    }
    show(&text(&all, Look { width: screen::width(), color: true, stacks: false }), &all, args.json.as_ref())
}

/// Every report that a store has, oldest first.
pub(crate) fn entries(store: &std::path::Path) -> Result<Vec<Entry>, StoreError> {
    Ok(Store::open_to_read(store)?.reports()?.into_iter().map(Entry::from).collect())
}

/// Prints a text, and the same as JSON where it is wanted.
pub(crate) fn show(text: &str, value: &impl Serialize, json: Option<&PathBuf>) -> Exit {
    let Some(path) = json else { return screen::out(text) };
    let document = match serde_json::to_string_pretty(value) {
        Ok(document) => document + "\n",
        Err(error) => return fail(Exit::Harness, &error),
    };
    if path.as_os_str() == "-" {
        screen::err(text);
        return screen::out(&document);
    }
    let written = std::fs::write(path, document);
    let written = written.map_err(|error| {
        std::io::Error::new(error.kind(), format!("cannot write {}: {error}", path.display()))
    });
    screen::out(text).worse(written.map_or_else(|error| fail(Exit::Harness, &error), |()| Exit::Clean))
}

fn resource(text: &str) -> Result<Resource, String> {
    let names = || Resource::ALL.map(Resource::name).join(", ");
    let found = Resource::ALL.into_iter().find(|resource| resource.name() == text);
    found.ok_or_else(|| format!("expected one of {}, found `{text}`", names()))
}

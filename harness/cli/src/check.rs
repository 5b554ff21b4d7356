//! `check`: parse and validate only.

use std::path::PathBuf;

use watertight::exit::Exit;
use watertight::runner::{CaseInfo, Library, read_all};
use watertight::units::Day;

use crate::{parse_set, screen};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watertight check scenarios")]
pub struct Args {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Check with this setting in the place of the file's; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,
}

/// Says what is wrong, everything in one go, or how much is right.
pub fn check(args: &Args, library: &dyn Library) -> Exit {
    match read_all(library, &args.paths, &args.set) {
        Ok(cases) => {
            let mut files: Vec<_> = cases.iter().map(|case| &case.file).collect();
            files.dedup();
            warn_of_expired(&cases);
            screen::out(&format!("ok {} scenarios, {} cases", files.len(), cases.len()))
        }
        Err(error) => {
            screen::err(&error.to_string());
            Exit::Usage
        }
    }
}

/// Entries of `ignore:` that ignore nothing any more: no error, since the file is well formed, and runs say so too.
fn warn_of_expired(cases: &[CaseInfo]) {
    let today = Day::today();
    let expired = |case: &CaseInfo| -> Vec<String> {
        let file = case.file.display();
        let entries = case.ignore.iter().filter(|entry| !entry.holds_on(today));
        entries
            .map(|entry| format!("warning: {file}: `ignore` of {entry} expired on {}", entry.expires))
            .collect()
    };
    let mut warnings: Vec<String> = cases.iter().flat_map(expired).collect();
    warnings.dedup();
    warnings.iter().for_each(|warning| screen::err(warning));
}

//! `check`: parse and validate only.

use std::path::PathBuf;

use watertight::exit::Exit;
use watertight::runner::{Library, read_all};

use crate::{advice, parse_set, screen};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  watertight check scenarios --strict")]
pub struct Args {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Check with this setting in the place of the file's; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = parse_set)]
    set: Vec<(String, String)>,
    /// Take suggestions for errors: end with 2 where a scenario is well formed and cannot find what it is written for
    #[arg(long)]
    strict: bool,
}

/// Says what is wrong, everything in one go, or how much is right, and what may be wrong with that.
pub fn check(args: &Args, library: &dyn Library) -> Exit {
    match read_all(library, &args.paths, &args.set) {
        Ok(cases) => {
            let mut files: Vec<PathBuf> = cases.iter().map(|case| case.file.clone()).collect();
            files.dedup();
            let advice = advice::tell(library, &files, &args.set, args.strict);
            advice.worse(screen::out(&format!("ok {} scenarios, {} cases", files.len(), cases.len())))
        }
        Err(error) => {
            screen::err(&error.to_string());
            Exit::Usage
        }
    }
}

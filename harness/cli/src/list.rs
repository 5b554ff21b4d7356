//! `list`: what there is to play.

use std::fmt::Write;
use std::path::PathBuf;

use watertight::exit::Exit;
use watertight::runner::{CaseInfo, Library, read_all};

use crate::screen;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  watertight list\n  watertight list scenarios/gate --json")]
pub struct Args {
    /// Scenario files, or folders of them
    #[arg(value_name = "PATH", default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Lists the scenarios and their cases.
pub fn list(args: &Args, library: &dyn Library) -> Exit {
    match read_all(library, &args.paths, &[]) {
        Ok(cases) if args.json => screen::out(&format!("{:#}", serde_json::json!(cases))),
        Ok(cases) => screen::out(&for_people(&cases)),
        Err(error) => {
            screen::err(&error.to_string());
            Exit::Usage
        }
    }
}

fn for_people(cases: &[CaseInfo]) -> String {
    let mut text = String::new();
    for group in cases.chunk_by(|a, b| a.file == b.file) {
        let first = &group[0];
        let engines: Vec<&str> = first.engines.iter().map(|engine| engine.name()).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}  [{}]  {}\n    {}",
            first.scenario,
            engines.join(", "),
            first.tags.join(" "),
            first.about
        );
        for case in group.iter().filter(|case| !case.case.is_empty()) {
            let _ = writeln!(text, "    {}", case.case);
        }
    }
    text
}

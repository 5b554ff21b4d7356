//! `schema`: the language, for editors or for readers; the JSON report, for programs.

use watertight::exit::Exit;
use watertight::report::json;
use watertight::runner::Library;
use watertight::scenario::reference;

use crate::screen;

/// Arguments of `watertight schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the reference for people, as Markdown
    #[arg(long)]
    reference: bool,
    /// Print the JSON Schema of the JSON report instead
    #[arg(long, conflicts_with = "reference")]
    report: bool,
}

/// Prints the JSON Schema, or the reference made of it.
pub fn schema(args: &Args, library: &dyn Library) -> Exit {
    if args.report {
        return screen::out(&format!("{:#}", json::schema()));
    }
    let schema = library.schema();
    let text = if args.reference { reference::markdown(&schema) } else { format!("{schema:#}") };
    screen::out(&text)
}

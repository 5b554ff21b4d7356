//! `schema`: the language, for editors or for readers.

use watertight::exit::Exit;
use watertight::runner::Library;
use watertight::scenario::reference;

use crate::screen;

/// Arguments of `watertight schema`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the reference for people, as Markdown
    #[arg(long)]
    reference: bool,
}

/// Prints the JSON Schema, or the reference made of it.
pub fn schema(args: &Args, library: &dyn Library) -> Exit {
    let schema = library.schema();
    let text = if args.reference { reference::markdown(&schema) } else { format!("{schema:#}") };
    screen::out(&text)
}

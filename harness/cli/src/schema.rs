//! `schema`: the language, for editors.

use watertight::exit::Exit;
use watertight::runner::Library;

use crate::screen;

/// Prints the JSON Schema.
pub fn schema(library: &dyn Library) -> Exit {
    screen::out(&format!("{:#}", library.schema()))
}

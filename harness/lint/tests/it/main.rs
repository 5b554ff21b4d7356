//! The linter on source that is known: the gallery of defects, and this workspace itself.

mod gallery;
mod precision;
mod workspace;

use std::path::{Path, PathBuf};

/// The root of the workspace.
fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    folder.expect("the package lies two folders below the root").to_owned()
}

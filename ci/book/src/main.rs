//! Builds the guide into pages: `harness/book/src` into `target/book`, as `harness/book/book.toml` says.
//!
//! What mdBook puts up with, such as an include of a file that is not there, the tests in `ci/tests/book` do not.

use std::path::Path;
use std::process::ExitCode;

use mdbook_driver::MDBook;

/// The guide, as seen from this crate.
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../harness/book");

fn main() -> ExitCode {
    match built(Path::new(BOOK)) {
        Ok(pages) => {
            println!("book: {pages}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let reasons = std::iter::successors(error.source(), |reason| reason.source());
            let reasons: String = reasons.map(|reason| format!(": {reason}")).collect();
            eprintln!("book: {error}{reasons}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the book in `root`; the page to open.
fn built(root: &Path) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let book = MDBook::load(root)?;
    book.build()?;
    let first = std::fs::canonicalize(book.build_dir_for("html").join("index.html"))?;
    Ok(first.display().to_string())
}

//! Suggestions of `check` and `plan`: what is well formed and cannot find what it is written for.

use std::path::PathBuf;

use watertight::exit::Exit;
use watertight::runner::Library;
use watertight::units::Day;

use crate::screen;

/// Tells what may be wrong with `files`, which have been read without an error. Under `strict` a suggestion is one.
pub fn tell(library: &dyn Library, files: &[PathBuf], sets: &[(String, String)], strict: bool) -> Exit {
    let (today, word) = (Day::today(), if strict { "error" } else { "warning" });
    let advice: Vec<_> =
        files.iter().filter_map(|file| library.advice(file, sets, today).ok()).flatten().collect();
    for advice in &advice {
        screen::err(&format!("{word}: {} [{}]", advice.problem.one_line(), advice.name));
    }
    if !advice.is_empty() {
        let count = advice.len();
        let these = if count == 1 { "1 suggestion".to_owned() } else { format!("{count} suggestions") };
        screen::err(&format!("{these}; `watertight explain {}` says more", advice[0].name));
    }
    if strict && !advice.is_empty() { Exit::Usage } else { Exit::Clean }
}

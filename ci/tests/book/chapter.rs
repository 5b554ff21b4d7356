//! A chapter, followed as a reader would: its files written, its commands run in one folder, in order.

use std::path::PathBuf;

use crate::block::{Block, blocks};
use crate::scratch::{Scratch, root};
use crate::{WATERTIGHT, console, yaml};

/// A page of the guide.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// Its path below `src`, without `.md`.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// The folder in which the chapters lie.
pub fn folder() -> PathBuf {
    root().join("harness/book/src")
}

/// Every page below `src`, in order of their names; the summary is none.
pub fn all() -> Vec<Chapter> {
    let mut paths = Vec::new();
    collect(&folder(), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let inside = path.strip_prefix(folder()).expect("it was found there").with_extension("");
        let text = std::fs::read_to_string(&path).expect("a chapter is UTF-8");
        Chapter { name: inside.to_string_lossy().into_owned(), text }
    };
    paths.into_iter().map(read).filter(|chapter| chapter.name != "SUMMARY").collect()
}

fn collect(folder: &std::path::Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).expect("the guide's folder can be read");
    for path in entries.map(|entry| entry.expect("its entries can be read").path()) {
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

impl Chapter {
    /// The programs that its commands start.
    pub fn needs(&self) -> Vec<&'static str> {
        let is_console = |block: &Block| block.language == "console";
        let blocks = blocks(&self.text);
        let python = blocks.iter().any(|block| block.language == "python").then_some("python3");
        let own = blocks.iter().any(is_console).then_some(WATERTIGHT);
        [own, python].into_iter().flatten().collect()
    }

    /// Follows it: the first block that does not hold, with its line.
    pub fn follow(&self) -> Result<(), String> {
        let scratch = Scratch::new()?;
        blocks(&self.text).iter().try_for_each(|block| {
            held(block, &scratch)
                .map_err(|wrong| format!("{}.md:{}: `{}`: {wrong}", self.name, block.line, block.language))
        })
    }
}

/// Holds one block against what its language and flags say.
fn held(block: &Block, scratch: &Scratch) -> Result<(), String> {
    match block.language.as_str() {
        "yaml" => yaml::held(block, scratch),
        "toml" => block.text.parse::<toml::Table>().map(drop).map_err(|error| error.to_string()),
        "python" => match block.value("file") {
            Some(name) => scratch.write(name, &block.text).map(drop),
            None => Err("a program has a name: `python,file=NAME`".to_owned()),
        },
        "console" => console::held(block, scratch),
        "rust" if block.is("ignore") => compiled_elsewhere(&block.text),
        "rust" | "text" => Ok(()),
        "sh" if block.is("no_run") && block.reason().is_some() => Ok(()),
        "sh" => {
            Err("what nobody runs says so, and why: `<!-- no_run: REASON -->`, then `sh,no_run`".to_owned())
        }
        other => {
            Err(format!("nothing holds a block of `{other}` against anything: see `ci/tests/book/block.rs`"))
        }
    }
}

/// Rust that no doctest compiles may only come out of a file that is compiled where it lies.
fn compiled_elsewhere(text: &str) -> Result<(), String> {
    let is_include =
        |line: &str| line.starts_with("{{#") && line.contains("include ") && line.contains(".rs");
    match text.lines().find(|line| !line.trim().is_empty() && !is_include(line)) {
        None => Ok(()),
        Some(line) => Err(format!("nobody compiles `{line}`: include it, or leave `ignore` away")),
    }
}

//! A chapter of the guide, or the README, followed as a reader would: its files written, its commands run in one folder, in order.

use std::path::{Path, PathBuf};

use crate::block::{Block, blocks};
use crate::scratch::{Scratch, root};
use crate::{PROGRAMS, console, yaml};

/// A page of the guide.
#[derive(Debug, Clone)]
pub struct Chapter {
    /// Its path below `src`, without `.md`.
    pub name: String,
    /// The folder that its links start from.
    pub folder: PathBuf,
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
    let chapters = paths.iter().map(|path| read(path, &folder()));
    chapters.filter(|chapter| chapter.name != "SUMMARY").collect()
}

/// What the project leads with: held against the same as a chapter.
pub fn readme() -> Chapter {
    read(&root().join("README.md"), root())
}

fn read(path: &Path, above: &Path) -> Chapter {
    let inside = path.strip_prefix(above).expect("it was found there").with_extension("");
    let text = std::fs::read_to_string(path).expect("a chapter is UTF-8");
    let folder = path.parent().expect("a chapter lies in a folder").to_owned();
    Chapter { name: inside.to_string_lossy().into_owned(), folder, text }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
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
    /// Whether there is anything in it to be followed.
    pub fn has_blocks(&self) -> bool {
        !blocks(&self.text).is_empty()
    }

    /// The programs that it takes to follow it.
    pub fn needs(&self) -> Vec<&'static str> {
        let blocks = blocks(&self.text);
        let is_needed = |program: &&str| blocks.iter().any(|block| needs(block, program));
        PROGRAMS.into_iter().chain(["python3"]).filter(is_needed).collect()
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

/// Whether `program` has a part in holding the block.
fn needs(block: &Block, program: &str) -> bool {
    match block.language.as_str() {
        "console" => console::starts(block, program),
        "yaml" => program == PROGRAMS[0],
        "python" => program == "python3",
        _ => false,
    }
}

/// Holds one block against what its language and flags say.
fn held(block: &Block, scratch: &Scratch) -> Result<(), String> {
    if block.is_include() {
        return Ok(());
    }
    match block.language.as_str() {
        "yaml" => yaml::held(block, scratch),
        "toml" => block.text.parse::<toml::Table>().map(drop).map_err(|error| error.to_string()),
        "json" => {
            let value = serde_json::from_str::<serde_json::Value>(&block.text);
            value.map(drop).map_err(|error| error.to_string())
        }
        "python" => match block.value("file") {
            Some(name) => scratch.write(name, &block.text).map(drop),
            None => Err("a program has a name: `python,file=NAME`".to_owned()),
        },
        "console" => console::held(block, scratch),
        "rust" if block.is("ignore") => {
            Err("nobody compiles it: include it, or leave `ignore` away".to_owned())
        }
        "rust" => block.said_above("file").map_or(Ok(()), |name| scratch.write(name, &block.text).map(drop)),
        "text" => Ok(()),
        "sh" if block.is("no_run") && block.said_above("no_run").is_some() => Ok(()),
        "sh" => {
            Err("what nobody runs says so, and why: `<!-- no_run: REASON -->`, then `sh,no_run`".to_owned())
        }
        other => {
            Err(format!("nothing holds a block of `{other}` against anything: see `ci/tests/book/block.rs`"))
        }
    }
}

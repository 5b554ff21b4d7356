//! What files said when they were last read, so that only what has changed is read again.
//!
//! An entry counts as long as the file's text and the linter itself are the same. What cannot be read or written costs time,
//! and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::look::Looked;

/// A cache larger than this is not read.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// One entry: the digest of the text, and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    digest: u64,
    looked: Looked,
}

/// The cache of one workspace.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cache {
    linter: String,
    files: BTreeMap<PathBuf, Entry>,
}

impl Cache {
    /// What `path` holds; empty if another linter wrote it, or nobody.
    pub(crate) fn read(path: &Path) -> Self {
        let is_small = fs::metadata(path).is_ok_and(|file| file.len() <= BYTES_MAX);
        let text = if is_small { fs::read(path).unwrap_or_default() } else { Vec::new() };
        let cache: Self = serde_json::from_slice(&text).unwrap_or_default();
        if cache.linter == linter() { cache } else { Self { linter: linter(), files: BTreeMap::new() } }
    }

    pub(crate) fn get(&self, path: &Path, text: &str) -> Option<Looked> {
        let entry = self.files.get(path)?;
        (entry.digest == digest(text)).then(|| entry.looked.clone())
    }

    pub(crate) fn put(&mut self, path: &Path, digest: u64, looked: Looked) {
        self.files.insert(path.to_owned(), Entry { digest, looked });
    }

    /// Writes it in one step: whoever reads it meanwhile has the old one.
    pub(crate) fn write(&mut self, path: &Path) -> std::io::Result<()> {
        self.files.retain(|path, _| path.exists());
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.persist(path).map(drop).map_err(|error| error.error)
    }
}

/// Of a file's text: it only tells a file from what it was before.
pub(crate) fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The version, and the program itself: while a rule is being written, the version stays.
fn linter() -> String {
    let program = std::env::current_exe().and_then(fs::metadata);
    let built = program.ok().and_then(|file| Some((file.len(), file.modified().ok()?)));
    format!("{} {built:?}", env!("CARGO_PKG_VERSION"))
}

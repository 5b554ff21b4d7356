//! Dumps as files in one folder: numbered, capped in number and bytes, the oldest removed first.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::dumps::DumpSink;
use crate::config::DumpsConfig;

/// What a dump's name begins with; files that are called otherwise are left alone.
const PREFIX: &str = "guardian-";
/// A dump until it is whole. One that was left over is written over by the next.
pub const UNFINISHED: &str = "guardian.part";

/// How a dump becomes a file.
pub trait DumpFiles: Send + Sync {
    /// Writes `text` into a new file at `path`: whole, or there is none.
    fn write(&self, path: &Path, text: &str) -> io::Result<()>;
}

/// Written beside its place, and renamed once it is whole.
pub struct WholeOrNone;

impl DumpFiles for WholeOrNone {
    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let unfinished = path.with_file_name(UNFINISHED);
        let written = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // What is half written takes room on a disk that is perhaps full.
            let _ = fs::remove_file(&unfinished);
        }
        written
    }
}

/// Keeps dumps in a folder.
#[derive(Clone)]
pub struct DumpFolder(Arc<Folder>);

impl fmt::Debug for DumpFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DumpFolder").field(&self.0.path).finish()
    }
}

struct Folder {
    path: PathBuf,
    files_max: usize,
    bytes_max: u64,
    files: Arc<dyn DumpFiles>,
    /// One dump is written at a time.
    turn: Mutex<()>,
}

impl DumpFolder {
    /// The folder of a configuration that names one.
    pub fn for_config(config: &DumpsConfig) -> Option<Self> {
        Self::open(config, Arc::new(WholeOrNone))
    }

    /// The same, whose dumps become files in this way.
    pub(crate) fn open(config: &DumpsConfig, files: Arc<dyn DumpFiles>) -> Option<Self> {
        let path = config.dir.clone()?;
        let (files_max, bytes_max) = (config.max_files, config.max_bytes.0);
        Some(Self(Arc::new(Folder { path, files_max, bytes_max, files, turn: Mutex::new(()) })))
    }
}

impl DumpSink for DumpFolder {
    #[expect(
        clippy::disallowed_methods,
        reason = "a disk may take its time, and no paused clock waits for it"
    )]
    fn keep(&self, what: &str, text: String) -> BoxFuture<'static, io::Result<()>> {
        let (folder, what) = (Arc::clone(&self.0), what.to_owned());
        let writing = tokio::task::spawn_blocking(move || folder.write(&what, &text));
        async { writing.await.map_err(io::Error::other)? }.boxed()
    }
}

/// A dump that is in the folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    /// Rises from dump to dump, also from run to run.
    number: u64,
    bytes: u64,
    path: PathBuf,
}

impl Folder {
    fn write(&self, what: &str, text: &str) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        fs::create_dir_all(&self.path)?;
        let kept = list(&self.path)?;
        let text = &text[..text.floor_char_boundary(usize::try_from(self.bytes_max).unwrap_or(usize::MAX))];
        for old in &kept[..surplus(&kept, text.len() as u64, self.files_max, self.bytes_max)] {
            fs::remove_file(&old.path)?;
        }
        let number = kept.last().map_or(1, |newest| newest.number.saturating_add(1));
        self.files.write(&self.path.join(format!("{PREFIX}{number:06}-{what}.txt")), text)
    }
}

/// The dumps in a folder, oldest first.
fn list(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(number) {
            kept.push(Kept { number, bytes: entry.metadata()?.len(), path: entry.path() });
        }
    }
    kept.sort();
    Ok(kept)
}

fn number(file_name: &str) -> Option<u64> {
    file_name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

/// How many of the oldest have to go, so that one more of `coming` bytes fits.
fn surplus(kept: &[Kept], coming: u64, files_max: usize, bytes_max: u64) -> usize {
    let mut bytes: u64 = kept.iter().map(|dump| dump.bytes).sum();
    let goes = |(index, dump): &(usize, &Kept)| {
        let too_many = kept.len() - index >= files_max || bytes + coming > bytes_max;
        bytes = bytes.saturating_sub(dump.bytes);
        too_many
    };
    kept.iter().enumerate().take_while(goes).count()
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;
    use proptest::prelude::*;

    use super::*;

    fn folder(dir: &Path, max_files: usize, max_bytes: u64) -> DumpFolder {
        let config = DumpsConfig { dir: Some(dir.to_owned()), max_bytes: ByteSize(max_bytes), max_files };
        DumpFolder::for_config(&config).expect("it names a folder")
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries =
            fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn the_oldest_go_first_and_numbers_rise_from_run_to_run() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("notes.txt"), "not ours").expect("it is writable");
        for _run in 0..2 {
            let folder = folder(dir.path(), 3, 1_000);
            for _dump in 0..3 {
                folder.keep("heap", "x".repeat(100)).await.expect("there is room");
            }
        }
        let heap = |number| format!("guardian-{number:06}-heap.txt");
        assert_eq!(names(dir.path()), [heap(4), heap(5), heap(6), "notes.txt".to_owned()]);
        folder(dir.path(), 3, 250).keep("fds", "y".repeat(200)).await.expect("room is made");
        assert_eq!(names(dir.path()), ["guardian-000007-fds.txt", "notes.txt"]);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_is_an_error_and_no_more() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        assert!(folder(file.path(), 3, 1_000).keep("heap", String::new()).await.is_err());
    }

    proptest! {
        #[test]
        fn what_is_left_fits_with_what_comes(
            bytes in prop::collection::vec(0_u64..100, 0..20),
            coming in 0_u64..100,
            files_max in 3_usize..10,
            bytes_max in 100_u64..500,
        ) {
            let kept: Vec<Kept> = bytes
                .into_iter()
                .zip(1..)
                .map(|(bytes, number)| Kept { number, bytes, path: PathBuf::new() })
                .collect();
            let left = |gone: usize| {
                let left = &kept[gone..];
                left.len() < files_max && left.iter().map(|dump| dump.bytes).sum::<u64>() + coming <= bytes_max
            };
            let gone = surplus(&kept, coming, files_max, bytes_max);
            prop_assert!(left(gone));
            prop_assert!(gone == 0 || !left(gone - 1), "one more than had to go");
        }
    }
}

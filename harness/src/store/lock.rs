//! Whose run it is: two processes may write to one store, but not play one run.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Store, StoreError, now};

/// The right to play a run, given back when this is dropped, and by the system when the process ends in any way.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    _file: File,
}

/// What is read of who holds a lock.
const HOLDER_BYTES_MAX: u64 = 200;

/// Files that are found removed between being opened and being locked, at most.
const TRIES: usize = 10;

impl Store {
    /// Takes the right to play `run`.
    ///
    /// # Errors
    /// [`StoreError::Playing`] names the process that has it.
    pub fn lock(&self, run: i64) -> Result<RunLock, StoreError> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".run-{run}.lock"));
        let path = PathBuf::from(name);
        let failed = |why| StoreError::Lock { path: path.clone(), run, why };
        for _ in 0..TRIES {
            let mut file = open(&path).map_err(failed)?;
            match flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_there(&file, &path) => {
                    sign(&mut file).map_err(failed)?;
                    return Ok(RunLock { path, _file: file });
                }
                // Its holder removed it meanwhile: what is locked here is nobody's any more.
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    return Err(StoreError::Playing { path: self.path.clone(), run, by: holder(&mut file) });
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
        Err(failed(std::io::ErrorKind::ResourceBusy.into()))
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn is_there(file: &File, path: &Path) -> bool {
    matches!((file.metadata(), fs::metadata(path)), (Ok(ours), Ok(there)) if ours.ino() == there.ino())
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    write!(file, "process {}, since {}", std::process::id(), now())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    if text.is_empty() { "another process".to_owned() } else { text }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Still locked: whoever opened it meanwhile finds it gone and makes another.
        let _ = fs::remove_file(&self.path);
    }
}

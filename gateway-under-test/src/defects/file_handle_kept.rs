//! D26: each dump opens a file that is never closed.
//!
//! What it looks like: descriptors grow by one with every file that the guardian writes, three for each breach, until the
//! limit is reached: then no connection is accepted any more, and none to a PLC is made. Disk space goes too: a dump that
//! was removed to make room still takes its room, since it is still open.
//!
//! Why it passes review: a dump that is lost with the power explains nothing, so it is synced; syncing takes long, so it
//! is done for all files of a breach at once. For that they are kept open a little longer. What has been synced is
//! remembered, nothing is synced twice, and all of it is tested by reading the files. That those behind the mark are only
//! counted, and not closed, shows in no test.
//!
//! The fix: take them out of the list to sync them (`drain(..)`): what is taken out is closed when it is done.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::guardian::folder::{DumpFiles, UNFINISHED};

/// Files that are synced together: those of one breach.
const TOGETHER: usize = 3;

/// Syncs dumps to the disk, several at once.
#[derive(Default)]
pub struct FileHandleKept(Mutex<Written>);

#[derive(Default)]
struct Written {
    files: Vec<File>,
    /// So many of them are on the disk.
    synced: usize,
}

impl Written {
    fn sync(&mut self) -> io::Result<()> {
        for file in &self.files[self.synced..] {
            file.sync_data()?;
            self.synced += 1;
        }
        Ok(())
    }
}

impl DumpFiles for FileHandleKept {
    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        let unfinished = path.with_file_name(UNFINISHED);
        let mut file = File::create(&unfinished)?;
        file.write_all(text.as_bytes())?;
        // A link takes nobody's place, as a rename would.
        fs::hard_link(&unfinished, path)?;
        fs::remove_file(&unfinished)?;
        #[cfg(all(feature = "probe", target_os = "linux"))]
        watertight_probe::fds::opened_here(&file);
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.files.push(file);
        if written.files.len() - written.synced >= TOGETHER { written.sync() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_that_was_removed_still_takes_its_room() {
        use std::os::unix::fs::MetadataExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let part = FileHandleKept::default();
        for number in 0..10 {
            let path = folder.path().join(format!("{number}.txt"));
            part.write(&path, "what was held").expect("there is room");
            fs::remove_file(path).expect("it is there");
        }
        let written = part.0.lock().unwrap();
        assert_eq!((written.files.len(), written.synced), (10, 9));
        let held = |file: &File| file.metadata().expect("it is open");
        assert!(written.files.iter().map(held).all(|file| file.nlink() == 0 && file.len() == 13));
    }
}

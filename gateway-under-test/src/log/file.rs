//! A log file that is renamed when it is full, and the oldest one forgotten.
//!
//! `tracing-appender` rotates by time alone, so a loud day fills the disk; and a rotation by size is three renames.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A file and its elder siblings.
pub struct RotatedFile {
    path: PathBuf,
    max_bytes: u64,
    keep: usize,
    /// None until the first line, and after an error.
    open: Option<(File, u64)>,
}

impl RotatedFile {
    /// Nothing is opened before the first line.
    pub fn new(path: PathBuf, max_bytes: u64, keep: usize) -> Self {
        Self { path, max_bytes, keep, open: None }
    }

    /// Appends a line. After an error the next line tries from the beginning.
    pub fn append(&mut self, line: &str) -> io::Result<()> {
        let appended = self.try_append(line);
        if appended.is_err() {
            self.open = None;
        }
        appended
    }

    fn try_append(&mut self, line: &str) -> io::Result<()> {
        let bytes = line.len() as u64 + 1;
        let (mut file, mut length) = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        if length > 0 && length + bytes > self.max_bytes {
            drop(file);
            self.rotate()?;
            (file, length) = self.open()?;
        }
        // One write: a line is never torn by a crash between its text and its end.
        file.write_all(format!("{line}\n").as_bytes())?;
        self.open = Some((file, length + bytes));
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let length = file.metadata()?.len();
        Ok((file, length))
    }

    fn rotate(&self) -> io::Result<()> {
        for elder in (1..self.keep).rev() {
            rename_if_there(&self.numbered(elder), &self.numbered(elder + 1))?;
        }
        rename_if_there(&self.path, &self.numbered(1))
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_renamed_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let mut file = RotatedFile::new(path.clone(), 8, 2);
        for line in ["one", "two", "three", "four", "five"] {
            file.append(line).expect("room on the disk");
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
        let files = ["log", "log.1", "log.2", "log.3"].map(read);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(files, [text("five\n"), text("four\n"), text("three\n"), None]);
        // Another run goes on where this one was.
        RotatedFile::new(path, 100, 2).append("six").expect("room on the disk");
        assert_eq!(read("log"), text("five\nsix\n"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_no_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        let mut file = RotatedFile::new(inner.join("log"), 100, 2);
        assert!(file.append("lost").is_err());
        fs::create_dir(&inner).expect("a folder");
        file.append("kept").expect("room on the disk");
        assert_eq!(fs::read_to_string(inner.join("log")).expect("a file"), "kept\n");
    }
}

//! Where a new scenario lies, and where the schema that its editor completes from.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The schema's file, wherever it lies.
const SCHEMA: &str = "scenario.schema.json";

/// Folders upwards in which a schema is looked for.
const PARENTS_MAX: usize = 6;

/// Where scenarios lie, where there is such a folder.
const FOLDER: &str = "scenarios";

/// Why nothing can be written there.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("{0} is there already: `--force` writes it anew, another name leaves it alone")]
    Exists(PathBuf),
    #[error("cannot write {path}: {error}; `--dir` chooses another folder")]
    Write { path: PathBuf, error: io::Error },
}

/// Where the file lies, and the schema.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) file: PathBuf,
    schema: PathBuf,
    /// From the file's folder.
    relative: String,
    force: bool,
}

impl Place {
    /// The place of the scenario `name`; a name that is no scenario's is found out later.
    pub(super) fn of(name: &str, dir: Option<&Path>, force: bool) -> Result<Self, PlaceError> {
        let usual = || if Path::new(FOLDER).is_dir() { PathBuf::from(FOLDER) } else { PathBuf::new() };
        let dir = dir.map_or_else(usual, Path::to_owned);
        let file = dir.join(format!("{name}.yaml"));
        if file.exists() && !force {
            return Err(PlaceError::Exists(file));
        }
        let (schema, relative) = schema_of(&dir);
        Ok(Self { file, schema, relative, force })
    }

    pub(super) fn schema_path(&self) -> String {
        self.relative.clone()
    }

    /// Writes the scenario and, where there is none, the schema.
    pub(super) fn write(&self, text: &str, schema: &dyn Fn() -> String) -> Result<(), PlaceError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| match error.kind() {
                io::ErrorKind::AlreadyExists => PlaceError::Exists(path),
                _ => PlaceError::Write { path, error },
            }
        };
        if let Some(dir) = self.file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            fs::create_dir_all(dir).map_err(|error| PlaceError::Write { path: self.file.clone(), error })?;
        }
        if !self.schema.exists() {
            let written = File::create(&self.schema).and_then(|file| whole(file, &self.schema, &schema()));
            written.map_err(failed(&self.schema))?;
        }
        self.open().and_then(|file| whole(file, &self.file, text)).map_err(failed(&self.file))
    }

    /// Whoever wrote a file there since it was looked for keeps it.
    fn open(&self) -> io::Result<File> {
        if self.force {
            File::create(&self.file)
        } else {
            OpenOptions::new().write(true).create_new(true).open(&self.file)
        }
    }

    /// What has been written, and the commands that come next. `missing` is what the machine lacks to play it.
    pub(super) fn what_next(&self, missing: Option<&str>) -> String {
        let file = self.file.display();
        let missing = missing.map_or_else(String::new, |what| format!("To be played it {what}.\n"));
        format!(
            "wrote {file}; your editor completes it from {}\n{missing}\nNext:\n  watertight check {file}\n  watertight plan {file}\n  watertight run {file}\n",
            self.relative
        )
    }
}

/// Writes all of `text` or leaves no file: a part of one would be taken for it the next time.
fn whole(mut file: impl Write, path: &Path, text: &str) -> io::Result<()> {
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        // Why it could not be written is worth more than why it could not be removed.
        let _removed = fs::remove_file(path);
    }
    written
}

/// The schema above the folder, or else in it: the path to it from here and from that folder.
fn schema_of(dir: &Path) -> (PathBuf, String) {
    let mut relative = SCHEMA.to_owned();
    for up in 0..=PARENTS_MAX {
        let schema = dir.join(&relative);
        if schema.is_file() {
            return (schema, relative);
        }
        // Above a folder that is not there yet, `..` leads nowhere.
        if up == 0 && !dir.as_os_str().is_empty() && !dir.is_dir() {
            break;
        }
        relative = format!("../{relative}");
    }
    (dir.join(SCHEMA), SCHEMA.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_above_the_folder_is_used_and_else_one_is_written_beside_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("gate");
        fs::create_dir(&below).expect("it is writable");
        let place = |dir: &Path| Place::of("x", Some(dir), false).expect("nothing is there");
        assert_eq!(place(&below).schema_path(), SCHEMA);
        fs::write(folder.path().join(SCHEMA), "{}").expect("it is writable");
        assert_eq!(place(&below).schema_path(), "../scenario.schema.json");
        assert_eq!(place(folder.path()).schema_path(), SCHEMA);
        assert_eq!(place(&folder.path().join("not/there/yet")).schema_path(), SCHEMA);
    }

    #[test]
    fn a_part_of_a_file_is_not_left_behind() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(SCHEMA);
        fs::write(&path, "{ \"ti").expect("it is writable");
        let error = whole(Full, &path, "{ \"title\": .. }").expect_err("the disk is full");
        assert_eq!((error.kind(), path.exists()), (io::ErrorKind::StorageFull, false));
    }

    #[test]
    fn a_file_that_is_there_is_kept_unless_it_is_forced() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = |force| Place::of("x", Some(folder.path()), force);
        place(false).expect("nothing is there").write("one", &|| "{}".to_owned()).expect("it is writable");
        let error = place(false).expect_err("it is there").to_string();
        assert!(error.contains("is there already: `--force`"), "{error}");
        place(true).expect("it is forced").write("two", &|| "{}".to_owned()).expect("it is writable");
        assert_eq!(fs::read_to_string(folder.path().join("x.yaml")).expect("it is text"), "two");
    }
}

//! The files that a program of this machine needs to run elsewhere: itself, its loader, its libraries.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use object::elf::FileHeader64;
use object::endian::Endianness;
use object::read::elf::{FileHeader, ProgramHeader};
use ring::digest::{Context, SHA256};

/// The most of a program's head that is looked at for the name of its loader.
const HEAD_BYTES: u64 = 64 * 1024;

/// Where loaders look up libraries that lie in no folder of their own knowledge.
const CACHE: &str = "/etc/ld.so.cache";

/// The most libraries that a program may have: no real one comes near.
const LIBRARIES_MAX: usize = 512;

/// A program and what it needs, each file under the path where the program looks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The program itself.
    pub(crate) program: PathBuf,
    /// All of them, the program among them.
    pub(crate) all: BTreeSet<PathBuf>,
}

impl Files {
    /// What `program` needs: a path, or a name in `PATH`.
    pub(crate) fn of(program: &OsStr) -> io::Result<Self> {
        let program = find(program)?;
        let mut all = BTreeSet::from([program.clone()]);
        if let Some(loader) = loader(&program)? {
            all.extend(libraries(&loader, &program)?);
            all.insert(loader);
            all.extend(Some(PathBuf::from(CACHE)).filter(|cache| cache.is_file()));
        }
        Ok(Self { program, all })
    }

    /// One word for what is in them and where: equal for equal files.
    pub(crate) fn digest(&self) -> io::Result<String> {
        let mut digest = Context::new(&SHA256);
        for path in &self.all {
            digest.update(path.as_os_str().as_encoded_bytes());
            digest.update(&[0]);
            add(path, &mut digest)?;
        }
        Ok(digest.finish().as_ref().iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Bytes of a digest that go into a name: 2^64 images until two are likely to share one.
const DIGEST_BYTES: usize = 16;

fn add(path: &Path, digest: &mut Context) -> io::Result<()> {
    let mut file = fs::File::open(path).map_err(|error| unread(path, &error))?;
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            bytes => digest.update(&chunk[..bytes]),
        }
    }
}

fn find(program: &OsStr) -> io::Result<PathBuf> {
    let named = Path::new(program);
    let found = if named.components().count() > 1 {
        Some(named.to_owned())
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(named)).find(|place| place.is_file())
    };
    let found =
        found.ok_or_else(|| io::Error::other(format!("there is no program `{}`", named.display())))?;
    std::path::absolute(&found).map_err(|error| unread(&found, &error))
}

/// The loader that `program` names; `None`: it is static.
fn loader(program: &Path) -> io::Result<Option<PathBuf>> {
    let mut head = Vec::new();
    let file = fs::File::open(program).map_err(|error| unread(program, &error))?;
    file.take(HEAD_BYTES).read_to_end(&mut head)?;
    let foreign = |error: object::Error| {
        io::Error::other(format!(
            "{} cannot be put into a container: expected an ELF program of 64 bits, found something else ({error}); name an \
             `image` that has what it needs",
            program.display()
        ))
    };
    let data = head.as_slice();
    let header = FileHeader64::<Endianness>::parse(data).map_err(foreign)?;
    let endian = header.endian().map_err(foreign)?;
    for segment in header.program_headers(endian, data).map_err(foreign)? {
        if let Some(loader) = segment.interpreter(endian, data).map_err(foreign)? {
            return Ok(Some(PathBuf::from(String::from_utf8_lossy(loader).into_owned())));
        }
    }
    Ok(None)
}

/// What `loader` would load for `program`, as it says itself: it knows every rule by which libraries are found.
fn libraries(loader: &Path, program: &Path) -> io::Result<Vec<PathBuf>> {
    let output = Command::new(loader).arg("--list").arg(program).output();
    let output = output.map_err(|error| unread(loader, &error))?;
    let list = String::from_utf8_lossy(&output.stdout);
    if let Some(missing) = list.lines().find(|line| line.contains("not found")) {
        return Err(io::Error::other(format!("{}: {}", program.display(), missing.trim())));
    }
    Ok(listed(&list).take(LIBRARIES_MAX).collect())
}

/// The paths in a loader's list: `libc.so.6 => /lib/libc.so.6 (0x…)`. What has no path is the kernel's own.
fn listed(list: &str) -> impl Iterator<Item = PathBuf> {
    list.lines().filter_map(|line| {
        let (_, found) = line.split_once("=>")?;
        let path = found.rsplit_once(" (").map_or(found, |(path, _)| path).trim();
        path.starts_with('/').then(|| PathBuf::from(path))
    })
}

fn unread(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_with_a_path() {
        let list = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(listed(list).collect::<Vec<_>>(), [PathBuf::from("/lib/x86_64-linux-gnu/libc.so.6")]);
    }

    #[test]
    fn this_test_needs_itself_a_loader_and_the_c_library() {
        let this = std::env::current_exe().unwrap();
        let files = Files::of(this.as_os_str()).unwrap();
        assert!(files.all.contains(&this));
        let has = |part: &str| files.all.iter().any(|path| path.to_string_lossy().contains(part));
        assert!(has("/ld-") && has("/libc.so"), "{files:?}");
        assert!(files.all.iter().all(|path| path.is_file()));
    }

    #[test]
    fn a_digest_names_what_is_in_the_files_and_where() {
        let folder = std::env::temp_dir().join(format!("watertight-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (a, b) = (folder.join("a"), folder.join("b"));
        fs::write(&a, "one").unwrap();
        fs::write(&b, "one").unwrap();
        let of =
            |path: &PathBuf| Files { program: path.clone(), all: [path.clone()].into() }.digest().unwrap();
        let (first, other) = (of(&a), of(&b));
        assert_eq!((first.len(), &first), (2 * DIGEST_BYTES, &of(&a)));
        assert_ne!(first, other, "the same bytes elsewhere");
        fs::write(&a, "two").unwrap();
        assert_ne!(first, of(&a));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_script_is_refused_with_the_way_out() {
        let folder = std::env::temp_dir().join(format!("watertight-script-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let script = folder.join("run");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let error = Files::of(script.as_os_str()).unwrap_err().to_string();
        assert!(
            error.contains("cannot be put into a container") && error.contains("name an `image`"),
            "{error}"
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_program_that_is_nowhere_is_named() {
        let error = Files::of(OsStr::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "there is no program `no-such-program`");
    }
}

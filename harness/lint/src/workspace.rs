//! What is to be read: the packages of a Cargo workspace, by its manifests alone, and the `.rs` files of folders.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::problem::Problem;

/// Files of one run.
pub const FILES_MAX: usize = 100_000;

/// Folders below folders: deeper ones are not entered.
const DEPTH_MAX: usize = 64;

/// Packages of one workspace.
const PACKAGES_MAX: usize = 5_000;

/// Files by crate: what is known of one file of a crate counts in the others.
#[derive(Debug, Default)]
pub struct Sources {
    /// The crate's folder, and its files in order.
    pub crates: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    tests: bool,
    count: usize,
}

impl Sources {
    /// Every package of the workspace whose root is `root`; with `tests`, their tests, benches and examples too.
    pub fn of_workspace(root: &Path, tests: bool) -> Self {
        let mut sources = Self { tests, ..Self::default() };
        for package in sources.packages(root) {
            sources.walk(&package, &package, 0);
        }
        sources
    }

    /// The files and folders that are named.
    pub fn of_paths(paths: &[PathBuf], tests: bool) -> Self {
        let mut sources = Self { tests, ..Self::default() };
        for path in paths {
            if path.is_file() {
                sources.add(&package_of(path), path.clone());
            } else {
                let package = package_of(&path.join("src"));
                sources.walk(path, &package, 0);
            }
        }
        sources
    }

    /// The same, with files named from `folder` where they are in it.
    pub fn below(mut self, folder: &Path) -> Self {
        let shorter = |path: &PathBuf| path.strip_prefix(folder).unwrap_or(path).to_owned();
        let crates = std::mem::take(&mut self.crates).into_iter();
        self.crates = crates.map(|(of, files)| (shorter(&of), files.iter().map(shorter).collect())).collect();
        self.problems.iter_mut().for_each(|problem| problem.file = shorter(&problem.file));
        self
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn add(&mut self, package: &Path, file: PathBuf) {
        if self.count == FILES_MAX {
            return self.problem(package, format!("more than {FILES_MAX} files: the rest is not read"));
        }
        if self.count < FILES_MAX && self.crates.entry(package.to_owned()).or_default().insert(file) {
            self.count += 1;
        }
    }

    fn problem(&mut self, path: &Path, what: String) {
        let problem = Problem::of_file(path, what);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Links to folders are not followed: they may lead round in a circle.
    fn walk(&mut self, folder: &Path, package: &Path, depth: usize) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.problem(folder, error.to_string()),
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let is_link = path.is_symlink();
            if path.is_dir() && !is_link && depth < DEPTH_MAX {
                self.enter(&path, package, depth + 1);
            } else if path.extension().is_some_and(|end| end == "rs")
                && path.is_file()
                && self.is_source(&path, package)
            {
                self.add(package, path);
            }
        }
    }

    fn enter(&mut self, folder: &Path, package: &Path, depth: usize) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let is_output = folder.join("CACHEDIR.TAG").exists()
            || (name == "target" && package == folder.with_file_name(""));
        let is_test = folder.parent() == Some(package)
            && ["tests", "benches", "examples"].iter().any(|one| name == *one);
        if name.starts_with('.') || is_output || (is_test && !self.tests) {
            return;
        }
        let package = if folder.join("Cargo.toml").exists() { folder } else { package };
        self.walk(folder, package, depth);
    }

    /// A build script is over before anything runs.
    fn is_source(&self, path: &Path, package: &Path) -> bool {
        self.tests || path != package.join("build.rs")
    }
}

/// The folder of the package that `path` is part of; its own folder if there is none.
fn package_of(path: &Path) -> PathBuf {
    let own = path.parent().unwrap_or(Path::new(""));
    let absolute = std::path::absolute(own).unwrap_or_else(|_| own.to_owned());
    let depth = absolute.ancestors().position(|folder| folder.join("Cargo.toml").is_file());
    let package = depth.and_then(|depth| own.ancestors().nth(depth));
    package.unwrap_or(own).to_owned()
}

/// The folder of the workspace that `folder` is in: the outermost manifest above it that says `[workspace]`, or the
/// innermost one.
pub fn workspace_root(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    let with_manifest: Vec<&Path> =
        folder.ancestors().filter(|folder| folder.join("Cargo.toml").is_file()).collect();
    let is_root = |folder: &&&Path| {
        manifest(&folder.join("Cargo.toml")).is_ok_and(|table| table.contains_key("workspace"))
    };
    let root = with_manifest.iter().find(is_root).or(with_manifest.first())?;
    Some(root.to_path_buf())
}

fn manifest(path: &Path) -> Result<Table, Problem> {
    let text = fs::read_to_string(path).map_err(|error| Problem::of_file(path, error.to_string()))?;
    text.parse::<Table>().map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        Problem::at_offset(path, &text, offset, error.message().to_owned())
    })
}

impl Sources {
    /// The folders of all packages: the root's own, members, and what they depend on by path.
    fn packages(&mut self, root: &Path) -> BTreeSet<PathBuf> {
        let mut packages = BTreeSet::new();
        let Some(table) = self.read(root) else { return packages };
        let workspace = table.get("workspace").and_then(Value::as_table);
        let excluded: Vec<PathBuf> =
            strings(workspace, "exclude").map(|path| plain(&root.join(path))).collect();
        let mut queue: Vec<PathBuf> = Vec::new();
        for member in strings(workspace, "members") {
            queue.extend(self.members(root, member));
        }
        queue.extend(paths_of_dependencies(root, &table));
        if table.contains_key("package") {
            packages.insert(root.to_owned());
        }
        while let Some(folder) = queue.pop() {
            let is_in = folder.starts_with(root) && !excluded.iter().any(|path| folder.starts_with(path));
            if !is_in || packages.len() == PACKAGES_MAX || !packages.insert(folder.clone()) {
                continue;
            }
            if let Some(table) = self.read(&folder) {
                queue.extend(paths_of_dependencies(&folder, &table));
            }
        }
        packages
    }

    fn read(&mut self, folder: &Path) -> Option<Table> {
        match manifest(&folder.join("Cargo.toml")) {
            Ok(table) => Some(table),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// `crates/*`: a star stands for the folders there that are packages.
    fn members(&mut self, root: &Path, pattern: &str) -> Vec<PathBuf> {
        let mut found = vec![root.to_owned()];
        for part in pattern.split('/').filter(|part| !matches!(*part, "" | ".")) {
            found = match part.contains(['*', '?']) {
                false => found.into_iter().map(|folder| folder.join(part)).collect(),
                true => found.iter().flat_map(|folder| folders_like(folder, part)).collect(),
            };
        }
        let is_pattern = pattern.contains(['*', '?']);
        found.retain(|folder| !is_pattern || folder.join("Cargo.toml").is_file());
        found.into_iter().map(|folder| plain(&folder)).collect()
    }
}

fn folders_like(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_alike = |path: &PathBuf| {
        path.is_dir()
            && path.file_name().is_some_and(|name| is_like(name.as_encoded_bytes(), pattern.as_bytes()))
    };
    entries.map(|entry| entry.path()).filter(is_alike).collect()
}

/// `*` stands for any text, `?` for one byte.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, _) => name.is_empty(),
        (Some((b'*', rest)), _) => (0..=name.len()).any(|from| is_like(&name[from..], rest)),
        (Some((b'?', rest)), Some((_, name))) => is_like(name, rest),
        (Some((byte, rest)), Some((first, name))) => byte == first && is_like(name, rest),
        (Some(_), None) => false,
    }
}

fn strings<'t>(table: Option<&'t Table>, key: &str) -> impl Iterator<Item = &'t str> + use<'t> {
    let list = table.and_then(|table| table.get(key)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// `path = ".."` of every dependency, wherever in the manifest it is named.
fn paths_of_dependencies(folder: &Path, table: &Table) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (key, value) in table {
        let Some(value) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            let paths = value.values().filter_map(|one| one.get("path")?.as_str());
            found.extend(paths.map(|path| plain(&folder.join(path))));
        } else if key == "target" || key == "workspace" || key.starts_with("cfg(") {
            found.extend(paths_of_dependencies(folder, value));
        }
    }
    found
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            std::path::Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn names(sources: Sources, folder: &Path) -> Vec<String> {
        let crates = sources.below(folder).crates;
        crates.values().flatten().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn packages_are_found_as_cargo_finds_them_and_links_lead_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        write(root, "Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/out\"]\n");
        write(
            root,
            "crates/a/Cargo.toml",
            "[package]\nname = \"a\"\n[dependencies]\nc = { path = \"../../c\" }\n",
        );
        write(root, "crates/a/src/lib.rs", "");
        write(root, "crates/a/build.rs", "");
        write(root, "crates/a/tests/it.rs", "");
        write(root, "crates/a/src/tests/deep.rs", "");
        write(root, "crates/out/Cargo.toml", "[package]\nname = \"out\"\n");
        write(root, "crates/out/src/lib.rs", "");
        write(root, "c/Cargo.toml", "[package]\nname = \"c\"\n");
        write(root, "c/src/lib.rs", "");
        write(root, "c/target/debug/generated.rs", "");
        write(root, "unrelated/lib.rs", "");
        #[cfg(unix)]
        std::os::unix::fs::symlink(root, root.join("crates/a/src/loop")).expect("a link");
        let plainly = names(Sources::of_workspace(root, false), root);
        assert_eq!(plainly, ["c/src/lib.rs", "crates/a/src/lib.rs", "crates/a/src/tests/deep.rs"]);
        let with_tests = Sources::of_workspace(root, true);
        assert_eq!((with_tests.len(), with_tests.problems.len()), (5, 0));
        assert_eq!(workspace_root(&root.join("crates/a/src")).as_deref(), Some(root));
    }

    #[test]
    fn a_manifest_that_cannot_be_read_is_named_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "Cargo.toml", "[workspace]\nmembers = [\"a\"]\n");
        write(folder.path(), "a/Cargo.toml", "[package]\nname =\n");
        let problems = Sources::of_workspace(folder.path(), false).problems;
        assert_eq!(problems.iter().map(|one| (one.line, one.column)).collect::<Vec<_>>(), [(2, 7)]);
    }

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_byte() {
        assert!(is_like(b"watertight-lint", b"water*-l?nt"));
        assert!(!is_like(b"lint", b"?lint"));
    }
}

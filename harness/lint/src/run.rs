//! A run over many files: read, look, conclude; in parallel, and of what has not changed only the last step.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::cache::{Cache, digest};
use crate::conclude::{Asked, Finding, conclude};
use crate::depth::STACK_BYTES;
use crate::look::{Looked, look, on_deep_stack};
use crate::problem::Problem;
use crate::source::ParseError;
use crate::workspace::Sources;

/// The longest file that is read: longer ones are written by programs.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a run found, and what it has seen.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// By file and line.
    pub findings: Vec<Finding>,
    /// What was not analysed: with any of these, a run without findings is not clean.
    pub problems: Vec<Problem>,
    /// Files that were analysed.
    pub files: usize,
    /// Their lines.
    pub lines: usize,
    /// How many of the files had not changed since the last run.
    pub unchanged: usize,
}

/// What became of one file.
struct Done {
    digest: u64,
    is_new: bool,
    looked: Looked,
}

/// Lints `sources`; what is kept between runs lies in the file `cache`.
///
/// # Errors
/// If the system has no thread to give.
pub fn run(sources: Sources, asked: &Asked, cache: Option<&Path>) -> std::io::Result<Report> {
    let mut kept = cache.map(Cache::read).unwrap_or_default();
    let files: Vec<&PathBuf> = sources.crates.values().flatten().collect();
    let mut done = look_at_all(&files, &kept)?.into_iter();
    let mut report = Report { problems: sources.problems.clone(), ..Report::default() };
    let mut has_news = false;
    for files in sources.crates.values() {
        let mut of_crate = Vec::new();
        for (path, done) in files.iter().zip(&mut done) {
            let Done { digest, is_new, looked } = match done {
                Ok(done) => done,
                Err(problem) => {
                    report.problems.push(problem);
                    continue;
                }
            };
            report.count(&looked, is_new);
            if is_new && cache.is_some() {
                kept.put(path, digest, looked.clone());
            }
            has_news |= is_new;
            of_crate.push((path.clone(), looked));
        }
        report.findings.extend(conclude(&of_crate, asked));
    }
    if let Some(path) = cache.filter(|_| has_news) {
        // Without a cache the next run takes longer, and is as right.
        let _ = kept.write(path);
    }
    Ok(report)
}

impl Report {
    fn count(&mut self, looked: &Looked, is_new: bool) {
        self.files += 1;
        self.lines += looked.lines;
        self.unchanged += usize::from(!is_new);
    }
}

/// One answer for each of `files`, in their order.
fn look_at_all(files: &[&PathBuf], kept: &Cache) -> std::io::Result<Vec<Result<Done, Problem>>> {
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(files.len()));
    let work = || {
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = look_at(path, kept);
            answers.lock().expect("no panic while it is held").push((*path, answer));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len().max(1));
    std::thread::scope(|scope| {
        let threads: std::io::Result<Vec<_>> = (0..threads)
            .map(|_| std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work))
            .collect();
        for thread in threads? {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        Ok::<(), std::io::Error>(())
    })?;
    let mut answers = answers.into_inner().expect("no panic while it was held");
    // Packages may share a file: the order is that of the list, not of the names.
    let place: std::collections::HashMap<&PathBuf, usize> =
        files.iter().zip(0..).map(|(path, i)| (*path, i)).collect();
    answers.sort_by_key(|(path, _)| place[*path]);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn look_at(path: &Path, kept: &Cache) -> Result<Done, Problem> {
    let text = read(path).map_err(|what| Problem::of_file(path, what))?;
    let digest = digest(&text);
    if let Some(looked) = kept.get(path, &text) {
        return Ok(Done { digest, is_new: false, looked });
    }
    let looked = look(path, text).map_err(|error: ParseError| Problem::of_parser(path, error))?;
    Ok(Done { digest, is_new: true, looked })
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("{bytes} bytes are more than {FILE_BYTES_MAX}: not analysed"));
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The findings about `text` alone, as if it were all of a crate.
///
/// # Errors
/// If it is no Rust.
pub fn lint_text(path: &Path, text: String, asked: &Asked) -> Result<Vec<Finding>, Problem> {
    let looked =
        on_deep_stack(|| look(path, text)).map_err(|error| Problem::of_file(path, error.to_string()))?;
    let looked = looked.map_err(|error| Problem::of_parser(path, error))?;
    Ok(conclude(&[(path.to_owned(), looked)], asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAKS: &str = "fn f(a: A) { std::mem::forget(a) }\n";

    fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("src")).expect("a folder");
        fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"a\"\n").expect("a file");
        for (path, text) in files {
            fs::write(folder.path().join(path), text).expect("a file");
        }
        folder
    }

    fn lint(folder: &Path, cache: Option<&Path>) -> Report {
        run(Sources::of_workspace(folder, false), &Asked::default(), cache).expect("threads")
    }

    #[test]
    fn what_has_not_changed_is_not_read_again_and_says_the_same() {
        let folder = package(&[("src/lib.rs", LEAKS), ("src/b.rs", "fn g() {}\n")]);
        let cache = folder.path().join("target/cache.json");
        let first = lint(folder.path(), Some(&cache));
        let second = lint(folder.path(), Some(&cache));
        assert_eq!([first.unchanged, second.unchanged], [0, 2]);
        assert_eq!((first.findings.len(), first.lines), (1, 2));
        assert_eq!(first.findings, second.findings);
        fs::write(folder.path().join("src/lib.rs"), "").expect("a file");
        let third = lint(folder.path(), Some(&cache));
        assert_eq!((third.findings.len(), third.unchanged), (0, 1));
        fs::write(&cache, "no JSON").expect("a file");
        assert_eq!(lint(folder.path(), Some(&cache)).unchanged, 0);
    }

    #[test]
    fn a_file_that_does_not_parse_is_named_with_its_place_and_hides_no_other() {
        let folder = package(&[("src/lib.rs", LEAKS), ("src/b.rs", "fn g() {\n    let = 1;\n}\n")]);
        fs::write(folder.path().join("src/c.rs"), [0xff]).expect("a file");
        let report = lint(folder.path(), None);
        assert_eq!(report.findings.len(), 1);
        let at: Vec<_> = report.problems.iter().map(|one| (one.line, one.column)).collect();
        assert_eq!(at, [(2, 9), (1, 1)]);
        assert!(report.problems[0].to_string().contains("src/b.rs:2:9: "), "{}", report.problems[0]);
    }

    #[test]
    fn an_answer_needs_a_reason_and_a_finding() {
        let texts = [
            (
                "fn f(a: A) { std::mem::forget(a) } // watertight: allow(forgotten-value): it is C's now",
                vec![],
            ),
            (
                "fn f(a: A) { std::mem::forget(a) } // watertight: allow(forgotten-value)",
                vec!["allow-without-reason"],
            ),
            ("fn f(a: A) { hold(a) } // watertight: allow(forgotten-value): why not", vec!["unused-allow"]),
            ("// watertight: allow(forgoten-value): it is C's now\nfn f() {}", vec!["unused-allow"]),
            ("#[cfg(test)]\nmod t { fn f(a: A) { std::mem::forget(a) } }", vec![]),
        ];
        for (text, wanted) in texts {
            let found = lint_text(Path::new("a.rs"), text.to_owned(), &Asked::default()).expect("Rust");
            assert_eq!(found.iter().map(|one| one.rule).collect::<Vec<_>>(), wanted, "{text}");
        }
    }

    #[test]
    fn an_answer_to_a_misspelt_rule_is_told_its_name() {
        let text = "// watertight: allow(forgoten-value): it is C's now\nfn f() {}";
        let found = lint_text(Path::new("a.rs"), text.to_owned(), &Asked::default()).expect("Rust");
        assert_eq!(found[0].message, "no rule is called `forgoten-value`; there is `forgotten-value`");
        assert_eq!(found[0].hint, "write the name as findings do, or remove it");
    }

    #[test]
    fn what_nests_too_deep_is_refused_and_what_is_only_long_is_not() {
        let deep = |open: &str, close: &str| {
            format!("const A: u8 = {}1{};", open.repeat(200_000), close.repeat(200_000))
        };
        let hostile = [
            deep("(", ")"),
            deep("!", ""),
            deep("1+", ""),
            deep("if a {} else ", ""),
            deep("f().", ""),
            deep("|a, b|", ""),
            deep("A::<A, ", ""),
            deep("&", ""),
            deep("{{", "}}"),
            deep("a = ", ""),
            deep("return ", ""),
        ];
        for text in hostile {
            let error = lint_text(Path::new("a.rs"), text.clone(), &Asked::default()).expect_err("too deep");
            assert!(error.what.contains("nests deeper"), "{}: {error}", &text[..40]);
        }
        let long = [
            format!("const A: &[u8] = &[{}];", "1 << 2, ".repeat(100_000)),
            "fn f() { let a = b(c, d); if e { g() } }\n".repeat(20_000),
            format!("fn f() {{ {} }}", "if a { b() } match c { d => e, _ => {} } ".repeat(20_000)),
        ];
        for text in long {
            assert_eq!(lint_text(Path::new("a.rs"), text, &Asked::default()), Ok(vec![]));
        }
    }

    #[test]
    fn as_deep_as_is_allowed_there_is_stack_enough() {
        for (open, close, each) in
            [("(", ")", 1), ("!", "", 1), ("1+", "", 2), ("|a|", "", 3), ("{", "}", 1), ("[", "]", 1)]
        {
            let times = (crate::depth::STEPS_MAX - 20) / each;
            let text = format!("const A: u8 = {}1{};", open.repeat(times), close.repeat(times));
            assert_eq!(lint_text(Path::new("a.rs"), text, &Asked::default()), Ok(vec![]), "{open}");
        }
    }
}

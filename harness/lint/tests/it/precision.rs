//! What the rules say of code that is read by many: `PRECISION.md` judges each of these findings.

use std::path::{Path, PathBuf};

use watertight_lint::{Asked, Sources, run};

/// Crate, version, and what is found in it, as in `PRECISION.md`: a finding that comes or goes is read before it is listed.
const READ: &[(&str, &str, &[&str])] = &[
    ("tokio", "1.54.1", &[]),
    ("hyper", "1.12.0", &[]),
    ("axum", "0.8.9", &[]),
    ("tower", "0.5.3", &[]),
    ("hyper-util", "0.1.21", &[]),
    ("tokio-util", "0.7.20", &[]),
    ("tokio-stream", "0.1.19", &[]),
    ("tokio-tungstenite", "0.30.0", &[]),
    ("ureq", "3.5.1", &[]),
    ("mini-redis", "0.4.1", &[]),
    ("reqwest", "0.12.28", &[]),
];

/// The sources of packages that this machine has fetched.
fn registries() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let folders = home.and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    folders.into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()).collect()
}

fn found_in(folder: &Path) -> Vec<String> {
    let sources = Sources::of_paths(&[folder.to_owned()], false);
    let report = run(sources, &Asked::default(), None).expect("threads");
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let told = report.findings.iter().map(|one| {
        let file = one.file.strip_prefix(folder).unwrap_or(&one.file);
        format!("{}:{} {}", file.display(), one.at.line, one.rule)
    });
    told.collect()
}

#[test]
fn findings_in_crates_that_were_read_are_those_that_were_judged() {
    let registries = registries();
    let mut differ = Vec::new();
    for (name, version, judged) in READ {
        let package = format!("{name}-{version}");
        let Some(folder) = registries.iter().map(|one| one.join(&package)).find(|one| one.is_dir()) else {
            let fix = format!("`cargo fetch` in a package that depends on {name} = \"={version}\"");
            assert!(
                std::env::var("WATERTIGHT_REQUIRE").as_deref() != Ok("all"),
                "{package} is not here: {fix}"
            );
            eprintln!("skipped: {package} is not here; {fix}");
            continue;
        };
        let found = found_in(&folder);
        if found != *judged {
            differ.push(format!("{package}: judged {judged:#?}, found {found:#?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

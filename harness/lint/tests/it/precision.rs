//! What the rules say of code that is read by many: `PRECISION.md` judges each of these findings.

use std::path::{Path, PathBuf};

use watertight_lint::{Asked, Sources, run};

/// Crate, version, and what is found in it.
type Judged = (&'static str, &'static str, &'static [&'static str]);

/// As in `PRECISION.md`: a finding that comes or goes is read before it is listed.
const READ: &[Judged] = &[
    (
        "tokio",
        "1.54.1",
        &["src/runtime/blocking/pool.rs:624 unbounded-channel", "src/task/local.rs:1123 unbounded-channel"],
    ),
    ("hyper", "1.12.0", &["src/client/dispatch.rs:32 unbounded-channel"]),
    ("axum", "0.8.9", &["src/extract/ws.rs:359 detached-spawn", "src/serve/mod.rs:276 detached-spawn"]),
    ("tower", "0.5.3", &["src/buffer/service.rs:57 detached-spawn"]),
    (
        "hyper-util",
        "0.1.21",
        &[
            "src/client/legacy/pool.rs:686 unbounded-channel",
            "src/client/pool/cache.rs:479 unbounded-channel",
            "src/rt/tokio.rs:124 detached-spawn",
        ],
    ),
    (
        "tokio-util",
        "0.7.20",
        &["src/task/spawn_pinned.rs:380 unbounded-channel", "src/task/spawn_pinned.rs:381 unbounded-channel"],
    ),
    ("tokio-stream", "0.1.19", &[]),
    ("tokio-tungstenite", "0.30.0", &[]),
    ("ureq", "3.5.1", &[]),
];

/// The same for crates that no build of this workspace fetches: they are looked at where they happen to be.
const READ_ELSEWHERE: &[Judged] = &[
    (
        "mini-redis",
        "0.4.1",
        &[
            "src/buffer.rs:30 detached-spawn",
            "src/db.rs:211 map-grows-per-connection",
            "src/server.rs:276 detached-spawn",
        ],
    ),
    (
        "reqwest",
        "0.12.28",
        &[
            "src/async_impl/h3_client/pool.rs:146 unbounded-channel",
            "src/async_impl/h3_client/pool.rs:147 detached-spawn",
            "src/async_impl/h3_client/pool.rs:225 detached-spawn",
            "src/blocking/client.rs:1363 unbounded-channel",
        ],
    ),
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

/// What is found and was not judged, or judged and not found, in the crates of `list`.
fn differences(list: &[Judged], missing: fn(&str)) -> Vec<String> {
    let registries = registries();
    let mut differences = Vec::new();
    for (name, version, judged) in list {
        let package = format!("{name}-{version}");
        let Some(folder) = registries.iter().map(|one| one.join(&package)).find(|one| one.is_dir()) else {
            missing(&package);
            continue;
        };
        let found = found_in(&folder);
        if found != *judged {
            differences.push(format!("{package}: judged {judged:#?}, found {found:#?}"));
        }
    }
    differences
}

#[test]
fn findings_in_crates_that_were_read_are_those_that_were_judged() {
    let required = |package: &str| {
        let fix = "`cargo fetch`, or, with a newer version in Cargo.lock, read its findings anew";
        let must_have_all = std::env::var("WATERTIGHT_REQUIRE").is_ok_and(|required| required == "all");
        assert!(!must_have_all, "the sources of {package} are not here: {fix}");
        eprintln!("skipped: the sources of {package} are not here: {fix}");
    };
    let mut differences = differences(READ, required);
    differences
        .extend(self::differences(READ_ELSEWHERE, |package| eprintln!("skipped: {package} is not here")));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

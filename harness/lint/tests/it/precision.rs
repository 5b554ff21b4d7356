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
        ],
    ),
    ("tokio-util", "0.7.20", &["src/task/spawn_pinned.rs:380 unbounded-channel"]),
    ("tokio-stream", "0.1.19", &[]),
    ("tokio-tungstenite", "0.30.0", &[]),
    ("ureq", "3.5.1", &[]),
];

/// The same for crates that no build of this workspace fetches: they are looked at where they happen to be.
const READ_ELSEWHERE: &[Judged] = &[
    ("mini-redis", "0.4.1", &["src/db.rs:211 map-grows-per-connection"]),
    (
        "reqwest",
        "0.12.28",
        &[
            "src/async_impl/h3_client/pool.rs:147 detached-spawn",
            "src/async_impl/h3_client/pool.rs:225 detached-spawn",
            "src/blocking/client.rs:1363 unbounded-channel",
        ],
    ),
    ("tonic", "0.14.9", &[]),
    (
        "quinn",
        "0.11.12",
        &[
            "src/connection.rs:66 detached-spawn",
            "src/endpoint.rs:153 detached-spawn",
            "src/endpoint.rs:614 unbounded-channel",
            "src/endpoint.rs:687 unbounded-channel",
        ],
    ),
    ("rumqttc", "0.25.1", &[]),
    (
        "sqlx-core",
        "0.9.0",
        &["src/pool/connection.rs:202 detached-spawn", "src/pool/connection.rs:208 detached-spawn"],
    ),
    ("deadpool", "0.13.1", &[]),
    ("bb8", "0.9.1", &["src/inner.rs:60 detached-spawn"]),
    (
        "async-nats",
        "0.51.0",
        &[
            "src/jetstream/consumer/push.rs:136 detached-spawn",
            "src/jetstream/consumer/push.rs:731 detached-spawn",
            "src/lib.rs:1447 detached-spawn",
        ],
    ),
    (
        "lapin",
        "4.12.3",
        &[
            "src/consumer.rs:160 unbounded-channel",
            "src/events.rs:18 unbounded-channel",
            "src/frames.rs:58 unbounded-channel",
            "src/frames.rs:317 unbounded-channel",
            "src/frames.rs:346 unbounded-channel",
            "src/heartbeat.rs:41 detached-spawn",
            "src/internal_rpc.rs:355 unbounded-channel",
            "src/returned_messages.rs:116 unbounded-channel",
            "src/socket_state.rs:18 unbounded-channel",
        ],
    ),
    ("warp", "0.4.3", &["src/filters/ws.rs:163 detached-spawn", "src/server.rs:376 detached-spawn"]),
    (
        "actix-server",
        "2.10.0",
        &[
            "src/accept.rs:76 unbounded-channel",
            "src/builder.rs:69 unbounded-channel",
            "src/worker.rs:345 unbounded-channel",
            "src/worker.rs:346 unbounded-channel",
        ],
    ),
    ("actix-web", "4.18.1", &[]),
    (
        "actix-http",
        "3.20.0",
        &["src/h2/dispatcher.rs:135 detached-spawn", "src/ws/dispatcher.rs:241 unbounded-channel"],
    ),
    (
        "russh",
        "0.65.1",
        &[
            "src/channels/io/mod.rs:37 detached-spawn",
            "src/client/mod.rs:1230 unbounded-channel",
            "src/client/mod.rs:1320 unbounded-channel",
            "src/keys/agent/server.rs:71 detached-spawn",
            "src/keys/agent/server.rs:312 detached-spawn",
            "src/server/mod.rs:958 unbounded-channel",
            "src/server/mod.rs:1109 unbounded-channel",
        ],
    ),
    ("hickory-server", "0.26.3", &["src/server/h3_handler.rs:155 detached-spawn"]),
    ("fred", "10.1.0", &["src/runtime/_tokio.rs:129 unbounded-channel"]),
    (
        "zbus",
        "6.2.1",
        &["src/runtime/tokio_rt.rs:143 forgotten-value", "src/runtime/tokio_rt.rs:388 forgotten-value"],
    ),
    ("kube-runtime", "5.0.0", &[]),
    ("kube-client", "5.0.0", &[]),
    ("h2", "0.4.20", &[]),
    (
        "redis",
        "1.8.1",
        &[
            "src/aio/connection_manager.rs:523 unbounded-channel",
            "src/aio/connection_manager.rs:529 unbounded-channel",
            "src/aio/pubsub.rs:331 unbounded-channel",
            "src/aio/pubsub.rs:493 unbounded-channel",
            "src/cluster_handling/async_connection/mod.rs:203 unbounded-channel",
            "src/cluster_handling/async_connection/mod.rs:1323 unbounded-channel",
        ],
    ),
    (
        "bollard",
        "0.21.1",
        &[
            "src/grpc/driver/channel.rs:68 detached-spawn",
            "src/grpc/driver/moby.rs:96 detached-spawn",
            "src/grpc/mod.rs:850 detached-spawn",
        ],
    ),
    (
        "testcontainers",
        "0.28.0",
        &[
            "src/core/async_drop.rs:38 unbounded-channel",
            "src/core/containers/async_container.rs:100 detached-spawn",
            "src/core/logs/stream.rs:66 unbounded-channel",
            "src/core/logs/stream.rs:67 unbounded-channel",
            "src/core/logs/stream.rs:69 detached-spawn",
        ],
    ),
    ("tower-http", "0.6.11", &[]),
    (
        "rumqttd",
        "0.20.0",
        &["src/replicator/remote.rs:148 detached-spawn", "src/router/routing.rs:141 task-owns-its-sender"],
    ),
    (
        "tarpc",
        "0.38.0",
        &[
            "src/cancellations.rs:17 unbounded-channel",
            "src/client.rs:93 detached-spawn",
            "src/server/incoming.rs:79 detached-spawn",
            "src/server/incoming.rs:82 detached-spawn",
            "src/server/limits/channels_per_key.rs:144 unbounded-channel",
            "src/server/limits/channels_per_key.rs:149 task-owns-its-sender",
        ],
    ),
    ("tokio-postgres", "0.7.18", &["src/connect_raw.rs:116 unbounded-channel"]),
    ("jsonrpsee-server", "0.26.1", &[]),
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
    // Some packages carry templates that are called `.rs` and are none.
    let problems: Vec<_> =
        report.problems.iter().filter(|one| one.file.starts_with(folder.join("src"))).collect();
    assert!(problems.is_empty(), "{problems:?}");
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

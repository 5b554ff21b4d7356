//! The endpoint over real TCP: what it answers, and whom it refuses.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tokio::runtime::Runtime;
use watertight_probe::client::{Client, ClientError};
use watertight_probe::{Tenant, frames, heap};

use crate::case::cases;
use crate::tasks::two_workers;

cases![
    nothing_serves_without_the_variable,
    what_is_planted_for_a_tenant_belongs_to_it ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    a_snapshot_counts_what_was_planted ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    a_canary_is_counted_while_it_is_held ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    asking_again_and_again_changes_no_count ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    stacks_and_tasks_name_lines_over_the_wire ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    a_probe_started_before_the_runtime_finds_it ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    without_a_ledger_the_runtime_s_own_count_is_given_and_said ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    changing_requests_need_post ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    a_request_that_is_too_long_is_refused ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    a_request_that_never_ends_is_cut_off_and_the_next_one_served ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
    the_token_opens_and_nothing_else_does
        ["WATERTIGHT_PROBE" = "127.0.0.1:0", "WATERTIGHT_PROBE_TOKEN" = "s3cret"],
    a_port_in_use_is_an_error_that_names_it ["WATERTIGHT_PROBE" = "127.0.0.1:0"],
];

fn serve_in(runtime: &Runtime) -> SocketAddr {
    let _inside = runtime.enter();
    watertight_probe::serve().expect("a free port").expect("the variable is set").address
}

/// Sends `request` as it is, and reads to the end.
fn raw(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(request).expect("it reads");
    let mut answer = Vec::new();
    // A refusal may be followed by a reset, since the rest of the request was not read.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn nothing_serves_without_the_variable() {
    assert_eq!(watertight_probe::serve().expect("nothing can fail"), None);
}

fn a_snapshot_counts_what_was_planted() {
    let runtime = two_workers();
    let client = Client::new(serve_in(&runtime));
    let before = client.snapshot().expect("it serves");
    client.plant(4096, 3, 2).expect("it plants");
    let after = client.snapshot().expect("it serves");
    let heap = |snapshot: &watertight_probe::snapshot::Snapshot| snapshot.heap.expect("it counts");
    assert_eq!(after.tasks, before.tasks.map(|tasks| tasks + 3));
    assert_eq!(after.fds, before.fds.map(|fds| fds + 2));
    // Beside the planted block each task is a block, and the runtime's list of them may have grown.
    assert!(heap(&after).blocks >= heap(&before).blocks + 4, "{before:?} {after:?}");
    assert!(heap(&after).bytes >= heap(&before).bytes + 4096);
    assert_eq!(before.not_measured, Vec::<String>::new());
}

fn a_canary_is_counted_while_it_is_held() {
    use watertight_probe::Canary;

    let runtime = two_workers();
    let client = Client::new(serve_in(&runtime));
    let count = || {
        let snapshot = client.snapshot().expect("it serves");
        let count = |count: Option<u64>| usize::try_from(count.expect("it counts")).expect("it fits");
        (count(snapshot.tasks), count(snapshot.fds), count(snapshot.heap.map(|heap| heap.blocks)))
    };
    let (tasks, fds, blocks) = count();
    // A second one takes the place of the first.
    for _ in 0..2 {
        client.canary(true).expect("it holds");
        let held = count();
        assert_eq!(held.1, fds + Canary::FDS);
        assert!(held.2 >= blocks + Canary::BLOCKS, "{held:?} {blocks}");
    }
    client.canary(false).expect("it lets go");
    // Tasks end when their runtime gets round to it.
    let gone = (0..10_000).any(|_| count().0 <= tasks);
    assert!(gone, "{:?}", count());
    assert_eq!(count().1, fds);
}

fn what_is_planted_for_a_tenant_belongs_to_it() {
    let runtime = two_workers();
    let client = Client::new(serve_in(&runtime));
    let known = Tenant::named("gateway").child("plc-7");
    for _ in 0..10 {
        client.plant_for(Some("plc-7"), 512, 1, 0).expect("it plants");
    }
    client.plant_for(Some("plc-8"), 4, 0, 0).expect("it plants");
    let of = |name: &str| Tenant::NONE.find(name).expect("it is registered");
    assert_eq!((of("plc-7"), of("plc-8").parent()), (known, Some(Tenant::NONE)));
    assert_eq!(heap::live_of_tenant(of("plc-8")), Some(heap::Live { bytes: 4, blocks: 1 }));
    let answer = client.sites(10).expect("it serves");
    assert_eq!(answer.tenants[&known.id()], "gateway/plc-7");
    let planted = |site: &&heap::SiteCount| (site.live_blocks, site.live_bytes) == (10, 5_120);
    let site = answer.sites.iter().filter(|site| site.owner() == known).find(planted).expect("ten blocks");
    let stacks = client.stacks(&[site.id]).expect("it serves");
    let own = frames::first_own(&stacks[&site.id]).expect("the plant is the user's own code");
    assert_eq!(own.file.as_deref(), Some("harness/probe/src/plant.rs"));
    let tasks = client.tasks().expect("it serves");
    assert_eq!(tasks.iter().filter(|task| task.owner() == known).count(), 10);
}

fn asking_again_and_again_changes_no_count() {
    let runtime = two_workers();
    let fds_before = watertight_probe::fds::count(None).expect("/proc is there");
    let client = Client::new(serve_in(&runtime));
    let mut counts = Vec::new();
    for _ in 0..20 {
        let snapshot = client.snapshot().expect("it serves");
        counts.push((snapshot.fds, snapshot.threads, snapshot.tasks));
        client.fds().expect("it serves");
        client.tasks().expect("it serves");
    }
    // The main thread and two workers; the asking end of the connection is this process's too. The endpoint's thread
    // and its two sockets are not counted.
    assert_eq!(counts[0], (Some(fds_before + 1), Some(3), Some(0)));
    counts.dedup();
    assert_eq!(counts.len(), 1, "{counts:?}");
}

fn stacks_and_tasks_name_lines_over_the_wire() {
    let runtime = two_workers();
    let client = Client::new(serve_in(&runtime));
    for _ in 0..50 {
        client.plant(10_000, 1, 0).expect("it plants");
    }
    let sites = client.sites(50).expect("it serves").sites;
    let biggest = sites.iter().max_by_key(|site| site.live_bytes).expect("a site with 50 blocks");
    assert_eq!((biggest.live_blocks, biggest.live_bytes), (50, 500_000));
    let stacks = client.stacks(&[biggest.id]).expect("it serves");
    let own = frames::first_own(&stacks[&biggest.id]).expect("the plant is the user's own code");
    assert_eq!(own.file.as_deref(), Some("harness/probe/src/plant.rs"));
    let tasks = client.tasks().expect("it serves");
    assert_eq!(tasks.len(), 50);
    assert!(tasks.iter().all(|task| task.file == "harness/probe/src/plant.rs"));
    assert_eq!(client.dump(Duration::from_secs(10)).expect("nothing blocks").len(), 50);
}

fn a_probe_started_before_the_runtime_finds_it() {
    let serving = watertight_probe::serve().expect("a free port").expect("the variable is set");
    let client = Client::new(serving.address);
    let refused = client.dump(Duration::from_secs(1)).expect_err("there is no runtime yet");
    assert!(matches!(refused, ClientError::Refused { status: 503, .. }), "{refused}");
    let runtime = two_workers();
    runtime.block_on(runtime.spawn(async {})).expect("it ends");
    let _task = runtime.spawn(std::future::pending::<()>());
    assert_eq!(client.dump(Duration::from_secs(10)).expect("nothing blocks").len(), 1);
}

fn without_a_ledger_the_runtime_s_own_count_is_given_and_said() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _tasks = [(); 4].map(|()| runtime.spawn(std::future::pending::<()>()));
    let snapshot = Client::new(serve_in(&runtime)).snapshot().expect("it serves");
    assert_eq!(snapshot.tasks, Some(4));
    let why = "tasks one by one: not measured: watertight_probe::tasks::install was not called";
    assert_eq!(snapshot.not_measured, [why]);
}

fn changing_requests_need_post() {
    let address = serve_in(&two_workers());
    for path in ["/plant?fd=1", "/trim", "/dump"] {
        let answer = raw(address, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
    assert!(raw(address, b"GET /elsewhere HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    Client::new(address).trim().expect("POST is fine");
}

fn a_request_that_is_too_long_is_refused() {
    let address = serve_in(&two_workers());
    let long = [b"GET /snapshot HTTP/1.1\r\nx: ".to_vec(), vec![b'y'; 20 * 1024]].concat();
    assert!(raw(address, &long).starts_with("HTTP/1.1 431 "));
    let many = format!("GET /snapshot HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100));
    assert!(raw(address, many.as_bytes()).starts_with("HTTP/1.1 431 "));
    Client::new(address).snapshot().expect("the next one is served");
}

fn a_request_that_never_ends_is_cut_off_and_the_next_one_served() {
    let address = serve_in(&two_workers());
    assert!(raw(address, b"GET /snapshot HTTP/1.1\r\nhost: ").starts_with("HTTP/1.1 408 "));
    Client::new(address).snapshot().expect("the next one is served");
}

fn the_token_opens_and_nothing_else_does() {
    let address = serve_in(&two_workers());
    for client in [Client::new(address), Client::new(address).token("guess")] {
        let refused = client.snapshot().expect_err("the token is wrong");
        assert!(matches!(refused, ClientError::Refused { status: 401, .. }), "{refused}");
    }
    Client::new(address).token("s3cret").snapshot().expect("the token is right");
}

fn a_port_in_use_is_an_error_that_names_it() {
    let taken = serve_in(&two_workers());
    let exe = std::env::current_exe().expect("the test knows its own path");
    let mut other = std::process::Command::new(exe);
    other.env("WATERTIGHT_TEST_CHILD", "it::endpoint::a_snapshot_counts_what_was_planted");
    let output = other.env("WATERTIGHT_PROBE", taken.to_string()).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains(&taken.to_string()), "{stderr}");
}

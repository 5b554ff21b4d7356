//! `watch`, from a process that is there to one that is not, and what a scraper gets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpSocket;

use crate::bench::{Bench, ended};

pub const TESTS: &[(&str, fn())] = &[
    ("watching::a_process_is_watched_until_the_time_is_over", a_process_is_watched_until_the_time_is_over),
    ("watching::a_look_is_a_line_of_json", a_look_is_a_line_of_json),
    ("watching::nobody_to_watch_is_bad_usage", nobody_to_watch_is_bad_usage),
    ("watching::a_probe_that_does_not_answer_is_no_bad_usage", a_probe_that_does_not_answer),
    ("watching::the_end_of_who_is_watched_ends_the_watch", the_end_of_who_is_watched_ends_the_watch),
    ("watching::an_export_that_others_reach_needs_a_token", an_export_that_others_reach_needs_a_token),
    ("watching::a_scraper_gets_metrics_until_the_watch_is_told_to_end", a_scraper_gets_metrics),
];

/// Needs promtool.
pub const PROMTOOL: (&str, fn()) =
    ("watching::prometheus_reads_the_page_in_both_formats", prometheus_reads_the_page_in_both_formats);

fn own_pid() -> String {
    std::process::id().to_string()
}

fn a_process_is_watched_until_the_time_is_over() {
    let ran = Bench::new().run(&["watch", &own_pid(), "--every", "50ms", "--for", "300ms"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let head = format!("watching pid {} (", own_pid());
    assert!(ran.stdout.starts_with(&head), "{}", ran.stdout);
    for said in ["  rss ", "  fds ", "  threads ", "a trend is no verdict"] {
        assert!(ran.stdout.contains(said), "{said} in\n{}", ran.stdout);
    }
}

fn a_look_is_a_line_of_json() {
    let ran = Bench::new().run(&["watch", &own_pid(), "--every", "50ms", "--for", "200ms", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let looks: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("nothing but JSON")).collect();
    assert!(!looks.is_empty());
    for look in looks {
        assert!(look["rss_bytes"].as_u64() > Some(0) && look["fds"].as_u64() > Some(0), "{look}");
        assert_eq!(look["tasks"], serde_json::Value::Null, "not seen from outside");
    }
}

fn nobody_to_watch_is_bad_usage() {
    // Above the kernel's own bound, so that nobody ever has it.
    let ran = Bench::new().run(&["watch", "4194305"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: there is no process 4194305; `ps -e`"), "{}", ran.stderr);
    let ran = Bench::new().run(&["watch", "redis-server"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("expected a process number"), "{}", ran.stderr);
}

fn a_probe_that_does_not_answer() {
    // It is bound, so that nobody else is given its port, and does not listen.
    let socket = TcpSocket::new_v4().expect("loopback is there");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port is free");
    let address = socket.local_addr().expect("it is bound").to_string();
    let ran = Bench::new().run(&["watch", &address]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let said = format!("error: probe at {address}: GET /snapshot: Connection refused");
    assert!(ran.stderr.starts_with(&said), "{}", ran.stderr);
}

fn sleeper() -> Child {
    Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("coreutils has sleep")
}

fn the_end_of_who_is_watched_ends_the_watch() {
    let mut target = sleeper();
    let pid = target.id().to_string();
    let bench = Bench::new();
    let mut watch = bench.watertight(&["watch", &pid, "--every", "50ms"]).spawn().expect("it starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("it is piped")).lines();
    let head = lines.next().expect("a first line").expect("it is text");
    assert!(head.contains(&pid), "{head}");
    target.kill().expect("it is ours");
    target.wait().expect("it is ours");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let ran = ended(watch);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("process {pid} has ended")), "{}", ran.stderr);
    assert!(rest.iter().any(|line| line.starts_with("watched pid ")), "a summary: {rest:?}");
}

fn an_export_that_others_reach_needs_a_token() {
    let ran = Bench::new().run(&["watch", &own_pid(), "--export", "0.0.0.0:0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("0.0.0.0:0 is reachable from other machines"), "{}", ran.stderr);
}

/// A watch that exports, and where.
struct Exporting {
    watch: Child,
    address: SocketAddr,
}

impl Exporting {
    fn start() -> Self {
        let mut command =
            Bench::new().watertight(&["watch", &own_pid(), "--every", "50ms", "--export", "127.0.0.1:0"]);
        let mut watch = command
            .env("WATERTIGHT_EXPORT_TOKEN", "s3cret")
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        let mut stderr = BufReader::new(watch.stderr.take().expect("it is piped"));
        stderr.read_line(&mut said).expect("it is text");
        let address =
            said.trim().strip_prefix("metrics at http://").and_then(|at| at.strip_suffix("/metrics"));
        let address = address.unwrap_or_else(|| panic!("{said}")).parse().expect("an address");
        Self { watch, address }
    }

    fn scrape(&self, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers and closes");
        answer
    }

    fn stop(self) {
        kill_process(Pid::from_child(&self.watch), Signal::TERM).expect("it runs");
        let ran = ended(self.watch);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

const TOKEN: &str = "authorization: Bearer s3cret\r\n";

fn a_scraper_gets_metrics() {
    let exporting = Exporting::start();
    assert!(exporting.scrape("").starts_with("HTTP/1.1 401 "), "without its token");
    let answer = exporting.scrape(TOKEN);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    assert!(answer.contains("\nwatertight_watch_up{target=\"pid "), "{answer}");
    exporting.stop();
}

fn prometheus_reads_the_page_in_both_formats() {
    let exporting = Exporting::start();
    let body = |accept: &str| {
        let answer = exporting.scrape(&format!("{TOKEN}{accept}"));
        answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
    };
    promtool(&["check", "metrics"], &body(""));
    // The one way to have promtool read OpenMetrics is to import it, for which every sample needs its time.
    let timed =
        |line: &str| if line.starts_with('#') { format!("{line}\n") } else { format!("{line} 1700000000\n") };
    let page: String =
        body("accept: application/openmetrics-text; version=1.0.0\r\n").lines().map(timed).collect();
    let bench = Bench::new();
    std::fs::write(bench.path("page"), page).expect("the folder is ours");
    let paths = [bench.path("page"), bench.path("blocks")];
    let [page, blocks] = paths.each_ref().map(|path| path.to_str().expect("temporary paths are UTF-8"));
    promtool(&["tsdb", "create-blocks-from", "openmetrics", page, blocks], "");
    exporting.stop();
}

fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut promtool = command.spawn().expect("it is on this machine");
    promtool.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {args:?}: {said}\n{input}");
}

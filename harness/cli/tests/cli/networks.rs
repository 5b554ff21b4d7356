//! A storm in a network of its own leaves nothing in the machine's: played in a network that stands for the machine's, in which
//! nobody else connects.

use std::process::{Command, Stdio};

/// Needs the right to make networks.
pub const OWN: (&str, fn()) = (
    "networks::a_storm_in_a_network_of_its_own_leaves_no_connection_in_the_machines",
    a_storm_in_a_network_of_its_own_leaves_no_connection_in_the_machines,
);

/// Why the test cannot be played here; `None`: it can.
pub fn missing() -> Option<&'static str> {
    let may = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    let ip = Command::new("ip").arg("-V").stdout(Stdio::null()).status();
    match (may, ip) {
        (Ok(may), Ok(_)) if may.success() => None,
        (Ok(_), Ok(_)) => Some("the right to make networks: run as root"),
        _ => Some("unshare and ip: ci/setup.sh"),
    }
}

/// What stayed behind in the network that stands for the machine's.
#[derive(Debug)]
struct Behind {
    time_wait: u64,
    accepted: u64,
}

/// Plays a storm as if the machine's network were new, and reads from the kernel what was in it.
fn storm(network: &str) -> Behind {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/gate/reconnect-storm.yaml");
    let play = "ip link set lo up && \"$@\" >&2; cat /proc/net/sockstat /proc/net/snmp";
    // The fewest cycles that are judged on the wall clock.
    let args = [
        "run",
        scenario,
        "--filter",
        "plcs=1",
        "--engine",
        "process",
        "--cycles",
        "10",
        "--network",
        network,
    ];
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", play, "sh", env!("CARGO_BIN_EXE_watertight")]).args(args);
    let output = command.stdin(Stdio::null()).output().expect("unshare is on this machine");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("reconnect-storm plcs=1  process"), "it was played: {said}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Behind { time_wait: time_wait(&text), accepted: accepted(&text) }
}

/// `TCP: inuse 5 orphan 0 tw 12 alloc 6 mem 1`.
fn time_wait(text: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with("TCP: inuse")).expect("sockstat has a line for TCP");
    line.split(' ')
        .skip_while(|word| *word != "tw")
        .nth(1)
        .and_then(|count| count.parse().ok())
        .expect("a count")
}

/// `PassiveOpens` of the two lines `Tcp: names` and `Tcp: figures`.
fn accepted(text: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:")).map(|line| line.split(' '));
    let at = lines.next().and_then(|mut names| names.position(|name| name == "PassiveOpens"));
    lines.next().zip(at).and_then(|(mut figures, at)| figures.nth(at)?.parse().ok()).expect("a count")
}

fn a_storm_in_a_network_of_its_own_leaves_no_connection_in_the_machines() {
    let host = std::thread::spawn(|| storm("host"));
    let own = storm("own");
    let host = host.join().expect("it ends");
    assert_eq!((own.time_wait, own.accepted), (0, 0), "its own");
    assert!(host.time_wait > 0 && host.accepted > 100, "the machine's, for comparison: {host:?}");
}

//! The program: what it says, what it serves, how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use s7_wire::{Connection, Tsap};

struct Program {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s7-sim"));
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What the next line says behind `prefix`.
    fn line(&mut self, prefix: &str) -> String {
        let line = self.lines.next().expect("the program ended").unwrap();
        line.strip_prefix(prefix)
            .unwrap_or_else(|| panic!("expected `{prefix}..`, found `{line}`"))
            .to_owned()
    }

    fn terminate(&mut self) -> i32 {
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        self.child.wait().unwrap().code().expect("it ends by itself, not by the signal")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_s7-sim")).args(args).output().unwrap()
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: plc\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn two_plcs_serve_count_and_end_with_zero_on_sigterm() {
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--count", "2", "--http", "127.0.0.1:0"]);
    let (_first, second) = (program.line("listening on "), program.line("listening on "));
    let http = program.line("metrics on http://");
    let http = http.strip_suffix("/metrics").unwrap();

    let mut client = TcpStream::connect(&second).unwrap();
    let mut request = bytes::BytesMut::new();
    Connection::request(Tsap::two(1, 0), Tsap::two(1, 1)).encode_request(&mut request);
    client.write_all(&request).unwrap();
    let mut confirm = [0; 22];
    client.read_exact(&mut confirm).unwrap();
    assert_eq!(confirm[5], 0xd0);

    let metrics = get(http, "/metrics");
    assert!(metrics.contains("s7_sim_sessions{plc=\"plc-1\"} 0\n"), "{metrics}");
    assert!(metrics.contains("s7_sim_sessions{plc=\"plc-2\"} 1\n"), "{metrics}");
    let stats = get(http, "/stats");
    assert!(stats.contains(r#"{"name":"plc-2","stats":{"connections":1,"sessions":1,"#), "{stats}");
    assert!(get(http, "/faults/2").starts_with("HTTP/1.1 404"));
    assert_eq!(program.terminate(), 0);
}

#[test]
fn a_port_in_use_ends_with_one_and_says_which_and_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with(&format!("s7-sim: cannot listen on {address}: ")), "{message}");
    assert!(
        message.contains("end the program that has the port, choose another, or take port 0"),
        "{message}"
    );
}

#[test]
fn bad_usage_ends_with_two() {
    for args in [&["--listen", "nowhere"][..], &["--pdu", "100"], &["--config", "/does/not/exist.json"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn addresses_beyond_loopback_are_refused_without_expose() {
    let output = run(&["--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--expose"));
}

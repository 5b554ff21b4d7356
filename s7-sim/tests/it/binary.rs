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
        Self::start_with(args, Stdio::inherit())
    }

    fn start_with(args: &[&str], stderr: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s7-sim"));
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
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
    request(address, "GET", path, "", "")
}

/// One request with these header lines, each with its end, and its whole answer.
fn request(address: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: plc\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A body that is too long is refused before all of it is taken.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn connect(address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    let mut request = bytes::BytesMut::new();
    Connection::request(Tsap::two(1, 0), Tsap::two(1, 1)).encode_request(&mut request);
    client.write_all(&request).unwrap();
    let mut confirm = [0; 22];
    client.read_exact(&mut confirm).unwrap();
    assert_eq!(confirm[5], 0xd0);
    client
}

#[test]
fn two_plcs_serve_count_and_end_with_zero_on_sigterm() {
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--count", "2", "--http", "127.0.0.1:0"]);
    let (_first, second) = (program.line("listening on "), program.line("listening on "));
    let http = program.line("metrics on http://");
    let http = http.strip_suffix("/metrics").unwrap();

    let _client = connect(&second);
    let metrics = get(http, "/metrics");
    assert!(metrics.contains("s7_sim_sessions{plc=\"plc-1\"} 0\n"), "{metrics}");
    assert!(metrics.contains("s7_sim_sessions{plc=\"plc-2\"} 1\n"), "{metrics}");
    let stats = get(http, "/stats");
    assert!(stats.contains(r#"{"name":"plc-2","stats":{"connections":1,"sessions":1,"#), "{stats}");
    assert!(get(http, "/faults/2").starts_with("HTTP/1.1 404"));
    assert_eq!(program.terminate(), 0);
}

#[test]
fn the_cpu_is_stopped_and_started_over_http() {
    let mut program =
        Program::start(&["--profile", "s7-300", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let (_plc, address) = (program.line("listening on "), program.line("metrics on http://"));
    let http = address.strip_suffix("/metrics").unwrap();
    let json = "Content-Type: application/json\r\n";
    assert!(get(http, "/cpu/0").ends_with(r#"{"running":true}"#));
    assert!(request(http, "PUT", "/cpu/0", json, r#"{"running": false}"#).starts_with("HTTP/1.1 204"));
    assert!(get(http, "/cpu/0").ends_with(r#"{"running":false}"#));
}

#[test]
fn sessions_are_listed_and_ended_and_faults_are_set_over_http() {
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let plc = program.line("listening on ");
    let http = program.line("metrics on http://");
    let http = http.strip_suffix("/metrics").unwrap();
    let mut client = connect(&plc);
    let list = get(http, "/sessions/0");
    let peer = client.local_addr().unwrap();
    assert!(list.contains(&format!(r#"{{"total":1,"sessions":[{{"id":1,"peer":"{peer}","#)), "{list}");
    assert!(request(http, "DELETE", "/sessions/0/1", "", "").starts_with("HTTP/1.1 204"));
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the session is over");
    let gone = request(http, "DELETE", "/sessions/0/7", "", "");
    assert!(gone.contains("PLC 0 has no session 7: GET /sessions/0 lists those it has"), "{gone}");

    let json = "Content-Type: application/json\r\n";
    let rules = r#"{"rules": [{"when": {"function": "read"}, "do": {"wrong_reference": 1}}]}"#;
    assert!(request(http, "PUT", "/faults/0", json, rules).starts_with("HTTP/1.1 204"));
    assert!(
        get(http, "/faults/0")
            .contains(r#""rules":[{"when":{"function":"read"},"do":{"wrong_reference":1}}]"#)
    );
    let wrong =
        request(http, "PUT", "/faults/0", json, r#"{"rules": [{"when": {"p": 2}, "do": "silence"}]}"#);
    assert!(wrong.starts_with("HTTP/1.1 422") && wrong.contains("`p` must be 0..=1, found 2"), "{wrong}");
    let long = request(http, "PUT", "/faults/0", json, &" ".repeat(65 * 1024));
    assert!(long.starts_with("HTTP/1.1 413"), "{long}");
    assert_eq!(program.terminate(), 0);
}

#[test]
fn with_a_token_nothing_is_told_or_done_without_it() {
    let args = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--token", "secret"];
    let mut program = Program::start(&args);
    program.line("listening on ");
    let http = program.line("metrics on http://");
    let http = http.strip_suffix("/metrics").unwrap();
    for headers in ["", "Authorization: Bearer wrong\r\n", "Authorization: secret\r\n"] {
        for path in ["/metrics", "/stats", "/faults/0", "/sessions/0", "/nowhere"] {
            let answer = request(http, "GET", path, headers, "");
            assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
        }
    }
    let told = request(http, "GET", "/stats", "Authorization: Bearer secret\r\n", "");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
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

#[test]
fn a_recording_is_replayed_and_the_first_difference_ends_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plc.pcap");
    let file = file.to_str().unwrap();
    let mut program = Program::start(&["--listen", "127.0.0.1:0", "--record", file]);
    let mut client = connect(&program.line("listening on "));
    let mut setup = bytes::BytesMut::new();
    s7_wire::Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 }.encode_request(&mut setup, 1);
    client.write_all(&setup).unwrap();
    client.read_exact(&mut [0; 27]).unwrap();
    drop(client);
    assert_eq!(program.terminate(), 0);

    let mut same = Program::start(&["--listen", "127.0.0.1:0"]);
    let output = run(&["replay", file, "--to", &same.line("listening on "), "--values"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "no difference: conversations 1, answers 2\n");
    assert_eq!(output.status.code(), Some(0));

    let mut other = Program::start(&["--listen", "127.0.0.1:0", "--pdu", "240"]);
    let output = run(&["replay", file, "--to", &other.line("listening on "), "--values"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("answer 2: byte 6 of the parameter: recorded 01, found 00"), "{message}");

    let output = run(&["replay", "/does/not/exist.pcap", "--to", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_disk_that_is_full_is_said_once_and_does_not_end_the_plc() {
    let mut program =
        Program::start_with(&["--listen", "127.0.0.1:0", "--record", "/dev/full"], Stdio::piped());
    let address = program.line("listening on ");
    drop(connect(&address));
    drop(connect(&address));
    assert_eq!(program.terminate(), 0);
    let mut told = String::new();
    program.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(
        told.starts_with("s7-sim: /dev/full: the recording cannot be written and stops here: "),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
}

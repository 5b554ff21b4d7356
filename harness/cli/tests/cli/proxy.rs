//! `watertight proxy` as people use it: a file, a control API, Ctrl-C.

use std::io::{BufRead, BufReader, ErrorKind, Lines, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::bench::{Bench, ended};

pub const TESTS: &[(&str, fn())] = &[
    ("proxy::t10_proxies_and_faults_come_up_together", t10_proxies_and_faults_come_up_together),
    ("proxy::a_signal_is_heard_from_the_first_line_on", a_signal_is_heard_from_the_first_line_on),
    ("proxy::t1_control_answers_while_1000_connections_are_stalled", t1_control_answers_while_stalled),
    ("proxy::proxies_and_faults_come_and_go_while_it_runs", proxies_and_faults_come_and_go),
    ("proxy::what_is_wrong_with_a_request_is_a_problem_with_its_place", problems_have_places),
    ("proxy::what_is_wrong_with_a_file_is_told_line_by_line", what_is_wrong_with_a_file_is_told),
    ("proxy::control_beyond_loopback_needs_a_token", control_beyond_loopback_needs_a_token),
];

/// A bound for what must happen.
const DEADLINE: Duration = Duration::from_secs(20);

/// A server that sends everything back.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                std::io::copy(&mut &stream, &mut writer)
            });
        }
    });
    addr
}

struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    proxy: SocketAddr,
    control: SocketAddr,
}

impl Running {
    /// Starts it with one proxy called `plc` in front of an echo, and `rest` of the file.
    fn start(bench: &Bench, rest: &str, args: &[&str]) -> Self {
        let config = bench.path("rig.yaml");
        let proxies = format!("version: 1\nproxies:\n  plc: {{ listen: 0, upstream: '{}' }}\n", echo());
        std::fs::write(&config, proxies + rest).unwrap();
        let all =
            [&["proxy", "--control", "127.0.0.1:0", "--config", config.to_str().unwrap()], args].concat();
        let mut child = bench.watertight(&all).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut word = |after: &str| {
            let line =
                lines.by_ref().map_while(Result::ok).find(|line| line.contains(after)).expect("it starts");
            let rest = line.split(after).nth(1).unwrap();
            rest.split([' ', '/']).next().unwrap().parse().unwrap()
        };
        let (proxy, control) = (word("plc: "), word("http://"));
        assert!(lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("ready")));
        Self { child, lines, proxy, control }
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.proxy)?;
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Ok(stream)
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask_with(method, path, body, "host: localhost\r\n")
    }

    fn ask_with(&self, method: &str, path: &str, body: &str, headers: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.control).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        // A body that is too large is answered before it has been read.
        _ = stream.write_all((head + body).as_bytes());
        let mut answer = String::new();
        _ = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status >= 400 {
            assert!(head.contains("application/problem+json"), "{head}");
        }
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Ctrl-C: it must end in order.
    fn end(self) -> Vec<String> {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let ran = ended(self.child);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        assert!(TcpStream::connect(self.proxy).is_err() && TcpStream::connect(self.control).is_err());
        self.lines.map_while(Result::ok).collect()
    }
}

fn ping(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"!")?;
    stream.read_exact(&mut [0])
}

fn t10_proxies_and_faults_come_up_together() {
    let bench = Bench::new();
    let running = Running::start(&bench, "faults:\n  - refuse: { link: plc }\n", &[]);
    assert_eq!(running.connect().unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(running.ask("DELETE", "/v1/faults", ""), (200, json!({ "healed": 1 })));
    let mut stream = (0..).find_map(|_| running.connect().ok()).unwrap();
    ping(&mut stream).unwrap();
    running.end();
}

fn a_signal_is_heard_from_the_first_line_on() {
    let bench = Bench::new();
    let proxies = (0..256).map(|n| format!("  plc-{n:040}: {{ listen: 0, upstream: '127.0.0.1:9' }}\n"));
    let config = bench.path("rig.yaml");
    std::fs::write(&config, format!("version: 1\nproxies:\n{}", proxies.collect::<String>())).unwrap();
    // It has more to say than this holds, and is not ready before that is read.
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).unwrap();
    let child =
        bench.watertight(&["proxy", "--config", config.to_str().unwrap()]).stdout(writer).spawn().unwrap();
    let mut lines = BufReader::new(reader).lines();
    lines.next().unwrap().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(lines.last().unwrap().unwrap(), "ended after 0 connections");
    assert_eq!(ended(child).code, Some(0));
}

fn t1_control_answers_while_stalled() {
    let bench = Bench::new();
    let running = Running::start(&bench, "", &[]);
    assert_eq!(running.ask("POST", "/v1/faults", "stall: { link: plc }").0, 201);
    // This process holds one end of each, and the proxy two.
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let mut streams: Vec<TcpStream> = (0..1_000).map(|_| running.connect().unwrap()).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(&[7; 4_096]).unwrap());
    for _ in 0..20 {
        let (status, added) = running.ask("POST", "/v1/faults", "latency: { link: plc, delay: 1ms }");
        assert_eq!(status, 201);
        assert_eq!(running.ask("GET", "/v1/proxies/plc", "").1["faults_at_work"], 2);
        assert_eq!(running.ask("DELETE", &format!("/v1/faults/{}", added["id"]), "").0, 204);
    }
    running.ask("POST", "/v1/faults", "reset: { link: plc }");
    for stream in &mut streams {
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    running.end();
}

fn proxies_and_faults_come_and_go() {
    let bench = Bench::new();
    let running = Running::start(&bench, "faults:\n  - latency: { link: plc, delay: 1ms }\n", &[]);
    ping(&mut running.connect().unwrap()).unwrap();
    let spec =
        json!({ "listen": "127.0.0.1:0", "upstream": echo().to_string(), "buffer": "16KiB" }).to_string();
    let (status, added) = running.ask("PUT", "/v1/proxies/second", &spec);
    assert_eq!(status, 201, "{added}");
    assert_eq!(running.ask("PUT", "/v1/proxies/second", &spec).0, 409);
    let at: SocketAddr = added["listen"].as_str().unwrap().parse().unwrap();
    let mut stream = TcpStream::connect(at).unwrap();
    ping(&mut stream).unwrap();
    let (_, fault) = running.ask("POST", "/v1/faults", "close: { link: second }");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(running.ask("GET", "/v1/faults", "").1.as_array().unwrap().len(), 2);
    assert_eq!(running.ask("DELETE", "/v1/proxies/second", "").0, 204);
    assert!(TcpStream::connect(at).is_err());
    assert_eq!(running.ask("GET", &format!("/v1/faults/{}", fault["id"]), "").0, 404, "gone with its proxy");
    let (_, all) = running.ask("GET", "/v1/proxies", "");
    assert_eq!(
        (all[0]["name"].as_str(), all[0]["counters"]["connections_opened"].as_u64()),
        (Some("plc"), Some(1))
    );
    assert_eq!(running.end(), ["ended after 1 connections"]);
}

fn problems_have_places() {
    let bench = Bench::new();
    let running = Running::start(&bench, "", &[]);
    let ask = |method, path, body: &str| {
        let (status, answer) = running.ask(method, path, body);
        assert_eq!(answer["status"], status);
        (status, answer["detail"].as_str().unwrap_or_default().to_owned())
    };
    let (status, detail) = ask("POST", "/v1/faults", "latncy: { link: plc, delay: 1 }");
    assert!(
        status == 422 && detail.contains("<body>:1:1") && detail.contains("did you mean `latency`"),
        "{detail}"
    );
    let (status, detail) = ask("POST", "/v1/faults", "stall: { link: pcl }");
    assert!(status == 422 && detail.contains("no proxy `pcl`; there is: plc"), "{detail}");
    let (status, detail) = ask("POST", "/v1/faults", "kill: {}");
    assert!(status == 422 && detail.contains("fault of a process"), "{detail}");
    let (status, detail) = ask("POST", "/v1/faults", "latency: { link: plc, delay: 99999999years }");
    assert!(status == 422, "{detail}");
    assert_eq!(ask("PUT", "/v1/proxies/a%2Fb", "{ listen: 0, upstream: 127.0.0.1:1 }").0, 422);
    assert_eq!(
        ask("PUT", "/v1/proxies/b", &format!("listen: '{}'\nupstream: 127.0.0.1:1", running.proxy)).0,
        409
    );
    assert_eq!(ask("DELETE", "/v1/faults/99", "").0, 404);
    assert_eq!(ask("GET", "/v1/elsewhere", "").0, 404);
    assert_eq!(ask("PATCH", "/v1/faults", "").0, 405);
    assert_eq!(ask("POST", "/v1/faults", &"x".repeat(100_000)).0, 413);
    let page = "host: localhost\r\norigin: https://elsewhere.example\r\n";
    assert_eq!(running.ask_with("GET", "/v1/faults", "", page).0, 403);
    running.end();
}

fn what_is_wrong_with_a_file_is_told() {
    let bench = Bench::new();
    let config = bench.path("rig.yaml");
    let text = "version: 1\nproxies:\n  plc: { listen: here, upstrem: 127.0.0.1:102 }\nfaults:\n  - stall: { link: plc, for: 5 }\n";
    std::fs::write(&config, text).unwrap();
    let ran = bench.run(&["proxy", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2));
    for expected in ["`here`", "`upstream`", "`5`", "rig.yaml:3:", "rig.yaml:5:"] {
        assert!(ran.stderr.contains(expected), "{expected} in:\n{}", ran.stderr);
    }
}

fn control_beyond_loopback_needs_a_token() {
    let bench = Bench::new();
    let config = bench.path("rig.yaml");
    std::fs::write(&config, "version: 1\n").unwrap();
    let ran = bench.run(&["proxy", "--config", config.to_str().unwrap(), "--control", "0.0.0.0:0"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("give --token-file"), "{}", ran.stderr);
    let token = bench.path("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    let running = Running::start(&bench, "", &["--token-file", token.to_str().unwrap()]);
    assert_eq!(running.ask("GET", "/v1/faults", "").0, 401);
    let shown = "host: elsewhere.example\r\nauthorization: Bearer 0123456789abcdef\r\n";
    assert_eq!(running.ask_with("GET", "/v1/faults", "", shown), (200, json!([])));
    running.end();
}

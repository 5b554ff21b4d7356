//! The program: its command line, what it prints, its exit codes. Over real TCP, as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const GATEWAY: &str = env!("CARGO_BIN_EXE_s7-gateway");

/// A configuration with a station that nobody answers for, listening at `listen`.
fn config_file(folder: &tempfile::TempDir, listen: &str) -> std::path::PathBuf {
    let path = folder.path().join("gateway.yaml");
    let text = format!(
        "stations: [{{ name: press, address: \"127.0.0.1:1\", tags: [{{ name: t, db: 1, offset: 0, type: word }}] }}]\n\
         http: {{ listen: \"{listen}\" }}\n"
    );
    std::fs::write(&path, text).expect("a temporary file");
    path
}

#[test]
fn the_program_serves_until_it_is_told_to_stop_and_then_ends_clean() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&folder, "127.0.0.1:0");
    let mut child = Command::new(GATEWAY)
        .arg("--config")
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines =
        BufReader::new(child.stdout.take().expect("piped")).lines().map(|line| line.expect("UTF-8"));
    let http = lines.next().expect("a first line");
    let address = http.strip_prefix("http on http://").expect("the address").to_owned();
    assert_eq!(lines.next().as_deref(), Some("ready"));
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.contains(r#"{"status":"degraded""#), "{answer}");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    assert_eq!(lines.next().as_deref(), Some("stopping"));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_port_in_use_is_said_and_ends_in_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = taken.local_addr().expect("an address").to_string();
    let config = config_file(&folder, &at);
    let output = Command::new(GATEWAY).arg("--config").arg(config).output().expect("the program starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains(&format!("http: cannot listen on {at}")), "{message}");
}

#[test]
fn check_config_says_what_it_read_and_a_mistake_ends_in_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = config_file(&folder, "127.0.0.1:0");
    let check = |path: &std::path::Path| {
        Command::new(GATEWAY).arg("check-config").arg(path).output().expect("the program starts")
    };
    let sound = check(&config);
    assert_eq!(String::from_utf8_lossy(&sound.stdout), format!("{}: 1 stations, 1 tags\n", config.display()));
    assert_eq!((sound.status.code(), sound.stderr.as_slice()), (Some(0), &b""[..]));
    let open = check(&config_file(&folder, "0.0.0.0:0"));
    let warning = String::from_utf8_lossy(&open.stderr);
    assert!(warning.starts_with("s7-gateway: warning: http: /debug is refused"), "{warning}");
    assert_eq!(open.status.code(), Some(0));
    std::fs::write(&config, "stations: []\n").expect("a temporary file");
    assert_eq!(check(&config).status.code(), Some(2));
    assert_eq!(check(&folder.path().join("none.yaml")).status.code(), Some(2));
    assert_eq!(Command::new(GATEWAY).output().expect("the program starts").status.code(), Some(2));
}

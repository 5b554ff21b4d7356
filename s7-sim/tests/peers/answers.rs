//! Each row of `testdata/answers.json`, over a raw socket. The same file is what `interop/answers.py` asks other servers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

use super::program::{Sim, root};

const ROWS: &str = "s7-sim/testdata/answers.json";

/// CR from PG to rack 0, slot 1.
const CONNECT: &str = "0300001611e00000000100c0010ac1020100c2020101";
const CONFIRM_BYTES: usize = 22;
/// Setup: AmQ 1, PDU 480.
const SETUP: &str = "0300001902f08032010000000000080000f0000001000101e0";
const SETUP_ANSWER_BYTES: usize = 27;

/// Longer than every timeout of the simulator in these rows.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that is usually answered wrong.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What is asked, in words.
    request: String,
    /// What is right, in words; for the table.
    #[serde(rename = "right")]
    _right: String,
    #[serde(default)]
    after: Stage,
    /// What the PLC must be for it.
    config: Option<serde_json::Value>,
    /// An S7 PDU to send in one packet; or ...
    pdu: Option<String>,
    /// ... bytes to send as they are.
    raw: Option<String>,
    /// The PDU of the right answer, `..` for any byte; or `closed`.
    answer: String,
}

/// How far the connection is before the request.
#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Nothing,
    Connect,
    #[default]
    Ready,
}

/// One test a row.
pub fn trials() -> Vec<Trial> {
    let text = std::fs::read_to_string(root().join(ROWS)).expect("the rows lie in testdata");
    let rows: Vec<Row> = serde_json::from_str(&text).expect("the rows are rows");
    let trial = |row: Row| {
        Trial::test(format!("answers::{}", row.request.replace(' ', "_")), move || {
            check(&row).map_err(Failed::from)
        })
    };
    rows.into_iter().map(trial).collect()
}

fn check(row: &Row) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let file = folder.path().join("plc.json");
    let config = row.config.clone().unwrap_or_else(|| serde_json::json!({}));
    std::fs::write(&file, config.to_string()).map_err(|error| error.to_string())?;
    let sim = Sim::start(&["--config", &file.to_string_lossy()])?;
    let found = converse(row, sim.port).map_err(|error| format!("{}: {error}", row.request))?;
    let expected = row.answer.replace(' ', "");
    if matches(&expected, &found) { Ok(()) } else { Err(format!("expected {expected}, found {found}")) }
}

/// What the PLC answers: a PDU in hex, or `closed`.
fn converse(row: &Row, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    if row.after != Stage::Nothing {
        stream.write_all(&unhex(CONNECT))?;
        stream.read_exact(&mut [0; CONFIRM_BYTES])?;
    }
    if row.after == Stage::Ready {
        stream.write_all(&unhex(SETUP))?;
        stream.read_exact(&mut [0; SETUP_ANSWER_BYTES])?;
    }
    let request = match (&row.pdu, &row.raw) {
        (Some(pdu), _) => packet(&unhex(pdu)),
        (None, raw) => unhex(raw.as_deref().unwrap_or_default()),
    };
    stream.write_all(&request)?;
    let mut head = [0; 4];
    match stream.read_exact(&mut head) {
        Ok(()) => {
            let mut rest = vec![0; usize::from(u16::from_be_bytes([head[2], head[3]])) - head.len()];
            stream.read_exact(&mut rest)?;
            Ok(rest[3..].iter().map(|byte| format!("{byte:02x}")).collect())
        }
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            Err(std::io::Error::other("it stays silent and open"))
        }
        Err(_) => Ok("closed".to_owned()),
    }
}

/// The PDU in one DT of one TPKT packet.
fn packet(pdu: &[u8]) -> Vec<u8> {
    let [hi, lo] = ((pdu.len() + 7) as u16).to_be_bytes();
    [&[3, 0, hi, lo, 2, 0xf0, 0x80], pdu].concat()
}

fn unhex(hex: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    hex.as_bytes().chunks(2).map(|pair| byte(pair).expect("the rows are written in hex")).collect()
}

fn matches(expected: &str, found: &str) -> bool {
    expected.len() == found.len()
        && expected.bytes().zip(found.bytes()).all(|(one, other)| one == b'.' || one == other)
}

//! Every wrong behaviour of the simulator against the client: right data or a typed error, never wrong data, never a hang. The table in
//! `ROBUSTNESS.md` is what this test measures; it fails when the file says something else.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use gateway_under_test::client::{Client, ClientError, Reply};
use s7_sim::{Faults, Plc, PlcConfig};
use s7_wire::{Item, WriteItem};
use tokio::io::{DuplexStream, duplex};
use tokio::time::timeout;

use super::peer::{byte_at, bytes_of, config, connect};
use crate::world::LINK_BYTES;

/// Reads that a client wants; each reads other bytes.
const READS: u32 = 24;
/// The job that is answered wrong: setup is 1, so it is the fifth read.
const STRUCK: u32 = 6;
/// Longer than all patience of client and PLC together; on a paused clock it costs nothing.
const HANG: Duration = Duration::from_secs(24 * 60 * 60);
/// Connections that a client may need for its reads.
const CONNECTIONS_MAX: usize = 4;

/// What is done to the answer, as the simulator's README writes it.
const BEHAVIOURS: [&str; 24] = [
    r#"{"delay": {"by": "20ms"}}"#,
    r#"{"delay": {"by": "300ms"}}"#,
    r#"{"late": {"by": "50ms"}}"#,
    r#"{"late": {"by": "300ms"}}"#,
    r#""swap""#,
    r#"{"duplicate": {}}"#,
    r#"{"duplicate": {"after": "50ms"}}"#,
    r#""silence""#,
    r#""stop_mid_frame""#,
    r#""half_open""#,
    r#"{"wrong_reference": 1}"#,
    r#"{"wrong_reference": 1000}"#,
    r#"{"wrong_function": 5}"#,
    r#"{"wrong_item_count": 7}"#,
    r#"{"short_answer": {"bytes": 2, "lengths": "consistent"}}"#,
    r#"{"short_answer": {"bytes": 2, "lengths": "item_lies"}}"#,
    r#"{"short_answer": {"bytes": 2, "lengths": "header_lies"}}"#,
    r#"{"short_answer": {"bytes": 2, "lengths": "packet_lies"}}"#,
    r#"{"corrupt": {"bytes": 255, "from": 7}}"#,
    r#"{"fragment": {"bytes": 3}}"#,
    r#"{"byte_by_byte": {"every": "1ms"}}"#,
    r#"{"close": {"answered": false}}"#,
    r#"{"reset": {"answered": false}}"#,
    r#"{"reset": {"answered": true}}"#,
];

/// What became of all reads.
#[derive(Default)]
struct Tally {
    right: u32,
    wrong: u32,
    /// Words of the errors, each with how often.
    errors: BTreeMap<&'static str, u32>,
    connections: usize,
}

impl Tally {
    fn of(&mut self, item: &Item, data: Option<Bytes>) {
        match data {
            Some(data) if data[..] == bytes_of(item)[..] => self.right += 1,
            _ => self.wrong += 1,
        }
    }

    fn error(&mut self, error: &ClientError) {
        *self.errors.entry(error.word()).or_default() += 1;
    }

    fn text(&self) -> String {
        let errors = self.errors.iter().map(|(word, count)| format!("{count} × {word}"));
        let errors = errors.collect::<Vec<_>>().join(", ");
        let said = if errors.is_empty() { "nothing to say".to_owned() } else { errors };
        format!("{said}; {} right, {} connections", self.right, self.connections)
    }
}

fn item(number: u32) -> Item {
    Item::db_bytes(2, number * 8, 4)
}

/// A PLC whose second connection answers one job wrong, its memory filled over the first.
async fn plc(behaviour: &str) -> Plc {
    let rule =
        format!(r#"{{"rules": [{{"when": {{"connection": 2, "request": {STRUCK}}}, "do": {behaviour}}}]}}"#);
    let faults: Faults = serde_json::from_str(&rule).expect("a rule");
    let plc = Plc::new(PlcConfig { faults, ..PlcConfig::default() }).expect("a sound configuration");
    let bytes: Vec<u8> = (0..1024).map(|byte| byte_at(2, byte)).collect();
    let mut client = dial(&plc).await;
    let written = client.write(&[WriteItem::new(Item::db_bytes(2, 0, 1024), &bytes)]).await;
    assert!(written.is_ok_and(|results| results[0].is_ok()));
    plc
}

async fn dial(plc: &Plc) -> Client<DuplexStream> {
    let (ours, theirs) = duplex(LINK_BYTES);
    let serving = plc.clone();
    tokio::spawn(async move { drop(serving.serve(theirs).await) });
    connect(ours, config()).await.expect("the handshake is answered rightly")
}

/// One read after the other, each asked once; a connection that is over is followed by the next.
async fn sequentially(plc: &Plc) -> Tally {
    let mut tally = Tally { connections: 1, ..Tally::default() };
    let mut client = dial(plc).await;
    for number in 0..READS {
        match client.read_one(&item(number)).await {
            Ok(data) => tally.of(&item(number), Some(data)),
            Err(error) => tally.error(&error),
        }
        if client.is_over() {
            client = dial(plc).await;
            tally.connections += 1;
        }
    }
    tally
}

/// As many reads under way as are granted; those that die with a connection are asked again on the next.
async fn pipelined(plc: &Plc) -> Tally {
    let mut tally = Tally::default();
    let mut open: Vec<u32> = (0..READS).collect();
    while !open.is_empty() && tally.connections < CONNECTIONS_MAX {
        tally.connections += 1;
        let mut client = dial(plc).await;
        let mut unasked = open.clone().into_iter().peekable();
        while !open.is_empty() {
            while client.has_room()
                && let Some(number) = unasked.next()
            {
                client.ask_read(number as usize, &[item(number)]).expect("there is room");
            }
            match client.next().await {
                Ok(settled) => {
                    let number = settled.tag as u32;
                    open.retain(|other| *other != number);
                    match settled.reply {
                        Ok(Reply::Read(answer)) => {
                            let data = answer
                                .items
                                .iter()
                                .next()
                                .and_then(|data| data.for_item(&item(number)).ok().cloned());
                            tally.of(&item(number), data);
                        }
                        Ok(_) => tally.wrong += 1,
                        Err(error) => tally.error(&error),
                    }
                }
                Err(error) => {
                    tally.error(&error);
                    break;
                }
            }
        }
    }
    assert!(open.is_empty(), "{} reads were never settled", open.len());
    tally
}

#[tokio::test(start_paused = true)]
async fn every_wrong_behaviour_earns_right_data_or_a_typed_error_and_the_table_says_which() {
    let mut table = String::from(HEAD);
    for behaviour in BEHAVIOURS {
        let hangs = |_| panic!("{behaviour}: the client hangs");
        let alone =
            timeout(HANG, async { sequentially(&plc(behaviour).await).await }).await.unwrap_or_else(hangs);
        let piped =
            timeout(HANG, async { pipelined(&plc(behaviour).await).await }).await.unwrap_or_else(hangs);
        assert_eq!((alone.wrong, piped.wrong), (0, 0), "{behaviour}: wrong data was handed out");
        assert!(
            alone.connections <= 2 && piped.connections <= 2,
            "{behaviour}: one wrong answer, one new connection"
        );
        writeln!(table, "| `{behaviour}` | {} | {} |", alone.text(), piped.text())
            .expect("a string takes all");
    }
    is_current(&table);
}

const HEAD: &str = "# What the client makes of a PLC that does wrong

Made and checked by `cargo test -p gateway-under-test robustness`. The client wants 24 reads, each of other bytes; the simulator does to
the answer of the fifth what the first column says (its README tells what that is). Patience for an answer is 100 ms, late answers are
quarantined. No row has wrong data, and none hangs. With eight under way, reads that die with a connection are asked again.

S7 has no checksum: a payload that changes under way in its length is told, one that changes in its bits alone is TCP's to tell.

| what becomes of the answer | one after the other | eight under way |
| --- | --- | --- |
";

/// Compares with the file; `WATERTIGHT_WRITE_TABLES` set, it writes it anew.
fn is_current(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ROBUSTNESS.md");
    if std::env::var_os("WATERTIGHT_WRITE_TABLES").is_some() {
        std::fs::write(&file, table).expect("the table can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, table, "WATERTIGHT_WRITE_TABLES=1 writes ROBUSTNESS.md anew");
}

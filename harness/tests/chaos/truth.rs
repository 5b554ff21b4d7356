//! One truth table over both carriers: toxic × {existing, new} × {idle, active} × {client, server} → the exact error, or so
//! many bytes. Every row is played in memory and over loopback, and must come to the same.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::net::{DEADLINE, Net, SILENCE, Stream, ping};

/// What an end's next read comes to.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Sees {
    /// So many bytes at once.
    Bytes(usize),
    /// The read ends.
    End,
    /// The read waits.
    Silence,
    /// The read fails.
    Error(ErrorKind),
}

/// What the two ends see: client, server.
type Both = (Sees, Sees);

/// What becomes of a connect while the fault lasts.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum New {
    /// It is refused.
    Refused,
    /// It hears nothing.
    Hangs,
    /// It succeeds, and the server does not hear of it; the client sees nothing.
    Unserved,
    /// Both ends are there, and each has spoken.
    Met(Sees, Sees),
}

use New::{Hangs, Met, Refused, Unserved};
use Sees::{Bytes, End, Silence};
const RST: Sees = Sees::Error(ErrorKind::ConnectionReset);

/// What an end says, where it says something.
const HELLO: &[u8] = b"hi";
/// It arrives.
const HI: Sees = Bytes(2);
/// Half of it arrives.
const H: Sees = Bytes(1);

struct Row {
    toxic: &'static str,
    /// Both ends were parked in a read when the fault began, and nobody has spoken since.
    idle: Both,
    /// Bytes had passed both ways, and both ends have spoken since.
    active: Both,
    /// What comes next, without a further word.
    next: Both,
    /// What comes when the fault heals.
    healed: Both,
    new: New,
}

const fn row(toxic: &'static str, [idle, active, next, healed]: [Both; 4], new: New) -> Row {
    Row { toxic, idle, active, next, healed, new }
}

const NOTHING: Both = (Silence, Silence);
const ALL: Both = (HI, HI);

/// Toxic; an existing connection: idle, active, next, healed; a new one.
#[rustfmt::skip]
const TABLE: &[Row] = &[
    row("latency: { link: plc, delay: 1ms }", [NOTHING, ALL, NOTHING, NOTHING], Met(HI, HI)),
    row("latency: { link: plc, delay: 1h }", [NOTHING, NOTHING, NOTHING, ALL], Met(Silence, Silence)),
    row("latency: { link: plc, delay: 1h, dir: up }", [NOTHING, (HI, Silence), NOTHING, (Silence, HI)], Met(HI, Silence)),
    row("latency: { link: plc, delay: 1h, on_heal: drop }", [NOTHING, NOTHING, NOTHING, NOTHING], Met(Silence, Silence)),
    row("latency: { link: plc, delay: 1h, on_heal: reset }", [NOTHING, NOTHING, NOTHING, (RST, RST)], Met(Silence, Silence)),
    row("retransmit: { link: plc, loss: 100%, rto: 1ms }", [NOTHING, ALL, NOTHING, NOTHING], Met(HI, HI)),
    row("retransmit: { link: plc, loss: 100%, rto: 1h }", [NOTHING, NOTHING, NOTHING, ALL], Met(Silence, Silence)),
    row("bandwidth: { link: plc, rate: 1MiB/s }", [NOTHING, ALL, NOTHING, NOTHING], Met(HI, HI)),
    row("slice: { link: plc, bytes: 1B, delay: 1h }", [NOTHING, (H, H), NOTHING, (H, H)], Met(H, H)),
    row("coalesce: { link: plc, within: 1h }", [NOTHING, NOTHING, NOTHING, ALL], Met(Silence, Silence)),
    row("coalesce: { link: plc, within: 1h, bytes: 2B }", [NOTHING, ALL, NOTHING, NOTHING], Met(HI, HI)),
    row("stall: { link: plc }", [NOTHING, NOTHING, NOTHING, ALL], Met(Silence, Silence)),
    row("slow_read: { link: plc, rate: 0 }", [NOTHING, (Silence, HI), NOTHING, (HI, Silence)], Met(Silence, HI)),
    row("mute: { link: plc }", [NOTHING, (Silence, HI), NOTHING, (HI, Silence)], Met(Silence, HI)),
    row("mute: { link: plc, after_bytes: 1B }", [NOTHING, (H, HI), NOTHING, (H, Silence)], Met(H, HI)),
    row("mute: { link: plc, dir: up, on_heal: drop }", [NOTHING, (HI, Silence), NOTHING, NOTHING], Met(HI, Silence)),
    row("blackhole: { link: plc }", [NOTHING, NOTHING, NOTHING, ALL], Hangs),
    row("blackhole: { link: plc, on_heal: drop }", [NOTHING, NOTHING, NOTHING, NOTHING], Hangs),
    row("blackhole: { link: plc, on_heal: reset }", [NOTHING, NOTHING, NOTHING, (RST, RST)], Hangs),
    row("half_open: { link: plc }", [(Silence, RST), (Silence, RST), (Silence, End), (Silence, End)], Hangs),
    row("half_open: { link: plc, gone: target }", [(RST, Silence), (RST, Silence), (End, Silence), (End, Silence)], Hangs),
    row("half_open: { link: plc, gone: nobody }", [NOTHING, NOTHING, NOTHING, NOTHING], Hangs),
    row("half_open: { link: plc, gone: nobody, on_heal: reset }", [NOTHING, NOTHING, NOTHING, (RST, RST)], Hangs),
    row("refuse: { link: plc }", [NOTHING, ALL, NOTHING, NOTHING], Refused),
    row("accept_hang: { link: plc }", [NOTHING, ALL, NOTHING, NOTHING], Unserved),
    row("accept_delay: { link: plc, delay: 1ms }", [NOTHING, ALL, NOTHING, NOTHING], Met(HI, HI)),
    row("accept_delay: { link: plc, delay: 1h }", [NOTHING, ALL, NOTHING, NOTHING], Unserved),
    row("reset: { link: plc }", [(RST, RST), (RST, RST), (End, End), (End, End)], Met(RST, RST)),
    row("reset: { link: plc, after: 1ms }", [(RST, RST), (RST, RST), (End, End), (End, End)], Met(RST, RST)),
    row("reset: { link: plc, on_idle: 1ms }", [(RST, RST), (RST, RST), (End, End), (End, End)], Met(RST, RST)),
    row("reset: { link: plc, dir: down, after_bytes: 1B }", [NOTHING, (H, HI), (RST, RST), (End, End)], Met(H, HI)),
    row("close: { link: plc }", [(End, End), (End, End), (End, End), (End, End)], Met(End, End)),
    row("close: { link: plc, dir: down }", [(End, Silence), (End, HI), (End, Silence), (End, Silence)], Met(End, HI)),
    row("half_close: { link: plc }", [(End, Silence), (End, HI), (End, Silence), (End, Silence)], Met(End, HI)),
    row("half_close: { link: plc, dir: up }", [(Silence, End), (HI, End), (Silence, End), (Silence, End)], Met(HI, End)),
    row("half_close: { link: plc, after_bytes: 1B }", [NOTHING, (H, HI), (End, Silence), (End, Silence)], Met(H, HI)),
    row("limit: { link: plc, time: 1ms }", [(End, End), (End, End), (End, End), (End, End)], Met(End, End)),
    row("limit: { link: plc, dir: down, bytes: 1B }", [NOTHING, (H, HI), (End, End), (End, End)], Met(H, HI)),
    row("flap: { link: plc, up: 1s, down: 1s, mode: refuse }", [NOTHING, ALL, NOTHING, NOTHING], Refused),
    row("flap: { link: plc, up: 1s, down: 1s, mode: reset }", [(RST, RST), (RST, RST), (End, End), (End, End)], Refused),
    row("flap: { link: plc, up: 1s, down: 1s, mode: close }", [(End, End), (End, End), (End, End), (End, End)], Refused),
    row("flap: { link: plc, up: 1s, down: 1s, mode: blackhole }", [NOTHING, NOTHING, NOTHING, ALL], Hangs),
    row("flap: { link: plc, up: 1s, down: 1s, mode: accept_hang }", [NOTHING, NOTHING, NOTHING, ALL], Unserved),
    row("storm: { link: plc, conns: 5 }", [NOTHING, ALL, NOTHING, NOTHING], Met(HI, HI)),
];

async fn look(stream: &mut Stream, expected: Sees) -> Sees {
    let mut bytes = [0; 16];
    let patience = if expected == Silence { SILENCE } else { DEADLINE };
    match timeout(patience, stream.read(&mut bytes)).await {
        Err(_) => Silence,
        Ok(Ok(0)) => End,
        Ok(Ok(count)) => Bytes(count),
        Ok(Err(error)) => Sees::Error(error.kind()),
    }
}

async fn look_at_both(ends: &mut (Stream, Stream), expected: Both) -> Both {
    tokio::join!(look(&mut ends.0, expected.0), look(&mut ends.1, expected.1))
}

/// Each end speaks, the client first. A write that fails is what its end sees.
async fn speak(ends: &mut (Stream, Stream), expected: Both) -> Both {
    let (client, server) = ends;
    let client_said = client.write(HELLO).await;
    let server_sees = look(server, expected.1).await;
    // What the server meets here it has either seen already, or it is its own end that has gone.
    _ = server.write(HELLO).await;
    match client_said {
        Ok(_) => (look(client, expected.0).await, server_sees),
        Err(error) => (Sees::Error(error.kind()), server_sees),
    }
}

async fn idle(net: &Net, row: &Row) {
    let mut ends = net.pair().await;
    let begin = async {
        tokio::task::yield_now().await;
        net.begin(row.toxic)
    };
    let (seen, id) = tokio::join!(look_at_both(&mut ends, row.idle), begin);
    assert_eq!(seen, row.idle, "{}: idle", row.toxic);
    net.link().heal(id);
}

async fn active(net: &Net, row: &Row) {
    let mut ends = net.pair().await;
    ping(&mut ends.0, &mut ends.1).await;
    ping(&mut ends.1, &mut ends.0).await;
    let id = net.begin(row.toxic);
    if matches!(row.active, (RST | End, RST | End)) {
        // What cuts both ends is to be seen by who just looks: over TCP a word may still cross it on its way.
        assert_eq!(look_at_both(&mut ends, row.active).await, row.active, "{}: active", row.toxic);
    } else {
        assert_eq!(speak(&mut ends, row.active).await, row.active, "{}: active", row.toxic);
    }
    assert_eq!(look_at_both(&mut ends, row.next).await, row.next, "{}: next", row.toxic);
    net.link().heal(id);
    assert_eq!(look_at_both(&mut ends, row.healed).await, row.healed, "{}: healed", row.toxic);
}

async fn new(net: &Net, row: &Row) {
    let id = net.begin(row.toxic);
    // The door closes in the proxy's own time; until then connects are accepted, and come to nothing.
    let come_to = async {
        loop {
            match connect(net, row.new).await {
                Met(..) if matches!(row.new, Refused | Hangs) => tokio::time::sleep(SILENCE / 50).await,
                met => return met,
            }
        }
    };
    let met = timeout(DEADLINE, come_to).await.unwrap_or(Met(Silence, Silence));
    assert_eq!(met, row.new, "{}: new", row.toxic);
    net.link().heal(id);
}

async fn connect(net: &Net, expected: New) -> New {
    match timeout(SILENCE * 4, net.connect()).await {
        Err(_) => Hangs,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => Refused,
        Ok(_) if matches!(expected, Refused | Hangs) => Met(Silence, Silence),
        Ok(Err(error)) => panic!("{error}"),
        Ok(Ok(client)) => met(net, client, expected).await,
    }
}

async fn met(net: &Net, mut client: Stream, expected: New) -> New {
    let patience = if expected == Unserved { SILENCE } else { DEADLINE };
    let Ok(server) = timeout(patience, net.accept()).await else {
        assert_eq!(look(&mut client, Silence).await, Silence);
        return Unserved;
    };
    let Met(client_expects, server_expects) = expected else { return Met(Silence, Silence) };
    let (mut ends, expected) = ((client, server), (client_expects, server_expects));
    let (client, server) = match expected {
        (RST | End, RST | End) => look_at_both(&mut ends, expected).await,
        _ => speak(&mut ends, expected).await,
    };
    Met(client, server)
}

#[tokio::test(start_paused = true)]
async fn in_sim_both_ends_see_what_the_table_says() {
    for row in TABLE {
        idle(&Net::sim(), row).await;
        active(&Net::sim(), row).await;
        new(&Net::sim(), row).await;
    }
}

#[tokio::test]
async fn over_tcp_both_ends_see_what_the_table_says() {
    // All at once, each row on a proxy of its own: most of their time they listen to silence.
    let rows = TABLE.iter().map(async |row| {
        for play in 0..3 {
            let net = Net::tcp().await;
            match play {
                0 => idle(&net, row).await,
                1 => active(&net, row).await,
                _ => new(&net, row).await,
            }
            net.end().await;
        }
    });
    futures_util::future::join_all(rows).await;
}

#[test]
fn every_toxic_of_a_link_has_a_row() {
    let schema = serde_json::to_string(&schemars::schema_for!(watertight::chaos::Fault)).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let kinds = schema["oneOf"].as_array().unwrap().iter().map(|kind| kind["required"][0].as_str().unwrap());
    for kind in kinds.filter(|kind| !["kill", "pause", "reload", "partition"].contains(kind)) {
        let rows = TABLE.iter().filter(|row| row.toxic.split(':').next() == Some(kind));
        assert!(rows.count() > 0, "no row for {kind}");
    }
}

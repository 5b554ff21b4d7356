//! Live heap at rest, exact to the byte: each test is a process of its own, with one thread and a paused clock.

#![expect(clippy::disallowed_methods, reason = "the peers in a test are no tasks of the gateway")]

#[path = "it/alone.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod alone;
#[path = "it/broker.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod broker;
#[path = "it/redis/server.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod server;
#[path = "it/world.rs"]
#[allow(dead_code, reason = "these tests need a part of it")]
mod world;

use std::time::Duration;

use bytes::BytesMut;
use futures_util::{SinkExt as _, StreamExt as _};
use gateway_under_test::Gateway;
use gateway_under_test::client::{Client, ClientConfig};
use gateway_under_test::config::{Config, MqttConfig, MqttVersion, Secret, TagConfig, TagType};
use s7_wire::{ConnectionType, DataTransport, Decoder, Item, Message, ReadAnswerWriter, Setup};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite;
use tungstenite::client::IntoClientRequest as _;
use watertight_probe::heap::{self, Live};

use crate::alone::alone;
use crate::world::{World, ask, config, gauge, start, station, until, until_online};

#[global_allocator]
static ALLOC: watertight_probe::Alloc = watertight_probe::Alloc::new();

const WARM_UP: usize = 20;
const CYCLE: Duration = Duration::from_secs(20);
/// The end of each cycle, over which the floor is taken.
const WATCH: Duration = Duration::from_secs(2);

/// Three stations with large images; one of them is dead.
fn configuration() -> Config {
    let with_tags = |name| {
        let mut station = station(name);
        station.tags =
            (0..100_u32).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag * 4, TagType::Dint)).collect();
        station
    };
    let mut config = config(vec![with_tags("press"), with_tags("oven")]);
    config.http.events.queue = 8;
    config.http.write_timeout = Duration::from_secs(24 * 60 * 60);
    config
}

/// Plays cycles in which every PLC connection is cut; `rest` sees the gateway at the end of each.
fn play(config: Config, cycles: usize, rest: impl FnMut(usize, Live)) {
    play_visited(config, cycles, async |_world| {}, rest);
}

/// Plays cycles in which also someone visits, once every station is online again.
fn play_visited(
    config: Config,
    cycles: usize,
    visit: impl AsyncFn(&World),
    mut rest: impl FnMut(usize, Live),
) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true);
    watertight_probe::tasks::install(&mut runtime);
    runtime.build().expect("a current-thread runtime").block_on(async {
        let world = World::new();
        let _plcs = [world.plc("press:102"), world.plc("oven:102")];
        world.peer(server::AT, take_and_forget);
        let redis = u64::from(config.redis.is_some());
        let gateway = start(&world, config).await;
        let mut reads = world.browse();
        ask(&mut reads, "/events", "").await;
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while reads.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        });
        let mut never_reads = world.browse();
        ask(&mut never_reads, "/events", "").await;
        let mut end = Instant::now();
        for cycle in 0..cycles {
            end += CYCLE;
            sleep(Duration::from_secs(1)).await;
            world.cut();
            sleep(Duration::from_millis(500)).await;
            drop(world.get("/values").await);
            until_online(&gateway).await;
            visit(&world).await;
            until("redis", || gauge(&gateway, "redis_connected") == redis).await;
            sleep_until(end - WATCH).await;
            rest(cycle, floor(&gateway, end).await);
        }
        drop(gateway);
    });
}

/// A Redis that takes what is published, and sends one command at each connect.
async fn take_and_forget(stream: DuplexStream) {
    let mut client = server::Client::greeted(stream).await;
    client.say(&server::pushed(r#"{"id":"a","station":"press","tag":"t0","value":1}"#)).await;
    while let Some(command) = client.next().await {
        client.say(if command[0] == "PING" { "+PONG\r\n" } else { ":1\r\n" }).await;
    }
}

/// The smallest live heap until `end`.
async fn floor(gateway: &Gateway, end: Instant) -> Live {
    let mut floor = Live { bytes: u64::MAX, blocks: u64::MAX };
    while Instant::now() < end {
        assert_eq!(gauge(gateway, "sessions"), 2);
        let live = heap::live().expect("the probe's allocator counts");
        floor = Live { bytes: floor.bytes.min(live.bytes), blocks: floor.blocks.min(live.blocks) };
        sleep(Duration::from_millis(50)).await;
    }
    floor
}

#[test]
fn a_flapping_network_leaves_not_one_byte() {
    alone("a_flapping_network_leaves_not_one_byte", || {
        let mut floors = Vec::with_capacity(WARM_UP + 200);
        play(configuration(), WARM_UP + 200, |_, floor| floors.push(floor));
        let counted = &floors[WARM_UP..];
        assert!(counted.iter().all(|floor| floor == &counted[0]), "{floors:?}");
    });
}

/// Writes over HTTP, one refused and one given up; then listens and writes over a WebSocket, and goes without a word.
async fn write_and_go(world: &World) {
    const TOKEN: &str = "Authorization: Bearer open-sesame\r\n";
    for (tag, status) in [("t7", "200"), ("none", "404")] {
        let answer = world.send(&format!("PUT /values/press/{tag}"), TOKEN, r#"{"value":1}"#).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    let mut gone = world.browse();
    world::send(&mut gone, "PUT /values/press/t8", TOKEN, r#"{"value":1}"#).await;
    drop(gone);
    let mut request = "ws://gateway/ws".into_client_request().expect("a request");
    request.headers_mut().insert("authorization", "Bearer open-sesame".parse().expect("a header"));
    let (mut socket, _answer) = client_async(request, world.browse()).await.expect("101");
    for id in 0..5 {
        let command = format!(r#"{{"id":{id},"station":"press","tag":"t9","value":{id}}}"#);
        socket.send(tungstenite::Message::text(command)).await.expect("the gateway reads");
    }
    for _ in 0..5 {
        socket.next().await.expect("it goes on").expect("an event or an answer");
    }
}

#[test]
fn writers_and_websockets_that_come_and_go_leave_not_one_byte() {
    alone("writers_and_websockets_that_come_and_go_leave_not_one_byte", || {
        let mut config = configuration();
        config.http.token = Some(Secret::new("open-sesame"));
        config.stations[0].tags.iter_mut().for_each(|tag| tag.writable = true);
        let mut floors = Vec::with_capacity(WARM_UP + 100);
        play_visited(config, WARM_UP + 100, write_and_go, |_, floor| floors.push(floor));
        let counted = &floors[WARM_UP..];
        assert!(counted.iter().all(|floor| floor == &counted[0]), "{floors:?}");
    });
}

/// The floors of cycles with a Redis that flaps too.
fn floors_with_redis(publish: bool) -> Vec<Live> {
    let mut config = configuration();
    config.redis = server::with_commands().redis;
    config.redis.as_mut().expect("a Redis side").publish = publish;
    let mut floors = Vec::with_capacity(WARM_UP + 100);
    play(config, WARM_UP + 100, |_, floor| floors.push(floor));
    floors.split_off(WARM_UP)
}

#[test]
fn a_flapping_redis_leaves_not_one_byte() {
    alone("a_flapping_redis_leaves_not_one_byte", || {
        let floors = floors_with_redis(false);
        assert!(floors.iter().all(|floor| floor == &floors[0]), "{floors:?}");
    });
}

#[test]
fn a_flapping_redis_that_is_published_to_leaves_not_one_block() {
    alone("a_flapping_redis_that_is_published_to_leaves_not_one_block", || {
        let floors = floors_with_redis(true);
        assert!(floors.iter().all(|floor| floor.blocks == floors[0].blocks), "{floors:?}");
        // The one buffer that is not always of a size is the test's own link: it grows as its chunks happen to fall.
        let all = floors.iter().map(|floor| floor.bytes);
        let spread = all.clone().max().zip(all.min()).map(|(most, least)| most - least);
        assert!(spread <= Some(world::LINK_BYTES as u64), "{floors:?}");
    });
}

/// Shakes hands, then answers every read of 64 bytes, of one item, without allocating.
async fn answer_in_place(mut stream: DuplexStream) {
    /// TPKT, DT and S7 headers, function and count, one item.
    const READ_BYTES: usize = 7 + 10 + 2 + 12;
    /// Where in a packet the PDU reference is.
    const REFERENCE: std::ops::Range<usize> = 11..13;
    let (mut decoder, mut inbound, mut out) = (Decoder::new(), BytesMut::new(), BytesMut::new());
    for _ in 0..2 {
        while inbound.is_empty() {
            stream.read_buf(&mut inbound).await.expect("the client is there");
        }
        match decoder.decode(&mut inbound).expect("the client speaks S7").expect("a whole message") {
            Message::ConnectRequest(request) => request.confirm(1).encode_confirm(&mut out),
            other => {
                let Message::Pdu(pdu) = other else { panic!("expected setup, found {other:?}") };
                Setup { amq_calling: 8, amq_called: 8, pdu_length: 480 }
                    .encode_answer(&mut out, pdu.reference);
            }
        }
        stream.write_all(&out).await.expect("the client is there");
        out.clear();
    }
    let mut writer = ReadAnswerWriter::begin(&mut out, 0, 1);
    assert!(writer.success(DataTransport::Byte, &[7; 64]));
    writer.finish().expect("short enough");
    let mut request = [0; READ_BYTES];
    while stream.read_exact(&mut request).await.is_ok() {
        out[REFERENCE].copy_from_slice(&request[REFERENCE]);
        stream.write_all(&out).await.expect("the client is there");
    }
}

/// The floors of cycles in which every connection is cut, to PLCs and to the broker, with writes under way.
fn floors_with_a_broker(version: MqttVersion) -> Vec<Live> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().expect("a current-thread runtime").block_on(async {
        let world = World::new();
        let _plcs = [world.plc("press:102"), world.plc("oven:102")];
        let broker = broker::Broker::default();
        broker.state().forgets = true;
        let serving = broker.clone();
        world.peer("broker:1883", move |stream| serving.clone().serve(stream));
        let mut config = configuration();
        config.stations[0].tags[0].writable = true;
        config.mqtt = Some(MqttConfig { version, commands: true, ..MqttConfig::new("broker:1883") });
        let gateway = start(&world, config).await;
        let mut floors = Vec::with_capacity(WARM_UP + 100);
        let mut end = Instant::now();
        for _ in 0..WARM_UP + 100 {
            end += CYCLE;
            sleep(Duration::from_secs(1)).await;
            (1..=10).for_each(|id| broker.publish("s7/press/t0/set", "7", Some(id), false));
            sleep(Duration::from_millis(1)).await;
            world.cut();
            until_online(&gateway).await;
            sleep_until(end - WATCH).await;
            assert_eq!((gauge(&gateway, "mqtt_connected"), gauge(&gateway, "mqtt_unacked")), (1, 0));
            floors.push(floor(&gateway, end).await);
            // Its filters and notes are the test's own.
            broker.state().filters.clear();
        }
        floors
    })
}

fn a_flapping_broker_leaves_nothing(version: MqttVersion) {
    let floors = floors_with_a_broker(version);
    let counted = &floors[WARM_UP..];
    assert!(counted.iter().all(|floor| floor == &counted[0]), "{floors:?}");
}

#[test]
fn a_flapping_broker_leaves_not_one_byte() {
    alone("a_flapping_broker_leaves_not_one_byte", || a_flapping_broker_leaves_nothing(MqttVersion::V3));
}

#[test]
fn a_flapping_broker_of_version_5_leaves_not_one_byte() {
    alone("a_flapping_broker_of_version_5_leaves_not_one_byte", || {
        a_flapping_broker_leaves_nothing(MqttVersion::V5);
    });
}

fn blocks_allocated() -> u64 {
    heap::total().expect("the probe's allocator counts").blocks
}

/// Blocks allocated by a hundred reads and more, `under_way` at a time: the fewest of ten rounds, since the thread
/// that waits for this test allocates now and then, and the first round warms buffers up.
fn blocks_of_a_hundred_reads(under_way: usize) -> u64 {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().expect("a current-thread runtime").block_on(async {
        let (ours, theirs) = duplex(world::LINK_BYTES);
        tokio::spawn(answer_in_place(theirs));
        let config = ClientConfig::new(ConnectionType::Pg, 0, 1);
        let deadline = Instant::now() + Duration::from_secs(3);
        let mut client = Client::connect(ours, config, deadline).await.expect("the peer shakes hands");
        let mut fewest = u64::MAX;
        for _round in 0..10 {
            let before = blocks_allocated();
            for _ in 0..100 / under_way {
                read_together(&mut client, under_way).await;
            }
            fewest = fewest.min(blocks_allocated() - before);
        }
        fewest
    })
}

/// So many reads under way together, and then one alone.
async fn read_together(client: &mut Client<DuplexStream>, under_way: usize) {
    let item = Item::db_bytes(1, 0, 64);
    for tag in 0..under_way {
        client.ask_read(tag, &[item]).expect("there is room");
    }
    for _ in 0..under_way {
        drop(client.next().await.expect("an answer").reply.expect("data"));
    }
    drop(client.read_one(&item).await.expect("data"));
}

#[test]
fn asking_and_reading_allocate_nothing() {
    alone("asking_and_reading_allocate_nothing", || {
        assert_eq!((blocks_of_a_hundred_reads(1), blocks_of_a_hundred_reads(8)), (0, 0));
    });
}

#[cfg(feature = "defects")]
mod defects {
    use super::*;
    use watertight_probe::{frames, tasks};

    /// Plays with a twin: blocks gained per counted cycle, and the own file and line of the site that gained most.
    fn gained(defect: &str) -> (Vec<i64>, String) {
        let mut config = configuration();
        config.defect = Some(defect.to_owned());
        let (mut blocks, mut before, mut after) = (Vec::with_capacity(100), Vec::new(), Vec::new());
        play(config, WARM_UP + 20, |cycle, floor| {
            if cycle == WARM_UP {
                heap::sites_into(&mut before);
            }
            if cycle >= WARM_UP {
                blocks.push(floor.blocks as i64);
                heap::sites_into(&mut after);
            }
        });
        let changes = heap::changes(&before, &after);
        let (site, _, _) = changes.iter().max_by_key(|(_, _, bytes)| *bytes).expect("something grew");
        let stacks = frames::resolve([site.id]);
        let own = frames::first_own(&stacks[&site.id]).expect("a frame of ours");
        (blocks.windows(2).map(|pair| pair[1] - pair[0]).collect(), own.place())
    }

    fn leaks_at(defect: &str) {
        let (gains, place) = gained(defect);
        assert!(gains.iter().all(|gain| *gain >= 1), "{gains:?}");
        assert!(place.contains(&format!("defects/{defect}.rs")), "{place}");
    }

    #[test]
    fn slices_pin_blocks_at_a_line_in_their_file() {
        alone("defects::slices_pin_blocks_at_a_line_in_their_file", || leaks_at("slice_pins_block"));
    }

    #[test]
    fn a_backlog_grows_at_a_line_in_its_file() {
        alone("defects::a_backlog_grows_at_a_line_in_its_file", || leaks_at("unbounded_consumer_backlog"));
    }

    #[test]
    fn heartbeats_are_left_at_the_line_that_spawns_them() {
        alone("defects::heartbeats_are_left_at_the_line_that_spawns_them", || {
            let mut config = configuration();
            config.defect = Some("heartbeat_outlives_connection".to_owned());
            let mut left = Vec::new();
            play(config, 10, |_, _| {
                let live = tasks::live();
                let own = |task: &&tasks::TaskInfo| task.file.ends_with("heartbeat_outlives_connection.rs");
                left.push(live.iter().filter(own).count());
            });
            // Two stations: two loops from the start, two more with each cut.
            assert_eq!(left, (1..=10).map(|cycle| 2 + 2 * cycle).collect::<Vec<_>>());
        });
    }
}

//! The MQTT side over in-memory streams, against a broker that can misbehave.

use std::sync::Arc;
use std::time::Duration;

use gateway_under_test::Gateway;
use gateway_under_test::config::{Config, MqttConfig, MqttTopics, MqttVersion, Secret, WhenFull};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::broker::{Broker, Send};
use crate::world::{World, config, gauge, start, station, until, until_online};

const VERSIONS: [MqttVersion; 2] = [MqttVersion::V3, MqttVersion::V5];

/// One station whose tags may be written, and a broker that the gateway knows.
fn configuration(change: impl FnOnce(&mut MqttConfig)) -> Config {
    let mut press = station("press");
    press.tags.iter_mut().for_each(|tag| tag.writable = true);
    let mut mqtt = MqttConfig::new("broker:1883");
    change(&mut mqtt);
    Config { mqtt: Some(mqtt), ..config(vec![press]) }
}

fn broker(world: &World) -> Broker {
    let broker = Broker::default();
    let serving = broker.clone();
    world.peer("broker:1883", move |stream| serving.clone().serve(stream));
    broker
}

/// A gateway in a sound world, connected and polled.
async fn running(change: impl FnOnce(&mut MqttConfig)) -> (Arc<World>, s7_sim::Plc, Broker, Gateway) {
    let world = World::new();
    let (plc, broker) = (world.plc("press:102"), broker(&world));
    let gateway = start(&world, configuration(change)).await;
    until_online(&gateway).await;
    until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    (world, plc, broker, gateway)
}

async fn until_lost(gateway: &Gateway) {
    until("the connection's end", || gauge(gateway, "mqtt_connected") == 0).await;
    assert_eq!(gauge(gateway, "mqtt_unacked"), 0);
}

/// Long enough that nobody overlooks a lost connection.
fn with_a_pause(mqtt: &mut MqttConfig) {
    mqtt.backoff.min = Duration::from_secs(600);
    mqtt.backoff.max = Duration::from_secs(600);
}

#[tokio::test(start_paused = true)]
async fn each_poll_is_published_and_acknowledged_in_both_versions() {
    for version in VERSIONS {
        let (_world, plc, broker, gateway) = running(|mqtt| mqtt.version = version).await;
        until("five images", || gauge(&gateway, "mqtt_published") == 5).await;
        let images = broker.at("s7/press");
        let polls: Vec<Value> =
            images.iter().map(|image| serde_json::from_str(image).expect("JSON")).collect();
        assert_eq!(polls.iter().map(|image| image["poll"].clone()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!(polls[0]["values"][2]["tag"], "seven");
        let first = broker.state().seen[0].clone();
        assert_eq!((first.qos, first.retain), (1, false));
        until("every acknowledgement", || gauge(&gateway, "mqtt_unacked") == 0).await;
        assert_eq!((gauge(&gateway, "mqtt_dropped"), plc.stats().connections), (0, 1));
        gateway.shutdown().await.expect("an ordered end");
        assert_eq!(broker.state().goodbyes, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn each_tag_can_have_its_own_topic_and_need_no_acknowledgement() {
    let change = |mqtt: &mut MqttConfig| {
        (mqtt.topics, mqtt.qos, mqtt.retain) = (MqttTopics::Tag, 0, true);
        mqtt.prefix = "plant/7".to_owned();
    };
    let (_world, _plc, broker, gateway) = running(change).await;
    until("two images", || gauge(&gateway, "mqtt_published") == 6).await;
    let seven = broker.at("plant/7/press/seven");
    assert_eq!(seven[0], r#"{"tag":"seven","value":7,"quality":"good","updates":1}"#);
    assert_eq!((seven.len(), broker.at("plant/7/press/count").len()), (2, 2));
    let first = broker.state().seen[0].clone();
    assert_eq!((first.qos, first.retain), (0, true));
    assert_eq!(gauge(&gateway, "mqtt_unacked"), 0);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn the_broker_is_told_who_connects() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("password");
    std::fs::write(&file, "from a file\n").expect("a temporary file");
    for (version, in_file) in [(MqttVersion::V3, false), (MqttVersion::V5, true)] {
        let (_world, _plc, broker, gateway) = running(|mqtt| {
            mqtt.version = version;
            mqtt.username = Some("gateway".to_owned());
            match in_file {
                true => mqtt.password_file = Some(file.clone()),
                false => mqtt.password = Some(Secret::new("in place")),
            }
        })
        .await;
        let password = if in_file { "from a file" } else { "in place" };
        assert_eq!(broker.state().user, Some(("gateway".to_owned(), password.to_owned())));
        drop(gateway);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_is_given_up_and_tried_again() {
    let world = World::new();
    let (_plc, broker) = (world.plc("press:102"), broker(&world));
    broker.state().mute = true;
    *world.connects.lock().unwrap() = Some(Vec::new());
    let gateway = start(&world, configuration(|_| {})).await;
    until("a third attempt", || broker.state().connects == 3).await;
    assert_eq!((gauge(&gateway, "mqtt_connected"), gauge(&gateway, "mqtt_published")), (0, 0));
    let connects = world.connects.lock().unwrap().clone().expect("they are noted");
    let times: Vec<_> = connects.iter().filter(|(_, to)| to == "broker:1883").map(|(at, _)| *at).collect();
    let apart = |pair: &[Duration]| pair[1] - pair[0];
    let within = |wait: Duration| wait >= Duration::from_secs(5) && wait < Duration::from_millis(5_500);
    assert!(times.windows(2).map(apart).all(within), "{times:?}");
    broker.state().mute = false;
    until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_refuses_does_not_stop_the_polls() {
    let world = World::new();
    let (_plc, broker) = (world.plc("press:102"), broker(&world));
    broker.state().refuses = true;
    let gateway = start(&world, configuration(|mqtt| mqtt.version = MqttVersion::V5)).await;
    until("polls", || gauge(&gateway, "polls") == 100).await;
    assert!(broker.state().connects > 10);
    assert_eq!((gauge(&gateway, "mqtt_connected"), gauge(&gateway, "queued_events")), (0, 64));
    assert_eq!(gauge(&gateway, "mqtt_dropped"), 100 - 64);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn no_more_than_in_flight_is_sent_without_an_acknowledgement() {
    for (version, granted, most) in [(MqttVersion::V3, None, 4), (MqttVersion::V5, Some(3), 3)] {
        let world = World::new();
        let (_plc, broker) = (world.plc("press:102"), broker(&world));
        broker.state().keeps_acks = true;
        broker.state().receive_maximum = granted;
        let change = |mqtt: &mut MqttConfig| (mqtt.version, mqtt.in_flight) = (version, 4);
        let gateway = start(&world, configuration(change)).await;
        until("a full pipe", || gauge(&gateway, "queued_events") == 4).await;
        assert_eq!(broker.state().unacked, (1..=most).collect::<Vec<u16>>());
        assert_eq!(gauge(&gateway, "mqtt_unacked"), u64::from(most));
        gateway.shutdown().await.expect("cut when the drain time is over");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_acknowledges_nothing_is_given_up_and_nothing_is_kept() {
    let (_world, _plc, broker, gateway) = running(with_a_pause).await;
    broker.state().keeps_acks = true;
    let unacked = || gauge(&gateway, "mqtt_unacked");
    until("an unacknowledged message", || unacked() == 1).await;
    let began = Instant::now();
    until_lost(&gateway).await;
    let waited = began.elapsed();
    assert!(waited <= Duration::from_secs(10) && waited > Duration::from_millis(9_900), "{waited:?}");
    let lost = gauge(&gateway, "mqtt_dropped");
    assert!((9..=11).contains(&lost), "one a second, for ten seconds: {lost}");
    broker.state().keeps_acks = false;
    until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn what_waited_while_the_broker_was_away_is_published_in_order_when_it_is_back() {
    let change = |mqtt: &mut MqttConfig| {
        (mqtt.queue, mqtt.when_full) = (5, WhenFull::DropNewest);
        with_a_pause(mqtt);
    };
    let (_world, _plc, broker, gateway) = running(change).await;
    until("three images", || gauge(&gateway, "mqtt_published") == 3).await;
    broker.send(Send::Close(Vec::new()));
    until_lost(&gateway).await;
    until("a full queue", || gauge(&gateway, "mqtt_dropped") == 2).await;
    let before = broker.state().seen.len();
    until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    until("what waited", || broker.state().seen.len() >= before + 5).await;
    let polls: Vec<u64> = broker.state().seen[before..before + 5]
        .iter()
        .map(|seen| {
            serde_json::from_str::<Value>(&seen.payload).expect("JSON")["poll"].as_u64().expect("a count")
        })
        .collect();
    assert_eq!(polls, (polls[0]..polls[0] + 5).collect::<Vec<_>>());
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn whatever_a_broker_sends_that_it_may_not_ends_the_connection_and_a_new_one_comes() {
    let connack = vec![0x20, 2, 0, 0];
    let wrong: [(&str, Vec<u8>); 8] = [
        ("no packet type", vec![0x00, 0]),
        ("a length that does not end", vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("a packet of a quarter of a gigabyte", vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F]),
        ("a second CONNACK", connack),
        ("PUBACK of nothing", vec![0x40, 2, 0x7F, 0x7F]),
        ("SUBACK of nothing", vec![0x90, 3, 0x7F, 0x7F, 0]),
        ("a message at quality of service 2", vec![0x34, 6, 0, 1, b'a', 0, 1, b'x']),
        ("a client's packet", vec![0xC0, 0]),
    ];
    for version in VERSIONS {
        let (_world, _plc, broker, gateway) = running(|mqtt| mqtt.version = version).await;
        for (what, bytes) in &wrong {
            let connects = broker.state().connects;
            broker.send(Send::Raw(bytes.clone()));
            until(what, || broker.state().connects == connects + 1).await;
            until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
        }
        gateway.shutdown().await.expect("an ordered end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_within_a_packet_is_set_up_again() {
    let (_world, _plc, broker, gateway) = running(|mqtt| mqtt.commands = true).await;
    broker.send(Send::Close(vec![0x32, 20, 0, 5, b's', b'7']));
    until("a second connection", || broker.state().connects == 2).await;
    until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    assert_eq!(broker.state().filters, ["s7/+/+/set", "s7/+/+/set"]);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_broker_is_asked_for_a_sign_of_life_and_given_up_without_one() {
    // At quality of service 0 nothing else would tell.
    let (_world, _plc, broker, gateway) = running(|mqtt| mqtt.qos = 0).await;
    until("three signs of life", || broker.state().pings == 3).await;
    assert_eq!(broker.state().connects, 1);
    broker.state().no_pong = true;
    until("one more question", || broker.state().pings == 4).await;
    let began = Instant::now();
    until("a second connection", || broker.state().connects == 2).await;
    let waited = began.elapsed();
    // Keep-alive and a half, asked up to 10 ms before, and the first back-off.
    assert!(waited > Duration::from_millis(44_980) && waited < Duration::from_millis(45_250), "{waited:?}");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_written_answered_and_then_acknowledged() {
    for version in VERSIONS {
        let change = |mqtt: &mut MqttConfig| (mqtt.version, mqtt.commands) = (version, true);
        let (_world, plc, broker, gateway) = running(change).await;
        until("the subscription", || broker.state().filters == ["s7/+/+/set"]).await;
        broker.publish("s7/press/seven/set", "1234", Some(9), false);
        until("the acknowledgement", || broker.state().acks == [9]).await;
        assert_eq!(plc.stats().items_written, 1);
        assert_eq!(broker.at("s7/press/seven/ack"), [r#"{"ok":true}"#]);
        broker.publish("s7/press/seven/set", "\"much\"", None, false);
        broker.publish("s7/press/eight/set", "1", Some(10), false);
        broker.publish("s7/press/seven/set", "{", Some(11), false);
        until("three answers", || gauge(&gateway, "commands_failed") == 2 && broker.state().acks.len() == 3)
            .await;
        let wrong = r#"tag `seven` takes a whole number from 0 to 65535, found \"much\""#;
        let answers = broker.at("s7/press/seven/ack");
        assert_eq!(answers[1], format!(r#"{{"ok":false,"error":"{wrong}"}}"#));
        assert!(
            answers[2].starts_with(r#"{"ok":false,"error":"the payload is no JSON value: EOF"#),
            "{answers:?}"
        );
        let none = r#"{"ok":false,"error":"station `press` has no tag `eight`"}"#;
        assert_eq!(broker.at("s7/press/eight/ack"), [none]);
        gateway.shutdown().await.expect("an ordered end");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_in_version_5_is_answered_where_they_want() {
    let change = |mqtt: &mut MqttConfig| (mqtt.version, mqtt.commands) = (MqttVersion::V5, true);
    let (_world, _plc, broker, gateway) = running(change).await;
    for (id, answer_to) in [(1, "office/answers"), (2, "no/+/topic")] {
        let (topic, payload) = ("s7/press/seven/set".to_owned(), "5".to_owned());
        let answer_to = Some(answer_to.to_owned());
        broker.send(Send::Publish { topic, payload, id: Some(id), again: false, answer_to });
        until("the acknowledgement", || broker.state().acks.contains(&id)).await;
    }
    let answer = broker.state().seen.iter().find(|seen| seen.topic == "office/answers").cloned();
    let answer = answer.expect("an answer");
    assert_eq!(
        (answer.payload.as_str(), answer.correlation.as_deref()),
        (r#"{"ok":true}"#, Some(&b"order 66"[..]))
    );
    assert_eq!((broker.at("s7/press/seven/ack").len(), broker.state().connects), (2, 1));
    gateway.shutdown().await.expect("an ordered end");
}

/// A PLC that no longer answers, and patience with it: commands stay under way.
async fn with_a_silent_plc(
    change: impl FnOnce(&mut MqttConfig),
) -> (Arc<World>, s7_sim::Plc, Broker, Gateway) {
    let world = World::new();
    let (plc, broker) = (world.plc("press:102"), broker(&world));
    let mut config = configuration(|mqtt| {
        mqtt.commands = true;
        change(mqtt);
    });
    config.stations[0].request_timeout = Duration::from_secs(600);
    config.stations[0].commands.timeout = Duration::from_secs(60);
    let gateway = start(&world, config).await;
    until_online(&gateway).await;
    until("the subscription", || broker.state().filters.len() == 1).await;
    plc.update_faults(|faults| faults.silence = true);
    until("a poll that hangs", || gauge(&gateway, "pending_requests") == 1).await;
    (world, plc, broker, gateway)
}

#[tokio::test(start_paused = true)]
async fn a_command_that_comes_again_while_it_is_carried_out_is_not_carried_out_twice() {
    let (_world, plc, broker, gateway) = with_a_silent_plc(|_| {}).await;
    broker.publish("s7/press/seven/set", "3", Some(5), false);
    for _ in 0..3 {
        broker.publish("s7/press/seven/set", "3", Some(5), true);
    }
    broker.publish("s7/press/seven/set", "4", Some(6), false);
    until("two commands", || gauge(&gateway, "queued_commands") == 2).await;
    plc.update_faults(|faults| faults.silence = false);
    until("their end", || broker.state().acks.len() == 2).await;
    assert_eq!(gauge(&gateway, "commands"), 2);
    broker.publish("s7/press/seven/set", "3", Some(5), true);
    until("the third command", || gauge(&gateway, "commands") == 3).await;
    drop(gateway);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_commands_is_read_as_fast_as_they_are_carried_out() {
    for version in VERSIONS {
        let change = |mqtt: &mut MqttConfig| (mqtt.version, mqtt.commands_in_flight) = (version, 4);
        let (_world, _plc, broker, gateway) = with_a_silent_plc(change).await;
        // At quality of service 0 no receive maximum holds them back.
        (0..1000).for_each(|value| broker.publish("s7/press/seven/set", &value.to_string(), None, false));
        until("four commands", || gauge(&gateway, "commands") == 4).await;
        sleep(Duration::from_secs(30)).await;
        assert_eq!((gauge(&gateway, "commands"), gauge(&gateway, "queued_commands")), (4, 4));
        assert_eq!(gauge(&gateway, "mqtt_connected"), 1);
        until("four more", || gauge(&gateway, "commands") == 8).await;
        assert_eq!(gauge(&gateway, "commands_failed"), 4);
        gateway.shutdown().await.expect("an ordered end");
    }
}

#[tokio::test(start_paused = true)]
async fn commands_end_with_their_connection() {
    let (_world, plc, broker, gateway) = with_a_silent_plc(|_| {}).await;
    (1..=5).for_each(|id| broker.publish("s7/press/seven/set", "1", Some(id), false));
    until("five commands", || gauge(&gateway, "commands") == 5).await;
    broker.send(Send::Close(Vec::new()));
    until("their end", || gauge(&gateway, "commands_cancelled") == 5).await;
    plc.update_faults(|faults| faults.silence = false);
    until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    assert_eq!((plc.stats().items_written, broker.state().acks.len()), (0, 0));
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_publishes_what_waits_and_takes_its_leave() {
    let (_world, _plc, broker, gateway) = running(|mqtt| mqtt.in_flight = 1).await;
    broker.state().keeps_acks = true;
    until("waiting events", || gauge(&gateway, "queued_events") == 3).await;
    let polls = gauge(&gateway, "polls");
    let waiting = broker.state().unacked.clone();
    broker.state().keeps_acks = false;
    let ending = tokio::spawn(gateway.shutdown());
    sleep(Duration::from_millis(100)).await;
    broker.send(Send::Raw(vec![0x40, 2, (waiting[0] >> 8) as u8, waiting[0] as u8]));
    ending.await.expect("no panic").expect("an ordered end");
    assert_eq!((broker.at("s7/press").len() as u64, broker.state().goodbyes), (polls, 1));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_away_does_not_delay_the_end() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, configuration(|_| {})).await;
    until("waiting events", || gauge(&gateway, "queued_events") == 3).await;
    let began = Instant::now();
    gateway.shutdown().await.expect("an ordered end");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_reload_disturbs_the_connection_only_if_its_settings_changed() {
    let (_world, _plc, broker, gateway) = running(|_| {}).await;
    let mut changed = configuration(|_| {});
    changed.http.max_connections = 7;
    gateway.reload(changed.clone()).await.expect("a sound configuration");
    assert_eq!(broker.visits(), (1, 0));
    changed.mqtt.as_mut().expect("it is there").prefix = "plant".to_owned();
    gateway.reload(changed.clone()).await.expect("a sound configuration");
    until("an image", || !broker.at("plant/press").is_empty()).await;
    assert_eq!(broker.visits(), (2, 1));
    changed.mqtt = None;
    gateway.reload(changed).await.expect("a sound configuration");
    assert_eq!((broker.state().goodbyes, gauge(&gateway, "mqtt_connected")), (2, 0));
    let tasks = gauge(&gateway, "tasks");
    gateway.reload(configuration(|_| {})).await.expect("a sound configuration");
    until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    assert_eq!(gauge(&gateway, "tasks"), tasks + 1);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_lost_connections_leave_one_task() {
    let (world, _plc, broker, gateway) = running(|mqtt| mqtt.commands = true).await;
    let tasks = gauge(&gateway, "tasks");
    for lost in 1..=100 {
        broker.publish("s7/press/seven/set", &json!(lost).to_string(), Some(lost), false);
        world.cut();
        until("a new connection", || broker.state().connects == usize::from(lost) + 1).await;
        until_online(&gateway).await;
        until("the broker", || gauge(&gateway, "mqtt_connected") == 1).await;
    }
    until("every acknowledgement", || gauge(&gateway, "mqtt_unacked") == 0).await;
    assert_eq!(gauge(&gateway, "tasks"), tasks);
    gateway.shutdown().await.expect("an ordered end");
}

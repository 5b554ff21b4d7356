//! Each defect leaks where it says, and the healthy gateway in the very same run does not.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use gateway_under_test::Gateway;
use gateway_under_test::config::{StationConfig, TagConfig, TagType};
use gateway_under_test::defects::names;
use s7_sim::Plc;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::sleep;

use crate::liar::{self, put_answer};
use crate::world::{World, ask, config, gauge, start, station, until, until_online};

/// Live tasks after 10 reconnects, over those before.
async fn tasks_grown(defect: &str) -> u64 {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = config(vec![station("press")]);
    config.defect = Some(defect.to_owned());
    let gateway = start(&world, config).await;
    until_online(&gateway).await;
    let before = gauge(&gateway, "tasks");
    for cycle in 1..=10 {
        world.cut();
        until("another session", || gauge(&gateway, "reconnects") == cycle).await;
        until_online(&gateway).await;
    }
    gauge(&gateway, "tasks") - before
}

#[tokio::test(start_paused = true)]
async fn heartbeats_outlive_their_connections_only_in_the_twin() {
    assert_eq!(tasks_grown("heartbeat_outlives_connection").await, 10);
    assert_eq!(tasks_grown("none").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_leaves_tasks_names_them() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = config(vec![station("press")]);
    config.defect = Some("heartbeat_outlives_connection".to_owned());
    let gateway = start(&world, config).await;
    until_online(&gateway).await;
    let error = gateway.shutdown().await.expect_err("a heartbeat is left");
    assert_eq!(error.to_string(), "not ended within 5s: 1 heartbeat");
}

/// A station whose events are larger than what a link holds.
fn large(name: &str) -> StationConfig {
    let mut large = station(name);
    large.tags =
        (0..100_u32).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag * 4, TagType::Dint)).collect();
    large
}

/// Events that wait for a consumer that never reads, after this many polls.
async fn backlog(defect: &str, polls: u64) -> u64 {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = config(vec![large("press")]);
    config.http.events.queue = 8;
    config.defect = Some(defect.to_owned());
    let gateway = start(&world, config).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    until("polls", || gauge(&gateway, "polls") == polls).await;
    gauge(&gateway, "queued_events")
}

#[tokio::test(start_paused = true)]
async fn a_backlog_grows_without_limit_only_in_the_twin() {
    let (early, late) =
        (backlog("unbounded_consumer_backlog", 100).await, backlog("unbounded_consumer_backlog", 300).await);
    assert_eq!(late - early, 200);
    assert!(backlog("none", 300).await <= 8);
}

/// HTTP connections an hour after one was opened that asks nothing.
async fn idle_for_an_hour(defect: &str) -> u64 {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = config(vec![station("press")]);
    config.defect = Some(defect.to_owned());
    let gateway = start(&world, config).await;
    let _phone = world.browse();
    sleep(Duration::from_secs(3600)).await;
    gauge(&gateway, "http_connections")
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_nothing_is_kept_only_in_the_twin() {
    assert_eq!(idle_for_an_hour("idle_connections_kept").await, 1);
    assert_eq!(idle_for_an_hour("none").await, 0);
}

/// The stations whose values a consumer of the station `oven` is sent, beside a consumer of everything.
async fn stations_sent(defect: &str) -> BTreeSet<String> {
    let world = World::new();
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let mut config = config(vec![large("press"), large("oven")]);
    config.defect = Some(defect.to_owned());
    let gateway = start(&world, config).await;
    let mut everything = world.browse();
    ask(&mut everything, "/events", "").await;
    let mut lines = BufReader::new(world.browse());
    ask(lines.get_mut(), "/events?station=oven", "").await;
    let mut lines = lines.lines();
    let drain = tokio::spawn(async move { tokio::io::copy(&mut everything, &mut tokio::io::sink()).await });
    let mut stations = BTreeSet::new();
    for _line in 0..40 {
        let line = lines.next_line().await.expect("the stream lives").expect("another line");
        if let Some(event) = line.strip_prefix("data: ") {
            let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
            stations.insert(event["station"].as_str().expect("a name").to_owned());
        }
    }
    drain.abort();
    gateway.shutdown().await.expect("an ordered end");
    stations
}

#[tokio::test(start_paused = true)]
async fn bytes_of_one_station_are_in_the_events_of_another_only_in_the_twin() {
    assert_eq!(stations_sent("none").await, ["oven"].map(str::to_owned).into());
    assert_eq!(stations_sent("dirty_pooled_buffer").await, ["oven", "press"].map(str::to_owned).into());
}

#[tokio::test(start_paused = true)]
async fn every_twin_polls_as_well_as_the_healthy_gateway() {
    for defect in names() {
        let world = World::new();
        let _plc = world.plc("press:102");
        let mut config = config(vec![station("press")]);
        config.defect = Some(defect.to_owned());
        let gateway = start(&world, config).await;
        until_online(&gateway).await;
        sleep(Duration::from_secs(10)).await;
        assert!(world.get("/values/press/seven").await.starts_with(r#"{"value":7,"#), "{defect}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_refused_with_the_names_there_are() {
    let mut config = config(vec![station("press")]);
    config.defect = Some("heartbeat".to_owned());
    let message = config.check().expect_err("no such defect").to_string();
    let known = names().collect::<Vec<_>>().join(", ");
    assert!(message.contains(&format!("no defect `heartbeat`; there are: {known}")), "{message}");
}

/// Streams that the PLC still serves after `disturb`.
async fn at_the_plc(defect: &str, disturb: impl AsyncFn(&World, &Plc, &Gateway)) -> u64 {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut config = config(vec![station("press")]);
    config.defect = Some(defect.to_owned());
    let gateway = start(&world, config).await;
    until_online(&gateway).await;
    disturb(&world, &plc, &gateway).await;
    plc.stats().connections
}

/// Five new configurations, each of which replaces the station.
async fn reload_five_times(_world: &World, _plc: &Plc, gateway: &Gateway) {
    for round in 1..=5 {
        let mut press = station("press");
        press.heartbeat += Duration::from_millis(round);
        gateway.reload(config(vec![press])).await.expect("a sound configuration");
        until_online(gateway).await;
    }
}

async fn blink_five_times(world: &World, _plc: &Plc, gateway: &Gateway) {
    for blink in 1..=5 {
        world.cut();
        until("another session", || gauge(gateway, "reconnects") == blink).await;
        until_online(gateway).await;
    }
    // As long as a loop takes to be through.
    sleep(Duration::from_secs(1)).await;
}

/// A PLC that hangs until five attempts have failed: it closes nothing by itself.
async fn hang(_world: &World, plc: &Plc, gateway: &Gateway) {
    plc.update_faults(|faults| faults.silence = true);
    until("five attempts", || gauge(gateway, "connect_errors") == 5).await;
    until("the last to be closed", || gauge(gateway, "plc_connections") == 0).await;
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_outlives_its_pool_keeps_a_slot_of_the_plc_only_in_the_twin() {
    assert_eq!(at_the_plc("pool_entry_outlives_cancel", reload_five_times).await, 1 + 5);
    assert_eq!(at_the_plc("none", reload_five_times).await, 1);
}

#[tokio::test(start_paused = true)]
async fn loops_that_overlap_hold_slots_of_the_plc_only_in_the_twin() {
    assert_eq!(at_the_plc("reconnect_without_backoff", blink_five_times).await, 1 + 5);
    assert_eq!(at_the_plc("none", blink_five_times).await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_closed_keeps_a_plc_that_hangs_busy_only_in_the_twins() {
    assert_eq!(at_the_plc("none", hang).await, 0);
    // Five handshakes.
    assert_eq!(at_the_plc("close_skipped_on_error", hang).await, 5);
    // The session before them as well, which had a slot.
    assert_eq!(at_the_plc("half_open_kept", hang).await, 1 + 5);
}

/// What is served as the value of the first poll after a reconnect; in every session the PLC has another in all bytes.
async fn first_value_of_the_second_session(defect: &str) -> Value {
    let world = World::new();
    let sessions = AtomicU8::new(0);
    world.peer("press:102", move |stream| {
        let byte = 0x11 * (1 + sessions.fetch_add(1, Ordering::Relaxed));
        liar::serve(stream, move |asked, out| put_answer(out, asked.reference, &asked.payloads, byte))
    });
    let mut config = config(vec![station("press")]);
    config.defect = Some(defect.to_owned());
    let gateway = start(&world, config).await;
    until("polls", || gauge(&gateway, "polls") == 5).await;
    world.cut();
    until("the loss", || gauge(&gateway, "sessions") == 0).await;
    until_online(&gateway).await;
    serde_json::from_str(&world.get("/values/press/seven").await).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_dead_session_reaches_the_next_one_only_in_the_twin() {
    let dead = first_value_of_the_second_session("dead_session_generation").await;
    assert_eq!((&dead["value"], &dead["quality"]), (&Value::from(0x1111), &Value::from("good")));
    let own = first_value_of_the_second_session("none").await;
    assert_eq!((&own["value"], &own["quality"]), (&Value::from(0x2222), &Value::from("good")));
}

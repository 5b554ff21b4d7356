//! Each defect leaks where it says, and the healthy gateway in the very same run does not.

use std::collections::BTreeSet;
use std::time::Duration;

use gateway_under_test::config::{StationConfig, TagConfig, TagType};
use gateway_under_test::defects::names;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::sleep;

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
    assert!(message.contains("no defect `heartbeat`; there are: none, "), "{message}");
}

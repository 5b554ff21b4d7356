//! Event streams: one event a poll, and what becomes of consumers that do not keep up.

use std::time::Duration;

use gateway_under_test::config::{Config, TagConfig, TagType, WhenFull};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, DuplexStream};
use tokio::time::{Instant, sleep};

use crate::world::{World, ask, config, gauge, start, station, until, until_online};

/// A station whose image is larger than what a link holds.
fn large(when_full: WhenFull, queue: usize) -> Config {
    let mut press = station("press");
    press.tags =
        (0..100_u32).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag * 4, TagType::Dint)).collect();
    let mut config = config(vec![press]);
    config.http.events.when_full = when_full;
    config.http.events.queue = queue;
    config
}

async fn next_event(lines: &mut tokio::io::Lines<BufReader<DuplexStream>>) -> String {
    loop {
        let line = lines.next_line().await.expect("the stream lives").expect("another line");
        if let Some(event) = line.strip_prefix("data: ") {
            return event.to_owned();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_gets_one_event_per_poll() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    let mut lines = BufReader::new(browser).lines();
    for poll in 1..=5 {
        let event: serde_json::Value = serde_json::from_str(&next_event(&mut lines).await).expect("JSON");
        assert_eq!((&event["station"], &event["poll"]), (&"press".into(), &poll.into()));
        assert_eq!(event["values"][2]["value"], 7);
    }
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_of_one_station_gets_nothing_of_another() {
    let world = World::new();
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let gateway = start(&world, config(vec![station("press"), station("oven")])).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events?station=oven", "").await;
    let mut lines = BufReader::new(browser).lines();
    for _ in 0..10 {
        let event = next_event(&mut lines).await;
        assert!(event.starts_with(r#"{"station":"oven","#), "{event}");
    }
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_is_kept_alive_with_comments() {
    let world = World::new();
    let gateway = start(&world, config(vec![station("press")])).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    let began = Instant::now();
    let mut lines = BufReader::new(browser).lines();
    while lines.next_line().await.expect("the stream lives").as_deref() != Some(": keep-alive") {}
    assert_eq!(began.elapsed().as_secs(), 15);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_leaves_gives_its_place_back() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = config(vec![station("press")]);
    config.http.events.max_consumers = 1;
    let gateway = start(&world, config).await;
    for _ in 0..10 {
        let mut browser = world.browse();
        ask(&mut browser, "/events", "").await;
        until("a consumer", || gauge(&gateway, "sse_consumers") == 1).await;
        assert!(world.answer("/events").await.starts_with("HTTP/1.1 503"));
        drop(browser);
        until("its place", || gauge(&gateway, "sse_consumers") == 0).await;
    }
    assert_eq!(gauge(&gateway, "http_connections"), 0);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_does_not_read_holds_no_more_than_its_queue() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = large(WhenFull::DropOldest, 8);
    config.http.write_timeout = Duration::from_secs(3600);
    let gateway = start(&world, config).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    until_online(&gateway).await;
    for _ in 0..100 {
        sleep(Duration::from_secs(1)).await;
        assert!(gauge(&gateway, "queued_events") <= 8);
    }
    assert!(gauge(&gateway, "events_dropped") > 50);
    // The newest are the ones that wait.
    let mut lines = BufReader::new(browser).lines();
    let mut last = 0;
    while last < 100 {
        let event: serde_json::Value = serde_json::from_str(&next_event(&mut lines).await).expect("JSON");
        let poll = event["poll"].as_u64().expect("a number");
        assert!(poll > last, "{poll} after {last}");
        last = poll;
    }
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_with_a_full_queue_is_disconnected_if_that_is_the_policy() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = large(WhenFull::Disconnect, 4);
    config.http.write_timeout = Duration::from_secs(3600);
    let gateway = start(&world, config).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    until("the cut", || gauge(&gateway, "consumers_cut") == 1).await;
    until("its end", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!((gauge(&gateway, "sse_consumers"), gauge(&gateway, "queued_events")), (0, 0));
    browser.read_to_end(&mut Vec::new()).await.expect("what was sent, and the end");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_does_not_read_is_given_up_after_the_write_timeout() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, large(WhenFull::DropOldest, 64)).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    until("a consumer", || gauge(&gateway, "sse_consumers") == 1).await;
    until("its end", || gauge(&gateway, "sse_consumers") == 0).await;
    assert_eq!((gauge(&gateway, "http_errors"), gauge(&gateway, "http_connections")), (1, 0));
    drop(browser);
    gateway.shutdown().await.expect("an ordered end");
}

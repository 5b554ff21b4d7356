//! A new configuration disturbs only what it changes, and leaves nothing of what it replaced.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use crate::world::{World, ask, config, gauge, start, station, until, until_online};

#[tokio::test(start_paused = true)]
async fn stations_that_stay_keep_their_session_and_others_come_and_go() {
    let world = World::new();
    let plcs = ["press", "oven", "saw"].map(|name| world.plc(&format!("{name}:102")));
    let gateway = start(&world, config(vec![station("press"), station("oven")])).await;
    until_online(&gateway).await;
    gateway.reload(config(vec![station("press"), station("saw")])).await.expect("a sound configuration");
    until_online(&gateway).await;
    assert_eq!(plcs.each_ref().map(|plc| plc.stats().connections), [1, 0, 1]);
    assert_eq!(plcs[0].stats().sessions_opened, 1);
    let health = world.get("/health").await;
    assert!(health.contains("\"saw\"") && !health.contains("\"oven\""), "{health}");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_that_breaks_a_rule_changes_nothing() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let mut broken = station("oven");
    broken.rack = 99;
    let error = gateway.reload(config(vec![broken])).await.unwrap_err();
    assert!(error.to_string().contains("rack"), "{error}");
    assert_eq!((gauge(&gateway, "sessions"), plc.stats().sessions_opened), (1, 1));
    assert_eq!((gauge(&gateway, "reloads"), gauge(&gateway, "reload_errors")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_changed_http_side_ends_its_streams_and_keeps_its_place() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    until("the consumer", || gauge(&gateway, "sse_consumers") == 1).await;
    let reading = tokio::spawn(async move { browser.read_to_end(&mut Vec::new()).await });
    let mut changed = config(vec![station("press")]);
    changed.http.events.max_consumers = 1;
    gateway.reload(changed).await.expect("a sound configuration");
    reading.await.expect("no panic").expect("the stream has ended");
    assert_eq!((gauge(&gateway, "sse_consumers"), gauge(&gateway, "http_connections")), (0, 0));
    let mut one = world.browse();
    ask(&mut one, "/events", "").await;
    until("the consumer", || gauge(&gateway, "sse_consumers") == 1).await;
    let answer = world.answer("/events").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_reloads_leave_as_many_tasks_as_one() {
    let world = World::new();
    let _plcs = ["press", "oven"].map(|name| world.plc(&format!("{name}:102")));
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let tasks = gauge(&gateway, "tasks");
    for round in 0..100 {
        let name = ["oven", "press"][round % 2];
        let mut next = config(vec![station(name)]);
        next.http.header_timeout += Duration::from_millis(round as u64);
        gateway.reload(next).await.expect("a sound configuration");
        until_online(&gateway).await;
    }
    assert_eq!(gauge(&gateway, "tasks"), tasks);
    assert_eq!(gauge(&gateway, "reloads"), 100);
    gateway.shutdown().await.expect("an ordered end");
}

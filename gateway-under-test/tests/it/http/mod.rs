//! The HTTP side beside its event streams: here what it tells, in the modules the rest.

mod accept;
mod deadlines;
#[cfg(feature = "probe")]
mod debug;
mod tls;
mod websocket;
mod writes;

use serde_json::Value;

use crate::world::{World, config, gauge, start, station, until, until_online};

#[tokio::test(start_paused = true)]
async fn all_values_come_by_station_and_tag() {
    let world = World::new();
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let gateway = start(&world, config(vec![station("press"), station("oven")])).await;
    until_online(&gateway).await;
    let all: Value = serde_json::from_str(&world.get("/values").await).expect("JSON");
    assert_eq!(all["press"]["seven"]["value"], 7);
    assert_eq!(all["oven"]["seven"]["value"], 7);
    assert!(all["oven"]["seven"]["age_ms"].as_u64().is_some_and(|age| age <= 2000), "{all}");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_named() {
    let world = World::new();
    let gateway = start(&world, config(vec![station("press")])).await;
    let answer = world.answer("/values/pres/seven").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(answer.ends_with(r#"{"error":"no station `pres`; there are: press"}"#), "{answer}");
    let answer = world.answer("/values/press/eight").await;
    assert!(answer.ends_with(r#"{"error":"station `press` has no tag `eight`"}"#), "{answer}");
    assert!(world.answer("/events?station=pres").await.starts_with("HTTP/1.1 404"));
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn health_is_degraded_until_every_station_is_online() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press"), station("oven")])).await;
    until("press", || gauge(&gateway, "sessions") == 1).await;
    let health: Value = serde_json::from_str(&world.get("/health").await).expect("JSON");
    assert_eq!(
        (&health["status"], &health["stations"]["press"]["phase"]),
        (&"degraded".into(), &"online".into())
    );
    let _plc = world.plc("oven:102");
    until_online(&gateway).await;
    let health: Value = serde_json::from_str(&world.get("/health").await).expect("JSON");
    assert_eq!(health["status"], "ok");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_what_is_held_and_what_was_counted() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let metrics = world.get("/metrics").await;
    for line in [
        "s7_gateway_sessions 1",
        "s7_gateway_polls_total 1",
        "s7_gateway_station_online{station=\"press\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    gateway.shutdown().await.expect("an ordered end");
}

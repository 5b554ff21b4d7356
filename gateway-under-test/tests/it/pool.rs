//! Connections to a PLC: as many as are of use, never more than are granted, none kept for longer than configured.

use std::sync::Arc;
use std::time::Duration;

use gateway_under_test::Gateway;
use gateway_under_test::config::Config;
use s7_sim::{Plc, PlcConfig};
use serde_json::json;
use tokio::time::sleep;

use crate::world::{World, config, gauge, start, station, until, until_online};

fn writable() -> Config {
    let mut press = station("press");
    press.tags.iter_mut().for_each(|tag| tag.writable = true);
    config(vec![press])
}

fn plc_with_slots(world: &World, slots: usize) -> Plc {
    let plc = Plc::new(PlcConfig { slots, ..PlcConfig::default() }).expect("a sound configuration");
    let serving = plc.clone();
    world.peer("press:102", move |stream| {
        let plc = serving.clone();
        async move { drop(plc.serve(stream).await) }
    });
    plc
}

async fn online(world: &Arc<World>) -> Gateway {
    let gateway = start(world, writable()).await;
    until_online(&gateway).await;
    gateway
}

async fn write(gateway: &Gateway, value: u16) {
    gateway.write("press", "seven", &json!(value)).await.expect("the PLC confirms");
}

#[tokio::test(start_paused = true)]
async fn commands_have_a_connection_of_their_own_which_is_used_again_and_closed_when_idle() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = online(&world).await;
    for value in 0..10 {
        write(&gateway, value).await;
    }
    assert_eq!((gauge(&gateway, "plc_connections"), plc.stats().sessions_opened), (2, 2));
    assert_eq!((gauge(&gateway, "pool_hits"), gauge(&gateway, "pool_misses")), (9, 2));
    sleep(Duration::from_secs(32)).await;
    assert_eq!((gauge(&gateway, "plc_connections"), plc.stats().connections), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn where_the_plc_grants_one_connection_commands_go_over_the_polling_session() {
    let world = World::new();
    let plc = plc_with_slots(&world, 1);
    let gateway = online(&world).await;
    for value in 0..10 {
        write(&gateway, value).await;
    }
    assert_eq!((plc.stats().sessions_opened, plc.stats().sessions_peak), (1, 1));
    assert_eq!(plc.stats().refused, 1);
    assert_eq!(gauge(&gateway, "session_errors"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_plc_grants_is_tried_again_after_a_while() {
    let world = World::new();
    let plc = plc_with_slots(&world, 1);
    let gateway = online(&world).await;
    write(&gateway, 1).await;
    sleep(Duration::from_secs(11 * 60)).await;
    write(&gateway, 2).await;
    assert_eq!(plc.stats().refused, 2);
}

#[tokio::test(start_paused = true)]
async fn an_evicted_station_connects_anew_and_polls_on() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = online(&world).await;
    write(&gateway, 1).await;
    assert!(gateway.reconnect("press"));
    until("the sessions of before to end", || gauge(&gateway, "plc_connections") == 0).await;
    until_online(&gateway).await;
    assert_eq!((plc.stats().connections, plc.stats().sessions_opened), (1, 3));
    assert!(!gateway.reconnect("oven"));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_leaves_the_connection_to_the_next() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = online(&world).await;
    for value in 0..20 {
        let gone = tokio::time::timeout(Duration::ZERO, gateway.write("press", "seven", &json!(value))).await;
        assert!(gone.is_err(), "a write takes more than no time");
    }
    write(&gateway, 99).await;
    until("one connection for commands", || plc.stats().connections == 2).await;
    gateway.shutdown().await.expect("an ordered end");
    until("no connection", || plc.stats().connections == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_station_that_fails_again_and_again_is_left_alone_for_a_while() {
    let world = World::new();
    *world.connects.lock().unwrap() = Some(Vec::new());
    let mut config = config(vec![station("press")]);
    config.stations[0].breaker.open = Duration::from_secs(60);
    let gateway = start(&world, config).await;
    until("the breaker to open", || gauge(&gateway, "breakers_open") == 1).await;
    sleep(Duration::from_secs(3600)).await;
    let attempts = world.connects.lock().unwrap().as_ref().map_or(0, Vec::len);
    assert!((50..=65).contains(&attempts), "five attempts, then one a minute: {attempts}");
    let _plc = world.plc("press:102");
    until_online(&gateway).await;
    assert_eq!(gauge(&gateway, "breakers_open"), 0);
}

#[tokio::test(start_paused = true)]
async fn stations_lost_in_one_blink_come_back_apart_and_soon() {
    let world = World::new();
    let names: Vec<String> = (0..300).map(|number| format!("plc-{number}")).collect();
    let plcs: Vec<Plc> = names.iter().map(|name| world.plc(&format!("{name}:102"))).collect();
    let gateway = start(&world, config(names.iter().map(|name| station(name)).collect())).await;
    until_online(&gateway).await;
    *world.connects.lock().unwrap() = Some(Vec::new());
    world.cut();
    until("the loss", || gauge(&gateway, "sessions") == 0).await;
    until_online(&gateway).await;
    assert!(plcs.iter().all(|plc| plc.stats().sessions_peak == 1), "a station has one slot at a time");
    let connects = world.connects.lock().unwrap().take().expect("noted");
    let (first, last) = (connects[0].0, connects[connects.len() - 1].0);
    assert!(last - first < Duration::from_secs(10), "{first:?} to {last:?}");
    let busiest =
        connects.windows(60).filter(|some| some[59].0 - some[0].0 < Duration::from_millis(20)).count();
    assert_eq!((connects.len(), busiest), (300, 0), "at most 60 of 300 within 20 ms");
}

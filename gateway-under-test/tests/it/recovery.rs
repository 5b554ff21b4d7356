//! Whatever ends a session, the next one comes, and nothing of the last is left.

use std::time::Duration;

use gateway_under_test::Gateway;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::liar::{self, put_answer};
use crate::world::{World, config, gauge, start, station, until, until_online};

async fn last_error(world: &World, name: &str) -> Value {
    let health: Value = serde_json::from_str(&world.get("/health").await).expect("JSON");
    health["stations"][name]["last_error"].clone()
}

async fn until_failures(gateway: &Gateway, gauge_name: &str, failures: u64) {
    until(gauge_name, || gauge(gateway, gauge_name) >= failures).await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_is_replaced_and_its_slot_given_back() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let tasks = gauge(&gateway, "tasks");
    for cycle in 1..=20 {
        world.cut();
        until("another session", || gauge(&gateway, "reconnects") == cycle).await;
        until_online(&gateway).await;
    }
    assert_eq!((plc.stats().sessions, gauge(&gateway, "plc_connections")), (1, 1));
    assert_eq!(gauge(&gateway, "tasks"), tasks);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_silent_plc_costs_a_deadline_and_not_the_session_after_it() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    until_failures(&gateway, "request_timeouts", 1).await;
    assert_eq!(last_error(&world, "press").await, "request_timeout");
    assert_eq!(gauge(&gateway, "pending_requests"), 0);
    until_failures(&gateway, "connect_errors", 3).await;
    assert_eq!(last_error(&world, "press").await, "connect_timeout");
    plc.update_faults(|faults| faults.silence = false);
    until_online(&gateway).await;
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn values_of_a_lost_station_are_stale() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.refuse = Some(s7_sim::Refusal::Disconnect));
    world.cut();
    until_failures(&gateway, "connect_errors", 1).await;
    assert_eq!(last_error(&world, "press").await, "disconnected");
    let seven: Value = serde_json::from_str(&world.get("/values/press/seven").await).expect("JSON");
    assert_eq!((&seven["value"], &seven["quality"]), (&Value::from(7), &Value::from("stale")));
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_session_in_a_typed_error() {
    let world = World::new();
    world.peer("press:102", |mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let gateway = start(&world, config(vec![station("press")])).await;
    until_failures(&gateway, "connect_errors", 3).await;
    assert_eq!(last_error(&world, "press").await, "garbage");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn attempts_on_a_dead_address_back_off() {
    let world = World::new();
    let gateway = start(&world, config(vec![station("press")])).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let attempts = gauge(&gateway, "connect_errors");
    // Waits are 5 s on average once the ceiling is reached; without back-off there would be no end to them.
    assert!((60..=240).contains(&attempts), "{attempts} attempts in 600 s");
    assert_eq!(last_error(&world, "press").await, "connect");
    gateway.shutdown().await.expect("an ordered end");
}

/// Whatever comes in the second poll of a session is a lie in every byte; the first poll is true in every byte.
const TRUE_BYTE: u8 = 0x11;
const LIE_BYTE: u8 = 0x66;

async fn a_lie_is_never_data(word: &str, lie: fn(liar::Asked, &mut bytes::BytesMut)) {
    let world = World::new();
    world.peer("press:102", move |stream| {
        liar::serve(stream, move |asked, out| match asked.before {
            0 => put_answer(out, asked.reference, &asked.payloads, TRUE_BYTE),
            _ => lie(asked, out),
        })
    });
    let gateway = start(&world, config(vec![station("press")])).await;
    until_failures(&gateway, "session_errors", 3).await;
    assert_eq!(last_error(&world, "press").await, word);
    let seven: Value = serde_json::from_str(&world.get("/values/press/seven").await).expect("JSON");
    assert_eq!(seven["value"], u16::from_be_bytes([TRUE_BYTE; 2]), "{seven}");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_an_older_request_is_never_data() {
    a_lie_is_never_data("unmatched", |asked, out| {
        put_answer(out, asked.reference.wrapping_sub(1), &asked.payloads, LIE_BYTE);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_length_is_never_data() {
    a_lie_is_never_data("mismatch", |asked, out| {
        let longer: Vec<usize> = asked.payloads.iter().map(|bytes| bytes + 2).collect();
        put_answer(out, asked.reference, &longer, LIE_BYTE);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_another_number_of_items_is_never_data() {
    a_lie_is_never_data("mismatch", |asked, out| {
        let mut more = asked.payloads.clone();
        more.push(2);
        put_answer(out, asked.reference, &more, LIE_BYTE);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_twice_ends_the_session() {
    a_lie_is_never_data("unmatched", |asked, out| {
        put_answer(out, asked.reference, &asked.payloads, TRUE_BYTE);
        put_answer(out, asked.reference, &asked.payloads, LIE_BYTE);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_deadline_is_never_data() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let updates = async || {
        let count: Value = serde_json::from_str(&world.get("/values/press/count").await).expect("JSON");
        count["updates"].as_u64().expect("a number")
    };
    // The deadline is 2 s. What is answered after 2.5 s arrives on a connection that is closed by then.
    plc.update_faults(|faults| faults.answer_delay = Duration::from_millis(2500));
    until_failures(&gateway, "request_timeouts", 1).await;
    let before = updates().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(updates().await, before);
    plc.update_faults(|faults| faults.answer_delay = Duration::ZERO);
    until_online(&gateway).await;
    assert!(updates().await > before);
    gateway.shutdown().await.expect("an ordered end");
}

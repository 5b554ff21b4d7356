//! Shutdown is ordered, whatever is under way, and leaves no task.

use std::sync::Arc;
use std::time::Duration;

use gateway_under_test::CommandError;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep};

use crate::world::{World, ask, config, gauge, start, station, until, until_online};

/// Tasks of the runtime that runs this test, beside the test itself.
fn alive() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_polling_gateway_with_consumers_ends_at_once_and_wholly() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    until_online(&gateway).await;
    until("the consumer", || gauge(&gateway, "sse_consumers") == 1).await;
    let began = Instant::now();
    let reading = tokio::spawn(async move { browser.read_to_end(&mut Vec::new()).await });
    gateway.shutdown().await.expect("an ordered end");
    assert_eq!(began.elapsed(), Duration::ZERO);
    let read = reading.await.expect("no panic").expect("an ordered end of the stream");
    assert!(read > 0);
    until("the PLC's side", || plc.stats().connections == 0).await;
    until("no task left", || alive() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_under_way_is_confirmed_before_the_sessions_end() {
    let world = World::new();
    let plc = world.plc("press:102");
    plc.update_faults(|faults| faults.answer_delay = Duration::from_millis(200));
    let mut press = station("press");
    press.tags.iter_mut().for_each(|tag| tag.writable = true);
    let gateway = Arc::new(start(&world, config(vec![press])).await);
    until_online(&gateway).await;
    let writer = Arc::clone(&gateway);
    let write = tokio::spawn(async move { writer.write("press", "seven", &json!(5)).await });
    until("the write to begin", || gauge(&gateway, "plc_connections") == 2).await;
    gateway.stop().await.expect("an ordered end");
    assert_eq!(write.await.expect("no panic"), Ok(()));
    let refused = gateway.write("press", "seven", &json!(6)).await;
    assert_eq!(refused, Err(CommandError::Stopping));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_is_not_answered_does_not_delay_the_end() {
    let world = World::new();
    let plc = world.plc("press:102");
    plc.update_faults(|faults| faults.silence = true);
    let gateway = start(&world, config(vec![station("press")])).await;
    until("a connection", || gauge(&gateway, "plc_connections") == 1).await;
    let began = Instant::now();
    gateway.shutdown().await.expect("an ordered end");
    assert_eq!(began.elapsed(), Duration::ZERO);
    until("no task left", || alive() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_does_not_delay_the_end() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    until("a request", || gauge(&gateway, "pending_requests") == 1).await;
    let began = Instant::now();
    gateway.shutdown().await.expect("an ordered end");
    assert_eq!(began.elapsed(), Duration::ZERO);
    until("no task left", || alive() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_does_not_read_is_given_the_drain_time_and_then_cut() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = config(vec![station("press")]);
    config.http.write_timeout = Duration::from_secs(3600);
    let gateway = start(&world, config.clone()).await;
    let mut browser = world.browse();
    ask(&mut browser, "/events", "").await;
    until("a full queue", || gauge(&gateway, "events_dropped") > 0).await;
    let began = Instant::now();
    gateway.shutdown().await.expect("cut, but in order");
    assert_eq!(began.elapsed().as_secs(), config.shutdown.drain.as_secs());
    drop(browser);
    until("no task left", || alive() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_gateway_ends_by_itself() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    drop(gateway);
    sleep(Duration::from_millis(1)).await;
    until("no task left", || alive() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_cannot_listen_leaves_nothing_running() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = taken.local_addr().expect("an address").to_string();
    let mut config = config(vec![station("press")]);
    config.http.listen = Some(at.clone());
    let net = std::sync::Arc::new(gateway_under_test::net::TcpNet { send_buffer: config.http.send_buffer });
    let error = gateway_under_test::Gateway::start(config, net, 0).await.err().expect("the port is taken");
    let message = error.to_string();
    assert!(message.starts_with(&format!("http: cannot listen on {at}: ")), "{message}");
    assert!(message.ends_with("stop it, or set `http.listen` to a free one"), "{message}");
    assert_eq!(alive(), 0);
}

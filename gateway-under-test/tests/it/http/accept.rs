//! Accepting: within the limit, and through errors.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout};

use crate::world::{World, ask, config, gauge, start, station, until};

#[tokio::test(start_paused = true)]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let world = World::new();
    let mut config = config(vec![station("press")]);
    config.http.max_connections = 1;
    let gateway = start(&world, config).await;
    let first = world.browse();
    until("the first", || gauge(&gateway, "http_connections") == 1).await;
    let mut second = world.browse();
    ask(&mut second, "/health", "Connection: close\r\n").await;
    let mut answer = String::new();
    let waited = timeout(Duration::from_secs(5), second.read_to_string(&mut answer)).await;
    assert!(waited.is_err(), "served beyond the limit: {answer}");
    drop(first);
    second.read_to_string(&mut answer).await.expect("its turn has come");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_system_out_of_descriptors_is_asked_again_until_it_has_some() {
    let world = World::new();
    let gateway = start(&world, config(vec![station("press")])).await;
    world.fail_accepts(100);
    let began = Instant::now();
    let answer = world.answer("/health").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(gauge(&gateway, "http_accept_errors"), 100);
    // A hundred retries, each after a tenth of a second: it did not spin.
    assert_eq!(began.elapsed().as_secs(), 10);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_system_that_stays_out_of_descriptors_does_not_delay_the_end() {
    let world = World::new();
    let gateway = start(&world, config(vec![station("press")])).await;
    world.fail_accepts(usize::MAX);
    until("failures", || gauge(&gateway, "http_accept_errors") > 3).await;
    let began = Instant::now();
    gateway.shutdown().await.expect("an ordered end");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

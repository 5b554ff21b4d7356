//! Peers that are slow, mute, hasty or senseless.

use std::time::Duration;

use gateway_under_test::config::{Config, Secret};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

use crate::world::{World, ask, config, gauge, start, until, until_online, writable};

fn configured() -> Config {
    let mut config = config(vec![writable("press")]);
    config.http.token = Some(Secret::new("open-sesame"));
    config.http.header_timeout = Duration::from_secs(7);
    config.http.idle_timeout = Duration::from_secs(40);
    config.http.body_timeout = Duration::from_secs(9);
    config
}

const HEAD: &str = "PUT /values/press/seven HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
     Authorization: Bearer open-sesame\r\nContent-Length: 1000\r\n\r\n";

/// Sends a byte a second for as long as the other side takes it; what it said, and when it had had enough.
async fn trickle(mut stream: DuplexStream, bytes: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let (mut reads, mut writes) = tokio::io::split(&mut stream);
    let sending = async {
        for byte in bytes {
            if writes.write_all(&[*byte]).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    };
    let mut said = String::new();
    tokio::select! {
        () = sending => panic!("took all {} bytes", bytes.len()),
        read = reads.read_to_string(&mut said) => drop(read.expect("an end")),
    }
    (said, began.elapsed())
}

/// Reads until the gateway closes.
async fn until_closed(mut stream: DuplexStream) {
    let mut read = Vec::new();
    let reading = stream.read_to_end(&mut read);
    timeout(Duration::from_secs(600), reading).await.expect("not for ever").expect("an end");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_request_is_closed_after_the_idle_timeout() {
    let world = World::new();
    let gateway = start(&world, configured()).await;
    let browser = world.browse();
    let began = Instant::now();
    until_closed(browser).await;
    assert_eq!(began.elapsed().as_secs(), 40);
    until("no connection held", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!(gauge(&gateway, "http_errors"), 0, "nothing was asked, so nothing failed");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_is_closed_when_no_other_request_comes() {
    let world = World::new();
    let gateway = start(&world, configured()).await;
    let mut browser = world.browse();
    let began = Instant::now();
    for _ in 0..3 {
        ask(&mut browser, "/health", "").await;
        sleep(Duration::from_secs(30)).await;
    }
    until_closed(browser).await;
    assert_eq!(began.elapsed().as_secs(), 2 * 30 + 40);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_trickled_head_is_cut_at_the_header_timeout() {
    let world = World::new();
    let gateway = start(&world, configured()).await;
    let slow = HEAD.as_bytes();
    let (said, elapsed) = trickle(world.browse(), slow).await;
    assert_eq!((said.as_str(), elapsed.as_secs()), ("", 7));
    // The second request of a connection has as much time as the first.
    let mut kept = world.browse();
    ask(&mut kept, "/health", "").await;
    sleep(Duration::from_secs(30)).await;
    let (said, elapsed) = trickle(kept, slow).await;
    assert!(said.starts_with("HTTP/1.1 200") && elapsed.as_secs() == 7, "{elapsed:?} {said}");
    until("no connection held", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!(gauge(&gateway, "http_errors"), 2);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_slow_heads_hold_their_places_no_longer_than_the_header_timeout() {
    let world = World::new();
    let mut config = configured();
    config.http.max_connections = 100;
    let gateway = start(&world, config).await;
    let mut slow: Vec<DuplexStream> = (0..100).map(|_| world.browse()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /he").await.expect("the gateway reads");
    }
    until("every place taken", || gauge(&gateway, "http_connections") == 100).await;
    let began = Instant::now();
    let answer = world.answer("/health").await;
    assert!(answer.starts_with("HTTP/1.1 200") && began.elapsed() <= Duration::from_secs(7), "{answer}");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_trickled_body_is_cut_at_the_body_timeout() {
    let world = World::new();
    let gateway = start(&world, configured()).await;
    let mut stream = world.browse();
    stream.write_all(HEAD.as_bytes()).await.expect("the gateway reads");
    let (said, elapsed) = trickle(stream, &[b' '; 1000]).await;
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("connection: close"), "{said}");
    assert_eq!(elapsed.as_secs(), 9);
    until("no connection held", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!(gauge(&gateway, "commands"), 0);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_begin_in_time_is_given_up() {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut config = configured();
    config.http.request_timeout = Duration::from_secs(3);
    config.stations[0].request_timeout = Duration::from_secs(60);
    let gateway = start(&world, config).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    let began = Instant::now();
    let header = "Authorization: Bearer open-sesame\r\n";
    let answer = world.send("PUT /values/press/seven", header, r#"{"value":1}"#).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(
        answer.ends_with(r#"{"error":"not answered within 3s","may_have_been_written":true}"#),
        "{answer}"
    );
    assert_eq!((began.elapsed().as_secs(), gauge(&gateway, "commands_cancelled")), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn requests_sent_in_one_go_are_answered_one_after_the_other() {
    let world = World::new();
    let gateway = start(&world, configured()).await;
    let mut browser = world.browse();
    let (mut reads, mut writes) = tokio::io::split(&mut browser);
    let one = "GET /health HTTP/1.1\r\nHost: gateway\r\n\r\n";
    let last = "GET /values HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";
    let all = one.repeat(99) + last;
    let mut said = String::new();
    let (written, read) = tokio::join!(writes.write_all(all.as_bytes()), reads.read_to_string(&mut said));
    written.expect("the gateway reads");
    read.expect("the answers");
    assert_eq!((said.matches("HTTP/1.1 200").count(), gauge(&gateway, "http_requests")), (100, 100));
    gateway.shutdown().await.expect("an ordered end");
}

/// What is answered to bytes that are no request.
async fn answer_to(world: &World, bytes: &[u8]) -> String {
    let mut stream = world.browse();
    let (mut reads, mut writes) = tokio::io::split(&mut stream);
    let mut said = Vec::new();
    // That the rest cannot be written any more is right.
    let (_, read) = tokio::join!(writes.write_all(bytes), reads.read_to_end(&mut said));
    // As is a connection that is closed with bytes unread.
    drop(read);
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_none_or_too_long_is_refused_and_the_connection_closed() {
    let world = World::new();
    let gateway = start(&world, configured()).await;
    let garbage = answer_to(&world, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
    assert!(garbage.starts_with("HTTP/1.1 400"), "{garbage}");
    let long_head = format!("GET /health HTTP/1.1\r\nHost: gateway\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let long = answer_to(&world, long_head.as_bytes()).await;
    assert!(long.starts_with("HTTP/1.1 431"), "{long}");
    let many = format!("GET /health HTTP/1.1\r\nHost: gateway\r\n{}\r\n", "a: b\r\n".repeat(1000));
    let many = answer_to(&world, many.as_bytes()).await;
    assert!(many.starts_with("HTTP/1.1 431"), "{many}");
    until("no connection held", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!(gauge(&gateway, "http_errors"), 3);
    gateway.shutdown().await.expect("an ordered end");
}

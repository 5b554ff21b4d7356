//! Servers that do not do as they should, and what is left of them: nothing.

use std::sync::Arc;
use std::time::Duration;

use gateway_under_test::Gateway;
use tokio::time::{Instant, sleep};

use super::server::{AT, Client, Redis, pushed, with_commands};
use crate::world::{World, gauge, start, until, until_online};

/// When the gateway connected to Redis, in seconds since the world began.
fn connects(world: &World) -> Vec<f64> {
    let all = world.connects.lock().unwrap();
    let redis = all.iter().flatten().filter(|(_, to)| to == AT);
    redis.map(|(at, _)| at.as_secs_f64()).collect()
}

async fn started(world: &Arc<World>) -> Gateway {
    *world.connects.lock().unwrap() = Some(Vec::new());
    start(world, with_commands()).await
}

/// Puts a healthy server in its place, and waits until it is used.
async fn recovers(world: &World, gateway: &Gateway) {
    let redis = Redis::at(world);
    redis.forget();
    until("recovery", || gauge(gateway, "redis_connected") == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let world = World::new();
    world.peer(AT, |stream| async move {
        let _held = stream;
        std::future::pending().await
    });
    let gateway = started(&world).await;
    until("the second attempt", || connects(&world).len() == 2).await;
    let gap = connects(&world)[1] - connects(&world)[0];
    // The connect timeout, and a wait below the first ceiling.
    assert!((5.0..5.2).contains(&gap), "{gap}");
    recovers(&world, &gateway).await;
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_asked_and_then_given_up() {
    let world = World::new();
    world.peer(AT, |stream| async move {
        let mut client = Client::greeted(stream).await;
        while client.next().await.is_some() {}
    });
    let gateway = started(&world).await;
    until("the session", || gauge(&gateway, "redis_connected") == 1).await;
    let began = Instant::now();
    until("its end", || gauge(&gateway, "redis_connected") == 0).await;
    // No station is online, so nothing is published: quiet, the question, and no answer.
    let lasted = began.elapsed().as_secs_f64();
    assert!((59.9..=60.1).contains(&lasted), "{lasted}");
    recovers(&world, &gateway).await;
}

/// A server that takes the gateway in and then says this and hangs up, or not.
async fn ends_after(words: String) {
    let world = World::new();
    let said = words.clone();
    world.peer(AT, move |stream| {
        let words = said.clone();
        async move {
            let mut client = Client::greeted(stream).await;
            sleep(Duration::from_secs(1)).await;
            client.say(&words).await;
        }
    });
    let gateway = started(&world).await;
    until("the session", || gauge(&gateway, "redis_connected") == 1).await;
    until("its end", || gauge(&gateway, "redis_connected") == 0).await;
    recovers(&world, &gateway).await;
    gateway.shutdown().await.unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_session_and_it_recovers() {
    ends_after("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned()).await;
    // An answer that nobody asked for.
    ends_after("+OK\r\n".to_owned()).await;
    // No end in sight.
    ends_after(format!("$999999999\r\n{}", "x".repeat(100_000))).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_cut_in_the_middle_ends_the_session_and_it_recovers() {
    ends_after(pushed("{}")[..20].to_owned()).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_the_password_is_asked_again_with_longer_waits() {
    let world = World::new();
    world.peer(AT, |stream| async move {
        let mut client = Client::new(stream);
        client.next().await.expect("a greeting");
        client.say("-WRONGPASS invalid username-password pair\r\n").await;
        while client.next().await.is_some() {}
    });
    let gateway = started(&world).await;
    sleep(Duration::from_secs(600)).await;
    let attempts = connects(&world).len();
    // Waits of 5 s on average, once the ceiling of 10 s is reached.
    assert!((90..160).contains(&attempts), "{attempts}");
    recovers(&world, &gateway).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_is_given_up() {
    let world = World::new();
    let _plc = world.plc("press:102");
    world.peer(AT, |stream| async move {
        let _held = Client::greeted(stream).await;
        std::future::pending().await
    });
    let gateway = started(&world).await;
    until("the session", || gauge(&gateway, "redis_connected") == 1).await;
    until("its end", || gauge(&gateway, "redis_connected") == 0).await;
    // What waits stays within its bound, and the station is polled on.
    assert!(gauge(&gateway, "queued_events") <= 64);
    until_online(&gateway).await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_reconnects_leave_as_many_tasks_as_one() {
    let world = World::new();
    let (_plc, redis) = (world.plc("press:102"), Redis::at(&world));
    let gateway = started(&world).await;
    until_online(&gateway).await;
    let tasks = gauge(&gateway, "tasks");
    for _ in 0..100 {
        world.cut();
        until("the loss", || gauge(&gateway, "redis_connected") == 0).await;
        until("recovery", || gauge(&gateway, "redis_connected") == 1).await;
        until_online(&gateway).await;
        redis.forget();
    }
    assert_eq!(gauge(&gateway, "tasks"), tasks);
    assert!(connects(&world).len() > 100);
    gateway.shutdown().await.expect("an ordered end");
}

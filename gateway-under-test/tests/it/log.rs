//! Log lines get to their collector, or are counted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_under_test::config::{Config, LogConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::sleep;

use crate::world::{World, config, gauge, start, station, until};

const AT: &str = "collector:601";

fn with_collector(queue: usize) -> Config {
    let mut config = config(vec![station("press")]);
    config.log = Some(LogConfig { collector: Some(AT.to_owned()), queue, ..LogConfig::default() });
    config
}

/// Puts a collector into the world; what it has heard.
fn collector(world: &World) -> Arc<Mutex<Vec<String>>> {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = Arc::clone(&heard);
    world.peer(AT, move |stream| {
        let hears = Arc::clone(&hears);
        async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let line: Value = serde_json::from_str(&line).expect("a JSON line");
                hears.lock().unwrap().push(line["line"].as_str().expect("a text").to_owned());
            }
        }
    });
    heard
}

async fn write(gateway: &gateway_under_test::Gateway, value: usize) {
    gateway.write("press", "seven", &json!(value)).await.expect_err("the tag is read-only");
}

#[tokio::test(start_paused = true)]
async fn every_command_is_on_record_with_its_outcome() {
    let world = World::new();
    let heard = collector(&world);
    let gateway = start(&world, with_collector(16)).await;
    write(&gateway, 5).await;
    // Shutdown writes what waits.
    gateway.shutdown().await.expect("an ordered end");
    sleep(Duration::from_secs(1)).await;
    let refusal = "tag `seven` is read-only: set `writable: true` in the configuration to allow writes";
    let line = format!("command station=\"press\" tag=\"seven\" value=5 outcome={refusal}");
    assert_eq!(*heard.lock().unwrap(), [line]);
}

#[tokio::test(start_paused = true)]
async fn lines_that_find_no_room_are_counted_and_the_count_is_logged() {
    let world = World::new();
    let gateway = start(&world, with_collector(4)).await;
    write(&gateway, 0).await;
    until("the writer has the first line", || gauge(&gateway, "queued_log_lines") == 0).await;
    for value in 1..=10 {
        write(&gateway, value).await;
    }
    assert_eq!((gauge(&gateway, "queued_log_lines"), gauge(&gateway, "log_lines_dropped")), (4, 6));
    let heard = collector(&world);
    until("the lines", || heard.lock().unwrap().len() == 6).await;
    assert_eq!(heard.lock().unwrap()[1], "6 lines dropped");
    assert_eq!(gauge(&gateway, "log_lines"), 6);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_is_away_or_takes_nothing_holds_no_shutdown_up() {
    for takes_nothing in [false, true] {
        let world = World::new();
        if takes_nothing {
            world.peer(AT, |stream| async move {
                let _held = stream;
                std::future::pending().await
            });
        }
        let gateway = start(&world, with_collector(64)).await;
        for value in 0..64 {
            write(&gateway, value).await;
        }
        gateway.shutdown().await.expect("an ordered end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_lost_collectors_leave_as_many_tasks_as_one() {
    let world = World::new();
    let heard = collector(&world);
    let gateway = start(&world, with_collector(16)).await;
    let tasks = gauge(&gateway, "tasks");
    for round in 0..100 {
        write(&gateway, round).await;
        until("its line", || heard.lock().unwrap().len() > round).await;
        world.cut();
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(gauge(&gateway, "tasks"), tasks);
    gateway.shutdown().await.expect("an ordered end");
}

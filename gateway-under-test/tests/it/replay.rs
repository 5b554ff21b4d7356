//! Equal seeds make equal runs.

use std::sync::Arc;
use std::time::Duration;

use gateway_under_test::Gateway;
use gateway_under_test::net::Net;
use tokio::time::sleep;

use crate::world::{World, config, station};

/// When the gateway connected to whom, over ten minutes with a cut every 20 s and one address that is dead.
async fn connects(seed: u64) -> Vec<(Duration, String)> {
    let world = World::new();
    *world.connects.lock().unwrap() = Some(Vec::new());
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let config = config(vec![station("press"), station("oven"), station("dead")]);
    let gateway = Gateway::start(config, Arc::clone(&world) as Arc<dyn Net>, seed)
        .await
        .expect("a sound configuration");
    for _ in 0..30 {
        sleep(Duration::from_secs(20)).await;
        world.cut();
    }
    gateway.shutdown().await.expect("an ordered end");
    let connects = world.connects.lock().unwrap().take();
    connects.expect("they were noted")
}

#[tokio::test(start_paused = true)]
async fn equal_seeds_connect_at_equal_times_and_others_do_not() {
    let (first, second, other) = (connects(7).await, connects(7).await, connects(8).await);
    assert!(first.len() > 60, "{} connects", first.len());
    assert_eq!(first, second);
    assert_ne!(first, other);
}

//! What is polled is what the PLC holds.

use gateway_under_test::config::{TagConfig, TagType};
use serde_json::Value;

use crate::world::{World, config, gauge, start, station, until, until_online};

async fn reading(world: &World, path: &str) -> Value {
    serde_json::from_str(&world.get(path).await).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn values_are_those_of_the_plc() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let seven = reading(&world, "/values/press/seven").await;
    assert_eq!((&seven["value"], &seven["quality"]), (&Value::from(7), &Value::from("good")), "{seven}");
    let sine = reading(&world, "/values/press/sine").await["value"].as_f64().expect("a number");
    assert!((10.0..=30.0).contains(&sine), "20 ± 10, found {sine}");
    let first = reading(&world, "/values/press/count").await["value"].as_i64().expect("a number");
    let polls = gauge(&gateway, "polls");
    until("another poll", || gauge(&gateway, "polls") > polls).await;
    // The simulator counts ten times a second, the gateway polls once.
    assert_eq!(reading(&world, "/values/press/count").await["value"].as_i64(), Some(first + 10));
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn every_tag_of_many_is_read_in_each_poll() {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut press = station("press");
    // Each in an item of its own, 400 together: more requests than may be under way at once.
    press.tags =
        (0..40_u32).map(|tag| TagConfig::in_db(format!("t{tag}"), 1, tag * 25, TagType::Word)).collect();
    press.pdu_length = 240;
    press.pipeline = 2;
    let tags = press.tags.len() as u64;
    let gateway = start(&world, config(vec![press])).await;
    until_online(&gateway).await;
    assert_eq!(gauge(&gateway, "values"), tags);
    let (polls, stats) = (gauge(&gateway, "polls"), plc.stats());
    assert_eq!((polls, stats.items_read), (1, tags));
    // 19 items fit a request at PDU 240.
    assert_eq!(stats.requests, 1 + 3);
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_address_spoils_its_own_tag_only() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut press = station("press");
    // DB 1 has 1,024 bytes; this tag and the one before are read as one item first.
    press.tags = vec![
        TagConfig::in_db("last", 1, 1022, TagType::Word),
        TagConfig::in_db("past", 1, 1024, TagType::Word),
    ];
    let gateway = start(&world, config(vec![press])).await;
    until("the second poll", || gauge(&gateway, "polls") == 2).await;
    assert_eq!(reading(&world, "/values/press/last").await["quality"], "good");
    assert_eq!(reading(&world, "/values/press/past").await["quality"], "bad");
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_plc_that_is_polled_rarely_is_asked_for_signs_of_life() {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut press = station("press");
    press.interval = std::time::Duration::from_secs(3600);
    let gateway = start(&world, config(vec![press])).await;
    until_online(&gateway).await;
    until("a sign of life", || gauge(&gateway, "heartbeats") == 3).await;
    assert_eq!((gauge(&gateway, "polls"), gauge(&gateway, "sessions")), (1, 1));
    assert_eq!(plc.stats().requests, 1 + 1 + 3);
    gateway.shutdown().await.expect("an ordered end");
}

//! Commands, their results, and events over pub/sub.

use std::time::Duration;

use gateway_under_test::config::RedisConfig;
use serde_json::json;

use super::server::{AT, Redis, results, with_commands};
use crate::world::{World, config, gauge, start, station, until, until_online};

fn command(id: &str, tag: &str, value: i64) -> String {
    json!({"id": id, "station": "press", "tag": tag, "value": value}).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_command_is_written_and_its_outcome_published() {
    let world = World::new();
    let (plc, redis) = (world.plc("press:102"), Redis::at(&world));
    let gateway = start(&world, with_commands()).await;
    until_online(&gateway).await;
    redis.command(&command("a", "seven", 42));
    redis.command(&command("b", "eight", 42));
    redis.command(r#"{"id":"c","station":"press"}"#);
    redis.command("{}");
    let mut found = results(&redis, 3).await;
    found.sort_by_key(|result| result["id"].to_string());
    let error = |id, why| json!({"id": id, "ok": false, "error": why});
    let expected = [
        json!({"id": "a", "ok": true}),
        error("b", "station `press` has no tag `eight`"),
        error("c", "`tag` must be a text"),
    ];
    assert_eq!(found, expected);
    assert_eq!((plc.stats().items_written, gauge(&gateway, "redis_bad_messages")), (1, 2));
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn every_poll_is_published_at_its_stations_channel() {
    let world = World::new();
    let (_plc, redis) = (world.plc("press:102"), Redis::at(&world));
    let mut config = config(vec![station("press")]);
    config.redis = Some(RedisConfig::new(AT));
    let gateway = start(&world, config).await;
    until("three events", || redis.published("s7:values:press").len() == 3).await;
    let events = redis.published("s7:values:press");
    let polls: Vec<_> = events.iter().map(|event| event["poll"].as_u64().expect("a number")).collect();
    assert_eq!(polls, [1, 2, 3]);
    assert_eq!(events[0]["values"][2]["value"], json!(7));
    until("their answers", || gauge(&gateway, "redis_published") >= 3).await;
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_commands_is_refused_beyond_the_limit() {
    let world = World::new();
    let (plc, redis) = (world.plc("press:102"), Redis::at(&world));
    let mut config = with_commands();
    let side = config.redis.as_mut().expect("a Redis side");
    (side.commands_in_flight, side.publish) = (4, false);
    config.stations[0].interval = Duration::from_secs(600);
    let gateway = start(&world, config).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    (0..100).for_each(|id| redis.command(&command(&id.to_string(), "seven", id)));
    let refused = results(&redis, 96).await;
    let why = "4 commands are under way already: try again later";
    assert_eq!(refused[0], json!({"id": "4", "ok": false, "error": why}));
    assert_eq!((refused.len(), gauge(&gateway, "redis_refused"), gauge(&gateway, "commands")), (96, 96, 4));
    assert_eq!(results(&redis, 100).await.len(), 100);
    assert_eq!(gauge(&gateway, "redis_connected"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_under_way_gets_its_outcome_before_the_gateway_ends() {
    let world = World::new();
    let (plc, redis) = (world.plc("press:102"), Redis::at(&world));
    let mut config = with_commands();
    config.stations[0].interval = Duration::from_secs(600);
    let gateway = start(&world, config).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    redis.command(&command("last", "seven", 1));
    until("the command", || gauge(&gateway, "commands") == 1).await;
    gateway.shutdown().await.expect("an ordered end");
    let results = redis.published("s7:results");
    assert_eq!((results.len(), &results[0]["id"], &results[0]["ok"]), (1, &json!("last"), &json!(false)));
}

#[tokio::test(start_paused = true)]
async fn a_publication_answered_with_an_error_is_counted_and_the_session_goes_on() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let redis = Redis::answering(&world, "-NOPERM no access to this channel\r\n");
    let gateway = start(&world, with_commands()).await;
    until("three events", || redis.published("s7:values").len() == 3).await;
    until("their answers", || gauge(&gateway, "redis_errors") >= 3).await;
    assert_eq!((gauge(&gateway, "redis_connected"), gauge(&gateway, "redis_published")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reload_restarts_the_side_only_if_it_changed() {
    let world = World::new();
    let (_plc, _redis) = (world.plc("press:102"), Redis::at(&world));
    *world.connects.lock().unwrap() = Some(Vec::new());
    let gateway = start(&world, with_commands()).await;
    let connects = || {
        let all = world.connects.lock().unwrap();
        all.iter().flatten().filter(|(_, to)| to == AT).count()
    };
    until("the session", || gauge(&gateway, "redis_connected") == 1).await;
    gateway.reload(with_commands()).await.expect("a sound configuration");
    assert_eq!((connects(), gauge(&gateway, "redis_connected")), (1, 1));
    let mut changed = with_commands();
    changed.redis.as_mut().expect("a Redis side").database = 2;
    gateway.reload(changed).await.expect("a sound configuration");
    until("the new session", || gauge(&gateway, "redis_connected") == 1 && connects() == 2).await;
    let mut none = with_commands();
    none.redis = None;
    gateway.reload(none).await.expect("a sound configuration");
    assert_eq!(gauge(&gateway, "redis_connected"), 0);
    gateway.shutdown().await.expect("an ordered end");
}

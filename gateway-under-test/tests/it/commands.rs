//! Writes that northbound sides ask for reach the PLC, in order, each with its own outcome.

use std::time::Duration;

use gateway_under_test::config::Config;
use gateway_under_test::{CommandError, Gateway};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::world::{World, config, gauge, start, station, until, until_online, writable};

fn one_writable_station() -> Config {
    config(vec![writable("press")])
}

async fn latest(world: &World, tag: &str) -> Value {
    let reading: Value =
        serde_json::from_str(&world.get(&format!("/values/press/{tag}")).await).expect("JSON");
    reading["value"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_write_is_what_the_next_poll_reads() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, one_writable_station()).await;
    until_online(&gateway).await;
    gateway.write("press", "seven", &json!(1234)).await.expect("the PLC confirms");
    let polls = gauge(&gateway, "polls");
    until("the next poll", || gauge(&gateway, "polls") > polls).await;
    assert_eq!(latest(&world, "seven").await, json!(1234));
    assert_eq!((gauge(&gateway, "commands"), gauge(&gateway, "commands_failed")), (1, 0));
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_said_and_not_sent() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = start(&world, config(vec![station("press")])).await;
    until_online(&gateway).await;
    let error = async |station, tag| gateway.write(station, tag, &json!(1)).await.unwrap_err();
    assert_eq!(error("oven", "seven").await, CommandError::NoStation("oven".to_owned()));
    let no_tag = CommandError::NoTag { station: "press".to_owned(), tag: "eight".to_owned() };
    assert_eq!(error("press", "eight").await, no_tag);
    assert_eq!(error("press", "seven").await, CommandError::ReadOnly("seven".to_owned()));
    assert_eq!((gauge(&gateway, "commands_failed"), plc.stats().items_written), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_offline_station_refuses_at_once() {
    let world = World::new();
    let gateway = start(&world, one_writable_station()).await;
    let error = gateway.write("press", "seven", &json!(1)).await.unwrap_err();
    assert_eq!(error, CommandError::Offline("press".to_owned()));
}

/// A PLC that was online and answers no more.
async fn fallen_silent(world: &std::sync::Arc<World>, mut config: Config) -> Gateway {
    let plc = world.plc("press:102");
    config.stations[0].request_timeout = Duration::from_secs(60);
    let gateway = start(world, config).await;
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    gateway
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_turn_does_not_come_was_never_sent() {
    let world = World::new();
    let gateway = fallen_silent(&world, one_writable_station()).await;
    until("a poll that hangs", || gauge(&gateway, "pending_requests") == 1).await;
    let began = Instant::now();
    let error = gateway.write("press", "seven", &json!(1)).await.unwrap_err();
    assert_eq!(error, CommandError::NotBegun(Duration::from_secs(5)));
    assert_eq!(began.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_sent_and_not_answered_may_have_been_carried_out() {
    let world = World::new();
    let mut config = one_writable_station();
    config.stations[0].interval = Duration::from_secs(600);
    let gateway = fallen_silent(&world, config).await;
    let error = gateway.write("press", "seven", &json!(1)).await.unwrap_err();
    assert_eq!(error, CommandError::Unconfirmed("no answer within 5s".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_callers_that_went_away_hold_no_place() {
    let world = World::new();
    let mut config = one_writable_station();
    config.stations[0].commands.queue = 2;
    let gateway = fallen_silent(&world, config).await;
    until("a poll that hangs", || gauge(&gateway, "pending_requests") == 1).await;
    let one = json!(1);
    for _gone in 0..10 {
        let waited = timeout(Duration::from_millis(1), gateway.write("press", "seven", &one)).await;
        assert!(waited.is_err(), "nobody answers");
    }
    assert_eq!(gauge(&gateway, "commands_cancelled"), 10);
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(gateway.write("press", "seven", &one))).collect();
    for write in &mut waiting {
        assert!(futures_util::poll!(write.as_mut()).is_pending());
    }
    let error = gateway.write("press", "seven", &one).await.unwrap_err();
    assert_eq!(error, CommandError::QueueFull { station: "press".to_owned(), limit: 2 });
}

#[tokio::test(start_paused = true)]
async fn writes_are_carried_out_in_the_order_in_which_they_came() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = start(&world, one_writable_station()).await;
    until_online(&gateway).await;
    let values: Vec<Value> = (0..20).map(|value| json!(value)).collect();
    let writes = values.iter().map(|value| gateway.write("press", "seven", value));
    let outcomes = futures_util::future::join_all(writes).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let polls = gauge(&gateway, "polls");
    until("the next poll", || gauge(&gateway, "polls") > polls).await;
    assert_eq!(latest(&world, "seven").await, json!(19));
}

//! Writes over HTTP: who may, what is answered, what a client takes back by going away.

use std::sync::Arc;
use std::time::Duration;

use gateway_under_test::Gateway;
use gateway_under_test::config::{Config, Secret};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::world::{World, config, gauge, send, start, station, until, until_online, writable};

const TOKEN: &str = "open-sesame";
const WITH_TOKEN: &str = "Authorization: Bearer open-sesame\r\n";

fn with_token() -> Config {
    let mut config = config(vec![writable("press")]);
    config.http.token = Some(Secret::new(TOKEN));
    config
}

async fn online(world: &Arc<World>, config: Config) -> Gateway {
    let gateway = start(world, config).await;
    until_online(&gateway).await;
    gateway
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).expect("a status line")
}

fn json_of(answer: &str) -> Value {
    let (_head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {answer}"))
}

#[tokio::test(start_paused = true)]
async fn a_write_is_answered_when_the_plc_has_confirmed() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = online(&world, with_token()).await;
    for (method, value) in [("PUT", 5), ("POST", 6)] {
        let body = json!({ "value": value }).to_string();
        let answer = world.send(&format!("{method} /values/press/seven"), WITH_TOKEN, &body).await;
        assert_eq!(status(&answer), "200", "{answer}");
        assert_eq!(json_of(&answer), json!({ "written": true, "value": value }));
    }
    assert_eq!((plc.stats().items_written, gauge(&gateway, "commands")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_has_a_status_and_says_why() {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut config = with_token();
    config.stations[0].tags[0].writable = false;
    let gateway = online(&world, config).await;
    for (path, body, expected, part) in [
        ("/values/pres/seven", r#"{"value":1}"#, "404", "no station `pres`"),
        ("/values/press/eight", r#"{"value":1}"#, "404", "no tag `eight`"),
        ("/values/press/count", r#"{"value":1}"#, "403", "writable: true"),
        ("/values/press/seven", r#"{"value":-1}"#, "422", "from 0 to 65535, found -1"),
        ("/values/press/seven", r#"{"valeu":1}"#, "422", "unknown field `valeu`"),
        ("/values/press/seven", r#"{"value":"#, "400", "EOF"),
    ] {
        let answer = world.send(&format!("PUT {path}"), WITH_TOKEN, body).await;
        assert_eq!(status(&answer), expected, "{answer}");
        let error = json_of(&answer)["error"].to_string();
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(plc.stats().items_written, 0);
    drop(gateway);
}

#[tokio::test(start_paused = true)]
async fn an_offline_station_is_503_and_a_silent_one_504() {
    let world = World::new();
    let mut config = with_token();
    config.stations[0].interval = Duration::from_secs(600);
    config.stations[0].request_timeout = Duration::from_secs(60);
    let gateway = start(&world, config).await;
    let answer = world.send("PUT /values/press/seven", WITH_TOKEN, r#"{"value":1}"#).await;
    assert_eq!((status(&answer), &json_of(&answer)["may_have_been_written"]), ("503", &json!(false)));
    let plc = world.plc("press:102");
    until_online(&gateway).await;
    plc.update_faults(|faults| faults.silence = true);
    let answer = world.send("PUT /values/press/seven", WITH_TOKEN, r#"{"value":1}"#).await;
    assert_eq!((status(&answer), &json_of(&answer)["may_have_been_written"]), ("504", &json!(true)));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_takes_back_what_waits() {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut config = with_token();
    config.stations[0].request_timeout = Duration::from_secs(60);
    let gateway = online(&world, config).await;
    plc.update_faults(|faults| faults.silence = true);
    until("a poll that hangs", || gauge(&gateway, "pending_requests") == 1).await;
    let mut client = world.browse();
    send(&mut client, "PUT /values/press/seven", WITH_TOKEN, r#"{"value":9}"#).await;
    until("the write", || gauge(&gateway, "queued_commands") == 1).await;
    assert_eq!(gauge(&gateway, "commands_cancelled"), 0);
    drop(client);
    until("no connection", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!(gauge(&gateway, "commands_cancelled"), 1);
    assert_eq!(plc.stats().items_written, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_is_429_with_the_time_to_come_again() {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut config = with_token();
    config.stations[0].request_timeout = Duration::from_secs(60);
    config.stations[0].commands.queue = 1;
    let gateway = online(&world, config).await;
    plc.update_faults(|faults| faults.silence = true);
    until("a poll that hangs", || gauge(&gateway, "pending_requests") == 1).await;
    let mut first = world.browse();
    send(&mut first, "PUT /values/press/seven", WITH_TOKEN, r#"{"value":9}"#).await;
    until("the write", || gauge(&gateway, "queued_commands") == 1).await;
    let answer = world.send("PUT /values/press/seven", WITH_TOKEN, r#"{"value":9}"#).await;
    assert!(answer.starts_with("HTTP/1.1 429") && answer.contains("retry-after: 1\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_one_answer_for_each_write_in_order() {
    let world = World::new();
    let plc = world.plc("press:102");
    let _gateway = online(&world, with_token()).await;
    let batch = json!([
        { "station": "press", "tag": "seven", "value": 1 },
        { "station": "press", "tag": "eight", "value": 1 },
        { "station": "press", "tag": "sine", "value": 2.5 },
    ]);
    let answer = world.send("POST /values", WITH_TOKEN, &batch.to_string()).await;
    assert_eq!(status(&answer), "200", "{answer}");
    let results = json_of(&answer);
    let told: Vec<_> = (0..3).map(|at| (&results[at]["tag"], &results[at]["written"])).collect();
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(told, [(&json!("seven"), &yes), (&json!("eight"), &no), (&json!("sine"), &yes)]);
    assert_eq!((&results[1]["status"], plc.stats().items_written), (&json!(404), 2));
}

#[tokio::test(start_paused = true)]
async fn a_batch_takes_few_places_in_a_queue_and_has_an_end() {
    let world = World::new();
    let plc = world.plc("press:102");
    let mut config = with_token();
    config.stations[0].commands.queue = 8;
    let _gateway = online(&world, config).await;
    let one = json!({ "station": "press", "tag": "seven", "value": 1 });
    let batch = |count| Value::from(vec![one.clone(); count]).to_string();
    let results = json_of(&world.send("POST /values", WITH_TOKEN, &batch(256)).await);
    let results = results.as_array().expect("a list");
    assert!(results.len() == 256 && results.iter().all(|result| result["written"] == true), "{results:?}");
    assert_eq!(plc.stats().items_written, 256);
    let answer = world.send("POST /values", WITH_TOKEN, &batch(257)).await;
    assert_eq!(status(&answer), "413", "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_long_or_of_another_type_is_refused() {
    let world = World::new();
    let gateway = start(&world, with_token()).await;
    let long = format!("{{\"value\":\"{}\"}}", "x".repeat(64 * 1024));
    let mut client = world.browse();
    let (mut reads, mut writes) = tokio::io::split(&mut client);
    let request = format!(
        "PUT /values/press/seven HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{WITH_TOKEN}\r\n{long}",
        long.len()
    );
    let mut answer = String::new();
    // The gateway closes before it has read all: that the rest cannot be written is right.
    let (_, read) = tokio::join!(
        tokio::io::AsyncWriteExt::write_all(&mut writes, request.as_bytes()),
        reads.read_to_string(&mut answer)
    );
    read.expect("an answer");
    assert_eq!(status(&answer), "413", "{answer}");
    let plain = "PUT /values/press/seven HTTP/1.1\r\nHost: gateway\r\nContent-Type: text/plain\r\n\
         Content-Length: 11\r\nAuthorization: Bearer open-sesame\r\n\r\n{\"value\":1}";
    let mut client = world.browse();
    tokio::io::AsyncWriteExt::write_all(&mut client, plain.as_bytes()).await.expect("the gateway reads");
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("an answer");
    assert_eq!(status(&answer), "415", "{answer}");
    until("no connection", || gauge(&gateway, "http_connections") == 0).await;
}

#[tokio::test(start_paused = true)]
async fn without_the_token_nothing_is_written() {
    let world = World::new();
    let plc = world.plc("press:102");
    let gateway = online(&world, with_token()).await;
    for headers in ["", "Authorization: Bearer open-sesam3\r\n", "Authorization: Basic open-sesame\r\n"] {
        let answer = world.send("PUT /values/press/seven", headers, r#"{"value":1}"#).await;
        assert!(
            answer.starts_with("HTTP/1.1 401") && answer.contains("www-authenticate: Bearer"),
            "{answer}"
        );
        assert!(!answer.contains(TOKEN), "{answer}");
    }
    assert_eq!((plc.stats().items_written, gauge(&gateway, "commands")), (0, 0));
    assert_eq!(status(&world.answer("/values").await), "200");
}

#[tokio::test(start_paused = true)]
async fn without_a_token_configured_only_this_machine_may_write() {
    let world = World::new();
    let _plc = world.plc("press:102");
    let gateway = online(&world, config(vec![writable("press")])).await;
    let answer = world.send("PUT /values/press/seven", "", r#"{"value":1}"#).await;
    assert_eq!(status(&answer), "403", "{answer}");
    assert!(answer.contains("set `http.token` or `http.token_file`, or listen on 127.0.0.1"), "{answer}");
    drop(gateway);
    world.listens_at("127.0.0.1:80");
    let _gateway = online(&world, config(vec![writable("press")])).await;
    let answer = world.send("PUT /values/press/seven", "", r#"{"value":1}"#).await;
    assert_eq!(status(&answer), "200", "{answer}");
    let foreign =
        world.send("PUT /values/press/seven", "Origin: http://evil.example\r\n", r#"{"value":1}"#).await;
    assert_eq!(status(&foreign), "403", "{foreign}");
}

#[tokio::test(start_paused = true)]
async fn a_new_token_in_its_file_holds_after_a_reload() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("token");
    std::fs::write(&path, "first-token\n").expect("a temporary file");
    let world = World::new();
    let _plc = world.plc("press:102");
    let mut config = config(vec![writable("press")]);
    config.http.token_file = Some(path.clone());
    let gateway = online(&world, config.clone()).await;
    let mut stream = world.browse();
    crate::world::ask(&mut stream, "/events", "").await;
    until("the stream", || gauge(&gateway, "sse_consumers") == 1).await;
    std::fs::write(&path, "second-token\n").expect("a temporary file");
    gateway.reload(config.clone()).await.expect("a sound configuration");
    let write = async |token: &str| {
        let header = format!("Authorization: Bearer {token}\r\n");
        let answer = world.send("PUT /values/press/seven", &header, r#"{"value":1}"#).await;
        status(&answer).to_owned()
    };
    assert_eq!((write("first-token").await, write("second-token").await), ("401".into(), "200".into()));
    assert_eq!(gauge(&gateway, "sse_consumers"), 1, "the stream was not disturbed");
    std::fs::remove_file(&path).expect("a temporary file");
    let error = gateway.reload(config).await.expect_err("no token").to_string();
    assert!(error.starts_with("http.token_file: ") && error.contains("cannot be read"), "{error}");
    assert_eq!(write("second-token").await, "200");
}

#[test]
fn a_token_that_is_none_is_reported_and_the_right_one_not_shown() {
    let mut config = config(vec![station("press")]);
    config.http.token = Some(Secret::new("short"));
    let error = config.check().expect_err("too short").to_string();
    assert!(error.contains("a secret has at least 8 characters"), "{error}");
    config.http.token = Some(Secret::new(TOKEN));
    config.http.token_file = Some("token".into());
    let error = config.check().expect_err("two tokens").to_string();
    assert!(error.contains("give either `token` or `token_file`"), "{error}");
    assert!(!error.contains(TOKEN) && !format!("{config:?}").contains(TOKEN));
}

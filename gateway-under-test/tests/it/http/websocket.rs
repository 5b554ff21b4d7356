//! WebSockets: events out, commands in, and an end to everything.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gateway_under_test::Gateway;
use gateway_under_test::config::{Config, Secret};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, DuplexStream};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::{World, ask, config, gauge, start, until, until_online, writable};

/// Simulated time after which a message will not come any more.
const PATIENCE: Duration = Duration::from_secs(600);

type Socket = WebSocketStream<DuplexStream>;

fn with_token() -> Config {
    let mut config = config(vec![writable("press"), writable("oven")]);
    config.http.token = Some(Secret::new("open-sesame"));
    config
}

async fn online(world: &Arc<World>, config: Config) -> Gateway {
    let gateway = start(world, config).await;
    until_online(&gateway).await;
    gateway
}

async fn open(world: &World, path: &str, token: Option<&str>) -> Result<Socket, Error> {
    let mut request = format!("ws://gateway{path}").into_client_request().expect("a request");
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", value);
    }
    client_async(request, world.browse()).await.map(|(socket, _answer)| socket)
}

async fn opened(world: &World, path: &str) -> Socket {
    open(world, path, Some("open-sesame")).await.expect("101")
}

/// The next text that `wanted` picks, read as JSON.
async fn next(socket: &mut Socket, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = timeout(PATIENCE, socket.next()).await.expect("a message in time");
        let message = message.expect("it goes on").expect("a message");
        let Message::Text(text) = message else { continue };
        let json: Value = serde_json::from_str(&text).expect("JSON");
        if wanted(&json) {
            return json;
        }
    }
}

async fn reply(socket: &mut Socket) -> Value {
    next(socket, |json| json.get("ok").is_some()).await
}

async fn command(socket: &mut Socket, id: u64, value: i64) {
    let command = json!({ "id": id, "station": "press", "tag": "seven", "value": value });
    socket.send(Message::text(command.to_string())).await.expect("the gateway reads");
}

#[tokio::test(start_paused = true)]
async fn a_websocket_tells_what_an_event_stream_tells() {
    let world = World::new();
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let gateway = online(&world, with_token()).await;
    let mut socket = open(&world, "/ws?station=oven", None).await.expect("listening needs no token");
    for _ in 0..3 {
        let event = next(&mut socket, |_| true).await;
        assert_eq!((&event["station"], &event["values"][2]["value"]), (&json!("oven"), &json!(7)));
    }
    assert_eq!((gauge(&gateway, "sse_consumers"), gauge(&gateway, "http_connections")), (1, 1));
    drop(socket);
    until("the place is free", || gauge(&gateway, "sse_consumers") == 0).await;
    until("no connection", || gauge(&gateway, "http_connections") == 0).await;
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_answered_under_its_own_number() {
    let world = World::new();
    let plcs = [world.plc("press:102"), world.plc("oven:102")];
    let _gateway = online(&world, with_token()).await;
    let mut socket = opened(&world, "/ws").await;
    command(&mut socket, 41, 5).await;
    assert_eq!(reply(&mut socket).await, json!({ "id": 41, "ok": true }));
    command(&mut socket, 42, -5).await;
    let refused = reply(&mut socket).await;
    assert_eq!((&refused["id"], &refused["ok"]), (&json!(42), &json!(false)), "{refused}");
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("found -5")), "{refused}");
    socket.send(Message::text("5")).await.expect("the gateway reads");
    assert_eq!(reply(&mut socket).await["id"], Value::Null);
    assert_eq!(plcs[0].stats().items_written, 1);
}

#[tokio::test(start_paused = true)]
async fn without_the_token_commands_are_refused_and_events_come() {
    let world = World::new();
    let plcs = [world.plc("press:102"), world.plc("oven:102")];
    let gateway = online(&world, with_token()).await;
    let mut socket = open(&world, "/ws", Some("open-sesam3")).await.expect("101");
    command(&mut socket, 1, 5).await;
    let expected = json!({ "id": 1, "ok": false, "error": "this is not the gateway's token" });
    assert_eq!(reply(&mut socket).await, expected);
    next(&mut socket, |json| json["station"] == "press").await;
    assert_eq!((plcs[0].stats().items_written, gauge(&gateway, "commands")), (0, 0));
}

/// A gateway whose press answers no more, with a poll that hangs.
async fn stuck(world: &Arc<World>, mut config: Config) -> Gateway {
    let plc = world.plc("press:102");
    let _oven = world.plc("oven:102");
    config.stations[0].request_timeout = Duration::from_secs(60);
    let gateway = online(world, config).await;
    plc.update_faults(|faults| faults.silence = true);
    until("a poll that hangs", || gauge(&gateway, "pending_requests") == 1).await;
    gateway
}

#[tokio::test(start_paused = true)]
async fn commands_under_way_are_bounded_and_taken_back_when_the_peer_goes() {
    let world = World::new();
    let mut config = with_token();
    config.http.websocket.max_commands = 3;
    let gateway = stuck(&world, config).await;
    let mut socket = opened(&world, "/ws").await;
    for id in 0..4 {
        command(&mut socket, id, 1).await;
    }
    let refused = reply(&mut socket).await;
    assert_eq!(refused["id"], 3, "{refused}");
    assert!(refused["error"].as_str().is_some_and(|error| error.starts_with("3 commands are under way")));
    assert_eq!((gauge(&gateway, "queued_commands"), gauge(&gateway, "commands_cancelled")), (3, 0));
    drop(socket);
    until("no connection", || gauge(&gateway, "http_connections") == 0).await;
    assert_eq!(gauge(&gateway, "commands_cancelled"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_given_up() {
    let world = World::new();
    let config = with_token();
    let limits = config.http.websocket;
    let gateway = start(&world, config).await;
    let mut mute = world.browse();
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    ask(&mut mute, "/ws", upgrade).await;
    let began = Instant::now();
    let mut read = Vec::new();
    timeout(PATIENCE, mute.read_to_end(&mut read)).await.expect("not for ever").expect("an end");
    assert!(read.starts_with(b"HTTP/1.1 101") && read.ends_with(b"\x89\x00"), "{read:?}");
    assert_eq!(began.elapsed().as_secs(), (limits.ping + limits.pong_timeout).as_secs());
    assert_eq!((gauge(&gateway, "http_errors"), gauge(&gateway, "sse_consumers")), (1, 0));
    gateway.shutdown().await.expect("an ordered end");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let world = World::new();
    let gateway = start(&world, with_token()).await;
    let mut socket = opened(&world, "/ws").await;
    let pinged = async {
        for _ in 0..100 {
            let message = socket.next().await.expect("it goes on").expect("a message");
            assert!(matches!(message, Message::Ping(_)), "{message}");
        }
    };
    pinged.await;
    assert_eq!(gauge(&gateway, "sse_consumers"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_ends_the_session() {
    let world = World::new();
    let mut config = with_token();
    config.http.websocket.max_message = 128;
    let gateway = start(&world, config).await;
    let mut socket = opened(&world, "/ws").await;
    socket.send(Message::text("x".repeat(1000))).await.expect("the gateway reads");
    let closed = socket.next().await.expect("a close").expect("a close");
    let Message::Close(Some(frame)) = closed else { panic!("expected a close, found {closed}") };
    assert_eq!(u16::from(frame.code), 1009);
    drop(socket);
    until("no connection", || gauge(&gateway, "http_connections") == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_answers_what_is_begun_and_closes_in_order() {
    let world = World::new();
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let gateway = online(&world, with_token()).await;
    let mut socket = opened(&world, "/ws").await;
    next(&mut socket, |_| true).await;
    let reading = tokio::spawn(async move {
        let mut last = None;
        while let Some(Ok(message)) = socket.next().await {
            last = Some(message);
        }
        last
    });
    let began = Instant::now();
    gateway.shutdown().await.expect("an ordered end");
    assert_eq!(began.elapsed(), Duration::ZERO);
    let Some(Message::Close(Some(frame))) = reading.await.expect("no panic") else { panic!("no close") };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1001, "the gateway stops"));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_does_not_delay_the_end_beyond_the_drain() {
    let world = World::new();
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let mut config = with_token();
    config.http.write_timeout = Duration::from_secs(3600);
    let drain = config.shutdown.drain;
    let gateway = online(&world, config).await;
    let _socket = opened(&world, "/ws").await;
    until("a full queue", || gauge(&gateway, "events_dropped") > 0).await;
    let began = Instant::now();
    gateway.shutdown().await.expect("cut, but in order");
    assert_eq!(began.elapsed().as_secs(), drain.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_changed_http_side_closes_its_websockets_in_order() {
    let world = World::new();
    let _plcs = [world.plc("press:102"), world.plc("oven:102")];
    let gateway = online(&world, with_token()).await;
    let mut socket = opened(&world, "/ws").await;
    let reading = tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                return true;
            }
        }
        false
    });
    let mut changed = with_token();
    changed.http.max_connections = 7;
    gateway.reload(changed).await.expect("a sound configuration");
    assert!(reading.await.expect("no panic"), "cut without a close");
    assert_eq!(gauge(&gateway, "http_connections"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_websocket_is_told_how_to_ask() {
    let world = World::new();
    let _gateway = start(&world, with_token()).await;
    assert!(world.answer("/ws").await.starts_with("HTTP/1.1 426"));
    let Err(Error::Http(answer)) = open(&world, "/ws?station=pres", None).await else {
        panic!("expected 404")
    };
    assert_eq!(answer.status().as_u16(), 404);
}

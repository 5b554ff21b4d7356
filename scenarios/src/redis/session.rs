//! One client's connection to the simulated Redis server: its requests, and what is published to it.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use watertight::world::BoxStream;

use super::hub::{Hub, Kind, Seat};
use super::line::{End, Line};
use super::resp::{Value, Version};

/// A client that listens to nothing and says nothing for so long is taken for gone.
const IDLE_MAX: Duration = Duration::from_secs(300);

/// Serves one client until either side ends it; its subscriptions end with this future.
pub async fn serve(hub: Hub, stream: BoxStream) {
    let mut line = Line::new(stream);
    let Some(mut seat) = hub.enter() else {
        line.send(&error("max number of clients reached"));
        // Whether it heard that it is refused changes nothing.
        let _heard = line.flush().await;
        return;
    };
    let end = seat.end.clone();
    let played = end.run_until_cancelled(play(&hub, &mut line, &mut seat)).await;
    if let Some(Err(End::Protocol(broken))) = played {
        hub.counts().broken.fetch_add(1, Relaxed);
        line.send(&error(&format!("Protocol error: {broken}")));
        let _heard = line.flush().await;
    }
}

async fn play(hub: &Hub, line: &mut Line, seat: &mut Seat) -> Result<(), End> {
    loop {
        let idle = if seat.is_subscribed() { Duration::MAX } else { IDLE_MAX };
        tokio::select! {
            biased;
            request = timeout(idle, line.next()) => {
                let request = request.map_err(|_| End::Closed)??;
                answer(hub, line, seat, request).await?;
            }
            Some(message) = seat.inbox.recv() => line.send(&message),
        }
    }
}

async fn answer(hub: &Hub, line: &mut Line, seat: &Seat, request: Value) -> Result<(), End> {
    let Some((name, words)) = request.into_words().and_then(split) else {
        line.send(&error("Protocol error: expected an array of texts"));
        return Ok(());
    };
    match name.as_str() {
        "SUBSCRIBE" => subscribe(line, seat, Kind::Channel, &words),
        "PSUBSCRIBE" => subscribe(line, seat, Kind::Pattern, &words),
        "UNSUBSCRIBE" => unsubscribe(line, seat, Kind::Channel, words),
        "PUNSUBSCRIBE" => unsubscribe(line, seat, Kind::Pattern, words),
        "QUIT" => {
            line.send(&ok());
            line.flush().await?;
            return Err(End::Closed);
        }
        "PING" if listens_only(line, seat) => {
            let word = words.first().cloned().unwrap_or_default();
            line.send(&Value::Array(vec![Value::text("pong"), Value::Bulk(word)]));
        }
        name if listens_only(line, seat) => line.send(&error(&format!(
            "Can't execute '{}': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT are allowed in this context",
            name.to_lowercase()
        ))),
        "HELLO" => hello(line, seat, &words),
        name => {
            let reply = reply(hub, name, &words);
            line.send(&reply);
        }
    }
    Ok(())
}

/// The command's name in capitals, and what follows it.
fn split(mut words: Vec<Bytes>) -> Option<(String, Vec<Bytes>)> {
    let rest = words.split_off(1.min(words.len()));
    let name = words.pop()?;
    Some((String::from_utf8_lossy(&name).to_uppercase(), rest))
}

/// In RESP2 a client that subscribed may do little else: replies and messages could not be told apart.
fn listens_only(line: &Line, seat: &Seat) -> bool {
    line.version == Version::Resp2 && seat.is_subscribed()
}

/// Commands that need neither the client's subscriptions nor its version.
fn reply(hub: &Hub, name: &str, words: &[Bytes]) -> Value {
    match (name, words) {
        ("PING", []) => Value::Simple("PONG".into()),
        ("PING" | "ECHO", [word]) => Value::Bulk(word.clone()),
        // Nobody is refused here, so any password is right; and there is nothing that a client's name or database could change.
        ("AUTH", [_] | [_, _]) | ("CLIENT", [_, ..]) | ("SELECT", [_]) => ok(),
        ("PUBLISH", [channel, payload]) => {
            hub.counts().published.fetch_add(1, Relaxed);
            Value::Integer(hub.publish(channel, payload))
        }
        ("PING" | "ECHO" | "AUTH" | "CLIENT" | "SELECT" | "PUBLISH", _) => {
            error(&format!("wrong number of arguments for '{}' command", name.to_lowercase()))
        }
        _ => error(&format!("unknown command '{}'", name.to_lowercase())),
    }
}

fn hello(line: &mut Line, seat: &Seat, words: &[Bytes]) {
    let version = match words.first().map(|word| &word[..]) {
        None => line.version,
        Some(b"2") => Version::Resp2,
        Some(b"3") => Version::Resp3,
        Some(_) => {
            line.send(&Value::Error("NOPROTO unsupported protocol version".into()));
            return;
        }
    };
    line.version = version;
    let proto = if version == Version::Resp3 { 3 } else { 2 };
    line.send(&Value::Map(vec![
        Value::text("server"),
        Value::text("redis"),
        Value::text("version"),
        Value::text("7.4.0"),
        Value::text("proto"),
        Value::Integer(proto),
        Value::text("id"),
        Value::Integer(i64::try_from(seat.number).unwrap_or(i64::MAX)),
        Value::text("mode"),
        Value::text("standalone"),
        Value::text("role"),
        Value::text("master"),
        Value::text("modules"),
        Value::Array(Vec::new()),
    ]));
}

fn subscribe(line: &mut Line, seat: &Seat, kind: Kind, names: &[Bytes]) {
    let word = if kind == Kind::Channel { "subscribe" } else { "psubscribe" };
    if names.is_empty() {
        line.send(&error(&format!("wrong number of arguments for '{word}' command")));
    }
    for name in names {
        match seat.subscribe(kind, name) {
            Some(count) => line.send(&confirmation(word, Some(name), count)),
            None => line.send(&error("too many subscriptions, or a channel's name is too long")),
        }
    }
}

fn unsubscribe(line: &mut Line, seat: &Seat, kind: Kind, names: Vec<Bytes>) {
    let word = if kind == Kind::Channel { "unsubscribe" } else { "punsubscribe" };
    let names = if names.is_empty() { seat.names(kind) } else { names };
    if names.is_empty() {
        line.send(&confirmation(word, None, 0));
    }
    for name in names {
        let left = seat.unsubscribe(kind, &name);
        line.send(&confirmation(word, Some(&name), left));
    }
}

fn confirmation(word: &str, name: Option<&Bytes>, count: i64) -> Value {
    let name = name.map_or(Value::Null, |name| Value::Bulk(name.clone()));
    Value::Push(vec![Value::text(word), name, Value::Integer(count)])
}

fn ok() -> Value {
    Value::Simple("OK".into())
}

fn error(why: &str) -> Value {
    // An error is one line, whatever the client's words were.
    let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(256).collect();
    Value::Error(format!("ERR {why}"))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use redis::aio::{MultiplexedConnection, PubSub};
    use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::Instant;

    use super::super::hub::WAITING_MAX;
    use super::*;

    /// A server's end of a new connection is served; the other end is given back.
    fn dial(hub: &Hub) -> DuplexStream {
        let (outside, inside) = tokio::io::duplex(64 << 10);
        tokio::spawn(serve(hub.clone(), Box::new(inside)));
        outside
    }

    fn info(protocol: ProtocolVersion) -> RedisConnectionInfo {
        RedisConnectionInfo::default().set_protocol(protocol).set_password("any")
    }

    async fn connection(hub: &Hub, protocol: ProtocolVersion) -> MultiplexedConnection {
        let config = AsyncConnectionConfig::new();
        let made = MultiplexedConnection::new_with_config(&info(protocol), dial(hub), config).await;
        let (connection, driver) = made.unwrap();
        tokio::spawn(driver);
        connection
    }

    #[tokio::test(start_paused = true)]
    async fn redis_rs_publishes_and_hears_it_in_either_version() {
        for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            let hub = Hub::default();
            let mut listener = PubSub::new(&info(protocol), dial(&hub)).await.unwrap();
            listener.subscribe("s7:results").await.unwrap();
            listener.psubscribe("s7:values:*").await.unwrap();
            let mut speaker = connection(&hub, protocol).await;
            let publish = |channel| redis::cmd("PUBLISH").arg(channel).arg("1").to_owned();
            for (channel, heard) in [("s7:results", 1), ("s7:values:plc-0", 1), ("s7:commands", 0)] {
                assert_eq!(publish(channel).query_async::<i64>(&mut speaker).await.unwrap(), heard);
            }
            let messages: Vec<String> = listener
                .on_message()
                .take(2)
                .map(|message| message.get_channel_name().to_owned())
                .collect()
                .await;
            assert_eq!(messages, ["s7:results", "s7:values:plc-0"]);
            listener.unsubscribe("s7:results").await.unwrap();
            assert_eq!(publish("s7:results").query_async::<i64>(&mut speaker).await.unwrap(), 0);
            assert_eq!(hub.counts().published.load(Relaxed), 4);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_connection_of_resp3_listens_and_speaks() {
        let hub = Hub::default();
        let (pushes, mut pushed) = tokio::sync::mpsc::unbounded_channel();
        let config = AsyncConnectionConfig::new().set_push_sender(pushes);
        let info = info(ProtocolVersion::RESP3);
        let made = MultiplexedConnection::new_with_config(&info, dial(&hub), config).await;
        let (mut connection, driver) = made.unwrap();
        tokio::spawn(driver);
        connection.subscribe("s7:commands").await.unwrap();
        let heard: i64 =
            redis::cmd("PUBLISH").arg("s7:commands").arg("1").query_async(&mut connection).await.unwrap();
        assert_eq!(heard, 1);
        let kinds = [pushed.recv().await.unwrap().kind, pushed.recv().await.unwrap().kind];
        assert_eq!(kinds, [redis::PushKind::Subscribe, redis::PushKind::Message]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_does_not_know_is_refused_and_the_connection_goes_on() {
        let hub = Hub::default();
        let mut connection = connection(&hub, ProtocolVersion::RESP3).await;
        let unknown = redis::cmd("LPUSH").arg("a").arg("b").query_async::<i64>(&mut connection).await;
        assert!(unknown.unwrap_err().to_string().contains("unknown command 'lpush'"));
        let pong: String = redis::cmd("PING").query_async(&mut connection).await.unwrap();
        assert_eq!(pong, "PONG");
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_ends_its_connection_and_no_other() {
        let hub = Hub::default();
        let mut other = connection(&hub, ProtocolVersion::RESP2).await;
        let deep = "*1\r\n".repeat(10_000);
        let garbage: [&[u8]; 4] =
            [b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], b"*1\r\n$9999999999\r\n", deep.as_bytes()];
        for bytes in garbage {
            let mut stream = dial(&hub);
            stream.write_all(bytes).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(b"-ERR Protocol error"), "{}", String::from_utf8_lossy(&answer));
        }
        assert_eq!((hub.counts().broken.load(Relaxed), hub.clients()), (garbage.len() as u64, 1));
        let pong: String = redis::cmd("PING").query_async(&mut other).await.unwrap();
        assert_eq!(pong, "PONG");
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_never_reads_is_cut_off() {
        let hub = Hub::default();
        let mut stream = dial(&hub);
        stream.write_all(b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        // More than the stream holds, so that the rest waits in the server.
        let payload = Bytes::from(vec![b'x'; 64 << 10]);
        for _ in 0..WAITING_MAX + 3 {
            hub.publish(&"a".into(), &payload);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!((hub.counts().cut_off.load(Relaxed), hub.clients()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_listens_may_be_silent_for_long() {
        let hub = Hub::default();
        let (mut silent, mut listener) = (dial(&hub), dial(&hub));
        listener.write_all(b"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n").await.unwrap();
        let began = Instant::now();
        silent.read_to_end(&mut Vec::new()).await.unwrap();
        assert_eq!(began.elapsed(), IDLE_MAX);
        tokio::time::sleep(10 * IDLE_MAX).await;
        assert_eq!(hub.clients(), 1);
    }
}

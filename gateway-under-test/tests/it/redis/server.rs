//! A Redis of which only pub/sub is left, over one in-memory stream; it notes what is published.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_under_test::config::{Config, RedisConfig, StationConfig};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::broadcast;
use tokio::time::timeout;

use crate::world::{World, config, station};

pub const AT: &str = "redis:6379";

/// A server that does as it should.
#[derive(Clone)]
pub struct Redis {
    messages: broadcast::Sender<String>,
    published: Arc<Mutex<Vec<(String, String)>>>,
    /// What each publication is answered with.
    answer: &'static str,
}

impl Redis {
    /// Puts one into the world.
    pub fn at(world: &World) -> Self {
        Self::answering(world, ":1\r\n")
    }

    /// One that gives this answer to whatever is published.
    pub fn answering(world: &World, answer: &'static str) -> Self {
        let redis = Self { messages: broadcast::channel(1024).0, published: Arc::default(), answer };
        let serving = redis.clone();
        world.peer(AT, move |stream| {
            let redis = serving.clone();
            async move { redis.serve(stream).await }
        });
        redis
    }

    /// Sends a message to the channel of commands.
    pub fn command(&self, message: &str) {
        self.messages.send(message.to_owned()).expect("the gateway has subscribed");
    }

    /// What has been published on the channels that begin so.
    pub fn published(&self, channel: &str) -> Vec<Value> {
        let published = self.published.lock().unwrap();
        let on_it = published.iter().filter(|(on, _)| on.starts_with(channel));
        on_it.map(|(_, body)| serde_json::from_str(body).expect("JSON")).collect()
    }

    /// Forgets what has been published.
    pub fn forget(&self) {
        *self.published.lock().unwrap() = Vec::new();
    }

    async fn serve(self, stream: DuplexStream) {
        let mut client = Client::new(stream);
        let mut messages = self.messages.subscribe();
        loop {
            tokio::select! {
                biased;
                command = client.next() => match command {
                    Some(command) => client.say(&self.answer(command)).await,
                    None => return,
                },
                message = messages.recv() => client.say(&pushed(&message.expect("the test lasts"))).await,
            }
        }
    }

    fn answer(&self, command: Vec<String>) -> String {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words[..] {
            ["PUBLISH", channel, body] => {
                self.published.lock().unwrap().push((channel.to_owned(), body.to_owned()));
                self.answer.to_owned()
            }
            _ => greeting(&words),
        }
    }
}

/// The answer to what is asked at first, and to a sign of life.
pub fn greeting(words: &[&str]) -> String {
    match *words {
        ["HELLO", "3", ..] => "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n".to_owned(),
        ["SELECT", _] => "+OK\r\n".to_owned(),
        ["SUBSCRIBE", channel] => {
            format!(">3\r\n$9\r\nsubscribe\r\n${}\r\n{channel}\r\n:1\r\n", channel.len())
        }
        ["PING"] => "+PONG\r\n".to_owned(),
        _ => panic!("not asked of a Redis: {words:?}"),
    }
}

/// A message on the channel of commands.
pub fn pushed(message: &str) -> String {
    format!(">3\r\n$7\r\nmessage\r\n$11\r\ns7:commands\r\n${}\r\n{message}\r\n", message.len())
}

/// The gateway, as a server sees it: its stream, and what of a command has come.
pub struct Client(DuplexStream, Vec<u8>);

impl Client {
    pub fn new(stream: DuplexStream) -> Self {
        // Room for any command of these tests: it does not grow.
        Self(stream, Vec::with_capacity(64 * 1024))
    }

    /// One that has been taken in: HELLO and SUBSCRIBE are answered.
    pub async fn greeted(stream: DuplexStream) -> Self {
        let mut client = Self::new(stream);
        for _ in 0..2 {
            let command = client.next().await.expect("a greeting");
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            client.say(&greeting(&words)).await;
        }
        client
    }

    /// The next command with its arguments; `None` when the gateway has gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Vec<String>> {
        loop {
            let mut rest = &self.1[..];
            if let Some(words) = words(&mut rest) {
                let used = self.1.len() - rest.len();
                self.1.drain(..used);
                return Some(words);
            }
            if self.0.read_buf(&mut self.1).await.is_ok_and(|read| read == 0) {
                return None;
            }
        }
    }

    pub async fn say(&mut self, text: &str) {
        // A gateway that has gone is seen when it is read from.
        let _ = self.0.write_all(text.as_bytes()).await;
    }
}

/// The words of a command, if it is whole.
fn words(rest: &mut &[u8]) -> Option<Vec<String>> {
    (0..number(rest, b'*')?).map(|_| word(rest)).collect()
}

fn word(rest: &mut &[u8]) -> Option<String> {
    let length = number(rest, b'$')?;
    let (word, after) = rest.split_at_checked(length + 2)?;
    *rest = after;
    Some(String::from_utf8(word[..length].to_vec()).expect("UTF-8"))
}

fn number(rest: &mut &[u8], kind: u8) -> Option<usize> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at(end + 1);
    *rest = after;
    let digits = line.strip_prefix(&[kind]).expect("RESP");
    Some(str::from_utf8(digits).expect("UTF-8").trim_end().parse().expect("a number"))
}

/// A station that may be written, and Redis with commands.
pub fn with_commands() -> Config {
    let mut config = config(vec![writable("press")]);
    config.redis = Some(RedisConfig { commands: true, ..RedisConfig::new(AT) });
    config
}

fn writable(name: &str) -> StationConfig {
    let mut station = station(name);
    station.tags.iter_mut().for_each(|tag| tag.writable = true);
    station
}

/// Waits for as many results.
pub async fn results(redis: &Redis, count: usize) -> Vec<Value> {
    let waiting = async {
        loop {
            let results = redis.published("s7:results");
            if results.len() >= count {
                return results;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(600), waiting).await.expect("as many results")
}

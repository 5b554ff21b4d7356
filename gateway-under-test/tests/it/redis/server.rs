//! A Redis of which only pub/sub is left, over one in-memory stream; it notes what is published.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_under_test::config::{Config, RedisConfig, StationConfig};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
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

/// The gateway, as a server sees it.
pub struct Client(BufReader<DuplexStream>);

impl Client {
    pub fn new(stream: DuplexStream) -> Self {
        Self(BufReader::new(stream))
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

    /// The next command, and its arguments. Cancelled only before its first byte.
    pub async fn next(&mut self) -> Option<Vec<String>> {
        self.0.fill_buf().await.ok().filter(|bytes| !bytes.is_empty())?;
        let mut words = Vec::new();
        for _ in 0..self.number('*').await? {
            let mut word = vec![0; self.number('$').await? + 2];
            self.0.read_exact(&mut word).await.ok()?;
            word.truncate(word.len() - 2);
            words.push(String::from_utf8(word).expect("UTF-8"));
        }
        Some(words)
    }

    async fn number(&mut self, kind: char) -> Option<usize> {
        let mut line = String::new();
        self.0.read_line(&mut line).await.ok()?;
        Some(line.strip_prefix(kind)?.trim_end().parse().expect("a number"))
    }

    pub async fn say(&mut self, text: &str) {
        // A gateway that has gone is seen when it is read from.
        let _ = self.0.get_mut().write_all(text.as_bytes()).await;
    }
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

//! The kinds of peers a scenario of the S7 world may use, as they stand under `world:`.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::Deserialize;
use watertight::peers::{TcpClients, TcpService};
use watertight::units::{Rate, Size, Time};

/// A peer of the gateway.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum S7Peer {
    /// Simulated PLCs; the gateway polls each as a station of its own.
    S7(#[garde(dive)] Plcs),
    /// A PLC that is somebody else's program (process engine only).
    S7Command(#[garde(dive)] PlcCommand),
    /// Consumers of the gateway's event stream.
    Sse(#[garde(dive)] SseConsumers),
    /// A consumer that reads values over HTTP and checks them.
    Values(#[garde(dive)] ValueReader),
    /// An MQTT broker that the gateway publishes to and takes commands from: simulated, or mosquitto in the process engine.
    Mqtt(#[garde(dive)] MqttBroker),
    /// A Redis server that the gateway publishes to and takes commands from: simulated, or redis-server in the process engine.
    Redis(#[garde(dive)] RedisServer),
    /// Any TCP service: whatever the target says to it.
    Tcp(#[garde(dive)] TcpService),
    /// Clients that connect to the target over TCP and say what stands here: load for any target.
    TcpClient(#[garde(dive)] TcpClients),
}

/// Simulated PLCs.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Plcs {
    /// How many.
    #[garde(range(min = 1, max = 10_000))]
    pub count: usize,
    /// How often the gateway polls each.
    #[serde(default = "one_second")]
    #[garde(skip)]
    pub scan: Time,
    /// Tags per station, spread over one data block.
    #[serde(default = "eight")]
    #[garde(range(min = 1, max = 2_000))]
    pub tags: usize,
    /// Connection slots of each PLC.
    #[serde(default = "eight")]
    #[garde(range(min = 1, max = 1_000))]
    pub slots: usize,
    /// How long a session may be silent before the PLC ends it.
    #[serde(default = "one_minute")]
    #[garde(skip)]
    pub idle: Time,
    /// How long each answer takes.
    #[serde(default = "no_time")]
    #[garde(skip)]
    pub delay: Time,
    /// The largest PDU it grants, in bytes.
    #[serde(default = "pdu_480")]
    #[garde(range(min = 240, max = 960))]
    pub pdu: u16,
}

/// A PLC that is somebody else's program.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct PlcCommand {
    /// The program and its arguments; `{port}` stands for a free port on loopback. Never run through a shell.
    #[garde(length(min = 1))]
    pub command: Vec<String>,
    /// How often the gateway polls it.
    #[serde(default = "one_second")]
    #[garde(skip)]
    pub scan: Time,
    /// The tags to poll, each with its address, such as `DB1.DBW0:INT`.
    #[garde(length(min = 1))]
    pub tags: BTreeMap<String, String>,
}

/// Consumers of the gateway's event stream (SSE).
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct SseConsumers {
    /// How many.
    #[garde(range(min = 1, max = 10_000))]
    pub count: usize,
    /// How fast each reads; 0: it never reads at all after its request.
    #[garde(skip)]
    pub read: Rate,
    /// How long it waits before it connects again.
    #[serde(default = "one_second")]
    #[garde(skip)]
    pub retry: Time,
    /// How much it reads at once.
    #[serde(default = "read_chunk")]
    #[garde(skip)]
    pub chunk: Size,
    /// How long it waits for the next event before it takes the connection for dead.
    #[serde(default = "ten_seconds")]
    #[garde(skip)]
    pub patience: Time,
}

/// A consumer that reads values over HTTP and checks them.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct ValueReader {
    /// How often.
    #[serde(default = "one_second")]
    #[garde(skip)]
    pub every: Time,
    /// `station/tag` and the value it must have whenever it is good.
    #[garde(length(min = 1))]
    pub expect: BTreeMap<String, f64>,
}

/// An MQTT broker, and who works at it beside the gateway.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct MqttBroker {
    /// Clients that subscribe to everything the gateway publishes.
    #[serde(default = "one")]
    #[garde(range(max = 500))]
    pub subscribers: usize,
    /// How fast each of them reads, without it as fast as it can; 0: nothing after its first message.
    #[serde(default)]
    #[garde(skip)]
    pub read: Option<Rate>,
    /// A client that has tags written; without it there is none.
    #[serde(default)]
    #[garde(dive)]
    pub commands: Option<Commands>,
    /// The quality of service at which these clients subscribe and publish: 0, at most once; 1, at least once.
    #[serde(default = "at_least_once")]
    #[garde(range(max = 1))]
    pub qos: u8,
}

/// A Redis server, and who works at it beside the gateway.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct RedisServer {
    /// Clients that subscribe to everything the gateway publishes.
    #[serde(default = "one")]
    #[garde(range(max = 500))]
    pub subscribers: usize,
    /// How fast each of them reads, without it as fast as it can; 0: nothing after its first message.
    #[serde(default)]
    #[garde(skip)]
    pub read: Option<Rate>,
    /// A client that has tags written; without it there is none.
    #[serde(default)]
    #[garde(dive)]
    pub commands: Option<Commands>,
}

/// Commands to the gateway: each writes one tag of one station, all stations in turn.
#[derive(Debug, Clone, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// How often; at least once in every cycle, or the run has no load.
    #[garde(skip)]
    pub every: Time,
    /// The tag to write, a number, in every station that has it.
    #[serde(default = "first_tag")]
    #[garde(skip)]
    pub tag: String,
}

fn one() -> usize {
    1
}

fn at_least_once() -> u8 {
    1
}

fn first_tag() -> String {
    "t0".to_owned()
}

fn one_second() -> Time {
    Time(std::time::Duration::from_secs(1))
}

fn one_minute() -> Time {
    Time(std::time::Duration::from_secs(60))
}

fn ten_seconds() -> Time {
    Time(std::time::Duration::from_secs(10))
}

fn no_time() -> Time {
    Time(std::time::Duration::ZERO)
}

fn eight() -> usize {
    8
}

fn pdu_480() -> u16 {
    480
}

fn read_chunk() -> Size {
    Size(4096)
}

//! The target of this world: the S7 gateway, configured from what the scenario says.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use watertight::chaos::toxics::reload::merge;
use watertight::scenario::Scenario;
use watertight::units::Time;
use watertight::world::{Setting, WorldError};

use crate::command;
use crate::peers::{Commands, PlcCommand, Plcs, S7Peer};

/// The name of this target in scenario files.
pub const NAME: &str = "s7-gateway";

/// Times of the gateway that a scenario's pace must reach; as a person would set them in the field.
const TIMES: [(&str, &[&str], Duration); 17] = [
    ("station", &["connect_timeout"], Duration::from_secs(3)),
    ("station", &["request_timeout"], Duration::from_secs(2)),
    ("station", &["heartbeat"], Duration::from_secs(5)),
    ("station", &["breaker", "open"], Duration::from_secs(5)),
    ("station", &["pool", "idle"], Duration::from_secs(30)),
    ("station", &["commands", "timeout"], Duration::from_secs(5)),
    ("http", &["header_timeout"], Duration::from_secs(10)),
    ("http", &["idle_timeout"], Duration::from_secs(10)),
    ("http", &["body_timeout"], Duration::from_secs(10)),
    ("http", &["write_timeout"], Duration::from_secs(10)),
    ("http", &["events", "keep_alive"], Duration::from_secs(5)),
    ("mqtt", &["connect_timeout"], Duration::from_secs(3)),
    ("mqtt", &["ack_timeout"], Duration::from_secs(5)),
    ("redis", &["connect_timeout"], Duration::from_secs(3)),
    ("redis", &["keep_alive"], Duration::from_secs(30)),
    ("shutdown", &["drain"], Duration::from_secs(2)),
    ("shutdown", &["deadline"], Duration::from_secs(5)),
];

/// How often the gateway's MQTT client makes itself heard.
const MQTT_KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The key of the target's `with` whose settings are merged into those of every station.
const EVERY_STATION: &str = "station";

/// The shortest time that still means something to a wall clock under load.
const WALL_TIME_MIN: Duration = Duration::from_millis(250);

/// What is wrong with the scenario's target, one message each.
pub fn check(scenario: &Scenario<S7Peer>) -> Vec<String> {
    let target = &scenario.target;
    let mut problems = Vec::new();
    match target.name.as_deref() {
        Some(NAME) | None => {}
        Some(other) => {
            problems.push(format!("unknown target `{other}`; known: `{NAME}`, or `command: [..]`"))
        }
    }
    if let Some(defect) = &target.defect {
        let known: Vec<_> = gateway_under_test::defects::names().collect();
        if !known.contains(&defect.as_str()) {
            problems.push(format!("unknown defect `{defect}`; known: {}", known.join(", ")));
        }
    }
    problems.extend(check_brokers(scenario));
    problems
}

/// The gateway has one connection to a broker of each kind, and commands need a tag to write.
fn check_brokers(scenario: &Scenario<S7Peer>) -> Vec<String> {
    let mut problems = Vec::new();
    let count = |is: fn(&S7Peer) -> bool| scenario.world.values().filter(|peer| is(peer)).count();
    let kinds = [
        ("mqtt", count(|peer| matches!(peer, S7Peer::Mqtt(_)))),
        ("redis", count(|peer| matches!(peer, S7Peer::Redis(_)))),
    ];
    for (kind, count) in kinds.iter().filter(|(_, count)| *count > 1) {
        problems.push(format!(
            "expected at most one peer of the kind `{kind}`, found {count}: remove the others"
        ));
    }
    for commands in scenario.world.values().filter_map(commands) {
        if command::targets(scenario, &commands.tag).is_empty() {
            problems.push(format!("commands: no station has the tag `{}`", commands.tag));
        }
    }
    problems
}

fn commands(peer: &S7Peer) -> Option<&Commands> {
    match peer {
        S7Peer::Mqtt(broker) => broker.commands.as_ref(),
        S7Peer::Redis(server) => server.commands.as_ref(),
        _ => None,
    }
}

/// The gateway's configuration as JSON, which is YAML as well: stations from the scenario's PLCs, every time at the run's pace.
///
/// `addresses` gives for each server peer the addresses of its instances.
pub fn config(
    setting: &Setting<'_, S7Peer>,
    addresses: &BTreeMap<String, Vec<String>>,
    listen: &str,
) -> Result<String, WorldError> {
    let mut http = times(setting, "http");
    http.insert("listen".into(), listen.into());
    let mut config = json!({
        "stations": stations_config(setting, addresses)?,
        "http": http,
        "shutdown": times(setting, "shutdown"),
    });
    for (name, peer) in &setting.scenario.world {
        let part = match peer {
            S7Peer::Mqtt(_) => "mqtt",
            S7Peer::Redis(_) => "redis",
            _ => continue,
        };
        config[part] = broker(setting, part, addresses.get(name));
        config[part]["commands"] = commands(peer).is_some().into();
    }
    if let Some(defect) = &setting.scenario.target.defect {
        config["defect"] = defect.clone().into();
    }
    for (key, value) in &setting.scenario.target.with {
        let value = paced_value(setting, value);
        match config["stations"].as_array_mut().filter(|_| key == EVERY_STATION) {
            Some(stations) => stations.iter_mut().for_each(|station| merge(station, value.clone())),
            None => merge(&mut config[key.as_str()], value),
        }
    }
    Ok(format!("{config:#}"))
}

/// As [`config`], for a gateway with a disk: where its guardian writes down what is held.
pub fn config_with_dumps(
    setting: &Setting<'_, S7Peer>,
    addresses: &BTreeMap<String, Vec<String>>,
    listen: &str,
    dumps: &Path,
) -> Result<String, WorldError> {
    let unread = |error: serde_json::Error| WorldError::Unknown(error.to_string());
    let mut config: Value = serde_json::from_str(&config(setting, addresses, listen)?).map_err(unread)?;
    merge(&mut config["guardian"], json!({ "dumps": { "dir": dumps } }));
    Ok(format!("{config:#}"))
}

/// Whether the scenario says how dumps are kept: then they are files in every engine, in sim too.
pub fn keeps_dumps_on_disk(scenario: &Scenario<S7Peer>) -> bool {
    scenario.target.with.get("guardian").is_some_and(|guardian| guardian.get("dumps").is_some())
}

fn stations_config(
    setting: &Setting<'_, S7Peer>,
    addresses: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<Value>, WorldError> {
    let mut stations = Vec::new();
    for (name, peer) in &setting.scenario.world {
        let (tags, scan) = match peer {
            S7Peer::S7(plcs) => (simulated_tags(plcs), plcs.scan.0),
            S7Peer::S7Command(plc) => (foreign_tags(plc)?, plc.scan.0),
            _ => continue,
        };
        for (ordinal, address) in addresses.get(name).into_iter().flatten().enumerate() {
            let mut station = times(setting, "station");
            station.insert("name".into(), station_name(name, ordinal).into());
            station.insert("address".into(), address.clone().into());
            station.insert("interval".into(), text(setting.paced(scan)));
            station.insert("backoff".into(), backoff(setting));
            station.insert("tags".into(), tags.clone());
            stations.push(Value::Object(station));
        }
    }
    Ok(stations)
}

/// Every station of the gateway: its name and the peer it is polled from.
pub fn stations(scenario: &Scenario<S7Peer>) -> impl Iterator<Item = (String, &S7Peer)> {
    let count = |peer: &S7Peer| match peer {
        S7Peer::S7(plcs) => plcs.count,
        S7Peer::S7Command(_) => 1,
        _ => 0,
    };
    scenario.world.iter().flat_map(move |(name, peer)| {
        (0..count(peer)).map(move |ordinal| (station_name(name, ordinal), peer))
    })
}

fn station_name(peer: &str, ordinal: usize) -> String {
    format!("{peer}-{ordinal}")
}

/// The name of tag number `n` of a simulated PLC.
pub fn tag_name(n: usize) -> String {
    format!("t{n}")
}

fn backoff(setting: &Setting<'_, S7Peer>) -> Value {
    let paced = |time| text(setting.paced(time));
    json!({ "min": paced(Duration::from_millis(200)), "max": paced(Duration::from_secs(5)) })
}

/// The gateway's side of the MQTT broker or the Redis server (`part`).
fn broker(setting: &Setting<'_, S7Peer>, part: &str, addresses: Option<&Vec<String>>) -> Value {
    let mut broker = times(setting, part);
    broker.insert("address".into(), addresses.and_then(|addresses| addresses.first()).cloned().into());
    broker.insert("prefix".into(), command::PREFIX.into());
    broker.insert("backoff".into(), backoff(setting));
    if part == "mqtt" {
        broker.insert("client_id".into(), "gateway".into());
        // The protocol counts it in whole seconds.
        let keep_alive = setting.paced(MQTT_KEEP_ALIVE).as_secs_f64().ceil();
        broker.insert("keep_alive".into(), text(Duration::from_secs_f64(keep_alive)));
    }
    Value::Object(broker)
}

fn times(setting: &Setting<'_, S7Peer>, part: &str) -> Map<String, Value> {
    let mut object = Value::Object(Map::new());
    for (_, path, time) in TIMES.iter().filter(|(of, _, _)| *of == part) {
        // How long an orderly end may take is the machine's business: a bound that is not reached costs nothing.
        let paced = if part == "shutdown" { *time } else { setting.paced(*time) };
        let time = if setting.pace > 1.0 { paced.max(WALL_TIME_MIN.min(*time)) } else { paced };
        let leaf = path.iter().fold(&mut object, |value, key| &mut value[*key]);
        *leaf = text(time);
    }
    match object {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn text(time: Duration) -> Value {
    humantime::format_duration(Duration::from_millis(time.as_millis().max(1) as u64)).to_string().into()
}

/// Tags of a simulated PLC: a mix of types over `DB1`, as [`crate::plc::data_block`] fills it.
fn simulated_tags(plcs: &Plcs) -> Value {
    (0..plcs.tags)
        .map(|n| {
            let offset = n * crate::plc::BYTES_PER_TAG;
            let kind = ["int", "real", "dint", "bool"][n % 4];
            json!({ "name": tag_name(n), "area": "db", "db": 1, "offset": offset, "type": kind, "writable": true })
        })
        .collect()
}

fn foreign_tags(plc: &PlcCommand) -> Result<Value, WorldError> {
    plc.tags
        .iter()
        .map(|(name, address)| {
            let (db, offset, bit, kind) = parse_address(address).ok_or_else(|| {
                WorldError::Unknown(format!(
                    "tag `{name}`: expected an address such as `DB1.DBW0:INT`, found `{address}`"
                ))
            })?;
            Ok(json!({ "name": name, "area": "db", "db": db, "offset": offset, "bit": bit, "type": kind }))
        })
        .collect()
}

/// Reads `DB1.DBD4:REAL` and `DB1.DBX12.2:BOOL` into (data block, byte offset, bit, type).
fn parse_address(address: &str) -> Option<(u32, u32, u8, String)> {
    let (place, kind) = address.split_once(':')?;
    let mut parts = place.split('.');
    let db = parts.next()?.strip_prefix("DB")?.parse().ok()?;
    let offset = parts.next()?.strip_prefix("DB")?;
    let offset = offset.strip_prefix(['X', 'B', 'W', 'D'])?.parse().ok()?;
    let bit = parts.next().map_or(Some(0), |bit| bit.parse().ok())?;
    Some((db, offset, bit, kind.to_lowercase()))
}

/// `value` with every time in it at the run's pace.
fn paced_value(setting: &Setting<'_, S7Peer>, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), paced_value(setting, value))).collect()
        }
        Value::String(word) => {
            word.parse::<Time>().map_or_else(|_| value.clone(), |time| text(setting.paced(time.0)))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(parse_address("DB1.DBD4:REAL"), Some((1, 4, 0, "real".into())));
        assert_eq!(parse_address("DB12.DBX12.2:BOOL"), Some((12, 12, 2, "bool".into())));
        assert_eq!(parse_address("MW20"), None);
    }

    /// A scenario with both kinds of broker, and `commands` at the MQTT one.
    pub(crate) fn scenario(commands: &str) -> Result<Scenario<S7Peer>, String> {
        let text = format!(
            "version: 1\nname: brokers\nabout: x.\nengines: [sim]\nseed: 7\ntarget: s7-gateway\n\
             world:\n  plc: {{ s7: {{ count: 2 }} }}\n  broker: {{ mqtt: {{ commands: {{ {commands} }} }} }}\n  store: {{ redis: {{}} }}\n\
             cycles: {{ warm_up: 5, count: 20 }}\ncycle:\n  - {{ name: steady, for: 2s }}\n  - {{ name: settle, within: 20s, until: {{ sessions: 2 }} }}\n"
        );
        let cases = watertight::scenario::parse_bytes(
            "brokers.yaml".as_ref(),
            text.as_bytes(),
            &watertight::scenario::Overrides::default(),
            &check,
        );
        let mut cases = cases.map_err(|errors| errors.problems[0].to_string())?;
        Ok(cases.remove(0).scenario)
    }

    /// What it says of commands.
    pub(crate) fn commands_of(scenario: &Scenario<S7Peer>) -> Option<Commands> {
        scenario.world.values().find_map(commands).cloned()
    }

    fn config_at(pace: f64) -> Value {
        let scenario = scenario("every: 2s").unwrap();
        let scratch = std::env::temp_dir();
        let setting = Setting {
            scenario: &scenario,
            seed: watertight::seed::Seed(7),
            pace,
            scratch: &scratch,
            listen: std::net::Ipv4Addr::LOCALHOST.into(),
        };
        let addresses = [("broker", "127.0.0.1:1883"), ("store", "127.0.0.1:6379")]
            .map(|(name, address)| (name.to_owned(), vec![address.to_owned()]));
        let text = config(&setting, &addresses.into(), "127.0.0.1:0").unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_gateway_is_told_where_its_brokers_are() {
        let config = config_at(1.0);
        let backoff = json!({ "min": "200ms", "max": "5s" });
        assert_eq!(
            config["mqtt"],
            json!({
                "address": "127.0.0.1:1883", "prefix": "s7", "client_id": "gateway", "keep_alive": "30s",
                "connect_timeout": "3s", "ack_timeout": "5s", "backoff": backoff, "commands": true
            })
        );
        assert_eq!(
            config["redis"],
            json!({
                "address": "127.0.0.1:6379", "prefix": "s7", "keep_alive": "30s",
                "connect_timeout": "3s", "backoff": backoff, "commands": false
            })
        );
    }

    #[test]
    fn times_of_brokers_are_paced_and_a_keep_alive_of_mqtt_is_whole_seconds() {
        let config = config_at(25.0);
        assert_eq!(
            (&config["mqtt"]["keep_alive"], &config["mqtt"]["ack_timeout"]),
            (&json!("2s"), &json!("250ms"))
        );
        assert_eq!(config["redis"]["keep_alive"], json!("1s 200ms"));
    }

    #[test]
    fn a_command_needs_a_tag_that_some_station_has() {
        let refused = scenario("every: 2s, tag: t99").unwrap_err();
        assert!(refused.contains("commands: no station has the tag `t99`"), "{refused}");
        let targets = command::targets(&scenario("every: 2s").unwrap(), "t0");
        assert_eq!(targets.iter().map(|target| &*target.station).collect::<Vec<_>>(), ["plc-0", "plc-1"]);
    }

    #[test]
    fn settings_are_merged_into_the_defaults() {
        let mut config = json!({ "http": { "listen": "x", "events": { "queue": 1 } } });
        merge(&mut config, json!({ "http": { "events": { "when_full": "disconnect" } } }));
        assert_eq!(
            config,
            json!({ "http": { "listen": "x", "events": { "queue": 1, "when_full": "disconnect" } } })
        );
    }
}

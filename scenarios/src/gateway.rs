//! The target of this world: the S7 gateway, configured from what the scenario says.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};
use watertight::scenario::Scenario;
use watertight::units::Time;
use watertight::world::{Setting, WorldError};

use crate::peers::{PlcCommand, Plcs, S7Peer};

/// The name of this target in scenario files.
pub const NAME: &str = "s7-gateway";

/// Times of the gateway that a scenario's pace must reach; as a person would set them in the field.
const TIMES: [(&str, &[&str], Duration); 10] = [
    ("station", &["connect_timeout"], Duration::from_secs(3)),
    ("station", &["request_timeout"], Duration::from_secs(2)),
    ("station", &["heartbeat"], Duration::from_secs(5)),
    ("http", &["header_timeout"], Duration::from_secs(10)),
    ("http", &["idle_timeout"], Duration::from_secs(10)),
    ("http", &["body_timeout"], Duration::from_secs(10)),
    ("http", &["write_timeout"], Duration::from_secs(10)),
    ("http", &["events", "keep_alive"], Duration::from_secs(5)),
    ("shutdown", &["drain"], Duration::from_secs(2)),
    ("shutdown", &["deadline"], Duration::from_secs(5)),
];

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
    if let Some(defect) = target.defect.as_deref().filter(|defect| *defect != "none") {
        let known = gateway_under_test::defects::NAMES;
        if !known.contains(&defect) {
            problems.push(format!("unknown defect `{defect}`; known: {}, none", known.join(", ")));
        }
    }
    problems
}

/// The gateway's configuration as JSON, which is YAML as well: stations from the scenario's PLCs, every time at the run's pace.
///
/// `addresses` gives for each server peer the addresses of its instances.
pub fn config(
    setting: &Setting<'_, S7Peer>,
    addresses: &BTreeMap<String, Vec<String>>,
    listen: &str,
) -> Result<String, WorldError> {
    let mut stations = Vec::new();
    for (name, peer) in &setting.scenario.world {
        let tags = match peer {
            S7Peer::S7(plcs) => simulated_tags(plcs),
            S7Peer::S7Command(plc) => foreign_tags(plc)?,
            S7Peer::Sse(_) | S7Peer::Values(_) => continue,
        };
        let scan = setting.paced(scan(peer));
        for (ordinal, address) in addresses.get(name).into_iter().flatten().enumerate() {
            let mut station = times(setting, "station");
            station.insert("name".into(), format!("{name}-{ordinal}").into());
            station.insert("address".into(), address.clone().into());
            station.insert("interval".into(), text(scan));
            station.insert(
                "backoff".into(),
                json!({ "min": text(setting.paced(Duration::from_millis(200))), "max": text(setting.paced(Duration::from_secs(5))) }),
            );
            station.insert("tags".into(), tags.clone());
            stations.push(Value::Object(station));
        }
    }
    let mut http = times(setting, "http");
    http.insert("listen".into(), listen.into());
    let mut config = json!({ "stations": stations, "http": http, "shutdown": times(setting, "shutdown") });
    if let Some(defect) = &setting.scenario.target.defect {
        config["defect"] = defect.clone().into();
    }
    for (key, value) in &setting.scenario.target.with {
        merge(&mut config[key.as_str()], paced_value(setting, value));
    }
    Ok(format!("{config:#}"))
}

fn scan(peer: &S7Peer) -> Duration {
    match peer {
        S7Peer::S7(plcs) => plcs.scan.0,
        S7Peer::S7Command(plc) => plc.scan.0,
        S7Peer::Sse(_) | S7Peer::Values(_) => Duration::ZERO,
    }
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
            json!({ "name": format!("t{n}"), "area": "db", "db": 1, "offset": offset, "type": kind })
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

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
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
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(parse_address("DB1.DBD4:REAL"), Some((1, 4, 0, "real".into())));
        assert_eq!(parse_address("DB12.DBX12.2:BOOL"), Some((12, 12, 2, "bool".into())));
        assert_eq!(parse_address("MW20"), None);
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

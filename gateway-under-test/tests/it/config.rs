//! What a person sees who made a mistake in the configuration.

use gateway_under_test::Config;
use gateway_under_test::config::{Area, TagConfig, TagType, WhenFull};

const SOUND: &str = r#"
stations:
  - name: press
    address: 192.0.2.7:102
    slot: 2
    interval: 250ms
    backoff: { min: 1s, max: 1m }
    tags:
      - { name: speed, db: 1, offset: 4, type: real }
      - { name: run, area: m, offset: 10, bit: 3, type: bool }
http:
  listen: 127.0.0.1:0
  events: { queue: 16, when_full: disconnect }
"#;

fn error(change: (&str, &str)) -> String {
    let text = SOUND.replace(change.0, change.1);
    assert_ne!(text, SOUND, "the change changes nothing");
    Config::from_yaml("gateway.yaml", &text).expect_err("a mistake").to_string()
}

#[test]
fn a_sound_configuration_is_read_with_its_defaults() {
    let config = Config::from_yaml("gateway.yaml", SOUND).expect("sound");
    let press = &config.stations[0];
    assert_eq!((press.slot, press.interval.as_millis(), press.pdu_length), (2, 250, 480));
    assert_eq!((press.tags[0].kind, press.tags[1].area, press.tags[1].bit), (TagType::Real, Area::M, 3));
    assert_eq!((config.http.events.queue, config.http.events.when_full), (16, WhenFull::Disconnect));
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_keys_there_are() {
    let message = error(("slot: 2", "slots: 2"));
    assert!(message.starts_with("gateway.yaml: "), "{message}");
    for part in ["line 5", "unknown field `slots`", ", slot, ", "gateway.yaml:5:5"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn a_time_without_a_unit_says_how_to_write_one() {
    let message = error(("interval: 250ms", "interval: 250"));
    for part in ["line 6", "write it like `250ms` or `30s`"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn rules_between_fields_are_reported_with_their_line() {
    for (change, line, rule) in [
        (("min: 1s", "min: 2m"), "line 7", "`min` must not be longer than `max`"),
        (("db: 1, offset", "db: 0, offset"), "line 9", "area `db` needs a data block"),
        (("type: bool", "type: byte"), "line 10", "`bit` is only for type `bool`"),
        (("192.0.2.7:102", "192.0.2.7"), "line 4", "`192.0.2.7` is no `host:port`"),
        (("name: run", "name: speed"), "line 9", "the tag `speed` stands here twice"),
    ] {
        let message = error(change);
        assert!(message.contains(line) && message.contains(rule), "{line}, {rule}: not in {message}");
    }
}

#[test]
fn all_broken_rules_are_reported_in_one_go() {
    let message = error(("slot: 2\n    interval: 250ms", "slot: 99\n    interval: 0ms"));
    for part in ["line 5", "line 6"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn a_tag_may_be_an_address() {
    for (address, area, db, offset, bit, kind) in [
        ("DB1.DBD4:REAL", Area::Db, 1, 4, 0, TagType::Real),
        ("db2.dbx10.4", Area::Db, 2, 10, 4, TagType::Bool),
        ("E0.1", Area::I, 0, 0, 1, TagType::Bool),
        ("MW20", Area::M, 0, 20, 0, TagType::Word),
        ("QB1", Area::Q, 0, 1, 0, TagType::Byte),
    ] {
        let text = SOUND.replace("db: 1, offset: 4, type: real", &format!("address: \"{address}\""));
        let config = Config::from_yaml("gateway.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
        let expected = TagConfig { name: "speed".to_owned(), area, db, offset, bit, kind, writable: false };
        assert_eq!(config.stations[0].tags[0], expected);
    }
}

#[test]
fn a_wrong_address_is_reported_with_its_line_and_what_is_wrong_in_it() {
    for (place, rule) in [
        ("address: DB1.DBY4", "column 7: expected X (a bit), B, W or D, found `Y`; write it like `DB1.DBW4`"),
        ("address: \"DB1.DBW4:REAL\"", "REAL does not fit `DBW`, which takes WORD, UINT, INT"),
        ("address: T5", "address `T5`: the gateway polls DB, M, I and Q"),
        ("address: \"DB1.DBB4:STRING[9]\"", "the gateway polls single values of BOOL, BYTE, WORD"),
        ("address: \"MW0:INT[2]\"", "found INT[2]"),
        ("address: DB1.DBD70000", "greater than 65535"),
        ("address: MW0, db: 1", "`address` says it all: leave out `db`"),
        ("db: 1, type: real", "missing field `offset`; or write the place as `address: DB1.DBD4:REAL`"),
        ("db: 1, offset: 4", "missing field `type`; or write the place as `address: DB1.DBD4:REAL`"),
    ] {
        let message = error(("db: 1, offset: 4, type: real", place));
        assert!(message.contains("line 9") && message.contains(rule), "{rule}: not in {message}");
    }
}

#[test]
fn the_guardians_limits_are_sizes_counts_and_a_share() {
    let limits = "guardian:
  heap: { max: 512MiB, growth_per_minute: 1048576 }
  fds: { max: 0.5 }
  dumps: { dir: /var/dumps, max_files: 9 }
  cool_down: 1m
http:";
    let config = Config::from_yaml("gateway.yaml", &SOUND.replacen("http:", limits, 1)).expect("sound");
    let guardian = config.guardian;
    assert_eq!((guardian.heap.max.0, guardian.heap.growth_per_minute.0), (512 << 20, 1 << 20));
    assert_eq!((guardian.fds.max, guardian.tasks.max, guardian.every.as_secs()), (0.5, 100_000, 5));
    assert_eq!((guardian.dumps.max_files, guardian.dumps.max_bytes.0), (9, 64 << 20));
    assert_eq!(guardian.dumps.dir.as_deref(), Some(std::path::Path::new("/var/dumps")));
}

#[test]
fn a_guardian_that_could_keep_no_dump_is_refused() {
    let message = error(("http:", "guardian: { dumps: { max_bytes: 1KiB } }\nhttp:"));
    assert!(message.contains("must be at least 64.0 KiB, found 1.0 KiB"), "{message}");
    let message = error(("http:", "guardian: { fds: { max: 1.5 } }\nhttp:"));
    assert!(message.contains("greater than 1"), "{message}");
}

#[test]
fn a_broker_needs_only_an_address_and_its_rules_are_reported_with_their_line() {
    use gateway_under_test::config::{MqttConfig, MqttVersion};
    let with = |mqtt: &str| Config::from_yaml("gateway.yaml", &format!("{SOUND}mqtt: {mqtt}\n"));
    let sound = with("{ address: \"broker:1883\" }").expect("sound").mqtt;
    assert_eq!(sound, Some(MqttConfig::new("broker:1883")));
    for version in ["5", "\"5\""] {
        let text = format!(
            "{{ address: \"b:1\", version: {version}, session_expiry: 1h, username: u, password: p }}"
        );
        let mqtt = with(&text).expect("sound").mqtt.expect("it is there");
        assert_eq!(mqtt.version, MqttVersion::V5);
        assert!(!format!("{mqtt:?}").contains("\"p\""), "{mqtt:?}");
    }
    for (mqtt, rule) in [
        ("{ address: broker }", "`broker` is no `host:port`"),
        ("{ address: \"b:1\", prefix: \"a/+\" }", "prefix"),
        ("{ address: \"b:1\", qos: 2 }", "qos"),
        ("{ address: \"b:1\", version: \"4\" }", "3.1.1"),
        ("{ address: \"b:1\", keep_alive: 1500ms }", "from 1s to 18h in whole seconds, found 1s 500ms"),
        ("{ address: \"b:1\", session_expiry: 1h }", "only in version 5"),
        ("{ address: \"b:1\", password: p }", "a password needs a `username`"),
        ("{ address: \"b:1\", username: u, password: p, password_file: f }", "not both"),
        ("{ address: \"b:1\", when_full: disconnect }", "a broker is not disconnected for being slow"),
        ("{ address: \"b:1\", in_flight: 0 }", "in_flight"),
    ] {
        let message = with(mqtt).expect_err(mqtt).to_string();
        assert!(message.contains(rule) && message.contains("line 14"), "{rule} is not in {message}");
    }
}

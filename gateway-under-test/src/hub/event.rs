//! What is sent after each poll: the whole image of one station, as one server-sent event.

use bytes::Bytes;
use s7_wire::Value;
use serde::{Serialize, Serializer};

use crate::buffers::Buffers;
use crate::cache::Latest;
use crate::config::{StationConfig, TagConfig};

/// Bytes of an event beside names and entries: `data: {"station":"","poll":,"values":[]}`, a 20-digit number, line ends.
const FRAME_BYTES: usize = 80;
/// Bytes of an entry beside its name: keys, the longest value, the longest quality, a 20-digit number.
const ENTRY_BYTES: usize = 112;

/// What is around the JSON of an event, to make a server-sent event of it.
const HEAD: &[u8] = b"data: ";
const TAIL: &[u8] = b"\n\n";

#[derive(Serialize)]
struct Image<'a> {
    station: &'a str,
    poll: u64,
    #[serde(serialize_with = "entries")]
    values: (&'a [TagConfig], &'a [Latest]),
}

#[derive(Serialize)]
struct Entry<'a> {
    tag: &'a str,
    #[serde(serialize_with = "value")]
    value: Option<Value>,
    quality: &'static str,
    updates: u64,
}

fn entries<S: Serializer>((tags, latest): &(&[TagConfig], &[Latest]), out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(tags.iter().zip(*latest).map(|(tag, latest)| Entry {
        tag: &tag.name,
        value: latest.value,
        quality: latest.quality.word(),
        updates: latest.updates,
    }))
}

/// A value as JSON has it: a boolean or a number, `null` for none, and for a real that is no number.
pub fn value<S: Serializer>(value: &Option<Value>, out: S) -> Result<S::Ok, S::Error> {
    match value {
        None => out.serialize_none(),
        Some(Value::Bool(value)) => out.serialize_bool(*value),
        Some(Value::Byte(value)) => out.serialize_u8(*value),
        Some(Value::Word(value)) => out.serialize_u16(*value),
        Some(Value::Int(value)) => out.serialize_i16(*value),
        Some(Value::Dword(value)) => out.serialize_u32(*value),
        Some(Value::Dint(value)) => out.serialize_i32(*value),
        Some(Value::Real(value)) => out.serialize_f32(*value),
    }
}

/// Encodes the image of a station after poll number `poll`.
///
/// The buffer is as long as the event could ever be, whatever the values: an event that waits for a slow consumer
/// weighs the same as the one before it.
pub fn encode(buffers: &dyn Buffers, station: &StationConfig, latest: &[Latest], poll: u64) -> Bytes {
    let mut out = buffers.take(longest(station));
    let room = out.capacity();
    out.extend_from_slice(HEAD);
    let image = Image { station: &station.name, poll, values: (&station.tags, latest) };
    serde_json::to_writer(&mut out, &image).expect("plain values written into memory");
    out.extend_from_slice(TAIL);
    debug_assert_eq!(out.capacity(), room, "an event never outgrows the room that was made for it");
    buffers.share(out)
}

/// The JSON alone of an event, for consumers that frame it in their own way. Shares the event's memory.
pub fn json(event: &Bytes) -> Bytes {
    event.slice(HEAD.len()..event.len() - TAIL.len())
}

/// What every event begins with, up to the station's name.
const BEFORE_NAME: &[u8] = b"data: {\"station\":\"";
/// Where the image begins, and what follows it.
const FRAME: (usize, usize) = (b"data: ".len(), b"\n\n".len());

/// The name and the image of an event's station, for consumers that do not speak SSE.
pub fn station_and_image(event: &Bytes) -> Option<(&str, Bytes)> {
    // Names are letters, digits and `_.-`: the next quote ends one.
    let from_name = event.strip_prefix(BEFORE_NAME)?;
    let end = from_name.iter().position(|byte| *byte == b'"')?;
    let name = std::str::from_utf8(&from_name[..end]).ok()?;
    Some((name, event.slice(FRAME.0..event.len() - FRAME.1)))
}

fn longest(station: &StationConfig) -> usize {
    // Names are letters, digits and `_.-`: JSON escapes none of them.
    let entries: usize = station.tags.iter().map(|tag| ENTRY_BYTES + tag.name.len()).sum();
    FRAME_BYTES + station.name.len() + entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffers::PlainBuffers;
    use crate::cache::Quality;
    use crate::config::TagType;

    fn station() -> StationConfig {
        let tags = [("speed", TagType::Real), ("on", TagType::Bool)];
        let tags = tags.map(|(name, kind)| TagConfig::in_db(name, 1, 0, kind)).to_vec();
        StationConfig::new("plc-1", "plc:102", tags)
    }

    fn latest(value: Value, updates: u64) -> Latest {
        Latest { value: Some(value), at: None, quality: Quality::Good, updates }
    }

    #[test]
    fn an_event_is_the_whole_image_in_one_line() {
        let never = Latest { value: None, at: None, quality: Quality::Unknown, updates: 0 };
        let event = encode(&PlainBuffers, &station(), &[latest(Value::Real(1.5), 7), never], 7);
        let expected = concat!(
            r#"data: {"station":"plc-1","poll":7,"values":["#,
            r#"{"tag":"speed","value":1.5,"quality":"good","updates":7},"#,
            r#"{"tag":"on","value":null,"quality":"unknown","updates":0}]}"#,
            "\n\n"
        );
        assert_eq!(event, expected.as_bytes());
        assert_eq!(json(&event), expected.trim_end().strip_prefix("data: ").expect("an event").as_bytes());
    }

    #[test]
    fn an_event_gives_up_its_station_and_its_image() {
        let on = latest(Value::Bool(true), 1);
        let event = encode(&PlainBuffers, &station(), &[on, on], 1);
        let (name, image) = station_and_image(&event).expect("an event of ours");
        let image: serde_json::Value = serde_json::from_slice(&image).expect("JSON");
        assert_eq!((name, &image["station"], &image["poll"]), ("plc-1", &"plc-1".into(), &1.into()));
        assert_eq!(station_and_image(&Bytes::from_static(b": keep-alive\n\n")), None);
    }

    #[test]
    fn the_longest_event_fits_the_room_made_for_it() {
        let longest_value = latest(Value::Real(-1.175_494_4e-38), u64::MAX);
        let event = encode(&PlainBuffers, &station(), &[longest_value, longest_value], u64::MAX);
        assert!(event.len() <= longest(&station()), "{} of {}", event.len(), longest(&station()));
    }

    #[test]
    fn a_real_that_is_no_number_is_null() {
        let event = encode(
            &PlainBuffers,
            &station(),
            &[latest(Value::Real(f32::NAN), 1), latest(Value::Bool(true), 1)],
            1,
        );
        assert!(
            event.starts_with(br#"data: {"station":"plc-1","poll":1,"values":[{"tag":"speed","value":null,"#)
        );
    }
}

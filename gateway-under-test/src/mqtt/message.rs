//! From an event of the hub to MQTT messages: the whole image of a station in one, or each tag in one. Pure.

use std::collections::VecDeque;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::topic::Topics;
use crate::config::MqttTopics;

/// What stands before and behind the JSON in an event.
const FRAME: (&[u8], &[u8]) = (b"data: ", b"\n\n");

/// A message that is to be published. It shares the bytes of its event.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What: JSON.
    pub body: Bytes,
}

#[derive(Deserialize)]
struct Image<'a> {
    station: &'a str,
    #[serde(borrow)]
    values: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    tag: &'a str,
}

/// The messages of `event`, in the order of the tags. At most as many as the station has tags.
pub fn messages(event: &Bytes, topics: Topics<'_>, kind: MqttTopics) -> VecDeque<Message> {
    let json = event.strip_prefix(FRAME.0).and_then(|rest| rest.strip_suffix(FRAME.1));
    let json = json.expect("the hub's events are framed");
    let image: Image<'_> = serde_json::from_slice(json).expect("the hub's events are images");
    match kind {
        MqttTopics::Station => {
            let message = Message { topic: topics.station(image.station), body: event.slice_ref(json) };
            VecDeque::from([message])
        }
        MqttTopics::Tag => {
            image.values.iter().map(|entry| one_tag(event, topics, image.station, entry)).collect()
        }
    }
}

fn one_tag(event: &Bytes, topics: Topics<'_>, station: &str, entry: &RawValue) -> Message {
    let json = entry.get();
    let Entry { tag } = serde_json::from_str(json).expect("each value of an image has its tag");
    Message { topic: topics.tag(station, tag), body: event.slice_ref(json.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffers::PlainBuffers;
    use crate::cache::{Latest, Quality};
    use crate::config::{StationConfig, TagConfig, TagType};
    use crate::hub::event;
    use s7_wire::Value;

    fn event() -> Bytes {
        let tags = ["speed", "level"].map(|name| TagConfig::in_db(name, 1, 0, TagType::Word)).to_vec();
        let station = StationConfig::new("press", "plc:102", tags);
        let latest = Latest { value: Some(Value::Word(7)), at: None, quality: Quality::Good, updates: 3 };
        event::encode(&PlainBuffers, &station, &[latest, latest], 3)
    }

    fn as_text(messages: VecDeque<Message>) -> Vec<(String, String)> {
        let text = |body: &Bytes| String::from_utf8(body.to_vec()).expect("JSON is UTF-8");
        messages.into_iter().map(|one| (one.topic, text(&one.body))).collect()
    }

    #[test]
    fn an_image_is_one_message_or_one_for_each_tag() {
        let speed = r#"{"tag":"speed","value":7,"quality":"good","updates":3}"#;
        let level = r#"{"tag":"level","value":7,"quality":"good","updates":3}"#;
        let whole = format!(r#"{{"station":"press","poll":3,"values":[{speed},{level}]}}"#);
        let topics = Topics::new("s7");
        let one = as_text(messages(&event(), topics, MqttTopics::Station));
        assert_eq!(one, [("s7/press".to_owned(), whole)]);
        let each = as_text(messages(&event(), topics, MqttTopics::Tag));
        let expected = [("s7/press/speed", speed), ("s7/press/level", level)];
        assert_eq!(each, expected.map(|(topic, body)| (topic.to_owned(), body.to_owned())));
    }
}

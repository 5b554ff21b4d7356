//! Messages, topics and filters: what a broker decides about them. Pure.
//!
//! Source: MQTT 3.1.1 and 5.0, §4.7.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::Qos;

/// A topic or filter longer than this is refused.
pub const TOPIC_BYTES_MAX: usize = 256;

/// A topic or filter of more levels than this is refused.
const LEVELS_MAX: usize = 16;

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it was published.
    pub topic: Arc<str>,
    /// What it says.
    pub payload: Arc<[u8]>,
    /// At most once or at least once; this broker grants no more.
    pub qos: Qos,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

impl Message {
    /// A message that nobody keeps.
    pub fn new(topic: &str, payload: &[u8], qos: Qos) -> Self {
        Self { topic: topic.into(), payload: payload.into(), qos, retain: false }
    }
}

/// The lower of two qualities of service, and never more than at least once.
pub fn lower(one: Qos, other: Qos) -> Qos {
    if one == Qos::AtMostOnce || other == Qos::AtMostOnce { Qos::AtMostOnce } else { Qos::AtLeastOnce }
}

/// Whether one may publish to `topic`.
pub fn is_topic(topic: &str) -> bool {
    is_short(topic) && !topic.contains(['+', '#', '\0'])
}

/// Whether one may subscribe to `filter`: `#` stands alone in the last level, `+` alone in its own.
pub fn is_filter(filter: &str) -> bool {
    let last = filter.split('/').count() - 1;
    let is_level = |(index, level): (usize, &str)| match level {
        "#" => index == last,
        "+" => true,
        other => !other.contains(['+', '#', '\0']),
    };
    is_short(filter) && filter.split('/').enumerate().all(is_level)
}

fn is_short(text: &str) -> bool {
    !text.is_empty() && text.len() <= TOPIC_BYTES_MAX && text.split('/').count() <= LEVELS_MAX
}

/// Whether `filter` covers `topic`. Wildcards in the first level do not reach topics that begin with `$`.
pub fn covers(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topic = topic.split('/');
    for level in filter.split('/') {
        match (level, topic.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(found)) if level == found => {}
            _ => return false,
        }
    }
    topic.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_cover_what_the_standard_says() {
        let covered = [
            ("s7/+/+/set", "s7/plc-0/t0/set"),
            ("s7/#", "s7/plc-0"),
            ("s7/#", "s7"),
            ("#", "a/b"),
            ("+/+", "/a"),
            ("s7/+", "s7/"),
        ];
        let not_covered = [
            ("s7/+", "s7"),
            ("s7/+", "s7/plc-0/t0"),
            ("s7/+/+/set", "s7/plc-0/t0/ack"),
            ("s7/plc-0", "s7/plc-01"),
            ("#", "$SYS/uptime"),
            ("+/uptime", "$SYS/uptime"),
        ];
        for (filter, topic) in covered {
            assert!(covers(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in not_covered {
            assert!(!covers(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn wildcards_stand_alone_and_only_in_filters() {
        assert!(is_filter("s7/+/+/set") && is_filter("#") && is_filter("/"));
        assert!(!is_filter("s7/#/set") && !is_filter("s7/a+") && !is_filter("s7#") && !is_filter(""));
        assert!(is_topic("s7/plc-0"));
        assert!(!is_topic("s7/+") && !is_topic("#") && !is_topic(""));
    }

    #[test]
    fn topics_are_bounded() {
        assert!(is_topic(&"x".repeat(TOPIC_BYTES_MAX)) && !is_topic(&"x".repeat(TOPIC_BYTES_MAX + 1)));
        assert!(is_filter(&"/".repeat(LEVELS_MAX - 1)) && !is_filter(&"/".repeat(LEVELS_MAX)));
    }

    #[test]
    fn the_lower_quality_wins_and_nothing_exceeds_at_least_once() {
        assert_eq!(lower(Qos::AtLeastOnce, Qos::AtMostOnce), Qos::AtMostOnce);
        assert_eq!(lower(Qos::ExactlyOnce, Qos::ExactlyOnce), Qos::AtLeastOnce);
    }
}

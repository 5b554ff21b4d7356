//! Topics: where values are published, and where writes are taken from. Pure.

/// The topics under one prefix.
#[derive(Debug, Clone, Copy)]
pub struct Topics<'a> {
    prefix: &'a str,
}

/// Whom a command is for, by the names in its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The station's name.
    pub station: String,
    /// The tag's name.
    pub tag: String,
}

impl<'a> Topics<'a> {
    /// The topics under `prefix`.
    pub const fn new(prefix: &'a str) -> Self {
        Self { prefix }
    }

    /// Where the image of a station is published.
    pub fn station(self, station: &str) -> String {
        format!("{}/{station}", self.prefix)
    }

    /// Where a tag is published.
    pub fn tag(self, station: &str, tag: &str) -> String {
        format!("{}/{station}/{tag}", self.prefix)
    }

    /// The filter of every command.
    pub fn commands(self) -> String {
        format!("{}/+/+/set", self.prefix)
    }

    /// Whom a command at `topic` is for; `None`: it is no topic of commands.
    pub fn target(self, topic: &str) -> Option<Target> {
        let below = topic.strip_prefix(self.prefix)?.strip_prefix('/')?.strip_suffix("/set")?;
        let (station, tag) = below.split_once('/')?;
        let one_level_each = !station.is_empty() && !tag.is_empty() && !tag.contains('/');
        one_level_each.then(|| Target { station: station.to_owned(), tag: tag.to_owned() })
    }

    /// Where the outcome of a command is published.
    pub fn outcome(self, target: &Target) -> String {
        format!("{}/{}/{}/ack", self.prefix, target.station, target.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commands_topic_names_a_station_and_a_tag_and_nothing_else_does() {
        let topics = Topics::new("plant/s7");
        let target = Target { station: "press".to_owned(), tag: "speed".to_owned() };
        assert_eq!(topics.target("plant/s7/press/speed/set"), Some(target.clone()));
        assert_eq!(topics.outcome(&target), "plant/s7/press/speed/ack");
        let others =
            ["plant/s7/press/set", "plant/s7/press//set", "plant/s7//speed/set", "plant/s7x/a/b/set"];
        for topic in others.iter().chain(&["plant/s7/a/b/c/set", "plant/s7/a/b/ack", "plant/s7", ""]) {
            assert_eq!(topics.target(topic), None, "{topic}");
        }
    }
}

//! `reload`: the target is told to read its settings again. No link: the engine carries it out.

use garde::Validate;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::units::Time;

/// Tells the target to read its settings again, and does not wait for an end: SIGHUP on the wall clock, a call in sim.
///
/// Each reload starts from what the scenario's `target` says, so that a plain `reload: {}` takes the one before back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Reload {
    /// Settings merged into those of the target's `with` for this reload. None unless said.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[garde(skip)]
    pub with: IndexMap<String, Value>,
    /// When it happens, from the start of the phase. At once unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub at: Option<Time>,
}

impl Reload {
    /// The settings that the target is to have: `own`, with those of this reload in their places.
    pub fn settings(&self, own: &IndexMap<String, Value>) -> IndexMap<String, Value> {
        let mut settings = own.clone();
        for (key, value) in &self.with {
            merge(settings.entry(key.clone()).or_insert(Value::Null), value.clone());
        }
        settings
    }
}

/// Puts `from` over `into`: map by map, and any other value in the place of the one before.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_merged_map_by_map() {
        let own = IndexMap::from([("http".to_owned(), json!({ "events": { "queue": 1, "idle": "5s" } }))]);
        let with = IndexMap::from([
            ("http".to_owned(), json!({ "events": { "queue": 9 } })),
            ("log".to_owned(), json!("debug")),
        ]);
        let settings = Reload { with, at: None }.settings(&own);
        assert_eq!(settings["http"], json!({ "events": { "queue": 9, "idle": "5s" } }));
        assert_eq!(settings["log"], json!("debug"));
        assert_eq!(Reload::default().settings(&own), own);
    }
}

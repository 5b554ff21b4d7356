//! Profiles: what a model of PLC has and can do, as data. A profile is a configuration, on which one's own is laid.

use serde_json::{Map, Value};

use crate::config::PlcConfig;

/// The models there are, each with its file in `profiles/`.
pub const PROFILES: [(&str, &str); 4] = [
    ("s7-300", include_str!("../profiles/s7-300.json")),
    ("s7-400", include_str!("../profiles/s7-400.json")),
    ("s7-1200", include_str!("../profiles/s7-1200.json")),
    ("s7-1500", include_str!("../profiles/s7-1500.json")),
];

/// The key in a configuration that names its profile.
const KEY: &str = "profile";

impl PlcConfig {
    /// The configuration that a profile is; `None` for a name that is not in [`PROFILES`].
    pub fn of_profile(name: &str) -> Option<Self> {
        let (_, json) = PROFILES.iter().find(|(known, _)| *known == name)?;
        Some(serde_json::from_str(json).expect("a test reads every profile"))
    }

    /// Reads a configuration, laid on the profile that its key `profile` names, if it has one.
    ///
    /// What it says replaces what the profile says, key by key, in maps within maps too; lists are replaced whole.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        let Value::Object(own) = serde_json::from_str(text)? else { return serde_json::from_str(text) };
        let Some(name) = own.get(KEY) else {
            // Read from the text, not from the value, so that an error has its line.
            return serde_json::from_str(text);
        };
        let known = PROFILES.iter().find(|(known, _)| name == known).ok_or_else(|| unknown(name))?;
        let mut whole: Map<String, Value> = serde_json::from_str(known.1)?;
        lay_on(&mut whole, own);
        whole.remove(KEY);
        serde_json::from_value(whole.into())
    }
}

fn unknown(name: &Value) -> serde_json::Error {
    let known: Vec<String> = PROFILES.iter().map(|(known, _)| format!("`{known}`")).collect();
    serde::de::Error::custom(format!("unknown profile {name}: expected one of {}", known.join(", ")))
}

fn lay_on(base: &mut Map<String, Value>, own: Map<String, Value>) {
    for (key, value) in own {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => lay_on(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_a_plc_and_its_name_is_its_files() {
        for (name, _) in PROFILES {
            let config = PlcConfig::of_profile(name).unwrap();
            assert_eq!((config.validate(), config.name.as_str()), (Ok(()), name));
        }
    }

    #[test]
    fn ones_own_words_stand_above_the_profiles() {
        let config = PlcConfig::from_json(
            r#"{"profile": "s7-1200", "slots": 3, "protection": {"put_get": false}, "identity": {"serial": "1"}}"#,
        );
        let (config, profile) = (config.unwrap(), PlcConfig::of_profile("s7-1200").unwrap());
        assert_eq!((config.slots, config.protection.put_get), (3, false));
        assert_eq!(config.identity.serial, "1");
        assert_eq!(config.identity.order_code, profile.identity.order_code);
        assert_eq!(config.pdu_length, profile.pdu_length);
    }

    #[test]
    fn the_readmes_model_is_a_plc() {
        let readme = include_str!("../README.md");
        let json = readme.split("## Models").nth(1).unwrap().split("```json\n").nth(1).unwrap();
        let config = PlcConfig::from_json(json.split("```").next().unwrap()).unwrap();
        assert_eq!((config.validate(), config.slots, config.pdu_length), (Ok(()), 4, 960));
    }

    #[test]
    fn unknown_profiles_and_keys_are_named() {
        let error = PlcConfig::from_json(r#"{"profile": "s7-200"}"#).unwrap_err().to_string();
        assert!(error.starts_with("unknown profile \"s7-200\": expected one of `s7-300`, "), "{error}");
        let error = PlcConfig::from_json(r#"{"profile": "s7-300", "slot": 1}"#).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `slot`"), "{error}");
    }
}

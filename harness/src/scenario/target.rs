//! The service under test, as a scenario names it: a word, or a map.

use std::borrow::Cow;
use std::fmt;

use garde::Validate;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The service under test: a name the runner knows, or what to start.
///
/// In YAML the name alone is enough (`target: s7-gateway`). Exactly one of `name` and `command` is given.
#[derive(Debug, Clone, Default, PartialEq, Validate)]
#[garde(allow_unvalidated)]
pub struct Target {
    /// A target built into the runner, such as `s7-gateway`.
    pub name: Option<String>,
    /// A defect built into that target, by file name without `.rs`; `None` for the healthy twin.
    pub defect: Option<String>,
    /// Settings of a built-in target, checked by it.
    pub with: IndexMap<String, serde_json::Value>,
    /// A program and its arguments, started without a shell (process engine).
    pub command: Option<Vec<String>>,
    /// When the started program is ready.
    pub ready: Option<Ready>,
    /// The probe endpoint it serves, `host:port`, if it has one.
    pub probe: Option<String>,
}

/// When a started program is ready to be used.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Ready {
    /// It accepts TCP connections on this port of loopback.
    Tcp(u16),
    /// It has printed a line that contains this text.
    Line(String),
}

/// A target in full: one of the runner's own (`name`), or a program (`command`).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct TargetMap {
    /// A target built into the runner, such as `s7-gateway`.
    name: Option<String>,
    /// A defect built into that target, by file name without `.rs`; `none` for the healthy twin.
    defect: Option<String>,
    /// Settings of a built-in target, checked by it.
    with: IndexMap<String, serde_json::Value>,
    /// A program and its arguments, started without a shell (process engine).
    command: Option<Vec<String>>,
    /// When the started program is ready.
    ready: Option<Ready>,
    /// The probe endpoint it serves, `host:port`, if it has one.
    probe: Option<String>,
}

impl Target {
    /// A target built into the runner, healthy.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }
}

impl TryFrom<TargetMap> for Target {
    type Error = &'static str;

    fn try_from(map: TargetMap) -> Result<Self, Self::Error> {
        let TargetMap { name, defect, with, command, ready, probe } = map;
        match (&name, &command) {
            (None, None) => {
                return Err("the target has neither `name` nor `command`: one says what is under test");
            }
            (Some(_), Some(_)) => return Err("the target has both `name` and `command`: keep one of them"),
            (None, Some(argv)) if argv.is_empty() => {
                return Err("`command` needs a program: [program, argument, ..]");
            }
            (None, Some(_)) if defect.is_some() || !with.is_empty() => {
                return Err(
                    "`defect` and `with` belong to a target with a `name`; a `command` has its arguments",
                );
            }
            (Some(_), None) if ready.is_some() || probe.is_some() => {
                return Err(
                    "`ready` and `probe` belong to a `command`; a target with a `name` brings its own",
                );
            }
            _ => {}
        }
        let defect = defect.filter(|defect| defect != HEALTHY);
        Ok(Self { name, defect, with, command, ready, probe })
    }
}

/// `defect: none` is the healthy twin.
const HEALTHY: &str = "none";

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrMap;

        impl<'de> Visitor<'de> for NameOrMap {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a target's name, or a map with `name` or `command`")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Target, E> {
                Ok(Target::named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                let map = TargetMap::deserialize(MapAccessDeserializer::new(map))?;
                Target::try_from(map).map_err(Error::custom)
            }
        }

        deserializer.deserialize_any(NameOrMap)
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<TargetMap>();
        json_schema!({
            "description": "The service under test: a name the runner knows, or what to start.",
            "anyOf": [
                { "type": "string", "description": "A target built into the runner, such as `s7-gateway`." },
                map,
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: serde_json::Value) -> Result<Target, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_alone_is_a_target() {
        assert_eq!(read("s7-gateway".into()), Ok(Target::named("s7-gateway")));
    }

    #[test]
    fn the_defect_none_is_the_healthy_twin() {
        let healthy = serde_json::json!({ "name": "s7-gateway", "defect": "none" });
        assert_eq!(read(healthy), Ok(Target::named("s7-gateway")));
    }

    #[test]
    fn name_and_command_exclude_each_other() {
        let both = serde_json::json!({ "name": "a", "command": ["b"] });
        assert!(read(both).unwrap_err().contains("both `name` and `command`"));
        assert!(read(serde_json::json!({})).unwrap_err().contains("neither `name` nor `command`"));
    }
}

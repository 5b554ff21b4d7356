//! The service under test, as a scenario names it: a word, or a map.

use std::borrow::Cow;
use std::fmt;

use garde::Validate;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use super::limits::Limits;

/// The service under test: a name the runner knows, or what to start.
///
/// In YAML the name alone is enough (`target: s7-gateway`). One of `name`, `command` and `image` is given; `command` beside `image`
/// says what is started in it.
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
    /// An image that the container engine has: the target is started from it, with `command` where that is given.
    pub image: Option<String>,
    /// What it is held to in a container.
    #[garde(dive)]
    pub limits: Option<Limits>,
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

/// A target in full: one of the runner's own (`name`), a program (`command`), or an image (`image`).
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
    /// An image that the container engine has: the target is started from it, with `command` where that is given.
    image: Option<String>,
    /// What it is held to in a container.
    limits: Option<Limits>,
}

impl Target {
    /// A target built into the runner, healthy.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }

    /// What it is called in reports: its name, its image, or its program.
    pub fn shown(&self) -> String {
        let program = || self.command.as_ref()?.first().cloned();
        self.name.clone().or_else(|| self.image.clone()).or_else(program).unwrap_or_default()
    }
}

impl TryFrom<TargetMap> for Target {
    type Error = &'static str;

    fn try_from(map: TargetMap) -> Result<Self, Self::Error> {
        let TargetMap { name, defect, with, command, ready, probe, image, limits } = map;
        match (&name, &command) {
            (Some(_), None) if image.is_some() => {
                return Err("the target has both `name` and `image`: keep one of them");
            }
            (None, None) if image.is_some() && defect.is_none() && with.is_empty() => {}
            (None, None) if image.is_none() => {
                return Err(
                    "the target has neither `name` nor `command` nor `image`: one says what is under test",
                );
            }
            (Some(_), Some(_)) => return Err("the target has both `name` and `command`: keep one of them"),
            (None, Some(argv)) if argv.is_empty() => {
                return Err("`command` needs a program: [program, argument, ..]");
            }
            (None, _) if defect.is_some() || !with.is_empty() => {
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
        Ok(Self { name, defect, with, command, ready, probe, image, limits })
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
                f.write_str("a target's name, or a map with `name`, `command` or `image`")
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
        assert!(
            read(serde_json::json!({})).unwrap_err().contains("neither `name` nor `command` nor `image`")
        );
    }

    #[test]
    fn an_image_is_a_target_and_may_have_a_command() {
        let image = read(serde_json::json!({ "image": "redis:8", "command": ["redis-server"] })).unwrap();
        assert_eq!((image.shown().as_str(), image.limits), ("redis:8", None));
        let named = serde_json::json!({ "image": "redis:8", "name": "s7-gateway" });
        assert!(read(named).unwrap_err().contains("both `name` and `image`"));
        let settings = serde_json::json!({ "image": "redis:8", "defect": "spawn_per_tick" });
        assert!(read(settings).unwrap_err().contains("belong to a target with a `name`"));
    }

    #[test]
    fn limits_that_are_not_said_have_a_default() {
        let target = read(serde_json::json!({ "name": "a", "limits": { "memory": "64MiB" } })).unwrap();
        assert_eq!(target.limits, Some(Limits { memory: crate::units::Size(64 << 20), pids: 1024 }));
    }
}

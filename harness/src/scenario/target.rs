//! The service under test, as a scenario names it: a word, or a map.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use garde::Validate;
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use super::limits::Limits;

use super::inside::Views;

/// The service under test: a name the runner knows, or what to start.
///
/// In YAML the name alone is enough (`target: s7-gateway`). One of `name`, `command`, `image` and `pid` is given; `command` beside
/// `image` says what is started in it.
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
    /// A process that runs already: it is looked at, and neither started nor ended nor signalled (process engine).
    pub pid: Option<u32>,
    /// Variables added to the started program's environment.
    pub env: BTreeMap<String, String>,
    /// Where it accepts the connections of consumers, `host:port`.
    pub listens: Option<String>,
    /// When the started program is ready.
    pub ready: Option<Ready>,
    /// The probe endpoint it serves, `host:port`, if it has one.
    pub probe: Option<String>,
    /// What it serves of itself, if anything.
    pub inside: Views,
    /// An image that the container engine has: the target is started from it, with `command` where that is given.
    pub image: Option<String>,
    /// What it is held to in a container.
    #[garde(dive)]
    pub limits: Option<Limits>,
}

impl Target {
    /// What is under test, in a word or two for reports.
    pub fn title(&self) -> String {
        let program = || self.command.as_ref()?.first().cloned();
        let process = || Some(format!("process {}", self.pid?));
        self.name.clone().or_else(|| self.image.clone()).or_else(program).or_else(process).unwrap_or_default()
    }

    /// Every text of it in which names in braces may stand: see [`super::template`].
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let ready = self.ready.as_ref().and_then(|ready| match ready {
            Ready::Tcp(Place(text)) | Ready::Http(text) => Some(text),
            Ready::Line(_) => None,
        });
        let Views { prometheus, pprof, expvar } = &self.inside;
        let urls = [
            prometheus.as_ref().map(|view| &view.url),
            pprof.as_ref().map(|view| &view.url),
            expvar.as_ref().map(|view| &view.url),
        ];
        let places = [ready, self.listens.as_ref(), self.probe.as_ref()].into_iter().chain(urls).flatten();
        self.command.iter().flatten().chain(self.env.values()).chain(places).map(String::as_str)
    }
}

/// When a started program is ready to be used.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Ready {
    /// It accepts TCP connections at this port of loopback, or at this `host:port`.
    Tcp(Place),
    /// It has printed a line that contains this text.
    Line(String),
    /// A GET of this URL is answered with a status of 200 to 299.
    Http(String),
}

/// A port of loopback, or `host:port`; names in braces may stand in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Place(pub String);

impl JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        "Place".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "description": "a port of loopback, or `host:port`; `{port}` and other names may stand in it",
        })
    }
}

/// A target in full: one of the runner's own (`name`), a program (`command`), an image (`image`), or a process that runs already (`pid`).
///
/// In `command`, `env`, `ready`, `listens`, `probe` and the URLs of `inside` may stand `{port}`, a free port of loopback, `{port.NAME}`, others
/// of that kind, `{peers.NAME}`, the address at which the target reaches that peer through its link, and `{peers.NAME.host}` and `{peers.NAME.port}`,
/// its parts; `{scratch}`, a folder of the run's own; `{seed}`. `{{port}}` is the text `{port}`.
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
    /// A process that runs already: it is looked at, and neither started nor ended nor signalled (process engine).
    pid: Option<u32>,
    /// Variables added to the started program's environment.
    env: BTreeMap<String, String>,
    /// Where it accepts the connections of consumers, `host:port`. The port of `ready: { tcp: .. }`, or `127.0.0.1:{port}`, unless said.
    listens: Option<String>,
    /// When the started program is ready. Once it accepts connections at `{port}`, if it was given that, unless said; else at once.
    ready: Option<Ready>,
    /// Where it serves watertight's probe, `host:port`, if it links it in. The program is told by its environment.
    probe: Option<String>,
    /// An image that the container engine has: the target is started from it, with `command` where that is given.
    image: Option<String>,
    /// What it is held to in a container.
    limits: Option<Limits>,
    /// What else it serves of itself.
    inside: Views,
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
        map.check()?;
        let TargetMap { name, defect, with, command, pid, env, listens, ready, probe, inside, image, limits } =
            map;
        let defect = defect.filter(|defect| defect != HEALTHY);
        Ok(Self { name, defect, with, command, pid, env, listens, ready, probe, inside, image, limits })
    }
}

impl TargetMap {
    /// Whether its keys belong together.
    fn check(&self) -> Result<(), &'static str> {
        let is_program = self.command.is_some() || self.image.is_some();
        match [self.name.is_some(), is_program, self.pid.is_some()] {
            [false, false, false] => {
                return Err(
                    "the target has neither `name`, `command`, `image` nor `pid`: one says what is under test",
                );
            }
            [true, false, false] => return self.check_named(),
            [false, true, false] | [false, false, true] => {}
            [true, true, _] if self.image.is_some() => {
                return Err("the target has both `name` and `image`: keep one of them");
            }
            [true, true, _] => return Err("the target has both `name` and `command`: keep one of them"),
            [..] => {
                return Err(
                    "`pid` names a process that runs already: leave out `name`, `command` and `image`, or it",
                );
            }
        }
        if self.defect.is_some() || !self.with.is_empty() {
            return Err(
                "`defect` and `with` belong to a target with a `name`; a `command` has its arguments",
            );
        }
        if self.pid.is_some() && (self.ready.is_some() || !self.env.is_empty()) {
            return Err("`ready` and `env` belong to a `command`; a `pid` runs already");
        }
        Ok(())
    }

    fn check_named(&self) -> Result<(), &'static str> {
        let has_own = self.ready.is_some() || self.probe.is_some() || self.listens.is_some();
        if has_own || !self.env.is_empty() || !self.inside.is_empty() {
            return Err(
                "`ready`, `listens`, `probe`, `inside` and `env` belong to a `command` or a `pid`; a target \
                        with a `name` brings its own",
            );
        }
        Ok(())
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
                f.write_str("a target's name, or a map with `name`, `command`, `image` or `pid`")
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
            read(serde_json::json!({})).unwrap_err().contains("neither `name`, `command`, `image` nor `pid`")
        );
    }

    #[test]
    fn an_image_is_a_target_and_may_have_a_command() {
        let image = read(serde_json::json!({ "image": "redis:8", "command": ["redis-server"] })).unwrap();
        assert_eq!((image.title().as_str(), image.limits), ("redis:8", None));
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

    #[test]
    fn a_process_that_runs_has_no_command() {
        let both = serde_json::json!({ "pid": 7, "command": ["b"] });
        assert!(read(both).unwrap_err().contains("runs already"));
    }

    #[test]
    fn keys_of_one_kind_of_target_are_no_keys_of_another() {
        for (target, why) in [
            (serde_json::json!({ "pid": 7, "ready": { "line": "up" } }), "a `pid` runs already"),
            (serde_json::json!({ "command": ["b"], "defect": "d" }), "a `command` has its arguments"),
            (serde_json::json!({ "name": "a", "listens": "b:1" }), "brings its own"),
        ] {
            let said = read(target).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}

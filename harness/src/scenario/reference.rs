//! The reference of the language as Markdown, from its JSON Schema: parser, editors and readers are told the same.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// What stands above the sections.
const HEAD: &str = "# The scenario language

Printed by `watertight schema --reference`. Wherever a value stands, `$name` may stand for a value of `matrix:`. Unknown and
double keys are errors; `watertight check` names all of a file's errors at once, each with its line, and `watertight plan` shows
what a file compiles to.
";

const TABLE_HEAD: &str = "\n| key | value | meaning |\n| --- | --- | --- |\n";

/// The section of the keys that are told once.
const SHARED_TITLE: &str = "Shared keys";

/// So many maps have a key in common before it is told once for all.
const SHARED_BY: usize = 5;

/// A section for each kind of map, from the whole file down, in the order in which they are mentioned first.
///
/// `schema` is what [`super::schema()`] makes; a node of another shape is described by its description alone.
pub fn markdown(schema: &Value) -> String {
    let schema = &bare(schema);
    let mut reference = Reference {
        schema,
        sections: vec!["Scenario".to_owned()],
        shared: shared_keys(schema),
        text: HEAD.to_owned(),
    };
    reference.section("Scenario", schema);
    let mut next = 1;
    while let Some(name) = reference.sections.get(next).cloned() {
        reference.section(&name, &schema["$defs"][&name]);
        next += 1;
    }
    reference.shared_section();
    reference.text
}

/// The schema without what editors alone show: a key is the same wherever it stands, whatever its title says.
fn bare(schema: &Value) -> Value {
    let mut bare = schema.clone();
    strip(&mut bare);
    bare
}

fn strip(node: &mut Value) {
    match node {
        Value::Object(map) => {
            // A key of the language may have such a name; then it is a schema, and no text.
            map.retain(|key, value| !FOR_EDITORS.contains(&key.as_str()) || value.is_object());
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// What [`super::schema`] adds for editors.
const FOR_EDITORS: [&str; 3] = ["title", "markdownDescription", "examples"];

struct Reference<'a> {
    schema: &'a Value,
    /// The maps mentioned so far, each to get a section.
    sections: Vec<String>,
    /// Keys that many maps have, told once.
    shared: Vec<(&'a String, &'a Value)>,
    text: String,
}

impl<'a> Reference<'a> {
    fn section(&mut self, name: &str, node: &'a Value) {
        let _ = write!(self.text, "\n## {name}\n");
        if let Some(description) = node["description"].as_str() {
            let _ = write!(self.text, "\n{description}\n");
        }
        if let Some(properties) = node["properties"].as_object() {
            self.keys(node, properties);
        }
        if let Some(alternatives) = node["oneOf"].as_array() {
            self.single_keys(alternatives);
        }
    }

    /// The keys of a map; those that must be there first.
    fn keys(&mut self, node: &'a Value, properties: &'a Map<String, Value>) {
        self.text += TABLE_HEAD;
        let is_required =
            |key: &str| node["required"].as_array().is_some_and(|all| all.iter().any(|one| one == key));
        let (told_once, own): (Vec<_>, Vec<_>) = properties.iter().partition(|key| self.shared.contains(key));
        let (required, optional): (Vec<_>, Vec<_>) = own.into_iter().partition(|(key, _)| is_required(key));
        for (key, value) in required.into_iter().chain(optional) {
            self.row(key, value, is_required(key));
        }
        if !told_once.is_empty() {
            let keys: Vec<String> = told_once.iter().map(|(key, _)| format!("`{key}`")).collect();
            let _ = write!(self.text, "\nAnd {}: see [{SHARED_TITLE}](#shared-keys).\n", keys.join(", "));
        }
    }

    fn row(&mut self, key: &str, value: &'a Value, is_required: bool) {
        let kind = self.kind(value);
        let meaning = one_line(value["description"].as_str().unwrap_or_default());
        let needed = if is_required { "**needed** " } else { "" };
        let default = match &value["default"] {
            Value::Null | Value::Object(_) | Value::Array(_) => String::new(),
            default => format!(" (`{}`)", plain(default)),
        };
        let _ = writeln!(self.text, "| `{key}` | {needed}{kind}{default} | {meaning} |");
    }

    fn shared_section(&mut self) {
        let _ = write!(self.text, "\n## {SHARED_TITLE}\n{TABLE_HEAD}");
        for (key, value) in self.shared.clone() {
            self.row(key, value, false);
        }
    }

    /// A map with a single key, which says the kind.
    fn single_keys(&mut self, alternatives: &'a [Value]) {
        self.text += "\nOne of:\n\n";
        for alternative in alternatives {
            for (key, value) in alternative["properties"].as_object().into_iter().flatten() {
                let kind = self.kind(value);
                let meaning = one_line(alternative["description"].as_str().unwrap_or_default());
                let _ = writeln!(self.text, "- `{key}:` {kind} – {meaning}");
            }
        }
    }

    /// What a value may be, in words; maps are noted for a section of their own.
    fn kind(&mut self, value: &'a Value) -> String {
        if let Some(name) = value["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            return self.named(name);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(alternatives) = value[key].as_array() {
                let some = alternatives.iter().filter(|one| one["type"] != "null");
                let kinds: Vec<String> = some.map(|one| self.kind(one)).collect();
                return kinds.join(" or ");
            }
        }
        if !value["items"].is_null() {
            return format!("list of {}", self.kind(&value["items"]));
        }
        if value["additionalProperties"].is_object() {
            return format!("names, each with {}", self.kind(&value["additionalProperties"]));
        }
        scalar(value)
    }

    fn named(&mut self, name: &str) -> String {
        let node = &self.schema["$defs"][name];
        if let Some(words) = words(node) {
            return words;
        }
        if node["properties"].is_object() || node["oneOf"].is_array() {
            if !self.sections.iter().any(|section| section == name) {
                self.sections.push(name.to_owned());
            }
            return format!("[{name}](#{})", name.to_lowercase());
        }
        if node["anyOf"].is_array() {
            return self.kind(node);
        }
        one_line(node["description"].as_str().unwrap_or(name))
    }
}

/// The optional keys that at least [`SHARED_BY`] maps have with the same value and meaning, such as those of every fault.
fn shared_keys(schema: &Value) -> Vec<(&String, &Value)> {
    let maps = || schema["$defs"].as_object().into_iter().flat_map(Map::values);
    let mut shared = Vec::new();
    for key in maps().filter_map(|map| map["properties"].as_object()).flatten() {
        let owners = maps().filter(|map| map["properties"].get(key.0) == Some(key.1));
        let optional =
            owners.filter(|map| !map["required"].as_array().is_some_and(|all| all.contains(&json!(key.0))));
        if !shared.contains(&key) && optional.count() >= SHARED_BY {
            shared.push(key);
        }
    }
    shared
}

/// The words of an enumeration.
pub(super) fn words(node: &Value) -> Option<String> {
    let listed: Vec<&Value> = match (&node["enum"], &node["oneOf"]) {
        (Value::Array(words), _) => words.iter().collect(),
        (_, Value::Array(alternatives)) => {
            alternatives.iter().map(|one| &one["const"]).filter(|word| !word.is_null()).collect()
        }
        _ => return None,
    };
    let words: Vec<String> = listed.into_iter().map(|word| format!("`{}`", plain(word))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

pub(super) fn scalar(value: &Value) -> String {
    let kinds: Vec<&str> = match &value["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let range = match (value["minimum"].as_f64(), value["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        _ => String::new(),
    };
    let word = match kinds.as_slice() {
        kinds if kinds.contains(&"integer") => "whole number",
        kinds if kinds.contains(&"number") => "number",
        kinds if kinds.contains(&"boolean") => "`true` or `false`",
        kinds if kinds.contains(&"string") => "text",
        _ => "any value",
    };
    format!("{word}{range}")
}

pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn one_line(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

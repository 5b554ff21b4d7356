//! Every key of the language with its path, from the JSON Schema: what editors show on hover, and what `watertight explain` tells.

use serde_json::{Map, Value};

use super::reference::{plain, scalar, words};

/// A key, or a kind such as a fault's, which is the key of a map with a single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The way to it, without names that the file gives and without numbers of lists: `cycle.faults.flap.up`.
    pub path: String,
    /// What its values may be, in words.
    pub kind: String,
    /// What it is where it is not written, where that is a plain value.
    pub default: Option<String>,
    /// Whether it must be there.
    pub is_needed: bool,
    /// What it means.
    pub meaning: String,
    /// Where it stands in the schema: the definition, and the key in it.
    pub(super) owner: (String, String),
}

impl Key {
    /// The last word of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// The path of what holds it; empty for a key of the file itself.
    pub fn holder(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(holder, _)| holder)
    }

    /// Whether it is a fault.
    pub fn is_fault(&self) -> bool {
        self.holder() == FAULTS
    }
}

/// Where the faults are.
pub(super) const FAULTS: &str = "cycle.faults";

/// The deepest key: a schema that leads in circles is left there.
const DEPTH_MAX: usize = 16;

/// The name under which the keys of the file itself stand.
pub(super) const ROOT: &str = "";

/// Every key, holders before what they hold, in the order of the types. `schema` is what [`super::schema()`] makes.
pub fn keys(schema: &Value) -> Vec<Key> {
    let mut walk = Walk { schema, keys: Vec::new() };
    walk.node(schema, ROOT, ROOT, 0);
    walk.keys
}

struct Walk<'a> {
    schema: &'a Value,
    keys: Vec<Key>,
}

impl Walk<'_> {
    /// What stands below `node`, which is part of the definition `owner`.
    fn node(&mut self, node: &Value, owner: &str, path: &str, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        if let Some(name) = definition(node) {
            return self.node(&self.schema["$defs"][name], name, path, depth + 1);
        }
        if let Some(properties) = node["properties"].as_object() {
            self.properties(node, properties, owner, path, depth);
        }
        for below in [&node["items"], &node["additionalProperties"]] {
            if below.is_object() {
                self.node(below, owner, path, depth + 1);
            }
        }
        for alternatives in ["anyOf", "oneOf"].iter().filter_map(|key| node[*key].as_array()) {
            for alternative in alternatives {
                self.node(alternative, owner, path, depth + 1);
            }
        }
    }

    fn properties(
        &mut self,
        node: &Value,
        properties: &Map<String, Value>,
        owner: &str,
        path: &str,
        depth: usize,
    ) {
        let needed = node["required"].as_array();
        for (name, value) in properties {
            let own_path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            // A kind is described beside its key; what it is about, where its settings are defined.
            let is_kind =
                properties.len() == 1 && node["description"].is_string() && value["description"].is_null();
            let meaning = match is_kind {
                true => self.both(&node["description"], value),
                false => self.own_words(value),
            };
            let default = match &value["default"] {
                Value::Null | Value::Object(_) | Value::Array(_) => None,
                default => Some(plain(default)),
            };
            self.keys.push(Key {
                path: own_path.clone(),
                kind: kind(self.schema, value),
                default,
                // The key of a single-key map is the kind that was chosen.
                is_needed: !is_kind && needed.is_some_and(|all| all.iter().any(|one| one == name)),
                meaning,
                owner: (owner.to_owned(), name.clone()),
            });
            self.node(value, owner, &own_path, depth + 1);
        }
    }

    fn own_words(&self, value: &Value) -> String {
        let own = value["description"].as_str();
        let of_type =
            || definition(value).and_then(|name| self.schema["$defs"][name]["description"].as_str());
        one_line(own.or_else(of_type).unwrap_or_default())
    }

    fn both(&self, kind: &Value, value: &Value) -> String {
        let (kind, of_type) = (one_line(kind.as_str().unwrap_or_default()), self.own_words(value));
        if of_type.is_empty() || of_type == kind { kind } else { format!("{kind} {of_type}") }
    }
}

fn definition(node: &Value) -> Option<&str> {
    node["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// What a value may be, in words.
fn kind(schema: &Value, value: &Value) -> String {
    if let Some(name) = definition(value) {
        let node = &schema["$defs"][name];
        if let Some(words) = words(node) {
            return words.replace('`', "");
        }
        if node["properties"].is_object() || node["oneOf"].is_array() {
            return "a map".to_owned();
        }
        if node["anyOf"].is_array() {
            return kind(schema, node);
        }
        return node["description"].as_str().map_or_else(|| scalar(node), one_line);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(alternatives) = value[key].as_array() {
            let kinds = alternatives.iter().filter(|one| one["type"] != "null").map(|one| kind(schema, one));
            return kinds.collect::<Vec<_>>().join(" or ");
        }
    }
    if !value["items"].is_null() {
        return format!("a list, each {}", kind(schema, &value["items"]));
    }
    if value["additionalProperties"].is_object() {
        return format!("names of your own, each with {}", kind(schema, &value["additionalProperties"]));
    }
    if value["properties"].is_object() {
        return "a map".to_owned();
    }
    scalar(value).replace('`', "")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

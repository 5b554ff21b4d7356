//! The JSON Schema of the language, from the types that read it: editors complete and check with it.

use std::collections::BTreeSet;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use super::examples;
use super::keys::{Key, ROOT, keys};
use super::model::{PeerSpec, Scenario};

/// What stands for a matrix value anywhere in a file.
const VARIABLE: &str = r"^\$[A-Za-z]\w*$";

/// The schema of scenario files whose peers are of the world `P`.
pub fn schema<P: PeerSpec>() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(accept_variables));
    let mut schema = settings.into_generator().into_root_schema_for::<Scenario<P>>();
    schema.insert("title".to_owned(), json!("Watertight scenario"));
    let mut schema = schema.to_value();
    describe(&mut schema);
    schema
}

/// Adds to every key what editors show on hover: its path, what it means and may be, an example, and where there is more.
fn describe(schema: &mut Value) {
    let mut told = BTreeSet::new();
    for key in keys(schema) {
        // A definition that several keys share is told as that of the first.
        if told.insert(key.owner.clone()) {
            let (owner, name) = &key.owner;
            if let Some(node) = property(schema, owner, name) {
                annotate(node, &key);
            }
        }
    }
}

/// The value of `name` in the definition `owner`, or in one of its kinds.
fn property<'a>(schema: &'a mut Value, owner: &str, name: &str) -> Option<&'a mut Map<String, Value>> {
    let holder = if owner == ROOT { schema } else { schema.get_mut("$defs")?.get_mut(owner)? };
    let of_map = holder.get("properties").is_some_and(|properties| properties.get(name).is_some());
    if of_map {
        return holder.get_mut("properties")?.get_mut(name)?.as_object_mut();
    }
    let kinds = holder.get_mut("oneOf")?.as_array_mut()?;
    kinds.iter_mut().find_map(|kind| kind.get_mut("properties")?.get_mut(name)?.as_object_mut())
}

fn annotate(node: &mut Map<String, Value>, key: &Key) {
    node.insert("title".to_owned(), json!(key.path));
    node.entry("description").or_insert_with(|| json!(key.meaning));
    let needed = if key.is_needed { ", needed" } else { "" };
    let default =
        key.default.as_ref().map_or_else(String::new, |default| format!(", `{default}` unless said"));
    let known = examples::KEYS.iter().chain(&examples::SELDOM).find(|(path, _)| *path == key.path);
    let fault = examples::FAULTS.iter().find(|(name, _)| key.is_fault() && *name == key.name());
    let own = known.or(fault).map(|(_, example)| *example);
    let example = own.map_or_else(String::new, |example| format!("\n\n```yaml\n{example}\n```"));
    let text = format!(
        "{}\n\n*{}{needed}{default}*{example}\n\n`watertight explain {}`",
        key.meaning, key.kind, key.path
    );
    node.insert("markdownDescription".to_owned(), json!(text));
    if let Some(value) = own.and_then(examples::value) {
        node.insert("examples".to_owned(), json!([value]));
    }
}

/// Wherever a number, a truth value or one of a few words may stand, `$name` may stand too.
fn accept_variables(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.contains_key("enum") || object.contains_key("const") {
        return;
    }
    let scalar = |kind: &Value| matches!(kind.as_str(), Some("integer" | "number" | "boolean"));
    let kinds = match object.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(kind) => vec![kind.clone()],
        None => return,
    };
    if kinds.iter().any(scalar) && !kinds.iter().any(|kind| kind == "string") {
        let kinds: Vec<Value> = kinds.into_iter().chain([json!("string")]).collect();
        object.insert("type".to_owned(), Value::Array(kinds));
        object.insert("pattern".to_owned(), json!(VARIABLE));
    }
}

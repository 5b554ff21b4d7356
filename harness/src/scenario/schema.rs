//! The JSON Schema of the language, from the types that read it: editors complete and check with it.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

use super::model::{PeerSpec, Scenario};

/// What stands for a matrix value anywhere in a file.
const VARIABLE: &str = r"^\$[A-Za-z]\w*$";

/// The schema of scenario files whose peers are of the world `P`.
pub fn schema<P: PeerSpec>() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(accept_variables));
    let mut schema = settings.into_generator().into_root_schema_for::<Scenario<P>>();
    schema.insert("title".to_owned(), json!("Watertight scenario"));
    schema.to_value()
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

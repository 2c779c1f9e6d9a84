//! The JSON Schema of scenario files, for editors: derived from the types the reader reads.

use contract::ComponentName;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, generate::SchemaGenerator};
use serde_json::{Value, json};

use crate::file::ScenarioFile;

/// The schema, with the catalogue's components where they can stand.
pub fn schema(components: &[ComponentName]) -> Value {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<ScenarioFile>();
    RecursiveTransform(without_null).transform(&mut schema);
    RecursiveTransform(bounded).transform(&mut schema);
    schema.insert("title".to_owned(), json!("a scenario of Cleave"));
    let names: Vec<&str> = components.iter().map(|name| name.as_str()).collect();
    let mut schema = schema.to_value();
    let services: Vec<&str> = names.iter().copied().chain([ComponentName::GATEWAY.as_str()]).collect();
    schema["$defs"]["Services"]["propertyNames"] = json!({ "enum": services });
    let side = format!("\\s*(?:\\*|gateway|{})\\s*", names.join("|"));
    schema["$defs"]["Policies"]["propertyNames"] = json!({ "pattern": format!("^{side}->{side}$") });
    schema
}

/// TOML has no null: a key that may be left out is never there without a value.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Value| value.is_null() || *value == "null" || *value == json!({ "type": "null" });
    for keyword in ["type", "enum", "anyOf"] {
        let Some(Value::Array(choices)) = schema.get_mut(keyword) else { continue };
        choices.retain(|choice| !is_null(choice));
        if let [only] = choices.as_slice() {
            let only = only.clone();
            match (keyword, only) {
                ("type", only) => {
                    schema.insert(keyword.to_owned(), only);
                }
                ("anyOf", Value::Object(only)) => {
                    schema.remove(keyword);
                    for (key, value) in only {
                        schema.as_object_mut().map(|object| object.entry(key).or_insert(value));
                    }
                }
                _ => {}
            }
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// Integers that the reader takes up to the size of their type.
fn bounded(schema: &mut Schema) {
    if schema.get("format").is_some_and(|format| format == "uint32") {
        schema.as_object_mut().map(|object| object.entry("maximum").or_insert(json!(u32::MAX)));
    }
}

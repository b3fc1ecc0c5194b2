//! A task's columns as a Frictionless Table Schema v2 and back.

use serde_json::{Map, Value, json};

use crate::column::{Column, ColumnType, Missing};
use crate::definition::TaskError;
use crate::document::Document;
use crate::output::OutputKind;

/// The schema of a table's columns, with the answer as its last field. Properties that the standard does not know (`unit`,
/// `role`, `peerlearn:missing`) stand beside those it does, as it allows.
pub fn table_schema(document: &Document) -> Value {
    let Document { definition, charter } = document;
    let mut fields: Vec<Value> = definition.schema.columns.iter().map(|(name, column)| field(name, column)).collect();
    for field in &mut fields {
        let name = field["name"].as_str().unwrap_or_default().to_owned();
        let Some(range) = charter.checks.get(&name) else { continue };
        for (key, end) in [("minimum", range.minimum), ("maximum", range.maximum)] {
            if let Some(end) = end {
                field["constraints"][key] = json!(end.get());
            }
        }
    }
    let output = &definition.schema.output;
    let mut answer = match output.kind {
        OutputKind::Classes => json!({ "name": output.column, "type": "string", "categories": output.values }),
        OutputKind::Number => json!({ "name": output.column, "type": "number" }),
    };
    answer["role"] = json!("label");
    answer["constraints"] = json!({ "required": true });
    output.unit.iter().for_each(|unit| answer["unit"] = json!(unit));
    fields.push(answer);
    let mut schema = json!({
        "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
        "fields": fields,
        // The standard's default maps by order.
        "fieldsMatch": "subset",
        "missingValues": ["", "?", "NA", "NaN", "null"],
    });
    for (key, words) in [("title", &charter.about.title), ("description", &charter.about.text)] {
        if !words.is_empty() {
            schema[key] = json!(words);
        }
    }
    schema
}

fn field(name: &str, column: &Column) -> Value {
    let kind = if column.kind == ColumnType::Category { "string" } else { column.kind.name() };
    let mut field = Map::new();
    field.insert("name".into(), json!(name));
    field.insert("type".into(), json!(kind));
    if !column.values.is_empty() {
        field.insert("categories".into(), json!(column.values));
        field.insert("categoriesOrdered".into(), json!(column.ordered));
    }
    field.insert("constraints".into(), json!({ "required": column.missing == Missing::Refuse }));
    field.insert("role".into(), json!("feature"));
    column.unit.iter().for_each(|unit| drop(field.insert("unit".into(), json!(unit))));
    field.insert("peerlearn:missing".into(), json!(String::from(column.missing.clone())));
    if let (Some(mean), Some(sd)) = (column.mean, column.sd) {
        field.insert("peerlearn:scale".into(), json!({ "mean": mean.get(), "sd": sd.get() }));
    }
    Value::Object(field)
}

/// The columns that a Table Schema names, by name, for `peerlearn new --schema`; the label is left out by the caller.
///
/// # Errors
/// It has no fields, or one of a type that cannot be learnt from.
pub fn from_table_schema(schema: &Value) -> Result<Vec<(String, Column)>, TaskError> {
    let wrong = |key: &str, reason: &str| TaskError::Key { key: key.to_owned(), reason: reason.to_owned() };
    let fields = schema["fields"].as_array().ok_or_else(|| wrong("fields", "a Table Schema has a list of fields"))?;
    fields.iter().map(|field| column_of(field).map_err(|(name, reason)| wrong(&name, &reason))).collect()
}

fn column_of(field: &Value) -> Result<(String, Column), (String, String)> {
    let name =
        field["name"].as_str().ok_or_else(|| ("fields".to_owned(), "a field has no name".to_owned()))?.to_owned();
    let values: Vec<String> = match &field["categories"] {
        Value::Array(values) => values.iter().map(category).collect(),
        _ => field["constraints"]["enum"]
            .as_array()
            .map_or_else(Vec::new, |values| values.iter().map(category).collect()),
    };
    let kind = match field["type"].as_str().unwrap_or("any") {
        _ if !values.is_empty() => ColumnType::Category,
        "number" => ColumnType::Number,
        "integer" | "year" => ColumnType::Integer,
        "boolean" => ColumnType::Boolean,
        "date" => ColumnType::Date,
        "datetime" => ColumnType::Datetime,
        other => return Err((name, format!("type {other} without categories cannot be learnt from"))),
    };
    let mut column = Column::new(kind);
    column.ordered = field["categoriesOrdered"].as_bool().unwrap_or(false);
    column.values = values;
    column.unit = field["unit"].as_str().map(str::to_owned);
    Ok((name, column))
}

fn category(value: &Value) -> String {
    let value = if value.is_object() { &value["value"] } else { value };
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

use proptest::prelude::*;

use super::*;
use crate::{Document, Slot, write};

const HEART: &str = r#"
format = 1
name = "heart"
owners = []
kind = "table"
[columns]
age = { type = "integer", unit = "a", mean = 54, sd = 9 }
sex = { type = "category", values = ["male", "female"] }
chol = { type = "number", unit = "mg/dL", mean = 220, sd = 94, missing = "mean+flag" }
sugar = { type = "boolean", missing = "own" }
ecg = { type = "category", values = ["normal", "st-t", "hypertrophy"], other = true }
[output]
column = "disease"
kind = "classes"
values = ["yes", "no"]
[model]
net = "mlp:16"
loss = "cross-entropy"
[about]
title = "Heart disease"
row = { age = 63, sex = "male" }
[accepts]
chol = { names = ["cholesterol"], units = { "mmol/L" = 38.67 } }
[checks]
age = { minimum = 18, maximum = 105 }
[x_mine]
anything = 1
"#;

fn heart() -> Document {
    Document::parse(HEART).unwrap()
}

#[test]
fn what_is_written_reads_back() {
    let document = heart();
    let text = write(&document);
    assert_eq!(Document::parse(&text).unwrap(), document, "{text}");
    let bytes = document.definition.canonical();
    assert_eq!(Definition::from_canonical(&bytes).unwrap(), document.definition);
    assert_eq!(document.definition.schema.shape(), [11]);
    let names: Vec<String> = document.definition.schema.slots().iter().map(Slot::name).collect();
    assert_eq!(names[..4], ["age", "chol", "chol?", "ecg=hypertrophy"]);
}

/// The canonical form and the hash of a task never change: a peer of another version must find the same network.
#[test]
fn the_hash_of_a_task_is_for_good() {
    let definition = heart().definition;
    assert_eq!(
        String::from_utf8(definition.canonical()).unwrap(),
        include_str!("heart.json").trim_end(),
        "the canonical form has changed"
    );
    assert_eq!(definition.id().to_string(), include_str!("heart.id").trim_end());
}

#[test]
fn only_the_hashed_part_changes_the_hash() {
    let id = heart().definition.id();
    for (old, new) in [
        ("Heart disease\"", "Something else\""),
        ("18", "20"),
        ("38.67", "38.6"),
        ("anything = 1", "anything = 2"),
        ("[\"male\", \"female\"]", "[\"female\", \"male\"]"),
        ("[\"yes\", \"no\"]", "[\" no\", \"yes \"]"),
        ("mean = 54, sd = 9", "sd = 9.0, mean = 54.00"),
        ("owners = []\n", ""),
    ] {
        assert!(HEART.contains(old), "{old}");
        assert_eq!(Document::parse(&HEART.replace(old, new)).unwrap().definition.id(), id, "{old} -> {new}");
    }
    for (old, new) in [
        ("\"heart\"", "\"hearts\""),
        ("age =", "years ="),
        ("\"a\"", "\"d\""),
        ("\"integer\"", "\"number\""),
        ("mean = 54", "mean = 55"),
        ("sd = 9 ", "sd = 10 "),
        ("\"male\", ", ""),
        ("\"mean+flag\"", "\"mean\""),
        ("other = true", "ordered = true"),
        ("\"disease\"", "\"illness\""),
        ("[\"yes\", \"no\"]", "[\"yes\", \"no\", \"unsure\"]"),
        ("mlp:16", "mlp:17"),
        ("[about]", "[frame]\nmin_rows = 11\n[about]"),
        ("[about]", "[frame]\nrule = \"agreed\"\n[about]"),
        ("[model]", "weights = { yes = 2 }\n[model]"),
    ] {
        assert!(HEART.contains(old), "{old}");
        let changed = HEART
            .replacen(old, new, 1)
            .replace("age = { min", if new == "years =" { "years = { min" } else { "age = { min" });
        let changed = if new == "years =" { changed.replace("row = { age", "row = { years") } else { changed };
        assert_ne!(Document::parse(&changed).unwrap().definition.id(), id, "{old} -> {new}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (old, new, line, words) in [
        ("kind = \"table\"", "kind = \"tables\"", 5, "tables"),
        ("[columns]", "[colums]", 6, "columns"),
        ("values = [\"male\", \"female\"]", "vals = [1]", 8, "vals"),
        ("missing = \"own\"", "missing = \"mean\"", 10, "numbers"),
        ("mean = 54, ", "", 7, "together"),
        ("sd = 9 }", "sd = 0 }", 7, "above 0"),
        ("values = [\"yes\", \"no\"]", "values = [\"yes\"]", 12, "2 to"),
        ("\"disease\"", "\"age\"", 13, "among the columns"),
        ("format = 1", "format = 2", 2, "newer"),
        ("cross-entropy", "mse", 18, "classes"),
        ("\"heart\"", "\"he art\"", 3, "spaces"),
        ("age = { min", "agee = { min", 25, "no such column"),
        ("owners = []", "owners = [\"x\"]", 4, "hexadecimal"),
        ("name = \"heart\"", "name = \"heart", 3, "string"),
    ] {
        assert!(HEART.contains(old), "{old}");
        let error = Document::parse(&HEART.replace(old, new)).unwrap_err();
        assert!(
            error.line == line && error.reason.contains(words),
            "{old} -> {new}: line {}: {}",
            error.line,
            error.reason
        );
    }
}

#[test]
fn text_from_strangers_cannot_disturb_a_terminal() {
    for name in ["a\u{1b}[2J", "\u{202E}abc"] {
        let mut definition = heart().definition;
        let column = definition.schema.columns["age"].clone();
        definition.schema.columns.insert(name.to_owned(), column);
        assert!(matches!(definition.normalized(), Err(TaskError::Key { .. })), "{name:?}");
        let mut definition = heart().definition;
        definition.schema.output.values[0] = name.to_owned();
        assert!(definition.normalized().is_err());
    }
    assert!(Document::parse(&HEART.replace("Heart disease", "a\\u001b[2J")).is_err());
}

#[test]
fn canonical_bytes_are_checked_before_they_are_believed() {
    let bytes = heart().definition.canonical();
    let text = String::from_utf8(bytes.clone()).unwrap();
    for damaged in [
        text.replacen('{', "{ ", 1),
        text.replace("\"format\":1", "\"format\":2"),
        text.replace("\"54\"", "\"54.0\""),
        text.replace("\"no\",\"yes\"", "\"yes\",\"no\""),
        text[..text.len() - 1].to_owned(),
        "[".repeat(200_000),
        String::new(),
    ] {
        assert!(Definition::from_canonical(damaged.as_bytes()).is_err(), "{damaged:.80}");
    }
    assert!(Definition::from_canonical(&vec![b' '; MAX_BYTES + 1]).is_err());
}

proptest! {
    #[test]
    fn bytes_never_panic(at in 0usize..1500, byte in any::<u8>()) {
        let mut bytes = heart().definition.canonical();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(definition) = Definition::from_canonical(&bytes) {
            prop_assert_eq!(definition.canonical(), bytes);
        }
    }

    #[test]
    fn any_order_of_lines_and_values_gives_the_same_task(order in Just((6..11).collect::<Vec<usize>>()).prop_shuffle()) {
        let lines: Vec<&str> = HEART.lines().collect();
        let mut moved = lines.clone();
        for (at, from) in order.iter().enumerate() {
            moved[6 + at] = lines[*from];
        }
        prop_assert_eq!(Document::parse(&moved.join("\n")).unwrap().definition.id(), heart().definition.id());
    }
}

//! What differs between two tasks, and what that means for weights.

use std::collections::BTreeSet;

use crate::column::Column;
use crate::document::Document;
use crate::schema::Schema;

/// What a difference does to a model that is carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing carries over.
    Anew,
    /// Weights carry over, but answers change somewhat.
    Approximate,
    /// Weights carry over and answers stay what they are.
    Exact,
    /// Not hashed: the network stays the same.
    Words,
}

impl Effect {
    /// The heading under which such differences are shown.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Anew => "changes meaning: weights do not carry over",
            Self::Approximate => "a new network; weights carry over approximately",
            Self::Exact => "a new network; weights carry over, answers stay the same",
            Self::Words => "only words and checks: the same network",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it does.
    pub effect: Effect,
    /// What it is, in words.
    pub words: String,
}

/// Everything in which two tasks differ, the gravest first.
pub fn differences(old: &Document, new: &Document) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |effect, words: String| found.push(Difference { effect, words });
    let (a, b) = (&old.definition, &new.definition);
    for (what, before, after) in [
        ("name", a.name.clone(), b.name.clone()),
        ("owners", list(&a.owners), list(&b.owners)),
        ("parent", format!("{:?}", a.parent), format!("{:?}", b.parent)),
        ("frame", format!("{:?}", a.schema.frame), format!("{:?}", b.schema.frame)),
    ] {
        if before != after {
            tell(Effect::Exact, format!("{what}: {before} -> {after}"));
        }
    }
    if a.model != b.model {
        tell(Effect::Anew, format!("model: {} {} -> {} {}", a.model.net, a.model.loss, b.model.net, b.model.loss));
    }
    let (a, b) = (&a.schema, &b.schema);
    if (a.kind, &a.image, &a.array) != (b.kind, &b.image, &b.array) {
        tell(
            Effect::Anew,
            format!("kind or shape of the input: {:?} {:?} -> {:?} {:?}", a.kind, a.shape(), b.kind, b.shape()),
        );
    }
    columns(a, b, &mut tell);
    outputs(a, b, &mut tell);
    let (a, b) = (&old.charter, &new.charter);
    for (section, same) in [
        ("about", a.about == b.about),
        ("accepts", a.accepts == b.accepts),
        ("checks", a.checks == b.checks),
        ("defaults", a.defaults == b.defaults),
        ("access", a.access == b.access),
    ] {
        if !same {
            tell(Effect::Words, format!("{section} differs"));
        }
    }
    found.sort_by_key(|difference| difference.effect);
    found
}

fn list(items: &[impl std::fmt::Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn columns(a: &Schema, b: &Schema, tell: &mut impl FnMut(Effect, String)) {
    for (name, before) in &a.columns {
        match b.columns.get(name) {
            None => tell(Effect::Approximate, format!("column {name} is gone; its mean is taken for every row")),
            Some(after) if before != after => {
                let (effect, words) = column(before, after);
                tell(effect, format!("column {name}: {words}"));
            }
            Some(_) => {}
        }
    }
    for name in b.columns.keys().filter(|name| !a.columns.contains_key(*name)) {
        tell(Effect::Exact, format!("column {name} is new; its weights begin at 0"));
    }
}

fn column(a: &Column, b: &Column) -> (Effect, String) {
    if a.kind != b.kind || a.transform != b.transform || a.ordered != b.ordered {
        return (Effect::Anew, format!("type {} -> {}", a.kind, b.kind));
    }
    if a.unit != b.unit {
        let unit = |unit: &Option<String>| unit.clone().unwrap_or_else(|| "none".to_owned());
        return (Effect::Anew, format!("unit {} -> {}", unit(&a.unit), unit(&b.unit)));
    }
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (a.values.iter().collect(), b.values.iter().collect());
    let gone: Vec<String> = before.difference(&after).map(ToString::to_string).collect();
    let new: Vec<String> = after.difference(&before).map(ToString::to_string).collect();
    match () {
        () if !gone.is_empty() => (Effect::Approximate, format!("values gone: {}", gone.join(", "))),
        () if !new.is_empty() => (Effect::Exact, format!("new values: {}", new.join(", "))),
        () if (a.mean, a.sd) != (b.mean, b.sd) => {
            (Effect::Exact, "mean and sd differ; the first layer is rewritten".to_owned())
        }
        () => (Effect::Exact, "what becomes of missing, invalid or far values differs".to_owned()),
    }
}

fn outputs(a: &Schema, b: &Schema, tell: &mut impl FnMut(Effect, String)) {
    let (a, b) = (&a.output, &b.output);
    if a.kind != b.kind || a.column != b.column || a.unit != b.unit {
        tell(Effect::Anew, format!("output: {} {:?} -> {} {:?}", a.column, a.kind, b.column, b.kind));
        return;
    }
    let new: Vec<&String> = b.values.iter().filter(|class| !a.values.contains(class)).collect();
    let gone: Vec<&String> = a.values.iter().filter(|class| !b.values.contains(class)).collect();
    if !gone.is_empty() {
        tell(Effect::Approximate, format!("classes gone: {}", list(&gone)));
    }
    if !new.is_empty() {
        tell(Effect::Exact, format!("new classes: {}; answers stay, with a little less certainty", list(&new)));
    }
    if a.weights != b.weights {
        tell(Effect::Exact, "weights of classes differ".to_owned());
    }
    if (a.mean, a.sd) != (b.mean, b.sd) {
        tell(Effect::Exact, "mean and sd of the output differ; the last layer is rewritten".to_owned());
    }
}

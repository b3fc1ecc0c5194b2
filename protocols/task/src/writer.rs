//! Writes a `task.toml` with comments, to be reviewed and edited.

use std::fmt::Write;

use crate::charter::{Accepted, Charter, Join};
use crate::column::{Column, ColumnType, Invalid, Missing, Outlier};
use crate::document::Document;
use crate::output::{Output, OutputKind};
use crate::schema::{FrameRule, InputKind, Merge, Schema};

/// The text of a task, with comments that say what each part means; it reads back as the same task.
pub fn write(document: &Document) -> String {
    let Document { definition, charter } = document;
    let mut text =
        "# What all peers of this network agree on. Hand it on with a ticket; edit it before the first peer starts:\n\
                    # whatever stands above the line changes the hash, and with it the network.\n"
            .to_owned();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    line(format!("format = {}", definition.format));
    line(format!("name   = {}                  # keeps otherwise equal tasks apart", quoted(&definition.name)));
    let owners: Vec<String> = definition.owners.iter().map(|owner| quoted(&owner.to_string())).collect();
    line(format!(
        "owners = [{}]  # any one may invite, upgrade and sign what stands below the line",
        owners.join(", ")
    ));
    if let Some(parent) = definition.parent {
        line(format!("parent = \"{parent}\"  # the task that this one continues"));
    }
    line(format!("kind   = \"{}\"", kind(definition.schema.kind)));
    line(String::new());
    inputs(&definition.schema, &mut line);
    output(&definition.schema.output, &mut line);
    line("[model]".to_owned());
    line(format!("net  = {}  # linear, mlp:SIZES or cnn", quoted(&definition.model.net)));
    line(format!("loss = {}", quoted(&definition.model.loss)));
    if let Some(layout) = &definition.model.layout {
        line(format!("layout = {}", quoted(layout)));
    }
    line(String::new());
    frame(&definition.schema, &mut line);
    line("# ---- below: not hashed; may change while peers learn ".to_owned() + &"-".repeat(40));
    rest(charter, &mut line);
    text
}

fn kind(kind: InputKind) -> &'static str {
    match kind {
        InputKind::Table => "table",
        InputKind::Image => "image",
        InputKind::Array => "array",
    }
}

fn inputs(schema: &Schema, line: &mut impl FnMut(String)) {
    if schema.kind == InputKind::Table {
        line(
            "[columns]  # matched by name; the order means nothing. missing: refuse, mean, mean+flag, own or a value"
                .to_owned(),
        );
        let width = schema.columns.keys().map(|name| key(name).chars().count()).max().unwrap_or(0);
        for (name, each) in &schema.columns {
            line(format!("{:width$} = {}", key(name), column(each)));
        }
    }
    if let Some(image) = &schema.image {
        line("[image]".to_owned());
        line(format!("size   = [{}, {}]  # height, width", image.size[0], image.size[1]));
        line(format!("colour = {}  # grey or rgb", quoted(&image.colour)));
        line(format!("fit    = {}  # pad, crop or stretch", quoted(&image.fit)));
        line(format!("filter = {}", quoted(&image.filter)));
        line(format!("most   = {}  # the value that becomes 1", image.most));
    }
    if let Some(array) = &schema.array {
        let shape: Vec<String> = array.shape.iter().map(usize::to_string).collect();
        line("[array]".to_owned());
        line(format!("shape = [{}]", shape.join(", ")));
        line(format!("most  = {}  # the value that becomes 1", array.most));
    }
    line(String::new());
}

fn column(column: &Column) -> String {
    let mut keys = vec![format!("type = \"{}\"", column.kind.name())];
    column.unit.iter().for_each(|unit| keys.push(format!("unit = {}", quoted(unit))));
    if !column.values.is_empty() {
        keys.push(format!("values = [{}]", list(&column.values)));
    }
    for (name, set) in [("ordered", column.ordered), ("other", column.other), ("optional", column.optional)] {
        if set {
            keys.push(format!("{name} = true"));
        }
    }
    if column.missing != Missing::Refuse {
        keys.push(format!("missing = {}", quoted(&String::from(column.missing.clone()))));
    }
    match column.invalid {
        Invalid::Refuse => {}
        Invalid::Missing => keys.push("invalid = \"missing\"".to_owned()),
        Invalid::Quarantine => keys.push("invalid = \"quarantine\"".to_owned()),
    }
    match column.outlier {
        Outlier::Clamp => {}
        Outlier::AsIs => keys.push("outlier = \"as-is\"".to_owned()),
        Outlier::Missing => keys.push("outlier = \"missing\"".to_owned()),
    }
    if column.transform.is_some() {
        keys.push("transform = \"log1p\"".to_owned());
    }
    if let (Some(mean), Some(sd)) = (column.mean, column.sd) {
        keys.push(format!("mean = {mean}, sd = {sd}"));
    }
    format!("{{ {} }}", keys.join(", "))
}

fn output(output: &Output, line: &mut impl FnMut(String)) {
    line("[output]".to_owned());
    if !output.column.is_empty() {
        line(format!("column = {}", quoted(&output.column)));
    }
    match output.kind {
        OutputKind::Classes => {
            line("kind   = \"classes\"  # classes or number".to_owned());
            line(format!("values = [{}]  # all of them, also where a peer has only some", list(&output.values)));
            if !output.weights.is_empty() {
                let weight = |(class, weight): (&String, &crate::Real)| format!("{} = {weight}", key(class));
                let weights: Vec<String> = output.weights.iter().map(weight).collect();
                line(format!("weights = {{ {} }}  # how much a row counts in the loss", weights.join(", ")));
            }
        }
        OutputKind::Number => {
            line("kind   = \"number\"  # classes or number".to_owned());
            output.unit.iter().for_each(|unit| line(format!("unit   = {}", quoted(unit))));
            if let (Some(mean), Some(sd)) = (output.mean, output.sd) {
                line(format!("mean   = {mean}\nsd     = {sd}  # the number is learnt in these units"));
            }
        }
    }
    line(String::new());
}

fn frame(schema: &Schema, line: &mut impl FnMut(String)) {
    if schema.kind != InputKind::Table {
        return;
    }
    let rules = &schema.frame;
    let rule = match rules.rule {
        FrameRule::Declared => "declared",
        FrameRule::Agreed => "agreed",
        FrameRule::PerPeer => "per-peer",
    };
    let merge = if rules.merge == Merge::Median { "median" } else { "pooled" };
    line("[frame]  # by whose mean and sd numbers are scaled".to_owned());
    line(format!("rule     = \"{rule}\"  # declared: those above | agreed: improved by those of others | per-peer"));
    line(format!("merge    = \"{merge}\"  # median | pooled, for groups that trust each other"));
    line(format!("min_rows = {}  # of a column with fewer values a peer tells nothing", rules.min_rows));
    line(format!("clip     = {}  # deviations beyond which a number is an outlier", rules.clip));
    line(String::new());
}

fn rest(charter: &Charter, line: &mut impl FnMut(String)) {
    let about = &charter.about;
    line("[about]".to_owned());
    line(format!("title   = {}", quoted(&about.title)));
    line(format!("text    = {}", quoted(&about.text)));
    for (name, words) in [("contact", &about.contact), ("licence", &about.licence)] {
        if !words.is_empty() {
            line(format!("{name} = {}", quoted(words)));
        }
    }
    if !about.row.is_empty() {
        let cells: Vec<String> =
            about.row.iter().map(|(name, cell)| format!("{} = {}", key(name), quoted(cell))).collect();
        line(format!("row     = {{ {} }}  # made up", cells.join(", ")));
    }
    line("\n[accepts]  # other names, units and words, for example: chol = { names = [\"cholesterol\"], units = { \"mmol/L\" = 38.67 } }".to_owned());
    charter.accepts.iter().for_each(|(name, each)| line(format!("{} = {}", key(name), accepted(each))));
    line(
        "\n[checks]  # rows outside are left out and counted, for example: age = { minimum = 18, maximum = 105 }"
            .to_owned(),
    );
    for (name, range) in &charter.checks {
        let ends = [("minimum", range.minimum), ("maximum", range.maximum)];
        let ends: Vec<String> = ends.iter().filter_map(|(end, at)| at.map(|at| format!("{end} = {at}"))).collect();
        line(format!("{} = {{ {} }}", key(name), ends.join(", ")));
    }
    if !charter.defaults.is_empty() {
        line("\n[defaults]  # advice for training; a peer's own settings are stronger".to_owned());
        charter.defaults.iter().for_each(|(name, value)| line(format!("{} = {value}", key(name))));
    }
    let join = match charter.access.join {
        Join::Open => "open",
        Join::Invited => "invited",
        Join::Approved => "approved",
    };
    line(format!("\n[access]\njoin = \"{join}\"  # open: anyone with the task | invited | approved"));
}

fn accepted(accepted: &Accepted) -> String {
    let mut keys = Vec::new();
    if !accepted.names.is_empty() {
        keys.push(format!("names = [{}]", list(&accepted.names)));
    }
    if !accepted.units.is_empty() {
        let units: Vec<String> = accepted.units.iter().map(|(unit, by)| format!("{} = {by}", quoted(unit))).collect();
        keys.push(format!("units = {{ {} }}", units.join(", ")));
    }
    if !accepted.values.is_empty() {
        let words = |(value, words): (&String, &Vec<String>)| format!("{} = [{}]", key(value), list(words));
        let values: Vec<String> = accepted.values.iter().map(words).collect();
        keys.push(format!("values = {{ {} }}", values.join(", ")));
    }
    format!("{{ {} }}", keys.join(", "))
}

fn list(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ")
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() => drop(write!(out, "\\u{:04X}", u32::from(other))),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A key of TOML: bare where it may be.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// The column type's word, for tables of text.
impl std::fmt::Display for ColumnType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

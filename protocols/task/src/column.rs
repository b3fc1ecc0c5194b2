//! One column of a table, and the inputs that become of it.

use serde::{Deserialize, Serialize};

use crate::real::Real;

/// What a column holds. Names are those of Frictionless Table Schema v2, where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Any number.
    Number,
    /// A whole number.
    Integer,
    /// Yes or no.
    Boolean,
    /// One of a list of words.
    Category,
    /// A day; counted in days since 1970-01-01.
    Date,
    /// A day with a time; counted in days since 1970-01-01 UTC.
    Datetime,
}

impl ColumnType {
    /// Whether cells become one number that is scaled.
    pub fn is_numeric(self) -> bool {
        !matches!(self, Self::Boolean | Self::Category)
    }

    /// The name as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Category => "category",
            Self::Date => "date",
            Self::Datetime => "datetime",
        }
    }
}

/// What becomes of a cell without a value (PMML 4.4, missing value treatment).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Missing {
    /// The file is refused.
    #[default]
    Refuse,
    /// The agreed mean, which is 0 after scaling.
    Mean,
    /// The mean, and a second input that is 1 where the value is missing.
    MeanAndFlag,
    /// Missing is an answer of its own: an input that is 1 where the value is missing. For booleans and categories.
    Own,
    /// This value.
    Value(String),
}

impl From<String> for Missing {
    fn from(text: String) -> Self {
        match text.as_str() {
            "refuse" => Self::Refuse,
            "mean" => Self::Mean,
            "mean+flag" => Self::MeanAndFlag,
            "own" => Self::Own,
            _ => Self::Value(text.strip_prefix("value:").map_or(text.clone(), str::to_owned)),
        }
    }
}

impl From<Missing> for String {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Refuse => "refuse".to_owned(),
            Missing::Mean => "mean".to_owned(),
            Missing::MeanAndFlag => "mean+flag".to_owned(),
            Missing::Own => "own".to_owned(),
            Missing::Value(value) => format!("value:{value}"),
        }
    }
}

/// What becomes of a cell whose text does not fit the column (PMML 4.4, invalid value treatment).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Invalid {
    /// The file is refused.
    #[default]
    Refuse,
    /// As if it were missing.
    Missing,
    /// The row is left out, and counted.
    Quarantine,
}

/// What becomes of a number far from the mean: further than `frame.clip` standard deviations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outlier {
    /// It is brought to that distance.
    #[default]
    Clamp,
    /// It stays.
    AsIs,
    /// As if it were missing.
    Missing,
}

/// What is done to a number before it is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// `ln(1 + x)`, for amounts from 0 on; the sign is kept below 0.
    Log1p,
}

/// A column that a model learns from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Unit, in UCUM where it has a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The values of a category; sorted, unless `ordered`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Whether the order of `values` means something; it then becomes one number from 0 to 1 in place of one input a value.
    #[serde(default)]
    pub ordered: bool,
    /// Whether values that are not listed have an input of their own.
    #[serde(default)]
    pub other: bool,
    /// What becomes of a cell without a value.
    #[serde(default)]
    pub missing: Missing,
    /// What becomes of a cell that does not fit.
    #[serde(default)]
    pub invalid: Invalid,
    /// What becomes of a number far from the mean.
    #[serde(default)]
    pub outlier: Outlier,
    /// What is done to a number before it is scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
    /// Mean that numbers are scaled by, as far as the task says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Real>,
    /// Standard deviation that numbers are scaled by, as far as the task says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sd: Option<Real>,
    /// Whether a file may lack the column; all its cells are missing then.
    #[serde(default)]
    pub optional: bool,
}

/// What one input of a model stands for.
#[derive(Debug, Clone, PartialEq)]
pub enum SlotKind {
    /// The number, scaled.
    Number,
    /// 1 for yes.
    Boolean,
    /// 1 where the value is this one of the list.
    Value(String),
    /// 1 where the value is not listed.
    Other,
    /// 1 where the value is missing.
    Missing,
    /// Place in an ordered list, from 0 to 1.
    Place,
}

/// One input of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Its column.
    pub column: String,
    /// What it stands for.
    pub kind: SlotKind,
}

impl Slot {
    /// A name for tables of weights and for `preprocessing`: `age`, `sex=male`, `chol?` where that says missing.
    pub fn name(&self) -> String {
        match &self.kind {
            SlotKind::Number | SlotKind::Boolean | SlotKind::Place => self.column.clone(),
            SlotKind::Value(value) => format!("{}={value}", self.column),
            SlotKind::Other => format!("{}=(other)", self.column),
            SlotKind::Missing => format!("{}?", self.column),
        }
    }
}

impl Column {
    /// A column of this type, with all defaults.
    pub fn new(kind: ColumnType) -> Self {
        Self {
            kind,
            unit: None,
            values: Vec::new(),
            ordered: false,
            other: false,
            missing: Missing::default(),
            invalid: Invalid::default(),
            outlier: Outlier::default(),
            transform: None,
            mean: None,
            sd: None,
            optional: false,
        }
    }

    /// The inputs that become of the column, in their order: values, then other, then missing.
    pub fn slots(&self) -> Vec<SlotKind> {
        let mut slots = match self.kind {
            ColumnType::Boolean => vec![SlotKind::Boolean],
            ColumnType::Category if self.ordered => vec![SlotKind::Place],
            ColumnType::Category => self.values.iter().cloned().map(SlotKind::Value).collect(),
            _ => vec![SlotKind::Number],
        };
        if self.other {
            slots.push(SlotKind::Other);
        }
        if matches!(self.missing, Missing::MeanAndFlag | Missing::Own) {
            slots.push(SlotKind::Missing);
        }
        slots
    }

    /// Checks the keys against each other and brings lists to their order.
    ///
    /// # Errors
    /// What contradicts itself, in words.
    pub(crate) fn normalize(&mut self) -> Result<(), String> {
        for value in &mut self.values {
            *value = crate::clean(value).map_err(|reason| format!("the value {value:?}: {reason}"))?;
        }
        if !self.ordered {
            self.values = crate::output::in_order(std::mem::take(&mut self.values));
        }
        if let Some(twice) = crate::output::twice(&self.values) {
            return Err(format!("the value {twice:?} is listed twice"));
        }
        let is_category = self.kind == ColumnType::Category;
        match () {
            () if is_category && self.values.is_empty() => Err("a category needs values = [...]".to_owned()),
            () if !is_category && (!self.values.is_empty() || self.ordered || self.other) => {
                Err(format!("values, ordered and other are of a category, and this is {}", self.kind.name()))
            }
            () if !self.kind.is_numeric() && (self.mean.is_some() || self.sd.is_some() || self.transform.is_some()) => {
                Err(format!("mean, sd and transform are of numbers, and this is {}", self.kind.name()))
            }
            () if self.sd.is_some_and(|sd| sd.get() <= 0.0) => Err("sd is a number above 0".to_owned()),
            () if self.mean.is_some() != self.sd.is_some() => Err("mean and sd are given together".to_owned()),
            () => self.check_missing(),
        }
    }

    fn check_missing(&self) -> Result<(), String> {
        match &self.missing {
            Missing::Own if self.kind.is_numeric() => {
                Err("missing = \"own\" is of booleans and categories; numbers have refuse, mean, mean+flag or a number"
                    .to_owned())
            }
            Missing::Mean | Missing::MeanAndFlag if !self.kind.is_numeric() => Err(format!(
                "missing = {:?} is of numbers, and this is {}; booleans and categories have refuse, own or one of their values",
                String::from(self.missing.clone()),
                self.kind.name()
            )),
            Missing::Value(value) if self.kind == ColumnType::Category && !self.values.contains(value) => {
                Err(format!("missing = {value:?} is none of its values; refuse, own or one of them"))
            }
            Missing::Value(value)
                if self.kind == ColumnType::Boolean && !matches!(value.as_str(), "true" | "false") =>
            {
                Err(format!("missing = {value:?}: refuse, own, true or false"))
            }
            Missing::Value(value) if self.kind.is_numeric() && value.parse::<f64>().is_err() => {
                Err(format!("missing = {value:?}: refuse, mean, mean+flag or a number"))
            }
            _ if self.optional && self.missing == Missing::Refuse => {
                Err("an optional column needs missing = something else than refuse".to_owned())
            }
            _ => Ok(()),
        }
    }
}

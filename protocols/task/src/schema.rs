//! What goes into a model and what comes out of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::column::{Column, Slot};
use crate::definition::TaskError;
use crate::output::{Output, OutputKind};
use crate::real::Real;
use crate::text::clean;

/// Most columns of a table.
const MAX_COLUMNS: usize = 65_536;
/// Most values of an example: a colour picture of 1024 x 1024.
const MAX_WIDTH: usize = 3 << 20;

/// What goes into a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// Rows of named columns.
    Table,
    /// Pictures.
    Image,
    /// Arrays of numbers of one shape, without names.
    Array,
}

/// How pictures become inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// Height and width in pixels.
    pub size: [usize; 2],
    /// `grey` or `rgb`.
    #[serde(default = "grey")]
    pub colour: String,
    /// How a picture of another size is fitted: `pad`, `crop` or `stretch`.
    #[serde(default = "pad")]
    pub fit: String,
    /// By which filter it is resized: `nearest`, `triangle`, `catmullrom` or `lanczos3`.
    #[serde(default = "triangle")]
    pub filter: String,
    /// The value that becomes 1.
    #[serde(default = "byte")]
    pub most: Real,
}

/// Arrays of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayInput {
    /// Shape of one example.
    pub shape: Vec<usize>,
    /// The value that becomes 1.
    pub most: Real,
}

/// Whose numbers columns are scaled by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameRule {
    /// Those of the task, for good.
    #[default]
    Declared,
    /// Those of the task, until peers have told theirs.
    Agreed,
    /// Each peer's own: weights of peers with unlike rows then mean different things.
    PerPeer,
}

/// How the numbers of several peers become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// The median, one peer one voice: fewer than half the voices cannot move it out of the range of the others.
    #[default]
    Median,
    /// Exact moments of all rows together, for groups that trust each other.
    Pooled,
}

/// What is agreed on the numbers that columns are scaled by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrameRules {
    /// Whose numbers.
    pub rule: FrameRule,
    /// How they become one.
    pub merge: Merge,
    /// Of a column with fewer values a peer tells nothing.
    pub min_rows: u32,
    /// Standard deviations from the mean beyond which a number is an outlier.
    pub clip: Real,
}

impl Default for FrameRules {
    fn default() -> Self {
        let clip = Real::new(8.0).unwrap_or_else(byte);
        Self { rule: FrameRule::default(), merge: Merge::default(), min_rows: 10, clip }
    }
}

impl ImageInput {
    /// Pictures whose values are divided by `most`.
    pub fn new(size: [usize; 2], colour: &str, fit: &str, filter: &str, most: f32) -> Self {
        let most = Real::new(f64::from(most)).filter(|most| most.get() > 0.0).unwrap_or_else(byte);
        Self { size, colour: colour.to_owned(), fit: fit.to_owned(), filter: filter.to_owned(), most }
    }
}

fn grey() -> String {
    "grey".to_owned()
}

fn pad() -> String {
    "pad".to_owned()
}

fn triangle() -> String {
    "triangle".to_owned()
}

fn byte() -> Real {
    Real::new(255.0).unwrap_or_else(|| unreachable!("255 is finite"))
}

/// What goes into a model and what comes out of it: the part of a definition that data are read by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// What goes in.
    pub kind: InputKind,
    /// The columns of a table, by name. Inputs follow the bytes of the names, whatever the order in a file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Column>,
    /// Of pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageInput>,
    /// Of arrays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArrayInput>,
    /// What comes out.
    pub output: Output,
    /// Scaling.
    #[serde(default)]
    pub frame: FrameRules,
}

impl Schema {
    /// Rows of these columns.
    pub fn table(columns: BTreeMap<String, Column>, output: Output) -> Self {
        Self { kind: InputKind::Table, columns, image: None, array: None, output, frame: FrameRules::default() }
    }

    /// Arrays of one shape in so many named classes, whose values are divided by `most`. Pictures of one channel or three too.
    pub fn array(shape: Vec<usize>, most: f32, classes: Vec<String>) -> Self {
        let most = Real::new(f64::from(most)).filter(|most| most.get() > 0.0).unwrap_or_else(byte);
        let array = Some(ArrayInput { shape, most });
        let (columns, output) = (BTreeMap::new(), Output::classes("", classes));
        Self { kind: InputKind::Array, columns, image: None, array, output, frame: FrameRules::default() }
    }

    /// Pictures in so many named classes.
    pub fn image(image: ImageInput, classes: Vec<String>) -> Self {
        let (columns, output) = (BTreeMap::new(), Output::classes("", classes));
        let (kind, image) = (InputKind::Image, Some(image));
        Self { kind, columns, image, array: None, output, frame: FrameRules::default() }
    }

    /// Checks everything and brings names and lists to their one form and order.
    ///
    /// # Errors
    /// The first key that contradicts itself or others.
    pub(crate) fn normalize(&mut self) -> Result<(), TaskError> {
        self.normalize_input()?;
        self.output.normalize().map_err(|reason| TaskError::key("output", reason))?;
        match (1.0..=1e6).contains(&self.frame.clip.get()) {
            true => Ok(()),
            false => Err(TaskError::key("frame.clip", "from 1 to 1e6")),
        }
    }

    /// The loss that goes with the kind of answer, where nothing else is said.
    pub fn usual_loss(&self) -> &'static str {
        match self.output.kind {
            OutputKind::Classes => "cross-entropy",
            OutputKind::Number => "mse",
        }
    }

    fn normalize_input(&mut self) -> Result<(), TaskError> {
        let sections = [
            (InputKind::Table, "columns", !self.columns.is_empty()),
            (InputKind::Image, "image", self.image.is_some()),
            (InputKind::Array, "array", self.array.is_some()),
        ];
        for (kind, section, there) in sections {
            if there != (kind == self.kind) {
                let reason = if there { "it does not go with this kind" } else { "this kind needs it" };
                return Err(TaskError::key(section, reason));
            }
        }
        if self.columns.len() > MAX_COLUMNS {
            return Err(TaskError::key("columns", format!("at most {MAX_COLUMNS}")));
        }
        let mut columns = BTreeMap::new();
        for (name, mut column) in std::mem::take(&mut self.columns) {
            let key = format!("columns.{name}");
            let clean = clean(&name).map_err(|reason| TaskError::key(&key, reason))?;
            column.normalize().map_err(|reason| TaskError::key(&key, reason))?;
            if columns.insert(clean, column).is_some() {
                return Err(TaskError::key(key, "it is there twice"));
            }
        }
        self.columns = columns;
        self.output.column = match self.kind {
            InputKind::Table => clean(&self.output.column).map_err(|reason| TaskError::key("output.column", reason))?,
            _ if self.output.column.is_empty() => String::new(),
            _ => return Err(TaskError::key("output.column", "only a table has it")),
        };
        if self.columns.contains_key(&self.output.column) {
            return Err(TaskError::key("output.column", format!("{:?} is among the columns too", self.output.column)));
        }
        self.check_shape()
    }

    fn check_shape(&self) -> Result<(), TaskError> {
        if let Some(image) = &self.image {
            let words = [
                ("image.colour", &image.colour, &["grey", "rgb"][..]),
                ("image.fit", &image.fit, &["pad", "crop", "stretch"]),
                ("image.filter", &image.filter, &["nearest", "triangle", "catmullrom", "lanczos3"]),
            ];
            for (key, got, known) in words {
                if !known.contains(&got.as_str()) {
                    return Err(TaskError::key(key, format!("{got:?} is none of {}", known.join(", "))));
                }
            }
        }
        let most = self.image.as_ref().map(|image| image.most).or(self.array.as_ref().map(|array| array.most));
        if most.is_some_and(|most| most.get() <= 0.0) {
            return Err(TaskError::key("most", "a number above 0"));
        }
        let width = self.shape().iter().try_fold(1usize, |width, &size| width.checked_mul(size));
        match width {
            Some(width) if (1..=MAX_WIDTH).contains(&width) => Ok(()),
            _ => Err(TaskError::key("kind", format!("an example has 1 to {MAX_WIDTH} values"))),
        }
    }

    /// The inputs of a table, in their order.
    pub fn slots(&self) -> Vec<Slot> {
        let of = |(name, column): (&String, &Column)| {
            let slot = |kind| Slot { column: name.clone(), kind };
            column.slots().into_iter().map(slot).collect::<Vec<_>>()
        };
        self.columns.iter().flat_map(of).collect()
    }

    /// Shape of one example: `[inputs]` of a table, `[channels, height, width]` of a picture.
    pub fn shape(&self) -> Vec<usize> {
        match (&self.image, &self.array) {
            (Some(image), _) => vec![if image.colour == "rgb" { 3 } else { 1 }, image.size[0], image.size[1]],
            (None, Some(array)) => array.shape.clone(),
            (None, None) => vec![self.columns.values().map(|column| column.slots().len()).sum()],
        }
    }

    /// What a picture's or an array's values are divided by; `None` for a table.
    pub fn most(&self) -> Option<f32> {
        let most = self.image.as_ref().map(|image| image.most).or(self.array.as_ref().map(|array| array.most));
        most.map(|most| most.get() as f32)
    }

    /// Names of the classes, in the order of the outputs; none for a number.
    pub fn classes(&self) -> &[String] {
        &self.output.values
    }
}

//! What a model is, for programs and people.

use peerlearn_data::Preprocessing;
use peerlearn_protocols::params::TensorSpec;
use peerlearn_protocols::recipe::Evaluation;
use peerlearn_task::{Column, InputKind, Numbers, Outlier, Output, OutputKind, Scale, Schema, Task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::registry::Checkpoint;

/// What a model is. Field names are stable; new fields may be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name and version of this format.
    pub format: String,
    /// Version of the program.
    pub version: String,
    /// Hash of the task.
    pub task: String,
    /// Name of the network.
    pub network: String,
    /// The model family.
    pub model: String,
    /// Shape of one example.
    pub input: Vec<usize>,
    /// Names of the inputs of a table, in their order; empty for images.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Names of the classes, in the order of the outputs; none where the answer is a number.
    pub classes: Vec<String>,
    /// What comes out.
    pub output: Value,
    /// How raw values become inputs: `declared`, `agreed`, `per-peer`, or `unit:MAX` for pictures.
    pub scaling: String,
    /// For a table: what is done to each column, in the order of the inputs, with the ONNX-ML operators that do the same.
    #[serde(default)]
    pub preprocessing: Vec<Value>,
    /// An MLflow model signature: inputs and outputs with names and types, and a made-up example.
    pub signature: Value,
    /// Names of weight and bias of each dense layer, in their order, with a ReLU between them; absent for other models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<[String; 2]>>,
    /// What is done to the last outputs: `softmax`, or `none` for a number.
    pub activation: String,
    /// Rounds closed.
    pub round: u64,
    /// Sample-steps over the ancestry.
    pub age: u64,
    /// Accuracy on the rows to measure on, if there were any and their targets are classes.
    pub accuracy: Option<f32>,
    /// Everything measured on these rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Evaluation>,
    /// Names and shapes in the order of the layout. Weights of dense layers are `[inputs, outputs]`.
    pub tensors: Vec<TensorSpec>,
}

impl Manifest {
    /// Describes a checkpoint. `agreed` are the numbers that it was trained in, where peers agree on them: outliers are those that
    /// are far from these, while weights and scales are told in the numbers of the task.
    pub fn new(
        task: &Task,
        checkpoint: &Checkpoint,
        rows: &Preprocessing,
        agreed: Option<&Numbers>,
        metrics: Option<Evaluation>,
    ) -> Self {
        let (summary, schema) = (task.summary(), &rows.schema);
        let column = |(name, each): (&String, &Column)| {
            let scale = rows.numbers.of(name);
            described(name, each, scale, range(schema, each, scale, agreed.map(|agreed| agreed.of(name))))
        };
        Self {
            format: "peerlearn model 2".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            task: task.id().to_string(),
            network: summary.network,
            model: summary.model,
            input: schema.shape(),
            columns: rows.columns(),
            classes: schema.classes().to_vec(),
            output: answered(&schema.output),
            scaling: summary.scaling,
            preprocessing: schema.columns.iter().map(column).collect(),
            signature: signature(task, schema.kind == InputKind::Table),
            layers: dense_layers(task),
            activation: if schema.output.kind == OutputKind::Number { "none" } else { "softmax" }.to_owned(),
            round: checkpoint.round,
            age: checkpoint.snapshot.age,
            accuracy: metrics.as_ref().filter(|found| !found.is_of_numbers()).map(|found| found.accuracy),
            metrics,
            tensors: task.layout().tensors().to_vec(),
        }
    }

    /// Raw rows or pictures to answers, with NumPy; none for models that are more than dense layers.
    pub fn program(&self) -> Option<&'static str> {
        let of_arrays = self.columns.is_empty();
        let is_scaled = self.scaling.strip_prefix("unit:").is_some_and(|most| most.parse::<f64>().is_ok());
        self.layers.as_ref()?;
        match of_arrays {
            false => Some(include_str!("predict.py")),
            true => is_scaled.then_some(include_str!("predict_arrays.py")),
        }
    }

    /// A model card: YAML in front, as model hubs read it, and a few sentences.
    pub(super) fn readme(&self, task: &Task) -> String {
        let about = &task.document().charter.about;
        let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
        let measured = match (&self.metrics, self.accuracy) {
            (Some(found), Some(accuracy)) => format!("accuracy {:.4} on {} rows kept apart", accuracy, found.rows),
            (Some(found), None) => format!("loss {:.4} on {} rows kept apart", found.loss, found.rows),
            (None, _) => "not measured: there were no rows kept apart".to_owned(),
        };
        let licence = or(&about.licence, "unknown");
        let use_it = match (self.program(), self.columns.is_empty()) {
            (Some(_), false) => {
                "`python3 predict.py rows.csv` answers for raw rows with NumPy; `manifest.json` says the same for other programs."
            }
            (Some(_), true) => {
                "`python3 predict.py pictures.npy` answers for arrays with NumPy; `manifest.json` says the same for other programs."
            }
            (None, _) => {
                "There is no predict.py, as this model is more than dense layers; `manifest.json` says what goes in, how it is scaled, \
                 and what comes out, and `peerlearn predict` answers."
            }
        };
        format!(
            "---\nlicense: {licence}\ntags: [peerlearn, federated-learning]\n---\n# {title}\n\n{text}\n\n\
             Learnt by peers over {round} rounds; {measured}. Task `{task}`, model `{model}`.\n\n{use_it}\n\n\
             The numbers that columns are scaled by come from the rows of those who made the task or agreed on them.\n",
            title = or(&about.title, &self.network),
            text = about.text,
            round = self.round,
            task = self.task,
            model = self.model,
        )
    }
}

fn answered(output: &Output) -> Value {
    let number = |value: Option<peerlearn_task::Real>| value.map(peerlearn_task::Real::get);
    match output.kind {
        OutputKind::Classes => json!({ "column": output.column, "kind": "classes" }),
        OutputKind::Number => json!({
            "column": output.column, "kind": "number", "unit": output.unit,
            "mean": number(output.mean), "sd": number(output.sd),
        }),
    }
}

/// Between which ends a scaled number is held; infinite where it is not.
fn range(schema: &Schema, column: &Column, scale: Scale, agreed: Option<Scale>) -> (f64, f64) {
    let trained = agreed.unwrap_or(scale);
    // Without numbers to scale by there is no telling what is far.
    if column.outlier != Outlier::Clamp || column.mean.is_none() && trained == Scale::NONE {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    let far = schema.frame.clip.get() * trained.sd;
    (scale.apply(trained.mean - far), scale.apply(trained.mean + far))
}

/// What is done to a column.
fn described(name: &str, column: &Column, scale: Scale, (least, most): (f64, f64)) -> Value {
    let missing = String::from(column.missing.clone());
    let mut all = json!({
        "name": name, "type": column.kind.name(), "unit": column.unit, "missing": missing,
        "values": column.values, "ordered": column.ordered, "other": column.other,
        "outlier": column.outlier, "transform": column.transform,
    });
    let mut operators = Vec::new();
    if column.kind.is_numeric() {
        (all["mean"], all["sd"]) = (json!(scale.mean), json!(scale.sd));
        // Numbers that are not finite become null.
        (all["least"], all["most"]) = (json!(least), json!(most));
        operators.push(json!({ "op": "Imputer", "imputed_value_floats": [scale.mean] }));
        operators.push(json!({ "op": "Scaler", "offset": [scale.mean], "scale": [1.0 / scale.sd] }));
        if least.is_finite() && most.is_finite() {
            operators.push(json!({ "op": "Clip", "min": least, "max": most }));
        }
    } else if !column.values.is_empty() {
        operators.push(json!({ "op": "OneHotEncoder", "cats_strings": column.values, "zeros": 1 }));
    }
    all["operators"] = Value::Array(operators);
    all
}

/// An MLflow signature.
fn signature(task: &Task, is_table: bool) -> Value {
    let schema = &task.definition().schema;
    let kind = |column: &Column| match column.kind {
        peerlearn_task::ColumnType::Integer => "long",
        kind if kind.is_numeric() => "double",
        peerlearn_task::ColumnType::Boolean => "boolean",
        _ => "string",
    };
    let input = |(name, column): (&String, &Column)| json!({ "name": name, "type": kind(column), "required": !column.optional });
    let inputs: Vec<Value> = match is_table {
        true => schema.columns.iter().map(input).collect(),
        false => {
            let shape: Vec<i64> = std::iter::once(-1).chain(schema.shape().iter().map(|size| *size as i64)).collect();
            vec![json!({ "type": "tensor", "tensor-spec": { "dtype": "float32", "shape": shape } })]
        }
    };
    let outputs = match schema.output.kind {
        OutputKind::Number => vec![json!({ "name": schema.output.column, "type": "double" })],
        OutputKind::Classes => vec![json!({ "name": "class", "type": "string" })],
    };
    json!({ "inputs": inputs, "outputs": outputs, "example": task.document().charter.about.row })
}

/// Names of weight and bias of each layer, where the model is nothing but dense layers.
fn dense_layers(task: &Task) -> Option<Vec<[String; 2]>> {
    let net = &task.definition().model.net;
    let tensors = task.layout().tensors();
    let own = task.definition().model.layout.is_some() || !(net == "linear" || net.starts_with("mlp:"));
    let pairs = tensors.as_chunks::<2>().0;
    let dense = pairs.iter().all(|[weight, bias]| weight.shape.len() == 2 && bias.shape.len() == 1);
    (!own && dense && tensors.len().is_multiple_of(2))
        .then(|| pairs.iter().map(|[weight, bias]| [weight.name.clone(), bias.name.clone()]).collect())
}

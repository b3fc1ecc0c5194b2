//! The models that come with peerlearn.

use std::fmt;
use std::str::FromStr;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::{BurnLearner, BurnModel, LearnError, Learner};

/// Most hidden layers of a perceptron; deeper ones need other initial weights than ours.
const MAX_LAYERS: usize = 16;
/// Most units of a layer: two such layers are already the largest layout.
const MAX_UNITS: usize = 32_768;

/// A model family with its sizes. Text form: `linear`, `mlp:64,32`, `cnn`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFamily {
    /// Softmax regression; with one output, linear regression.
    Linear,
    /// A perceptron with these hidden layers and ReLU.
    Mlp(Vec<usize>),
    /// Two 3x3 convolutions (8 and 16 channels) with group normalization, ReLU and pooling, then a dense layer. Group
    /// normalization keeps no running statistics, which could not be averaged between peers.
    Cnn,
}

/// Text that names no model family.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{got:?} is no model; use linear, mlp:64,32 (1 to {MAX_LAYERS} layers of 1 to {MAX_UNITS} units) or cnn")]
pub struct ModelFamilyError {
    /// The text.
    pub got: String,
}

impl FromStr for ModelFamily {
    type Err = ModelFamilyError;

    fn from_str(text: &str) -> Result<Self, ModelFamilyError> {
        let wrong = || ModelFamilyError { got: text.chars().take(80).collect() };
        match text {
            "linear" => Ok(Self::Linear),
            "cnn" => Ok(Self::Cnn),
            _ => {
                let sizes = text.strip_prefix("mlp:").ok_or_else(wrong)?;
                let sizes: Option<Vec<usize>> = sizes.split(',').map(|size| size.trim().parse().ok()).collect();
                let fits = |sizes: &Vec<usize>| {
                    sizes.len() <= MAX_LAYERS && sizes.iter().all(|size| (1..=MAX_UNITS).contains(size))
                };
                sizes.filter(fits).map(Self::Mlp).ok_or_else(wrong)
            }
        }
    }
}

impl fmt::Display for ModelFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear => f.write_str("linear"),
            Self::Cnn => f.write_str("cnn"),
            Self::Mlp(sizes) => {
                let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
                write!(f, "mlp:{}", sizes.join(","))
            }
        }
    }
}

impl Serialize for ModelFamily {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModelFamily {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Builds a model of a family with one output a class, or one for a number. Its weights are whatever burn draws until
/// [`Learner::write`] replaces them.
///
/// # Errors
/// The family cannot take examples of this shape, or the model would be too large.
pub fn build(family: &ModelFamily, input: &[usize], outputs: usize) -> Result<Box<dyn Learner>, LearnError> {
    let device = Device::flex().autodiff();
    let width: usize = input.iter().product();
    Ok(match family {
        ModelFamily::Linear => Box::new(BurnLearner::new(Perceptron::new(&[width, outputs], &device), input, outputs)?),
        ModelFamily::Mlp(hidden) => {
            let sizes = [&[width], hidden.as_slice(), &[outputs]].concat();
            Box::new(BurnLearner::new(Perceptron::new(&sizes, &device), input, outputs)?)
        }
        ModelFamily::Cnn => Box::new(BurnLearner::new(Cnn::new(input, outputs, &device)?, input, outputs)?),
    })
}

/// Dense layers with ReLU between them; with one layer it is softmax or linear regression.
#[derive(Module, Debug)]
struct Perceptron {
    layers: Vec<Linear>,
}

impl Perceptron {
    fn new(sizes: &[usize], device: &Device) -> Self {
        Self { layers: sizes.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device)).collect() }
    }
}

impl BurnModel for Perceptron {
    fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(features, |x, (index, layer)| {
            let x = layer.forward(x);
            if index < last { relu(x) } else { x }
        })
    }
}

#[derive(Module, Debug)]
struct Cnn {
    conv1: Conv2d,
    norm1: GroupNorm,
    conv2: Conv2d,
    norm2: GroupNorm,
    pool: MaxPool2d,
    output: Linear,
    #[module(skip)]
    input: [usize; 3],
}

impl Cnn {
    const CHANNELS: [usize; 2] = [8, 16];

    fn new(input: &[usize], classes: usize, device: &Device) -> Result<Self, LearnError> {
        let &[channels, height, width] = input else { return Err(LearnError::NotAnImage { got: input.to_vec() }) };
        if height < 4 || width < 4 {
            return Err(LearnError::NotAnImage { got: input.to_vec() });
        }
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
        };
        let [first, second] = Self::CHANNELS;
        let flat = second * (height / 4) * (width / 4);
        Ok(Self {
            conv1: conv(channels, first),
            norm1: GroupNormConfig::new(2, first).init(device),
            conv2: conv(first, second),
            norm2: GroupNormConfig::new(2, second).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            output: LinearConfig::new(flat, classes).init(device),
            input: [channels, height, width],
        })
    }
}

impl BurnModel for Cnn {
    fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        let [rows, _] = features.dims();
        let [channels, height, width] = self.input;
        let x = features.reshape([rows, channels, height, width]);
        // Pooling before the activation gives the same numbers and leaves a quarter of the work to it.
        let x = relu(self.pool.forward(self.norm1.forward(self.conv1.forward(x))));
        let x = relu(self.pool.forward(self.norm2.forward(self.conv2.forward(x))));
        self.output.forward(x.flatten(1, 3))
    }
}

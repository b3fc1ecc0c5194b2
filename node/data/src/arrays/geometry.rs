//! How images of any size and colour become inputs of one shape.

use std::sync::Arc;

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, RgbImage};
use peerlearn_runtime::settings::SettingError;
use peerlearn_task::{ImageInput, Schema};
use serde::{Deserialize, Serialize};

use super::MAX_BYTES;
use super::summary::shape;
use crate::Values;

/// Largest height and width of an input. While an image is brought to another size it takes 16 bytes for every pixel of
/// its own width and of this height.
const MOST_SIZE: usize = 1024;

/// How images become inputs: part of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Geometry {
    /// Height and width of an input, in pixels.
    pub size: [usize; 2],
    /// Grey or coloured inputs. What is transparent is over black.
    pub colour: Colour,
    /// What happens to images of another aspect ratio.
    pub fit: Fit,
    /// How pixels are computed from those of the image.
    pub filter: Filter,
}

impl Default for Geometry {
    fn default() -> Self {
        Self { size: [64, 64], colour: Colour::Rgb, fit: Fit::Pad, filter: Filter::Triangle }
    }
}

/// Colours of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// One channel: luminance.
    Grey,
    /// Three channels: red, green, blue.
    Rgb,
}

/// What happens to images of another aspect ratio than the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The whole image, in the middle, with black beside it.
    Pad,
    /// The middle of the image; what is beside it is cut off.
    Crop,
    /// The whole image, stretched to the input.
    Stretch,
}

/// How pixels are computed from those of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// A weighted mean of the pixels covered.
    Triangle,
    /// A cubic filter: sharper.
    CatmullRom,
    /// A windowed sinc of three lobes: sharper still.
    Lanczos3,
}

impl Colour {
    /// Channels of an input.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

impl Geometry {
    /// That of a task.
    pub fn of(input: &ImageInput) -> Self {
        let colour = if input.colour == "rgb" { Colour::Rgb } else { Colour::Grey };
        let fit = match input.fit.as_str() {
            "crop" => Fit::Crop,
            "stretch" => Fit::Stretch,
            _ => Fit::Pad,
        };
        let filter = match input.filter.as_str() {
            "nearest" => Filter::Nearest,
            "catmullrom" => Filter::CatmullRom,
            "lanczos3" => Filter::Lanczos3,
            _ => Filter::Triangle,
        };
        Self { size: input.size, colour, fit, filter }
    }

    /// The schema of pictures of this geometry in these classes, whose values are divided by `most`.
    pub fn schema(&self, most: f32, classes: Vec<String>) -> Schema {
        let name = |word: &dyn std::fmt::Debug| format!("{word:?}").to_lowercase();
        let (colour, fit, filter) = (name(&self.colour), name(&self.fit), name(&self.filter));
        Schema::image(ImageInput::new(self.size, &colour, &fit, &filter, most), classes)
    }

    /// Shape of an input: channels, height, width.
    pub fn input(&self) -> [usize; 3] {
        [self.colour.channels(), self.size[0], self.size[1]]
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first value that breaks its rule.
    pub fn validate(&self) -> Result<(), SettingError> {
        let fits = self.size.iter().all(|size| (1..=MOST_SIZE).contains(size));
        SettingError::check(fits, "image.size", self.size, "height and width, each from 1 to 1024")
    }

    /// Brings an image to the shape of an input.
    ///
    /// Shapes: answer `[channels, height, width]`.
    pub(super) fn apply(&self, image: DynamicImage) -> Vec<u8> {
        let image = coloured(image, self.colour);
        let (mut height, mut width) = (self.size[0] as u32, self.size[1] as u32);
        let (own_height, own_width) = (image.height().max(1), image.width().max(1));
        // Height and width to compare aspect ratios by: a product of two 32-bit numbers fits in 64 bits.
        let (tall, wide) = (u64::from(own_height) * u64::from(width), u64::from(own_width) * u64::from(height));
        let filter = self.filter.into();
        let image = match self.fit {
            Fit::Stretch => image.resize_exact(width, height, filter),
            Fit::Crop => {
                // Cut first: the rest would be computed in vain, and an image of one row could fill the memory.
                let cut_height = if tall > wide { part(own_width, height, width) } else { own_height };
                let cut_width = if wide > tall { part(own_height, width, height) } else { own_width };
                let (left, top) = ((own_width - cut_width) / 2, (own_height - cut_height) / 2);
                image.crop_imm(left, top, cut_width, cut_height).resize_exact(width, height, filter)
            }
            Fit::Pad => {
                if wide > tall {
                    height = part(own_height, width, own_width).min(height);
                } else if tall > wide {
                    width = part(own_width, height, own_height).min(width);
                }
                image.resize_exact(width, height, filter)
            }
        };
        planes(&image, self.colour.channels(), self.size)
    }

    /// Brings rows of bytes that are images to the shape of an input.
    ///
    /// Shapes: `values` is `[rows, product of input]`.
    ///
    /// # Errors
    /// They are no images, or no bytes.
    pub(super) fn fit_rows(&self, input: &[usize], values: &Values) -> Result<Values, String> {
        let want = shape(&self.input());
        let &[channels @ (1 | 3), height, width] = input else {
            return Err(format!("its rows are {}, and the task wants images of {want}", shape(input)));
        };
        let Values::Bytes(values) = values else {
            let got = shape(input);
            return Err(format!(
                "its images are {got}, and the task wants {want}; only those of whole numbers from 0 to 255 (uint8) \
                 can be brought to another size"
            ));
        };
        let (own, new) = ((channels * height * width).max(1), self.input().iter().product::<usize>());
        let rows = values.len() / own;
        if rows as u64 * new as u64 > MAX_BYTES {
            return Err(too_many(rows, &self.input()));
        }
        let mut fitted = Vec::with_capacity(rows * new);
        for row in values.chunks_exact(own) {
            let image =
                picture(row, channels, height, width).ok_or_else(|| format!("its images are {}", shape(input)))?;
            fitted.extend(self.apply(image));
        }
        Ok(Values::Bytes(Arc::new(fitted)))
    }
}

impl From<Filter> for FilterType {
    fn from(filter: Filter) -> Self {
        match filter {
            Filter::Nearest => Self::Nearest,
            Filter::Triangle => Self::Triangle,
            Filter::CatmullRom => Self::CatmullRom,
            Filter::Lanczos3 => Self::Lanczos3,
        }
    }
}

/// The share `over / under` of a length, rounded, and at least 1.
fn part(length: u32, over: u32, under: u32) -> u32 {
    let (over, under) = (u64::from(over), u64::from(under.max(1)));
    let rounded = (u64::from(length) * over + under / 2) / under;
    u32::try_from(rounded.max(1)).unwrap_or(u32::MAX)
}

/// An image of 8 bits in these colours.
pub(super) fn coloured(image: DynamicImage, colour: Colour) -> DynamicImage {
    match colour {
        Colour::Grey => DynamicImage::ImageLuma8(image.into_luma8()),
        Colour::Rgb => DynamicImage::ImageRgb8(image.into_rgb8()),
    }
}

/// The channels of an image of bytes one after the other, in the middle of a black input.
///
/// Shapes: answer `[channels, height, width]`.
pub(super) fn planes(image: &DynamicImage, channels: usize, size: [usize; 2]) -> Vec<u8> {
    let ([height, width], (own_height, own_width)) = (size, (image.height() as usize, image.width() as usize));
    let (top, left) = (height.saturating_sub(own_height) / 2, width.saturating_sub(own_width) / 2);
    let mut out = vec![0; channels * height * width];
    for (row, line) in image.as_bytes().chunks_exact((channels * own_width).max(1)).take(height).enumerate() {
        for (column, pixel) in line.chunks_exact(channels).take(width).enumerate() {
            for (channel, value) in pixel.iter().enumerate() {
                out[(channel * height + top + row) * width + left + column] = *value;
            }
        }
    }
    out
}

/// In words, that so many images are too many.
pub(super) fn too_many(images: usize, input: &[usize]) -> String {
    format!("{images} images of {} need more than {} GiB; set a smaller image.size", shape(input), MAX_BYTES >> 30)
}

/// The image that a row is. Shapes: `row` is `[channels, height, width]`.
fn picture(row: &[u8], channels: usize, height: usize, width: usize) -> Option<DynamicImage> {
    let (h, w) = (u32::try_from(height).ok()?, u32::try_from(width).ok()?);
    if channels == 1 {
        return GrayImage::from_raw(w, h, row.to_vec()).map(DynamicImage::ImageLuma8);
    }
    let plane = height * width;
    let pixels = (0..plane).flat_map(|at| (0..3).map(move |channel| row[channel * plane + at])).collect();
    RgbImage::from_raw(w, h, pixels).map(DynamicImage::ImageRgb8)
}

//! One image file: PNG or JPEG by its content, upright, without transparency.

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::catch_unwind;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

/// Largest file.
const MAX_FILE: u64 = 64 << 20;
/// Most memory that one image may take while it is read.
const MAX_DECODED: u64 = 256 << 20;
/// Most pixels along a side.
const MAX_SIDE: u32 = 30_000;
/// What the names of images end in.
const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "jpe", "jfif"];

/// An image as it is used.
#[derive(Debug)]
pub(super) struct Picture {
    /// Of 8 bits, grey or RGB.
    pub(super) image: DynamicImage,
    /// Whether it had 16 bits.
    pub(super) deep: bool,
}

/// Whether a file that starts so is to be read as an image: by its name or its first bytes.
pub(super) fn is_one(path: &Path, start: &[u8]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let named = ENDINGS.iter().any(|ending| extension.eq_ignore_ascii_case(ending));
    named || matches!(image::guess_format(start), Ok(ImageFormat::Png | ImageFormat::Jpeg))
}

/// Reads an image.
///
/// # Errors
/// It cannot be read, is no PNG or JPEG, is damaged or too large, in words.
pub(super) fn read(path: &Path) -> Result<Picture, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(error.to_string()),
        Ok(length) if length as u64 > MAX_FILE => Err(format!("the file is larger than {} MiB", MAX_FILE >> 20)),
        Ok(_) => decode(&bytes),
    }
}

/// As [`read`], of the content of a file.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, String> {
    // Files come from anywhere, and no mistake of a decoder may end the node.
    catch_unwind(|| decoded(bytes)).unwrap_or_else(|_| Err("the decoder failed on it".to_owned()))
}

fn decoded(bytes: &[u8]) -> Result<Picture, String> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        Ok(other) => return Err(format!("it is {}; convert it to PNG or JPEG", other.to_mime_type())),
        Err(_) if bytes.is_empty() => return Err("it is empty".to_owned()),
        Err(_) => return Err("it is neither PNG nor JPEG".to_owned()),
    };
    if format == ImageFormat::Jpeg && !ends(bytes) {
        return Err("it is cut off: its end is missing".to_owned());
    }
    let mut limits = Limits::no_limits();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_DECODED);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MAX_DECODED || width == 0 || height == 0 {
        return Err(format!("it is {width} x {height} pixels; make it smaller"));
    }
    let orientation = decoder.orientation().map_err(|error| error.to_string())?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    let deep = image.color().bits_per_pixel() > 8 * u16::from(image.color().channel_count());
    image.apply_orientation(orientation);
    Ok(Picture { image: opaque(image), deep })
}

/// 8 bits a channel, over black where it is transparent.
fn opaque(image: DynamicImage) -> DynamicImage {
    let over = |value: u8, alpha: u8| ((u16::from(value) * u16::from(alpha) + 127) / 255) as u8;
    match (image.color().has_alpha(), image.color().has_color()) {
        (false, false) => DynamicImage::ImageLuma8(image.into_luma8()),
        (false, true) => DynamicImage::ImageRgb8(image.into_rgb8()),
        (true, false) => {
            let mut image = image.into_luma_alpha8();
            image.pixels_mut().for_each(|pixel| pixel.0 = [over(pixel.0[0], pixel.0[1]), 255]);
            DynamicImage::ImageLuma8(DynamicImage::ImageLumaA8(image).into_luma8())
        }
        (true, true) => {
            let mut image = image.into_rgba8();
            for pixel in image.pixels_mut() {
                let [red, green, blue, alpha] = pixel.0;
                pixel.0 = [over(red, alpha), over(green, alpha), over(blue, alpha), 255];
            }
            DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(image).into_rgb8())
        }
    }
}

/// Whether a JPEG has its end after its pixels: the decoder fills what is missing with grey and says nothing. A small
/// image for previews may lie in front, with an end of its own.
fn ends(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or_default();
    // Segments up to the start of the pixels: 0xff, a kind, and a length that counts itself.
    while let [0xff, kind, tail @ ..] = rest {
        match kind {
            0xda => return tail.windows(2).any(|pair| pair == [0xff, 0xd9]),
            // Filling, and kinds without a length.
            0xff => rest = rest.get(1..).unwrap_or_default(),
            0x01 | 0xd0..=0xd8 => rest = tail,
            _ => {
                let length = tail.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
                rest = tail.get(length.max(2)..).unwrap_or_default();
            }
        }
    }
    // Whatever else this is, the decoder says.
    true
}

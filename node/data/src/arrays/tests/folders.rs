use std::fs::File;
use std::io::{BufWriter, Read};

use flate2::read::GzDecoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use proptest::prelude::*;

use super::*;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");

/// Writes a PNG of grey, RGB or RGBA pixels, by how many there are.
pub(super) fn image(path: &Path, width: u32, height: u32, pixels: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let colour = match pixels.len() / (width * height) as usize {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgba8,
    };
    let encoder = PngEncoder::new(BufWriter::new(File::create(path).unwrap()));
    encoder.write_image(pixels, width, height, colour).unwrap();
}

fn jpeg(width: u32, height: u32, grey: u8) -> Vec<u8> {
    let mut content = Vec::new();
    let pixels = vec![grey; (width * height) as usize];
    JpegEncoder::new_with_quality(&mut content, 100).encode(&pixels, width, height, ExtendedColorType::L8).unwrap();
    content
}

fn two_classes(root: &Path) {
    image(&root.join("dog/1.png"), 2, 1, &[10, 20, 30, 40, 50, 60]);
    image(&root.join("cat/within/2.png"), 2, 1, &[1, 2, 3, 4, 5, 6]);
    image(&root.join("cat/1.png"), 2, 1, &[7, 8, 9, 7, 8, 9]);
}

#[test]
fn a_folder_a_class_with_channels_one_after_the_other() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    two_classes(root);
    for other in [".hidden.png", "cat/Thumbs.db", "__MACOSX/cat/1.png", "cat/notes.txt", "dog/notes.TXT", "dog/a.webp"]
    {
        std::fs::create_dir_all(root.join(other).parent().unwrap()).unwrap();
        std::fs::write(root.join(other), "words").unwrap();
    }
    std::fs::create_dir(root.join("empty")).unwrap();
    let read = all(root).unwrap();
    check(&read);
    assert_eq!((read.train.input.clone(), read.most, read.test.is_none()), (vec![3, 1, 2], 255.0, true));
    assert_eq!((read.train.classes.join(","), read.train.labels.clone()), ("cat,dog".to_owned(), vec![0, 0, 1]));
    assert_eq!(bytes(&read.train), [7, 7, 8, 8, 9, 9, 1, 4, 2, 5, 3, 6, 10, 40, 20, 50, 30, 60]);
    for words in ["3 of 1 x 2, rgb", "2 classes", "2 .txt", "1 .webp", "no images in: empty"] {
        assert!(read.understood.contains(words), "{words}: {}", read.understood);
    }
    assert_eq!(read.files.len(), 5, "the folders: {:?}", read.files);
    let some = load(root, None, &|labels, classes| {
        assert_eq!((labels, classes), (&[0, 0, 1][..], 2));
        Ok(Some(vec![2, 0]))
    });
    let some = some.unwrap().train;
    assert_eq!((bytes(&some)[..2].to_vec(), bytes(&some)[6], some.labels), (vec![10, 40], 7, vec![1, 0]));
}

#[test]
fn the_content_of_a_file_counts_not_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    image(&root.join("a/really.jpg"), 2, 2, &[9; 4]);
    std::fs::create_dir(root.join("b")).unwrap();
    std::fs::write(root.join("b/nameless"), jpeg(2, 2, 200)).unwrap();
    let read = all(root).unwrap();
    assert_eq!(bytes(&read.train)[..4], [9; 4]);
    assert!(bytes(&read.train)[4..].iter().all(|value| value.abs_diff(200) < 4), "{:?}", read.train);
}

#[test]
fn train_and_test_are_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("chest/chest");
    for (name, value) in [("train/a/1.png", 1), ("train/b/1.png", 2), ("test/b/1.png", 3), ("val/a/1.png", 4)] {
        image(&root.join(name), 1, 1, &[value]);
    }
    let read = all(directory.path()).unwrap();
    check(&read);
    let test = read.test.as_ref().unwrap();
    assert_eq!((bytes(&read.train), bytes(test), &test.labels[..]), (&[1, 2][..], &[3][..], &[1][..]));
    assert!(read.understood.contains("1 to measure on") && read.understood.contains("val"), "{}", read.understood);
    std::fs::remove_dir_all(root.join("test")).unwrap();
    let read = all(directory.path()).unwrap();
    assert_eq!(bytes(read.test.as_ref().unwrap()), [4], "val is for measuring where there is no test");
}

#[test]
fn a_class_may_be_called_train() {
    let directory = tempfile::tempdir().unwrap();
    for class in ["bus", "test", "train"] {
        image(&directory.path().join(class).join("1.png"), 1, 1, &[5]);
    }
    assert_eq!(all(directory.path()).unwrap().train.classes, ["bus", "test", "train"]);
}

#[test]
fn images_of_several_shapes_need_a_geometry() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    image(&root.join("a/1.png"), 2, 1, &[50, 50]);
    image(&root.join("b/1.png"), 1, 3, &[60, 60, 60]);
    let text = refused(root);
    for words in [
        "a/1.png".replace('/', std::path::MAIN_SEPARATOR_STR).as_str(),
        "1 x 2, grey",
        "3 x 1, grey",
        "image.size = [1, 2]",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let geometry = |fit| Geometry { size: [2, 2], colour: Colour::Grey, fit, filter: Filter::Triangle };
    let read = |fit| bytes(&load(root, Some(&geometry(fit)), &|_, _| Ok(None)).unwrap().train).to_vec();
    assert_eq!(read(Fit::Stretch), [50, 50, 50, 50, 60, 60, 60, 60]);
    assert_eq!(read(Fit::Crop), [50, 50, 50, 50, 60, 60, 60, 60]);
    assert_eq!(read(Fit::Pad), [50, 50, 0, 0, 60, 0, 60, 0]);
    image(&root.join("b/1.png"), 2, 1, &[60; 6]);
    let text = refused(root);
    assert!(text.contains("1 x 2, grey") && text.contains("1 x 2, rgb") && text.contains("image.colour"), "{text}");
}

#[test]
fn crop_takes_the_middle_and_pad_leaves_it_in_the_middle() {
    let picture = |width, height, pixels: &[u8]| {
        image::DynamicImage::ImageLuma8(image::GrayImage::from_raw(width, height, pixels.to_vec()).unwrap())
    };
    let geometry = |size, fit| Geometry { size, colour: Colour::Grey, fit, filter: Filter::Nearest };
    let wide = picture(4, 2, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(geometry([2, 2], Fit::Crop).apply(wide.clone()), [2, 3, 6, 7]);
    assert_eq!(geometry([4, 4], Fit::Pad).apply(wide), [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
    let tall = picture(1, 4, &[1, 2, 3, 4]);
    assert_eq!(geometry([2, 1], Fit::Crop).apply(tall.clone()), [2, 3]);
    assert_eq!(geometry([4, 3], Fit::Pad).apply(tall), [0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0]);
    // An image of one row would otherwise be computed 64 rows high and 1,280,000 columns wide.
    let line = picture(20_000, 1, &[9; 20_000]);
    assert_eq!(geometry([64, 64], Fit::Crop).apply(line.clone()), [9; 64 * 64]);
    assert_eq!(geometry([64, 64], Fit::Pad).apply(line).iter().filter(|value| **value == 9).count(), 64);
}

#[test]
fn images_are_turned_upright() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.png");
    // One entry of kind 0x112 in little-endian TIFF: orientation 6, to be turned by 90 degrees to the right.
    let mut exif = vec![0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0];
    exif.extend([0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    let mut encoder = PngEncoder::new(File::create(&path).unwrap());
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&[1, 2, 3, 4, 5, 6], 3, 2, ExtendedColorType::L8).unwrap();
    let (names, values) = images(&path, None, &[1, 3, 2]).unwrap();
    assert_eq!((names.join(","), values.to_vec()), ("a.png".to_owned(), vec![4.0, 1.0, 5.0, 2.0, 6.0, 3.0]));
}

#[test]
fn what_is_transparent_is_over_black_and_16_bits_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    image(&root.join("a/1.png"), 2, 1, &[200, 100, 50, 255, 200, 100, 50, 51]);
    let path = root.join("b/1.png");
    std::fs::create_dir(root.join("b")).unwrap();
    let deep: Vec<u8> = [0xffffu16, 0x8080, 0, 0, 0, 0].iter().flat_map(|value| value.to_ne_bytes()).collect();
    PngEncoder::new(File::create(&path).unwrap()).write_image(&deep, 2, 1, ExtendedColorType::Rgb16).unwrap();
    let read = all(root).unwrap();
    assert_eq!(bytes(&read.train), [200, 40, 100, 20, 50, 10, 255, 0, 128, 0, 0, 0]);
    assert!(read.understood.contains("1 images of 16 bits"), "{}", read.understood);
}

#[test]
fn broken_images_are_counted_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    image(&root.join("a/0.png"), 8, 8, &[1; 64]);
    let whole = std::fs::read(root.join("a/0.png")).unwrap();
    let photo = jpeg(64, 64, 99);
    let mut vast = whole.clone();
    vast[16..24].copy_from_slice(&[0, 0, 0x70, 0, 0, 0, 0x70, 0]);
    let check = |content: &[u8], words: &str| {
        std::fs::create_dir_all(root.join("b")).unwrap();
        std::fs::write(root.join("b/bad.jpg"), content).unwrap();
        let text = refused(root);
        assert!(text.contains("1 of 2 images") && text.contains("bad.jpg") && text.contains(words), "{words}: {text}");
    };
    check(b"<html>", "neither PNG nor JPEG");
    check(b"", "empty");
    check(b"GIF89a____________", "image/gif");
    check(&whole[..whole.len() / 2], "");
    check(&photo[..photo.len() - 40], "cut off");
    check(&vast, "");
    let file = File::create(root.join("b/bad.jpg")).unwrap();
    file.set_len((64 << 20) + 1).unwrap();
    assert!(refused(root).contains("larger than 64 MiB"));
    (0..4).for_each(|number| std::fs::write(root.join(format!("b/{number}.png")), "x").unwrap());
    let text = refused(root);
    assert!(text.contains("5 of 6 images") && text.contains("and others") && text.contains("remove"), "{text}");
    let part = load(root, None, &|labels, _| Ok(Some(vec![labels.iter().position(|label| *label == 0).unwrap()])));
    assert_eq!(part.unwrap().train.labels, [0], "images that are not wanted are not read");
}

#[test]
fn folders_without_classes_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    image(&directory.path().join("1.png"), 1, 1, &[5]);
    assert!(refused(directory.path()).contains("lie in no folder"));
    std::fs::remove_file(directory.path().join("1.png")).unwrap();
    std::fs::create_dir(directory.path().join("a")).unwrap();
    std::fs::write(directory.path().join("a/1.webp"), "x").unwrap();
    assert!(refused(directory.path()).contains("no folders of PNG or JPEG"));
}

#[test]
fn images_are_predicted_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    image(&root.join("b.png"), 2, 1, &[9; 6]);
    image(&root.join("within/a.png"), 2, 1, &[3, 4]);
    let (names, values) = images(root, None, &[1, 1, 2]).unwrap();
    let within = Path::new("within").join("a.png").display().to_string();
    assert_eq!((names, values.to_vec()), (vec!["b.png".to_owned(), within], vec![9.0, 9.0, 3.0, 4.0]));
    assert_eq!(
        images(&root.join("within/a.png"), None, &[3, 1, 2]).unwrap().1.to_vec(),
        [3.0, 4.0, 3.0, 4.0, 3.0, 4.0]
    );
    let text = images(root, None, &[1, 2, 2]).unwrap_err().to_string();
    assert!(text.contains("b.png is 1 x 2") && text.contains("the model takes 2 x 2"), "{text}");
    let geometry = Geometry { size: [2, 2], colour: Colour::Grey, ..Geometry::default() };
    assert_eq!(images(root, Some(&geometry), &[1, 2, 2]).unwrap().1.len(), 8);
    let text = images(root, Some(&geometry), &[1, 3, 3]).unwrap_err().to_string();
    assert!(text.contains("[1, 2, 2]") && text.contains("[1, 3, 3]"), "{text}");
    let text = images(root, None, &[4]).unwrap_err().to_string();
    assert!(text.contains("channels, height, width"), "{text}");
}

/// Unpacks the files of a tar archive.
fn unpack(archive: &Path, into: &Path) -> std::io::Result<()> {
    let mut content = Vec::new();
    GzDecoder::new(File::open(archive)?).read_to_end(&mut content)?;
    let mut at = 0;
    while let Some(header) = content.get(at..at + 512).filter(|header| header[0] != 0) {
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&header[range]).trim_matches(['\0', ' ']).to_owned()
        };
        let size = usize::from_str_radix(&text(124..136), 8).unwrap();
        if header[156] == b'0' {
            let path = into.join(text(0..100));
            std::fs::create_dir_all(path.parent().unwrap())?;
            std::fs::write(path, &content[at + 512..][..size])?;
        }
        at += 512 + size.next_multiple_of(512);
    }
    Ok(())
}

#[test]
fn cifar_10_is_read_from_its_jpeg_files() {
    let archive = Path::new(SHARED).join("cifar10-jpg/test.tar.gz");
    let directory = tempfile::tempdir().unwrap();
    if let Err(error) = unpack(&archive, directory.path()) {
        return eprintln!("SKIPPED reading {}: {error}", archive.display());
    }
    let read = all(directory.path()).unwrap();
    check(&read);
    assert_eq!((read.train.input.clone(), read.train.labels.len()), (vec![3, 32, 32], 10_000));
    assert_eq!((read.train.classes[0].as_str(), read.train.classes[9].as_str()), ("airplane", "truck"));
    let mean = |channel: usize| {
        let pixels = bytes(&read.train).chunks_exact(1024).skip(channel).step_by(3).flatten();
        pixels.map(|value| f64::from(*value)).sum::<f64>() / 10_240_000.0 / 255.0
    };
    // The means of the training part as published are 0.491, 0.482, 0.447.
    let means = [mean(0), mean(1), mean(2)];
    let near = means.iter().zip([0.491, 0.482, 0.447]).all(|(got, want)| (got - want).abs() < 0.01);
    assert!(near, "{means:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the bytes, the answer is an image or an error.
    #[test]
    fn no_bytes_stop_the_reader_of_images(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        png in any::<bool>(),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut content = Vec::new();
        if png {
            PngEncoder::new(&mut content).write_image(&[7; 192], 8, 8, ExtendedColorType::Rgb8).unwrap();
        } else {
            content = jpeg(8, 8, 77);
        }
        for (at, byte) in changes {
            let at = at.index(content.len());
            content[at] = byte;
        }
        let end = if whole { content.len() } else { cut.index(content.len()) };
        if let Ok(picture) = picture::decode(&content[..end]) {
            let (width, height) = (picture.image.width() as usize, picture.image.height() as usize);
            prop_assert!(width > 0 && height > 0);
            let geometry = Geometry { size: [4, 5], ..Geometry::default() };
            if width * height < 1 << 20 {
                prop_assert_eq!(geometry.apply(picture.image).len(), 60);
            }
        }
    }
}

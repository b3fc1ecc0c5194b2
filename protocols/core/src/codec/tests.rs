use proptest::prelude::*;

use super::*;
use crate::params::TensorSpec;

fn layout(sizes: &[usize]) -> Layout {
    shaped(sizes.iter().map(|&size| vec![size]).collect())
}

fn shaped(shapes: Vec<Vec<usize>>) -> Layout {
    let tensor = |(n, shape)| TensorSpec { name: format!("t{n}"), shape };
    Layout::new(shapes.into_iter().enumerate().map(tensor).collect()).unwrap()
}

fn models() -> impl Strategy<Value = (Layout, Vec<f32>)> {
    let shape = prop_oneof![
        (1usize..700).prop_map(|size| vec![size]),
        (1usize..12, 1usize..50).prop_map(|(rows, columns)| vec![rows, columns]),
    ];
    prop::collection::vec(shape, 1..6).prop_flat_map(|shapes| {
        let layout = shaped(shapes);
        let magnitude = prop_oneof![Just(1e-30f32), Just(1e-3), Just(1.0), Just(1e4), Just(1e37)];
        let params = magnitude.prop_flat_map({
            let length = layout.len();
            move |most| prop::collection::vec((-1.0f32..=1.0).prop_map(move |value| value * most), length)
        });
        (Just(layout), params)
    })
}

/// Half a step, and what three roundings of up to 127 steps add: 3 x 127 x 2^-24 = 2.3e-5 of a step.
const HALF_A_STEP: f32 = 0.50003;

/// The bound of each codec, as the table in the module documentation states it. `most` is the largest magnitude of the
/// tensor; for finer scales that is looser than what is stated, and `rows_have_their_own_step` checks the rest.
fn bound(codec: Codec, value: f32, most: f32) -> f32 {
    match codec {
        Codec::F32 => 0.0,
        Codec::F16 if value.abs() > 65_504.0 => value.abs() - 65_504.0,
        Codec::F16 => (value.abs() / 2048.0).max(2f32.powi(-25)),
        Codec::Bf16 => (value.abs() / 256.0).max(2f32.powi(-134)),
        _ => (most / 127.0).max(2.4e-38) * HALF_A_STEP,
    }
}

fn encode(codec: Codec, layout: &Layout, params: &[f32], seed: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let mut choice = Choice { dither: None, seed, positions: &[] };
    codec.coding(|coding| coding.encode(layout, params, &mut choice, &mut body));
    body
}

fn read(codec: Codec, layout: &Layout, body: &[u8], start: usize, out: &mut [f32]) {
    codec.coding(|coding| coding.read(layout, body, start, out));
}

fn is_sound(codec: Codec, layout: &Layout, body: &[u8]) -> bool {
    codec.coding(|coding| coding.is_sound(layout, body))
}

fn magnitude(values: &[f32]) -> f32 {
    values.iter().fold(0.0f32, |most, value| most.max(value.abs()))
}

/// Every codec with several parameters.
fn codecs() -> Vec<Codec> {
    let more = [2, 3, 7, 1000].map(Codec::Fragment).into_iter().chain([1, 10, 333, 500].map(Codec::TopK));
    Codec::ALL.into_iter().chain(more).collect()
}

proptest! {
    #[test]
    fn every_codec_keeps_its_bound_and_its_size((layout, params) in models(), seed in any::<u64>()) {
        for codec in codecs() {
            let body = encode(codec, &layout, &params, seed);
            prop_assert_eq!(body.len() as u64, codec.coding(|coding| coding.encoded_len(&layout)));
            prop_assert!(is_sound(codec, &layout, &body));
            let mut back = vec![f32::INFINITY; layout.len()];
            read(codec, &layout, &body, 0, &mut back);
            let whole = magnitude(&params);
            for range in layout.ranges() {
                let most = if codec.is_partial() { whole } else { magnitude(&params[range.clone()]) };
                for index in range.clone() {
                    let (was, is) = (params[index], back[index]);
                    if codec.is_partial() && is.is_nan() {
                        continue;
                    }
                    let most = bound(codec, was, most);
                    prop_assert!((was - is).abs() <= most, "{codec:?}: {was} became {is}, bound {most}");
                }
            }
            let sent = back.iter().filter(|value| !value.is_nan()).count();
            let wanted = match codec {
                Codec::Fragment(parts) => layout.len().div_ceil(usize::from(parts)),
                Codec::TopK(permille) => (layout.len() * usize::from(permille)).div_ceil(1000),
                _ => layout.len(),
            };
            prop_assert_eq!(sent, wanted, "{:?}", codec);
        }
    }

    #[test]
    fn a_part_reads_like_the_whole((layout, params) in models(), from in 0.0f64..1.0, to in 0.0f64..1.0) {
        let at = |part: f64| (layout.len() as f64 * part) as usize;
        let (start, end) = (at(from.min(to)), at(from.max(to)));
        for codec in codecs() {
            let body = encode(codec, &layout, &params, 5);
            let (mut whole, mut part) = (vec![0.0; layout.len()], vec![0.0; end - start]);
            read(codec, &layout, &body, 0, &mut whole);
            read(codec, &layout, &body, start, &mut part);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&whole[start..end]), bits(&part), "{:?}", codec);
        }
    }

    #[test]
    fn random_bytes_are_finite_or_refused(bytes in prop::collection::vec(any::<u8>(), 400)) {
        let layout = layout(&[30, 7]);
        for codec in codecs() {
            let body = &bytes[..codec.coding(|coding| coding.encoded_len(&layout)) as usize];
            let mut values = vec![0.0; layout.len()];
            read(codec, &layout, body, 0, &mut values);
            if is_sound(codec, &layout, body) {
                let fine = |value: &f32| value.is_finite() || (codec.is_partial() && value.is_nan());
                prop_assert!(values.iter().all(fine), "{:?}", codec);
            }
        }
    }

    #[test]
    fn rows_have_their_own_step(params in prop::collection::vec(-1.0f32..1.0, 5 * 40), size in 1.0f32..1e6) {
        let layout = Layout::new(vec![TensorSpec { name: "w".into(), shape: vec![5, 40] }]).unwrap();
        let params: Vec<f32> =
            params.iter().enumerate().map(|(n, value)| if n / 40 == 2 { value * size } else { *value }).collect();
        let body = encode(Codec::Int8Row, &layout, &params, 0);
        prop_assert_eq!(body.len(), 5 * 4 + 200);
        let mut back = vec![0.0; 200];
        read(Codec::Int8Row, &layout, &body, 0, &mut back);
        for (was, is) in params.chunks(40).zip(back.chunks(40)) {
            let most = magnitude(was) / 127.0 * HALF_A_STEP;
            prop_assert!(was.iter().zip(is).all(|(was, is)| (was - is).abs() <= most));
        }
    }
}

#[test]
fn positions_that_do_not_ascend_or_fit_are_refused() {
    let layout = layout(&[100]);
    let params: Vec<f32> = (0..100).map(|value| value as f32).collect();
    let good = encode(Codec::TopK(50), &layout, &params, 0);
    assert!(is_sound(Codec::TopK(50), &layout, &good));
    let with = |at: usize, position: u32| {
        let mut body = good.clone();
        body[at * 4..at * 4 + 4].copy_from_slice(&position.to_le_bytes());
        is_sound(Codec::TopK(50), &layout, &body)
    };
    assert!(!with(0, 96), "twice");
    assert!(!with(0, 97), "descending");
    assert!(!with(4, 100), "beyond the end");
    assert!(with(0, 3));
    for scale in [f32::NAN, f32::INFINITY, -1.0, f32::MAX] {
        let mut body = good.clone();
        body[20..24].copy_from_slice(&scale.to_le_bytes());
        assert!(!is_sound(Codec::TopK(50), &layout, &body), "{scale}");
    }
}

#[test]
fn fragments_of_two_seeds_are_two_fragments() {
    let layout = layout(&[1000]);
    let params = vec![1.0; 1000];
    let sent = |seed| {
        let mut back = vec![0.0; 1000];
        read(Codec::Fragment(4), &layout, &encode(Codec::Fragment(4), &layout, &params, seed), 0, &mut back);
        (0..1000).filter(|&at| !back[at].is_nan()).collect::<Vec<_>>()
    };
    assert_eq!(sent(1), sent(1));
    let (one, two) = (sent(1), sent(2));
    let common = one.iter().filter(|at| two.contains(at)).count();
    assert!((30..95).contains(&common), "a quarter of 250 by chance, got {common}");
}

#[test]
fn int8_costs_at_most_three_percent_over_a_byte_a_parameter() {
    // The demo's perceptron, 64-64-32-10, and the reference one for MNIST, 784-128-64-10.
    for sizes in [vec![4096, 64, 2048, 32, 320, 10], vec![100_352, 128, 8192, 64, 640, 10]] {
        let layout = layout(&sizes);
        let bytes = crate::wire::blob::encoded_len(Codec::Int8, &layout);
        assert!((bytes as f64) <= 1.03 * layout.len() as f64, "{bytes} bytes for {} parameters", layout.len());
    }
}

/// Found by fuzzing: a step of the largest number / 127 made 128 steps infinite, and receivers refused the honest
/// model.
#[test]
fn the_largest_numbers_travel() {
    let layout = layout(&[4]);
    let params = [f32::MAX, f32::MIN, 3.37e38, 0.0];
    for codec in Codec::ALL.into_iter().filter(|codec| *codec != Codec::F16) {
        let body = encode(codec, &layout, &params, 0);
        assert!(is_sound(codec, &layout, &body), "{codec}");
        let mut back = [0.0; 4];
        read(codec, &layout, &body, 0, &mut back);
        for (was, is) in params.iter().zip(back).filter(|(_, is)| !is.is_nan()) {
            // Half a step, and the part beyond 127 of 128 that is clamped.
            assert!((was - is).abs() <= f32::MAX / 127.0, "{codec}: {was} became {is}");
        }
    }
}

#[test]
fn a_tensor_of_zeros_stays_zero() {
    let layout = layout(&[4, 2]);
    let params = [0.0, 0.0, 0.0, 0.0, 1.0, -1.0];
    let body = encode(Codec::Int8, &layout, &params, 0);
    let mut back = [9.0; 6];
    read(Codec::Int8, &layout, &body, 0, &mut back);
    assert_eq!(back, params);
    for codec in codecs() {
        read(codec, &layout, &encode(codec, &layout, &[0.0; 6], 0), 0, &mut back);
        assert!(back.iter().all(|value| *value == 0.0 || (codec.is_partial() && value.is_nan())), "{codec}: {back:?}");
    }
}

#[test]
fn a_step_is_never_subnormal() {
    let layout = layout(&[2]);
    let mut back = [9.0; 2];
    // The least step is 2.4e-38: 1e-38 is less than half of it, 2e-38 is more.
    read(Codec::Int8, &layout, &encode(Codec::Int8, &layout, &[1e-38, 2e-38], 0), 0, &mut back);
    assert_eq!(back, [0.0, 2.0 * f32::MIN_POSITIVE]);
}

#[test]
fn a_row_of_sixteen_has_a_step_and_one_of_fifteen_has_none() {
    let bytes = |shape: &[usize]| {
        let layout = shaped(vec![shape.to_vec()]);
        encode(Codec::Int8Row, &layout, &vec![1.0; layout.len()], 0).len() - layout.len()
    };
    assert_eq!([&[3, 16][..], &[3, 15], &[3, 2, 8], &[48], &[]].map(bytes), [12, 4, 12, 4, 4]);
}

#[test]
fn top_k_sends_the_largest_and_of_equals_the_first() {
    let layout = layout(&[20]);
    let sent = |params: &[f32]| {
        let mut back = [0.0; 20];
        read(Codec::TopK(200), &layout, &encode(Codec::TopK(200), &layout, params, 0), 0, &mut back);
        (0..20).filter(|&at| !back[at].is_nan()).collect::<Vec<_>>()
    };
    assert_eq!(sent(&[-2.0; 20]), [0, 1, 2, 3]);
    // A permutation of 0 to 19 with signs: 19, 18, 17 and 16 are at the places 13, 6, 19 and 12.
    let params: Vec<f32> = (0..20).map(|at| (at * 3 % 20) as f32 * if at % 2 == 0 { 1.0 } else { -1.0 }).collect();
    assert_eq!(sent(&params), [6, 12, 13, 19]);
}

/// The positions of a fragment follow from its seed on both sides, so this function is part of the wire format.
#[test]
fn fragments_are_drawn_by_the_published_function() {
    // The first two numbers of SplitMix64 from the seed 0.
    assert_eq!(fragment::mix(0), 0xe220_a839_7b1d_cdaf);
    assert_eq!(fragment::mix(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    // Seed and number of the group are combined bit by bit.
    let layout = layout(&[12]);
    let mut back = [0.0; 12];
    read(Codec::Fragment(4), &layout, &encode(Codec::Fragment(4), &layout, &[1.0; 12], 6), 0, &mut back);
    let sent: Vec<usize> = (0..12).filter(|&at| !back[at].is_nan()).collect();
    assert_eq!(
        sent,
        [6u64, 7, 4].map(fragment::mix).iter().enumerate().map(|(n, z)| n * 4 + (z % 4) as usize).collect::<Vec<_>>()
    );
}

#[test]
fn tags_parameters_and_sets_agree() {
    let known = [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 2), (5, 1000), (6, 1), (6, 500)];
    for (tag, parameter) in known {
        let codec = Codec::from_wire(tag, parameter).unwrap();
        assert_eq!((codec.tag(), codec.parameter()), (tag, parameter));
        assert_eq!(codec.is_partial(), tag >= 5, "{codec}");
        assert_eq!(codec.whole(), if tag >= 5 { Codec::Int8 } else { codec });
        assert!(
            CodecSet::all().contains(codec)
                && CodecSet(1 << tag).contains(codec)
                && !CodecSet(!(1 << tag)).contains(codec)
        );
    }
    for (tag, parameter) in [(0, 1), (4, 2), (5, 0), (5, 1), (5, 1001), (6, 0), (6, 501), (7, 0), (255, 2)] {
        assert_eq!(Codec::from_wire(tag, parameter), None, "{tag} {parameter}");
    }
    assert_eq!(CodecSet::all(), CodecSet(0b111_1111));
}

use proptest::prelude::*;

use super::*;
use crate::params::TensorSpec;

fn layout(sizes: &[usize]) -> Layout {
    let tensor = |(n, &size): (usize, &usize)| TensorSpec { name: format!("t{n}"), shape: vec![size] };
    Layout::new(sizes.iter().enumerate().map(tensor).collect()).unwrap()
}

fn models() -> impl Strategy<Value = (Layout, Vec<f32>)> {
    prop::collection::vec(1usize..700, 1..6).prop_flat_map(|sizes| {
        let layout = layout(&sizes);
        let magnitude = prop_oneof![Just(1e-30f32), Just(1e-3), Just(1.0), Just(1e4), Just(1e37)];
        let params = magnitude.prop_flat_map({
            let length = layout.len();
            move |most| prop::collection::vec((-1.0f32..=1.0).prop_map(move |value| value * most), length)
        });
        (Just(layout), params)
    })
}

/// The bound of each codec, as the table in the module documentation states it.
fn bound(codec: Codec, value: f32, tensor: &[f32]) -> f32 {
    let most = tensor.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    match codec {
        Codec::F32 => 0.0,
        Codec::F16 if value.abs() > 65_504.0 => value.abs() - 65_504.0,
        Codec::F16 => (value.abs() / 2048.0).max(2f32.powi(-25)),
        // One part in 10^5 on top for the rounding of the division.
        Codec::Int8 => (most / 127.0).max(2.4e-38) * 0.50001,
    }
}

proptest! {
    #[test]
    fn every_codec_keeps_its_bound_and_its_size((layout, params) in models()) {
        for codec in Codec::ALL {
            let coding = codec.coding();
            let mut body = Vec::new();
            coding.encode(&layout, &params, &mut body);
            prop_assert_eq!(body.len() as u64, coding.encoded_len(&layout));
            prop_assert!(coding.is_finite(&layout, &body));
            let mut back = vec![f32::NAN; layout.len()];
            coding.read(&layout, &body, 0, &mut back);
            for range in layout.ranges() {
                for index in range.clone() {
                    let (was, is) = (params[index], back[index]);
                    let most = bound(codec, was, &params[range.clone()]);
                    prop_assert!((was - is).abs() <= most, "{codec:?}: {was} became {is}, bound {most}");
                }
            }
        }
    }

    #[test]
    fn a_part_reads_like_the_whole((layout, params) in models(), from in 0.0f64..1.0, to in 0.0f64..1.0) {
        let at = |part: f64| (layout.len() as f64 * part) as usize;
        let (start, end) = (at(from.min(to)), at(from.max(to)));
        for codec in Codec::ALL {
            let coding = codec.coding();
            let mut body = Vec::new();
            coding.encode(&layout, &params, &mut body);
            let (mut whole, mut part) = (vec![0.0; layout.len()], vec![0.0; end - start]);
            coding.read(&layout, &body, 0, &mut whole);
            coding.read(&layout, &body, start, &mut part);
            prop_assert_eq!(&whole[start..end], &part[..]);
        }
    }

    #[test]
    fn random_bytes_are_finite_or_refused(bytes in prop::collection::vec(any::<u8>(), 400)) {
        for codec in Codec::ALL {
            let coding = codec.coding();
            let layout = layout(&[30, 7]);
            let body = &bytes[..coding.encoded_len(&layout) as usize];
            let mut values = vec![0.0; layout.len()];
            coding.read(&layout, body, 0, &mut values);
            if coding.is_finite(&layout, body) {
                prop_assert!(values.iter().all(|value| value.is_finite()));
            }
        }
    }
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

#[test]
fn a_tensor_of_zeros_stays_zero() {
    let layout = layout(&[4, 2]);
    let params = [0.0, 0.0, 0.0, 0.0, 1.0, -1.0];
    let mut body = Vec::new();
    Codec::Int8.coding().encode(&layout, &params, &mut body);
    let mut back = [9.0; 6];
    Codec::Int8.coding().read(&layout, &body, 0, &mut back);
    assert_eq!(back, params);
}

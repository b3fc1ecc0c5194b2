//! Every codec with any layout and any finite parameters: size and bound are those that its documentation states.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::codec::{Codec, Rounding};
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::wire::Encoder;
use peerlearn_protocols::wire::blob::{self, Blob};
use peerlearn_protocols_fuzz::{any_codec, bound, magnitude};

fuzz_target!(|data: &[u8]| {
    // Too few bytes are no finding.
    let _ = run(&mut Unstructured::new(data));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let codec = any_codec(input)?;
    let stochastic = input.arbitrary()?;
    let rounding = if stochastic { Rounding::Stochastic } else { Rounding::Nearest };
    let layout = any_layout(input)?;
    let seed = input.arbitrary()?;
    let initial = any_params(input, layout.len())?;
    let mut encoder = Encoder::new(codec, rounding, seed, &initial);
    for _ in 0..input.int_in_range(1..=3)? {
        let params = any_params(input, layout.len())?;
        let bytes = encoder.encode(&layout, &params).expect("finite parameters can be encoded");
        check(codec, &layout, &params, &bytes, stochastic);
    }
    Ok(())
}

fn any_layout(input: &mut Unstructured<'_>) -> Result<Layout> {
    let mut tensors = Vec::new();
    for n in 0..input.int_in_range(1..=4)? {
        let dims: usize = input.int_in_range(0..=3)?;
        let most = [1, 700, 60, 12][dims];
        let shape = (0..dims).map(|_| input.int_in_range(1..=most)).collect::<Result<_>>()?;
        tensors.push(TensorSpec { name: n.to_string(), shape });
    }
    Ok(Layout::new(tensors).expect("a possible layout"))
}

/// Where codecs clamp, round to zero or change their step.
const BORDERS: [f32; 10] =
    [0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, 65_504.0, 65_519.9, 3.389_6e38, 3.37e38];

/// A few numbers of any size, over and over.
fn any_params(input: &mut Unstructured<'_>, len: usize) -> Result<Vec<f32>> {
    let finite = |value: f32| if value.is_finite() { value } else { f32::MAX.copysign(value) };
    let few: Vec<f32> = (0..input.int_in_range(1..=20)?)
        .map(|_| match input.ratio(1, 4)? {
            true => input.choose(&BORDERS).copied(),
            false => input.arbitrary().map(|bits| finite(f32::from_bits(bits))),
        })
        .collect::<Result<_>>()?;
    Ok(few.into_iter().cycle().take(len).collect())
}

fn check(codec: Codec, layout: &Layout, params: &[f32], bytes: &[u8], stochastic: bool) {
    assert_eq!(bytes.len() as u64, blob::encoded_len(codec, layout));
    let blob = Blob::parse(bytes, layout).expect("what was encoded can be read");
    let mut back = vec![f32::INFINITY; layout.len()];
    blob.read(0, &mut back);
    let whole = magnitude(params);
    for range in layout.ranges() {
        let most = if codec.is_partial() { whole } else { magnitude(&params[range.clone()]) };
        for (was, is) in params[range.clone()].iter().zip(&back[range]) {
            let missing = codec.is_partial() && is.is_nan();
            let most = bound(codec, *was, most, stochastic);
            assert!(missing || (was - is).abs() <= most, "{codec}: {was} became {is}, bound {most}");
        }
    }
    let wanted = match codec {
        Codec::Fragment(parts) => layout.len().div_ceil(parts.into()),
        Codec::TopK(permille) => (layout.len() * usize::from(permille)).div_ceil(1000),
        _ => layout.len(),
    };
    assert_eq!(back.iter().filter(|value| !value.is_nan()).count(), wanted);
}

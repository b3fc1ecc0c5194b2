//! Encoding, decoding and mixing, in bytes of f32 parameters a second, beside copying as many bytes.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::mixing::{Candidate, Meta, Own, Rule, mix};
use peerlearn_protocols::params::{Layout, TensorSpec};
use peerlearn_protocols::wire::blob::{self, Blob};

/// Parameters: 10 million in 20 tensors, 40 MB, more than any cache.
const TENSORS: usize = 20;
const TENSOR: usize = 500_000;

fn main() {
    divan::main();
}

fn layout() -> Layout {
    let tensor = |index| TensorSpec { name: format!("w{index}"), shape: vec![TENSOR] };
    Layout::new((0..TENSORS).map(tensor).collect()).unwrap_or_else(|error| panic!("{error}"))
}

fn params(seed: u32) -> Vec<f32> {
    (0..(TENSORS * TENSOR) as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) ^ seed) as f32 / u32::MAX as f32 - 0.5)
        .collect()
}

fn encoded(codec: Codec, layout: &Layout, seed: u32) -> Vec<u8> {
    blob::encode(codec, layout, &params(seed)).unwrap_or_else(|error| panic!("{error}"))
}

fn bytes() -> BytesCount {
    BytesCount::new(4 * TENSORS * TENSOR)
}

#[divan::bench(sample_count = 20)]
fn copy(bencher: Bencher) {
    let (from, mut to) = (params(1), params(2));
    bencher.counter(bytes()).bench_local(|| black_box(&mut to).copy_from_slice(black_box(&from)));
}

#[divan::bench(args = Codec::ALL, sample_count = 20)]
fn encode(bencher: Bencher, codec: Codec) {
    let (layout, params) = (layout(), params(1));
    bencher.counter(bytes()).bench_local(|| blob::encode(codec, &layout, black_box(&params)));
}

/// Checking that every value is finite, then reading every value.
#[divan::bench(args = Codec::ALL, sample_count = 20)]
fn decode(bencher: Bencher, codec: Codec) {
    let layout = layout();
    let (body, mut out) = (encoded(codec, &layout, 1), params(2));
    bencher.counter(bytes()).bench_local(|| {
        if let Ok(blob) = Blob::parse(black_box(&body), &layout) {
            blob.read(0, &mut out);
        }
    });
}

/// Codecs and numbers of models of [`mean`].
const MEANS: [(Codec, usize); 6] =
    [(Codec::Int8, 5), (Codec::F16, 5), (Codec::F32, 5), (Codec::Fragment(4), 5), (Codec::Int8, 20), (Codec::F32, 20)];

/// The mean of models, straight from their encoded form; bytes are those of all in f32.
#[divan::bench(args = MEANS, sample_count = 10)]
fn mean(bencher: Bencher, (codec, models): (Codec, usize)) {
    mixing(bencher, Rule::AgeLimited, codec, models);
}

/// Rules and numbers of models of [`robust`].
const ROBUST: [(Rule, usize); 8] = [
    (Rule::Median, 5),
    (Rule::TrimmedMean { b: 1 }, 5),
    (Rule::Clip { radius: None }, 5),
    (Rule::Ios { b: 1 }, 5),
    (Rule::Median, 20),
    (Rule::TrimmedMean { b: 4 }, 20),
    (Rule::Clip { radius: None }, 20),
    (Rule::Ios { b: 4 }, 20),
];

/// Robust rules over f32 models; bytes are those of all.
#[divan::bench(args = ROBUST, sample_count = 10)]
fn robust(bencher: Bencher, (rule, models): (Rule, usize)) {
    mixing(bencher, rule, Codec::F32, models);
}

fn mixing(bencher: Bencher, rule: Rule, codec: Codec, models: usize) {
    let layout = layout();
    let bodies: Vec<Vec<u8>> = (1..models as u32).map(|seed| encoded(codec, &layout, seed)).collect();
    let mut own = params(99);
    let meta = Meta::new(100, 100);
    let candidates: Vec<Candidate<'_>> = bodies
        .iter()
        .enumerate()
        .filter_map(|(index, body)| {
            Some(Candidate { peer: PeerId([index as u8; 32]), meta, model: Blob::parse(body, &layout).ok()? })
        })
        .collect();
    bencher
        .counter(BytesCount::new(models * 4 * TENSORS * TENSOR))
        .bench_local(|| mix(&rule, Own { params: black_box(&mut own), meta, round: 0 }, &candidates));
}

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

/// The mean of the own model and four more, straight from their encoded form; bytes are those of all five in f32.
#[divan::bench(args = Codec::ALL, sample_count = 20)]
fn mean_of_5(bencher: Bencher, codec: Codec) {
    let layout = layout();
    let bodies: Vec<Vec<u8>> = (0..4).map(|seed| encoded(codec, &layout, seed)).collect();
    let mut own = params(9);
    let meta = Meta::new(100, 100);
    let candidates: Vec<Candidate<'_>> = bodies
        .iter()
        .enumerate()
        .filter_map(|(index, body)| {
            Some(Candidate { peer: PeerId([index as u8; 32]), meta, model: Blob::parse(body, &layout).ok()? })
        })
        .collect();
    bencher
        .counter(BytesCount::new(5 * 4 * TENSORS * TENSOR))
        .bench_local(|| mix(&Rule::AgeLimited, Own { params: black_box(&mut own), meta, round: 0 }, &candidates));
}

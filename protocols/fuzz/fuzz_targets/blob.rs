//! Encoded models of strangers: parsed, read in parts, transcoded, and mixed under every rule.
#![no_main]

use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::invariant;
use peerlearn_protocols::mixing::{Candidate, Meta, Own, Rule, mix_with_losses};
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::wire::blob::{self, Blob, HEADER_BYTES};
use peerlearn_protocols_fuzz::{bits, bound, layouts, magnitude};

const RULES: [&str; 17] = [
    "uniform",
    "sample-weighted",
    "metropolis",
    "age-limited",
    "pair",
    "push-sum",
    "median",
    "trimmed-mean:1",
    "trimmed-mean:2",
    "multi-krum:1",
    "ios:1",
    "ios:2",
    "clip:auto",
    "clip:0.5",
    "ubar:0.6",
    "balance:0.3",
    "balance:1e30:1",
];

fuzz_target!(|data: &[u8]| {
    let [layout, help, rest @ ..] = data else { return };
    let layouts = layouts();
    let layout = &layouts[usize::from(*layout) % layouts.len()];
    let mut bytes = rest.to_vec();
    if help & 1 == 1 {
        repair(&mut bytes, layout, help & 2 == 2);
    }
    let Ok(blob) = Blob::parse(&bytes, layout) else { return };
    let values = read_in_parts(&blob, usize::from(*help / 4) + 1);
    transcode(&blob, layout, &values);
    mix(&blob, layout, &bytes);
});

/// Puts our header in front, so that not only the lucky get past it, and gives the body its length. Loud values are as
/// large as single precision goes.
fn repair(bytes: &mut Vec<u8>, layout: &Layout, loud: bool) {
    bytes.resize(bytes.len().max(HEADER_BYTES), 0);
    let good = blob::encode(Codec::F32, layout, &vec![0.0; layout.len()]).expect("zeros can be encoded");
    let codec = Codec::from_wire(bytes[5], u16::from_le_bytes([bytes[6], bytes[7]]));
    let codec = codec.unwrap_or(Codec::ALL[usize::from(bytes[5]) % Codec::ALL.len()]);
    bytes[..HEADER_BYTES].copy_from_slice(&good[..HEADER_BYTES]);
    bytes[5] = codec.tag();
    bytes[6..8].copy_from_slice(&codec.parameter().to_le_bytes());
    bytes.resize(blob::encoded_len(codec, layout) as usize, 0);
    if loud && codec == Codec::F32 {
        bytes[HEADER_BYTES..].chunks_mut(4).for_each(|value| (value[2], value[3]) = (0x7f, value[3] | 0x7f));
    }
}

fn read_in_parts(blob: &Blob<'_>, part: usize) -> Vec<f32> {
    let mut values = vec![1.0; blob.len()];
    blob.read(0, &mut values);
    let fine = |value: &f32| value.is_finite() || (blob.codec().is_partial() && value.is_nan());
    assert!(values.iter().all(fine));
    let mut parts = vec![1.0; blob.len()];
    parts.chunks_mut(part).enumerate().for_each(|(n, values)| blob.read(n * part, values));
    assert_eq!(bits(&values), bits(&parts));
    values
}

fn transcode(blob: &Blob<'_>, layout: &Layout, values: &[f32]) {
    let exact = blob.transcode(Codec::F32);
    if values.iter().any(|value| value.is_nan()) {
        return assert!(exact.is_err());
    }
    let exact = exact.expect("a whole model can be transcoded");
    let exact = Blob::parse(&exact, layout).expect("what was encoded can be read");
    let mut same = vec![1.0; values.len()];
    exact.read(0, &mut same);
    assert_eq!(bits(values), bits(&same));
    let back = exact.transcode(blob.codec()).expect("finite");
    let back = Blob::parse(&back, layout).expect("what was encoded can be read");
    back.read(0, &mut same);
    let most = magnitude(values);
    for (was, is) in values.iter().zip(same).filter(|(_, is)| !is.is_nan()) {
        assert!((was - is).abs() <= bound(blob.codec(), *was, most, false), "{was} became {is}");
    }
}

fn mix(stranger: &Blob<'_>, layout: &Layout, bytes: &[u8]) {
    // The own model and the friends follow from the bytes, with signs and sizes that the stranger does not have.
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| bytes[(at * 8 + n) % bytes.len()]));
    let mut theirs = vec![0.0; layout.len()];
    stranger.read_over(0, &vec![0.5; layout.len()], &mut theirs);
    let own: Vec<f32> = match number(7) % 3 {
        0 => theirs.iter().rev().copied().collect(),
        1 => vec![0.25; layout.len()],
        _ => theirs.iter().map(|value| value * 0.75).collect(),
    };
    let opposite: Vec<f32> = theirs.iter().map(|value| -value).collect();
    let friends = [(Codec::F32, &theirs), (Codec::F32, &opposite), (Codec::Fragment(3), &own), (Codec::Bf16, &own)]
        .map(|(codec, params)| blob::encode(codec, layout, params).expect("finite"));
    let mut models = vec![*stranger];
    models.extend(friends.iter().map(|friend| Blob::parse(friend, layout).expect("what was encoded can be read")));
    let candidates: Vec<Candidate<'_>> = models
        .iter()
        .enumerate()
        .map(|(n, model)| {
            let link = if number(n) % 3 == 0 { (number(n) % 200) as f32 / 1000.0 } else { 0.0 };
            let meta = Meta { age: number(n + 8), samples: number(n + 9) as u32, link, mass: number(n + 10) };
            // One of them twice, now and then.
            Candidate { peer: PeerId([(n % (4 + number(6) as usize % 2)) as u8; 32]), meta, model: *model }
        })
        .collect();
    let hull = hull(&own, &models);
    let meta = Meta { age: number(1), samples: number(2) as u32, link: 0.0, mass: number(3) };
    // Every rule, but for models of many parameters, which would take all the time there is.
    let few = if layout.len() > 1000 { number(5) as usize % RULES.len() } else { 0 };
    let rules = if few > 0 { &RULES[few..=few] } else { &RULES };
    for rule in rules {
        let mut params = own.clone();
        let mut loss = |model: &[f32]| model[0];
        let mine = Own { params: &mut params, meta, round: number(4) };
        let rule: Rule = rule.parse().expect("a rule");
        let outcome = mix_with_losses(&rule, mine, &candidates, &mut loss);
        assert_eq!(outcome.mixed.len() + outcome.refused.len(), candidates.len());
        assert!(invariant::finite(&params), "{rule}");
        for ((value, least), most) in params.iter().zip(&hull.0).zip(&hull.1) {
            let slack = 1e-5 * least.abs().max(most.abs()) + 1e-40;
            assert!((least - slack..=most + slack).contains(value), "{rule}: {value} is not in {least}..{most}");
        }
    }
}

/// Each mixed parameter must lie between the least and the largest of those there are.
fn hull(own: &[f32], models: &[Blob<'_>]) -> (Vec<f32>, Vec<f32>) {
    let (mut least, mut most, mut theirs) = (own.to_vec(), own.to_vec(), own.to_vec());
    for model in models {
        model.read_over(0, own, &mut theirs);
        least.iter_mut().zip(&theirs).for_each(|(least, value)| *least = least.min(*value));
        most.iter_mut().zip(&theirs).for_each(|(most, value)| *most = most.max(*value));
    }
    (least, most)
}

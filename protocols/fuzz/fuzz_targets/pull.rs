//! A pull whose holder says anything in any order: it never panics and never keeps more than was ordered.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::exchange::{ModelStore, Pull, PullOrder, Step};
use peerlearn_protocols::id::{Hash, Root, TaskId};
use peerlearn_protocols::wire::{CHUNK_BYTES, Offer, Publication, Refusal, Request, Response, Wire};

const TASK: TaskId = TaskId([7; 32]);
const SIZES: [usize; 6] = [1, 1000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES + 5];

/// What holders have, and chunks that are longer than any should be.
static BYTES: LazyLock<Arc<Vec<u8>>> =
    LazyLock::new(|| Arc::new((0..4 * CHUNK_BYTES).map(|n| (n * 31 % 251) as u8).collect()));
static STORES: LazyLock<Vec<ModelStore>> = LazyLock::new(|| SIZES.map(|bytes| store(&BYTES[..bytes])).into());

fn store(bytes: &[u8]) -> ModelStore {
    let mut store = ModelStore::new(TASK, 1);
    store.publish(Publication::new(Arc::new(bytes.to_vec()), Codec::Int8, 100, 3, 50));
    store
}

fuzz_target!(|data: &[u8]| {
    // A script that ends early is no finding.
    let _ = run(&mut Unstructured::new(data));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let which = input.choose_index(SIZES.len())?;
    let bytes = if input.ratio(1, 8)? { input.arbitrary()? } else { SIZES[which] as u64 };
    // An order says how much may be kept; a real one is never more than a layout.
    let order = PullOrder {
        task: TASK,
        codec: Codec::Int8,
        bytes: bytes % (1 << 24),
        least_age: 100,
        resumes: 2,
        compressed: input.arbitrary()?,
        checked: false,
        share: None,
        session: None,
    };
    let (mut pull, mut step) = Pull::new(order);
    let mut lengths = vec![SIZES[which]];
    for _ in 0..64 {
        step = match input.int_in_range(0u8..=9)? {
            // What an honest holder would do.
            0..=4 => honest(&mut pull, step, &STORES[which], order)?,
            // A list of hashes that fits its root, over chunks of odd lengths.
            5 => {
                lengths = (0..input.int_in_range(1..=4)?)
                    .map(|_| input.int_in_range(0..=BYTES.len()))
                    .collect::<Result<_>>()?;
                pull.answered(forged(order, &lengths))
            }
            6 => pull.answered(any_response(input, order)?),
            7 => {
                let length =
                    if input.ratio(1, 8)? { input.int_in_range(0..=BYTES.len())? } else { *input.choose(&lengths)? };
                pull.chunk(&BYTES[..length])
            }
            8 => pull.cut(),
            _ => pull.opened(),
        };
        assert!(pull.kept() <= order.bytes, "kept {} of {}", pull.kept(), order.bytes);
        match &step {
            Step::Ask(request) => assert!(request.to_bytes().is_ok()),
            Step::Stream(request) => assert!(request.to_bytes().is_ok()),
            Step::Read(bytes) => assert!((1..=CHUNK_BYTES).contains(bytes)),
            // Compressed it may be shorter.
            Step::Done(pulled) if order.compressed => assert!(pulled.blob.len() as u64 <= order.bytes),
            Step::Done(pulled) => assert_eq!(pulled.blob.len() as u64, order.bytes),
            Step::Failed(_) => {}
        }
    }
    Ok(())
}

fn honest(pull: &mut Pull, step: Step, store: &ModelStore, order: PullOrder) -> Result<Step> {
    Ok(match step {
        Step::Ask(request) => pull.answered(store.answer(&request)),
        Step::Stream(_) => pull.opened(),
        Step::Read(bytes) => {
            let start = (pull.kept() as usize).min(BYTES.len());
            pull.chunk(&BYTES[start..(start + bytes).min(BYTES.len())])
        }
        // Over; but whoever reads late may still call.
        Step::Done(_) | Step::Failed(_) => {
            pull.answered(store.answer(&Request::Newest { task: order.task, codec: order.codec }))
        }
    })
}

fn forged(order: PullOrder, lengths: &[usize]) -> Response {
    let hashes: Vec<Hash> = lengths.iter().map(|&length| Hash::of(&BYTES[..length])).collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"peerlearn model 1").update(&order.bytes.to_le_bytes());
    for hash in &hashes {
        hasher.update(hash.as_bytes());
    }
    let root = Root(*hasher.finalize().as_bytes());
    let offer = Offer { root, bytes: order.bytes, codec: order.codec, age: 100, round: 0, samples: 0 };
    Response::Offer { offer, hashes }
}

fn any_response(input: &mut Unstructured<'_>, order: PullOrder) -> Result<Response> {
    let root = Root([input.int_in_range(0..=3)?; 32]);
    let hashes = vec![Hash([1; 32]); *input.choose(&[0, 1, 2, 1024])?];
    Ok(match input.int_in_range(0u8..=2)? {
        0 => {
            let bytes = if input.arbitrary()? { order.bytes } else { input.arbitrary()? };
            let codec = *input.choose(&[Codec::Int8, Codec::F32])?;
            let offer = Offer { root, bytes, codec, age: input.arbitrary()?, round: 0, samples: 0 };
            Response::Offer { offer, hashes }
        }
        1 => Response::Hashes { root, first: *input.choose(&[0, 1, 1024, u32::MAX])?, hashes },
        _ => Response::Refused { reason: Refusal::Busy, retry_after_ms: input.arbitrary()? },
    })
}

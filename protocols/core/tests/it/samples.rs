//! One value of every kind of frame, with numbers that show their place in the bytes.

use peerlearn_protocols::codec::{Codec, CodecSet};
use peerlearn_protocols::id::{Hash, PeerId, Root, TaskId};
use peerlearn_protocols::wire::{
    Address, Announcement, BulkRequest, BulkStart, Descriptor, ModelSummary, Offer, OfferSummary, Refusal, Request,
    Response, Signed, Wire,
};

pub fn announcement() -> Announcement {
    Announcement {
        task: TaskId([0x11; 32]),
        sequence: 1 << 32,
        addresses: vec![Address("/ip4/1.2.3.4/tcp/5".to_owned())],
        round: 7,
        samples: 300,
        offer: Some(OfferSummary { root: Root([0x22; 32]), bytes: 70_000, age: 250 }),
        codecs: CodecSet(7),
        sketch: ModelSummary { norm: 1.5, validation_loss: 0.25 },
    }
}

pub fn signed() -> Signed {
    Signed { author: PeerId([0x33; 32]), signature: [0x44; 64], body: announcement().to_bytes().unwrap() }
}

pub fn descriptor() -> Descriptor {
    Descriptor { peer: PeerId([0x88; 32]), addresses: vec![Address("/ip4/1.2.3.4/tcp/5".to_owned())], age: 300 }
}

pub fn requests() -> Vec<Request> {
    vec![
        Request::Newest { task: TaskId([0x11; 32]), codec: Codec::Int8 },
        Request::Hashes { root: Root([0x22; 32]), first: 1024 },
        Request::Share { task: TaskId([0x11; 32]), codec: Codec::F16, number: 1 << 32, taken: 3 },
        Request::Compressed { task: TaskId([0x11; 32]), codec: Codec::TopK(100) },
        Request::Shuffle { task: TaskId([0x11; 32]), descriptors: vec![descriptor()] },
        Request::Estimates { task: TaskId([0x11; 32]) },
        Request::Taken { task: TaskId([0x11; 32]), number: 1 << 32 },
        Request::OpenSession { task: TaskId([0x11; 32]), codec: Codec::Int8, number: 4, root: Root([0x22; 32]) },
        Request::Settle { task: TaskId([0x11; 32]), number: 4 },
    ]
}

pub fn responses() -> Vec<Response> {
    let offer = Offer { root: Root([0x22; 32]), bytes: 70_000, codec: Codec::F16, age: 250, round: 7, samples: 300 };
    vec![
        Response::Offer { offer, hashes: vec![Hash([0x55; 32])] },
        Response::Hashes { root: Root([0x22; 32]), first: 1024, hashes: vec![Hash([0x55; 32]), Hash([0x66; 32])] },
        Response::Refused { reason: Refusal::Busy, retry_after_ms: 500 },
        Response::Refused { reason: Refusal::OtherTask { ours: TaskId([0x77; 32]) }, retry_after_ms: 0 },
        Response::Share { offer, hashes: vec![Hash([0x55; 32])], number: 4, mass: 1 << 31 },
        Response::Refused { reason: Refusal::NoMass, retry_after_ms: 0 },
        Response::Shuffled { descriptors: vec![descriptor()] },
        Response::Refused { reason: Refusal::NoView, retry_after_ms: 0 },
        Response::Estimates { epoch: 300, minima: vec![1.5; 8], spread: Some(0.25) },
        Response::Noted,
        Response::Session { offer, hashes: vec![Hash([0x55; 32])], number: 4 },
        Response::Settled,
        Response::Refused { reason: Refusal::NoSession, retry_after_ms: 0 },
    ]
}

pub fn bulk_request() -> BulkRequest {
    BulkRequest { root: Root([0x22; 32]), first: 3, count: 251 }
}

pub fn bulk_starts() -> Vec<BulkStart> {
    vec![BulkStart::Sending, BulkStart::Gone, BulkStart::Busy]
}

/// The name of a kind, a frame of it, and what decodes the kind and encodes it again.
pub type Sample = (&'static str, Vec<u8>, fn(&[u8]) -> Option<Vec<u8>>);

/// A frame of every kind.
pub fn frames() -> Vec<Sample> {
    fn again<W: Wire>(bytes: &[u8]) -> Option<Vec<u8>> {
        W::from_bytes(bytes).ok().map(|value| value.to_bytes().expect("what was decoded can be encoded"))
    }
    let mut frames: Vec<Sample> = vec![
        ("announcement", announcement().to_bytes().unwrap(), again::<Announcement>),
        ("signed", signed().to_bytes().unwrap(), again::<Signed>),
        ("bulk request", bulk_request().to_bytes().unwrap(), again::<BulkRequest>),
    ];
    for request in requests() {
        frames.push(("request", request.to_bytes().unwrap(), again::<Request>));
    }
    for response in responses() {
        frames.push(("response", response.to_bytes().unwrap(), again::<Response>));
    }
    for start in bulk_starts() {
        frames.push(("bulk start", start.to_bytes().unwrap(), again::<BulkStart>));
    }
    frames
}

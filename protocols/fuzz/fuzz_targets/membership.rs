//! Membership among strangers who say anything: it never panics, its view stays bounded, and every announcement is
//! judged once.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use peerlearn_protocols::codec::CodecSet;
use peerlearn_protocols::id::{PeerId, Root, TaskId};
use peerlearn_protocols::membership::{Contact, Input, Membership, MembershipConfig, Output};
use peerlearn_protocols::sampling::Sampling;
use peerlearn_protocols::sampling::view::LEAST_SIZE;
use peerlearn_protocols::time::Time;
use peerlearn_protocols::wire::announce::MAX_ADDRESSES;
use peerlearn_protocols::wire::descriptor::{MAX_DESCRIPTORS, MAX_TOLD_ADDRESSES};
use peerlearn_protocols::wire::{Address, Announcement, Descriptor, ModelSummary, OfferSummary, Wire};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const OWN: PeerId = PeerId([0; 32]);
const TASK: TaskId = TaskId([7; 32]);

fuzz_target!(|data: &[u8]| {
    // A script that ends early is no finding.
    let _ = run(&mut Unstructured::new(data));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let config = MembershipConfig {
        max_peers: input.int_in_range(0..=6)?,
        announce_every: Duration::from_millis(input.int_in_range(0..=100_000)?),
        topic_rate: *input.choose(&[4.0, 0.0, 1e9, -1.0, f64::NAN])?,
        expire_intervals: input.int_in_range(0..=20)?,
        min_connections: input.int_in_range(0..=5)?,
        sampling: if input.arbitrary()? { Sampling::View { size: LEAST_SIZE } } else { Sampling::default() },
        ..MembershipConfig::default()
    };
    let mut machine = Membership::new(OWN, TASK, input.arbitrary()?, config, ChaCha8Rng::seed_from_u64(0));
    let most = machine.limit();
    let mut now = Time(if input.ratio(1, 16)? { input.arbitrary()? } else { 0 });
    let mut outputs = Vec::new();
    while !input.is_empty() {
        now = now + any_pause(input)?;
        outputs.clear();
        if input.ratio(1, 6)? {
            let tried = [any_peer(input)?];
            let drawn = machine.draw(now, 4, &tried);
            assert!(drawn.len() <= 4 && drawn.is_sorted_by(|one, other| one != other));
            assert!(
                drawn.iter().all(|peer| *peer != OWN && !tried.contains(peer) && machine.known().contains_key(peer))
            );
            continue;
        }
        if input.ratio(1, 12)? {
            if let Some(offer) = any_offer(input)? {
                machine.published(input.arbitrary()?, input.arbitrary()?, offer, ModelSummary::default());
            }
            continue;
        }
        let fact = any_input(input)?;
        let announced = matches!(fact, Input::Announced { .. });
        machine.handle(now, fact, &mut outputs);
        check(&machine, now, &outputs, most);
        let judged = outputs.iter().filter(|output| matches!(output, Output::Judge(_))).count();
        assert_eq!(judged, usize::from(announced));
    }
    Ok(())
}

fn check(machine: &Membership, now: Time, outputs: &[Output], most: usize) {
    assert!(machine.known().len() <= most && !machine.known().contains_key(&OWN));
    assert!(machine.known().values().all(|known| known.addresses.len() <= MAX_ADDRESSES));
    let Some(Output::WakeAt(wake)) = outputs.last() else { panic!("no wake") };
    assert!(*wake > now || now.0 > u64::MAX / 2, "it would wake at once, for ever");
    // Contacts are 128 at most, and each is dialled once.
    assert!(outputs.len() <= 128 + 3 * most + 5);
    for output in outputs {
        match output {
            Output::Announce(announcement) => assert!(announcement.to_bytes().is_ok(), "{announcement:?}"),
            Output::Dial { peer, addresses } => assert!(!addresses.is_empty() && *peer != Some(OWN)),
            _ => {}
        }
    }
}

fn any_pause(input: &mut Unstructured<'_>) -> Result<Duration> {
    let most = *input.choose(&[0, 1_000, 10_000_000, 100_000_000_000])?;
    Ok(Duration::from_micros(input.int_in_range(0..=most)?))
}

fn any_peer(input: &mut Unstructured<'_>) -> Result<PeerId> {
    Ok(PeerId([input.int_in_range(0..=11)?; 32]))
}

fn any_addresses(input: &mut Unstructured<'_>) -> Result<Vec<Address>> {
    let count = input.int_in_range(0..=MAX_ADDRESSES)?;
    (0..count).map(|_| Ok(Address(format!("/memory/{}", input.arbitrary::<u8>()?)))).collect()
}

fn any_descriptors(input: &mut Unstructured<'_>) -> Result<Vec<Descriptor>> {
    let count = input.int_in_range(0..=MAX_DESCRIPTORS)?;
    let any = |input: &mut Unstructured<'_>| {
        let mut addresses = any_addresses(input)?;
        addresses.truncate(MAX_TOLD_ADDRESSES);
        Ok(Descriptor { peer: any_peer(input)?, addresses, age: input.arbitrary()? })
    };
    (0..count).map(|_| any(input)).collect()
}

fn any_offer(input: &mut Unstructured<'_>) -> Result<Option<OfferSummary>> {
    let offer = OfferSummary { root: Root([1; 32]), bytes: input.arbitrary()?, age: input.arbitrary()? };
    Ok(input.arbitrary::<bool>()?.then_some(offer))
}

fn any_input(input: &mut Unstructured<'_>) -> Result<Input> {
    Ok(match input.int_in_range(0u8..=15)? {
        0..=4 => {
            let announcement = Announcement {
                task: if input.ratio(1, 16)? { TaskId([8; 32]) } else { TASK },
                sequence: if input.arbitrary()? { input.arbitrary::<u8>()?.into() } else { input.arbitrary()? },
                addresses: any_addresses(input)?,
                round: input.arbitrary()?,
                samples: input.arbitrary()?,
                offer: any_offer(input)?,
                codecs: CodecSet(input.arbitrary()?),
                sketch: ModelSummary::default(),
            };
            let via = if input.arbitrary()? { Some(any_peer(input)?) } else { None };
            Input::Announced { author: any_peer(input)?, via, announcement }
        }
        5 => {
            let peer = if input.arbitrary()? { Some(any_peer(input)?) } else { None };
            Input::Contacted(Contact { peer, addresses: any_addresses(input)? })
        }
        6 => Input::Connected { peer: any_peer(input)? },
        7 => Input::Disconnected { peer: any_peer(input)? },
        8 => Input::Isolated,
        9 => Input::DialFailed { peer: if input.arbitrary()? { Some(any_peer(input)?) } else { None } },
        10 => Input::Refused { peer: any_peer(input)? },
        11 => Input::Moved { addresses: any_addresses(input)? },
        12 => Input::ShuffleAnswered { from: any_peer(input)?, descriptors: any_descriptors(input)? },
        13 => Input::ShuffleAsked { from: any_peer(input)?, descriptors: any_descriptors(input)? },
        14 => Input::ShuffleFailed { peer: any_peer(input)? },
        _ => Input::Woke,
    })
}

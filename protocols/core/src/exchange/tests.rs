use std::sync::Arc;

use proptest::prelude::*;

use super::mode::Wanted;
use super::push_sum::PushSum;
use super::*;
use crate::codec::Codec;
use crate::id::{Hash, PeerId, Root, TaskId};
use crate::mixing::push_sum::{Account, Grant, ShareQuestion, UNIT};
use crate::time::Time;
use crate::wire::{CHUNK_BYTES, Offer, Publication, Refusal, Request, Response};

const TASK: TaskId = TaskId([7; 32]);

fn blob(bytes: usize) -> Arc<Vec<u8>> {
    Arc::new((0..bytes).map(|n| (n * 31 % 251) as u8).collect())
}

fn store(bytes: usize) -> ModelStore {
    let mut store = ModelStore::new(TASK, 1);
    store.publish(Publication::new(blob(bytes), Codec::Int8, 100, 3, 50));
    store
}

fn order(bytes: usize) -> PullOrder {
    PullOrder {
        task: TASK,
        codec: Codec::Int8,
        bytes: bytes as u64,
        least_age: 0,
        resumes: 2,
        compressed: false,
        checked: false,
        share: None,
        session: None,
    }
}

/// Runs a pull against a store; the stream is cut after `cut_after` chunks, again and again.
fn run(store: &ModelStore, order: PullOrder, cut_after: usize, damage: Option<usize>) -> Result<Pulled, PullError> {
    let (mut pull, mut step) = Pull::new(order);
    let mut stream: Option<(Arc<Vec<u8>>, std::ops::Range<usize>)> = None;
    let mut sent = 0;
    loop {
        step = match step {
            Step::Ask(request) => pull.answered(store.answer(&request)),
            Step::Stream(request) => {
                stream = store.open(&request);
                sent = 0;
                pull.opened()
            }
            Step::Read(_) if sent == cut_after => pull.cut(),
            Step::Read(bytes) => {
                let (blob, range) = stream.as_mut().expect("a stream is open");
                let mut chunk = blob[range.start..range.start + bytes].to_vec();
                if damage.is_some_and(|at| (range.start..range.start + bytes).contains(&at)) {
                    chunk[0] ^= 1;
                }
                range.start += bytes;
                sent += 1;
                pull.chunk(&chunk)
            }
            Step::Done(pulled) => return Ok(*pulled),
            Step::Failed(error) => return Err(error),
        }
    }
}

#[test]
fn a_model_of_any_size_arrives_whole() {
    for bytes in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 17] {
        let pulled = run(&store(bytes), order(bytes), usize::MAX, None).unwrap();
        assert_eq!(pulled.blob, blob(bytes));
        assert_eq!((pulled.offer.age, pulled.offer.round, pulled.offer.samples), (100, 3, 50));
    }
}

#[test]
fn a_model_with_more_hashes_than_one_answer_holds_arrives_whole() {
    let bytes = 1025 * CHUNK_BYTES + 1;
    let pulled = run(&store(bytes), order(bytes), usize::MAX, None).unwrap();
    assert_eq!(pulled.blob.len(), bytes);
}

#[test]
fn a_cut_pull_goes_on_where_it_was_and_gives_up_in_the_end() {
    let bytes = 5 * CHUNK_BYTES;
    assert_eq!(run(&store(bytes), order(bytes), 2, None).unwrap().blob, blob(bytes));
    assert_eq!(run(&store(bytes), order(bytes), 1, None), Err(PullError::Cut { cuts: 3 }));
}

#[test]
fn a_damaged_chunk_ends_the_pull_and_is_the_holders_fault() {
    let bytes = 3 * CHUNK_BYTES;
    let error = run(&store(bytes), order(bytes), usize::MAX, Some(CHUNK_BYTES)).unwrap_err();
    assert_eq!(error, PullError::WrongHash { chunk: 1 });
    assert!(error.fault().is_some());
}

#[test]
fn offers_of_another_size_task_codec_or_too_old_are_refused_before_a_byte_is_pulled() {
    let store = store(1000);
    assert_eq!(run(&store, order(999), 9, None), Err(PullError::WrongSize { got: 1000, want: 999 }));
    let stale = PullOrder { least_age: 101, ..order(1000) };
    assert_eq!(run(&store, stale, 9, None), Err(PullError::Stale { age: 100, least: 101 }));
    let other = PullOrder { task: TaskId([8; 32]), ..order(1000) };
    let Err(PullError::Refused { reason, .. }) = run(&store, other, 9, None) else { panic!("not refused") };
    assert_eq!(reason, Refusal::OtherTask { ours: TASK });
    let exact = PullOrder { codec: Codec::F32, ..order(1000) };
    let Err(PullError::Refused { reason, .. }) = run(&store, exact, 9, None) else { panic!("not refused") };
    assert_eq!(reason, Refusal::Codec);
    let empty = ModelStore::new(TASK, 1);
    let Err(PullError::Refused { reason, .. }) = run(&empty, order(1000), 9, None) else { panic!("not refused") };
    assert_eq!(reason, Refusal::NothingYet);
}

#[test]
fn hashes_that_are_not_those_of_the_root_are_refused() {
    let store = store(3 * CHUNK_BYTES);
    let request = Request::Newest { task: TASK, codec: Codec::Int8 };
    let Response::Offer { offer, hashes } = store.answer(&request) else { panic!("no offer") };
    for wrong in [vec![], hashes[..2].to_vec(), [hashes.clone(), hashes.clone()].concat()] {
        let (mut pull, _) = Pull::new(order(3 * CHUNK_BYTES));
        let step = pull.answered(Response::Offer { offer, hashes: wrong });
        assert_eq!(step, Step::Failed(PullError::WrongHash { chunk: 3 }));
    }
    let (mut pull, _) = Pull::new(order(3 * CHUNK_BYTES));
    let answer = Response::Hashes { root: offer.root, first: 0, hashes };
    assert_eq!(pull.answered(answer), Step::Failed(PullError::Unexpected));
}

/// Found by fuzzing: a list of hashes fits its root whatever the lengths of its chunks are, and only hashes were
/// checked.
#[test]
fn a_chunk_of_another_length_is_refused_though_its_hash_was_offered() {
    let pieces = [blob(CHUNK_BYTES + 1), blob(7)];
    let hashes: Vec<Hash> = pieces.iter().map(|piece| Hash::of(piece)).collect();
    let bytes = 2 * CHUNK_BYTES;
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"peerlearn model 1").update(&(bytes as u64).to_le_bytes());
    hashes.iter().for_each(|hash| {
        hasher.update(hash.as_bytes());
    });
    let root = Root(*hasher.finalize().as_bytes());
    let offer = Offer { root, bytes: bytes as u64, codec: Codec::Int8, age: 0, round: 0, samples: 0 };
    let (mut pull, _) = Pull::new(order(bytes));
    assert!(matches!(pull.answered(Response::Offer { offer, hashes }), Step::Stream(_)));
    assert_eq!(pull.opened(), Step::Read(CHUNK_BYTES));
    assert_eq!(pull.chunk(&pieces[0]), Step::Failed(PullError::WrongHash { chunk: 0 }));
    assert_eq!(pull.kept(), 0);
}

#[test]
fn the_shelf_keeps_what_is_being_pulled_and_forgets_the_rest() {
    let mut store = ModelStore::new(TASK, 1);
    let roots: Vec<_> = (1..4)
        .map(|n| {
            let publication = Publication::new(blob(n), Codec::Int8, 0, n as u64, 0);
            let root = publication.offer.root;
            store.publish(publication);
            root
        })
        .collect();
    let open = |root| store.open(&crate::wire::BulkRequest { root, first: 0, count: 1 }).is_some();
    assert_eq!(roots.into_iter().map(open).collect::<Vec<_>>(), [false, true, true]);
}

/// Four peers that ask each other for shares, while anything may be lost, and mix what they got.
struct Network {
    modes: Vec<PushSum>,
    stores: Vec<ModelStore>,
    /// Grants that arrived with their models, a peer: holder, grant.
    arrived: Vec<Vec<(PeerId, Grant)>>,
}

impl Network {
    fn new() -> Self {
        let modes = (0..4).map(|_| PushSum::new(TASK, 2, 1)).collect();
        Self { modes, stores: (0..4).map(|_| store(1000)).collect(), arrived: vec![Vec::new(); 4] }
    }

    /// One pull; what is not lost at one step goes on to the next. `cut` is the step at which it is lost.
    fn pull(&mut self, from: usize, to: usize, cut: usize) {
        let (asker, holder) = (peer(from), peer(to));
        let wanted = Wanted { peer: holder, order: order(1000), until: Time::ZERO, joining: false };
        let mut actions = Vec::new();
        self.modes[from].exchange(Time::ZERO, wanted, &mut actions);
        let [Action::PullForRound { order, .. }] = actions[..] else { panic!("{actions:?}") };
        let (mut pull, step) = Pull::new(order);
        let Step::Ask(request @ Request::Share { .. }) = step else { panic!("{step:?}") };
        if cut == 0 {
            return;
        }
        let stored = self.stores[to].answer(&request);
        let response = self.modes[to].answer(Time::ZERO, asker, &request, stored, &mut Vec::new());
        if cut == 1 {
            return;
        }
        let Step::Stream(request) = pull.answered(response) else { return };
        let (blob, range) = self.stores[to].open(&request).unwrap();
        pull.opened();
        if cut == 2 {
            return;
        }
        let Step::Done(pulled) = pull.chunk(&blob[range]) else { panic!("one chunk") };
        // A second pull from a holder within a round voids the grant of the first.
        self.arrived[from].retain(|(known, _)| *known != holder);
        self.arrived[from].push((holder, pulled.grant.unwrap()));
    }

    /// A mix that takes the first `taken` of what arrived.
    fn mix(&mut self, at: usize, taken: usize) {
        let mixed: Vec<_> = self.arrived[at].drain(..).take(taken).collect();
        self.modes[at].mixed(&mixed);
        let publication = self.stores[at].newest().unwrap().clone();
        self.modes[at].published(&publication);
    }

    fn account(&self, at: usize) -> &Account {
        self.modes[at].ledger().unwrap()
    }

    fn total(&self) -> u64 {
        let mut total: u64 = (0..4).map(|at| self.account(at).held()).sum();
        for at in 0..4 {
            for other in 0..4 {
                let open = self.account(at).open(&peer(other));
                let untaken = open.filter(|grant| self.account(other).taken(&peer(at)) != grant.number);
                total += untaken.map_or(0, |grant| grant.mass);
            }
        }
        total
    }
}

fn peer(n: usize) -> PeerId {
    PeerId([n as u8 + 1; 32])
}

proptest! {
    #[test]
    fn mass_is_kept_whatever_is_lost(
        steps in prop::collection::vec((0usize..4, 0usize..4, 0usize..5, 0usize..5), 1..300),
    ) {
        let mut network = Network::new();
        for (one, other, cut, action) in steps {
            match action {
                0 => drop(network.modes[one].begin_mix(false)),
                1 => network.mix(one, cut),
                _ if one != other => network.pull(one, other, cut),
                _ => {}
            }
            prop_assert_eq!(network.total(), 4 * UNIT);
        }
    }
}

#[test]
fn nothing_is_granted_from_the_start_of_a_mix_until_its_result_is_published() {
    let mut network = Network::new();
    network.pull(1, 0, 9);
    assert_eq!(network.modes[1].begin_mix(false), UNIT, "what was granted is not the own mass before it was mixed");
    network.pull(0, 1, 9);
    assert!(network.arrived[0].is_empty());
    network.mix(1, 9);
    assert_eq!(network.account(1).held(), UNIT + UNIT / 3);
    network.pull(0, 1, 9);
    assert_eq!(network.arrived[0].len(), 1);
}

#[test]
fn an_answer_without_the_mass_asked_for_is_no_answer() {
    let store = store(1000);
    let ask = ShareQuestion { number: 7, taken: 0 };
    let share = PullOrder { share: Some(ask), ..order(1000) };
    let (mut pull, step) = Pull::new(share);
    let Step::Ask(request) = step else { panic!() };
    let offer = store.answer(&request);
    assert_eq!(pull.answered(offer.clone()), Step::Failed(PullError::Unexpected));
    let Response::Offer { offer, hashes } = offer else { panic!() };
    let late = Response::Share { offer, hashes, number: 6, mass: 1 };
    for order in [share, order(1000)] {
        assert_eq!(Pull::new(order).0.answered(late.clone()), Step::Failed(PullError::Unexpected));
    }
}

#[test]
fn a_compressed_frame_is_for_those_who_ask_and_forms_are_bounded() {
    let mut store = ModelStore::new(TASK, 1);
    let plain = Publication::new(Arc::new(vec![1; 1000]), Codec::Int8, 100, 5, 50);
    store.publish(plain);
    let bytes = |store: &ModelStore, request| match store.answer(&request) {
        Response::Offer { offer, .. } => offer.bytes,
        other => panic!("{other:?}"),
    };
    let (newest, compressed) =
        (Request::Newest { task: TASK, codec: Codec::Int8 }, Request::Compressed { task: TASK, codec: Codec::Int8 });
    assert_eq!(bytes(&store, compressed.clone()), 1000, "none yet");
    store.add(Publication { compressed: true, ..Publication::new(Arc::new(vec![2; 600]), Codec::Int8, 100, 5, 50) });
    assert_eq!((bytes(&store, compressed.clone()), bytes(&store, newest)), (600, 1000));
    // A puller that asked for one takes fewer bytes, never more; one that did not takes only the right number.
    let offered = store.answer(&compressed);
    let (mut pull, step) = Pull::new(PullOrder { compressed: true, ..order(1000) });
    assert_eq!(step, Step::Ask(compressed));
    assert!(matches!(pull.answered(offered.clone()), Step::Stream(_)));
    let (mut small, _) = Pull::new(PullOrder { compressed: true, ..order(599) });
    assert_eq!(small.answered(offered.clone()), Step::Failed(PullError::WrongSize { got: 600, want: 599 }));
    let (mut exact, _) = Pull::new(order(1000));
    assert_eq!(exact.answered(offered), Step::Failed(PullError::WrongSize { got: 600, want: 1000 }));
    // Ever new parameters of a codec do not fill the memory.
    for parts in 2..500 {
        store.add(Publication::new(Arc::new(vec![3; 10]), Codec::Fragment(parts), 100, 5, 50));
    }
    assert!(!store.has_room());
    let late = Request::Newest { task: TASK, codec: Codec::Fragment(400) };
    assert!(matches!(store.answer(&late), Response::Refused { reason: Refusal::Codec, .. }));
}

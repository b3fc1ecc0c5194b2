use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use serde::{Deserialize, Serialize};

use super::*;

fn id(number: u16) -> PeerId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    PeerId(bytes)
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn source(peer: u16, introducer: Option<u16>, prefix: Prefix) -> Source {
    Source { peer: id(peer), introducer: introducer.map(id), prefix }
}

const ATTACKER_FROM: u16 = 1000;

/// 50 honest peers in 50 prefixes by seven introducers, and 500 identities in one prefix by one.
fn besieged() -> Vec<Source> {
    let honest = (0..50).map(|peer| source(peer, Some(peer % 7), Prefix::V4([60, peer as u8])));
    let attacker = (0..500).map(|peer| source(ATTACKER_FROM + peer, Some(ATTACKER_FROM), Prefix::V4([9, 9])));
    honest.chain(attacker).collect()
}

/// The attacker's part of all drawn peers over many draws of 4.
fn attackers_share(sampling: &Sampling) -> f64 {
    let (known, mut rng) = (besieged(), rng(1));
    let draws = 4000;
    let drawn = (0..draws).flat_map(|round| sampling.draw(id(999), &known, &[], round, 4, &mut rng));
    drawn.filter(|peer| *peer >= id(ATTACKER_FROM)).count() as f64 / (4.0 * draws as f64)
}

#[test]
fn many_identities_of_one_origin_get_one_share() {
    // 16 000 peers drawn: standard deviation 0.0011 around 1/51, and 0.0023 around 500/550.
    let guarded = attackers_share(&Sampling::Guarded);
    assert!((guarded - 1.0 / 51.0).abs() < 0.005, "{guarded}");
    let uniform = attackers_share(&Sampling::Uniform);
    assert!((uniform - 500.0 / 550.0).abs() < 0.01, "{uniform}");
}

#[test]
fn no_origin_gives_a_second_peer_before_all_gave_one() {
    for seed in 0..50 {
        let drawn = draw_guarded(&besieged(), 51, &mut rng(seed));
        assert_eq!(drawn.iter().filter(|peer| **peer >= id(ATTACKER_FROM)).count(), 1);
    }
    // The rest can only be the attacker's.
    assert_eq!(draw_guarded(&besieged(), 60, &mut rng(0)).len(), 60);
    assert_eq!(draw_guarded(&besieged(), usize::MAX, &mut rng(0)).len(), 550);
}

#[test]
fn introducers_of_a_prefix_take_turns() {
    // One introducer told of a hundred peers of a prefix, another of one.
    let prefix = Prefix::V6([1, 2, 3, 4]);
    let mut known: Vec<Source> = (0..100).map(|peer| source(peer, Some(500), prefix)).collect();
    known.push(source(600, Some(501), prefix));
    let mut rng = rng(2);
    let first = (0..2000).filter(|_| draw_guarded(&known, 1, &mut rng) == [id(600)]).count();
    assert!((900..1100).contains(&first), "{first}");
    assert!(draw_guarded(&known, 2, &mut rng).contains(&id(600)));
}

#[test]
fn local_peers_without_introducer_are_alike() {
    let known: Vec<Source> = (0..10).map(|peer| source(peer, None, Prefix::Local)).collect();
    let (mut counts, mut rng) = (BTreeMap::new(), rng(3));
    for peer in (0..5000).flat_map(|_| draw_guarded(&known, 2, &mut rng)) {
        *counts.entry(peer).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 10);
    assert!(counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
}

#[test]
fn local_peers_of_one_introducer_share() {
    let mut known: Vec<Source> = (0..100).map(|peer| source(peer, Some(700), Prefix::Local)).collect();
    known.push(source(200, None, Prefix::Local));
    let mut rng = rng(4);
    let alone = (0..2000).filter(|_| draw_guarded(&known, 1, &mut rng) == [id(200)]).count();
    assert!((900..1100).contains(&alone), "{alone}");
}

#[test]
fn graphs_go_by_the_rank_of_ids() {
    let everyone: Vec<PeerId> = [40, 10, 30, 20, 0, 10].map(id).to_vec();
    let known: Vec<Source> = [0, 10, 30, 40].map(|peer| source(peer, None, Prefix::Local)).to_vec();
    let ring = Sampling::Graph(Graph::Ring);
    let drawn = |own, everyone: &[PeerId], count| {
        let mut drawn = ring.draw(id(own), &known, everyone, 3, count, &mut rng(0));
        drawn.sort_unstable();
        drawn
    };
    assert_eq!(drawn(20, &everyone, 5), [id(10), id(30)]);
    // Own id need not be among all; a neighbour that cannot be drawn is not replaced by another peer.
    assert_eq!(drawn(25, &everyone, 5), [id(30)]);
    assert_eq!(drawn(20, &everyone, 1).len(), 1);
    assert_eq!(drawn(20, &[], 5), []);
    let exponential = Sampling::Graph(Graph::OnePeerExponential);
    assert_eq!(exponential.draw(id(20), &known, &everyone, 1, 2, &mut rng(0)), [id(40)]);
}

#[test]
fn prefixes_of_addresses() {
    let of = Prefix::of_multiaddr;
    assert_eq!(of("/ip4/1.2.3.4/tcp/4001"), Prefix::V4([1, 2]));
    assert_eq!(of("/ip4/1.2.99.4/udp/4001/quic-v1"), Prefix::V4([1, 2]));
    assert_eq!(of("/ip6/2a01:4f8:1::1/tcp/1"), Prefix::V6([0x2a, 0x01, 0x04, 0xf8]));
    assert_eq!(of("/ip6/::ffff:1.2.3.4/tcp/1"), Prefix::V4([1, 2]));
    assert_eq!(of("/ip6/::ffff:10.2.3.4/tcp/1"), Prefix::Local);
    for ip in
        ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.9", "169.254.1.1", "0.0.0.0", "100.64.3.4", "1.2.3", ""]
    {
        assert_eq!(of(&format!("/ip4/{ip}/tcp/4001")), Prefix::Local, "{ip}");
    }
    for text in
        ["", "/", "/ip4", "/ip6/", "/ip6/::1/tcp/1", "/ip6/fe80::1", "/ip6/fd00::1", "/dns4/a.example/tcp/1", "ä"]
    {
        assert_eq!(of(text), Prefix::Local, "{text}");
    }
    assert_eq!(of("/ip6zone/eth0/ip6/2a01:4f8::1/tcp/1").to_string(), "2a01:4f8::/32");
    assert_eq!([of("/ip4/1.2.3.4").to_string(), Prefix::Local.to_string()], ["1.2.0.0/16", "local"]);
}

#[test]
fn sampling_round_trips_as_text() {
    for text in ["uniform", "guarded", "view:4", "ring", "regular:4:2", "base:2"] {
        assert_eq!(text.parse::<Sampling>().unwrap().to_string(), text);
        assert_eq!(text.parse::<Topology>().unwrap().to_string(), text);
        assert_eq!(written(&text.parse::<Sampling>().unwrap()), text);
        assert_eq!(read::<Sampling>(text), text.parse().map_err(|_| unreachable!()));
    }
    assert_eq!(written(&Graph::BaseK { k: 2 }), "base:2");
    assert_eq!(read::<Graph>("torus"), Ok(Graph::Torus));
    assert_eq!(Sampling::default(), Sampling::Guarded);
    let wrong = "fair".parse::<Sampling>().unwrap_err().to_string();
    assert!(wrong.contains("guarded") && wrong.contains("torus"), "{wrong}");
    assert_eq!("view".parse(), Ok(Sampling::View { size: 32 }));
    for size in ["", "3", "4097", "-4", "many"] {
        let wrong = format!("view:{size}").parse::<Sampling>().unwrap_err().to_string();
        assert!(wrong.contains("from 4 to 4096") && wrong.contains(size), "{wrong}");
    }
    assert!(read::<Sampling>("edges:a").unwrap_err().to_string().contains("names a file"));
}

#[test]
fn a_topology_asks_for_its_file() {
    let topology: Topology = "edges:my net.txt".parse().unwrap();
    assert_eq!((topology.path(), topology.to_string().as_str()), (Some("my net.txt"), "edges:my net.txt"));
    assert_eq!(read::<Topology>("edges:my net.txt"), Ok(topology.clone()));
    let given = |text: &'static str| move |_: &str| Ok::<_, ParseEdgesError>(text.to_owned());
    let sampling = topology.clone().resolve(given("0 1")).unwrap();
    assert_eq!(sampling.to_string(), written(&topology));
    assert_eq!(sampling, Sampling::Graph(Graph::Edges(EdgeList::parse("my net.txt", "1 0").unwrap())));
    assert_eq!(topology.resolve(given("0 1\n2")).unwrap_err().line, 2);
    assert_eq!(Topology::default().resolve(|_| Err(ParseEdgesError::clone(&never()))), Ok(Sampling::Guarded));
    assert!("edges:".parse::<Topology>().is_err());
}

fn never() -> ParseEdgesError {
    unreachable!("nothing to read")
}

fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Error> {
    T::deserialize(text.into_deserializer())
}

fn written(value: &impl Serialize) -> String {
    struct Shown<'a, T>(&'a T);
    impl<T: Serialize> fmt::Display for Shown<'_, T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.serialize(f)
        }
    }
    Shown(value).to_string()
}

fn any_source() -> impl Strategy<Value = Source> {
    let prefix = prop_oneof![Just(Prefix::Local), (0..4_u8).prop_map(|b| Prefix::V4([1, b]))];
    (0..40_u16, proptest::option::of(0..5_u16), prefix).prop_map(|(peer, from, prefix)| source(peer, from, prefix))
}

proptest! {
    #[test]
    fn a_draw_is_of_different_known_others_and_as_large_as_can_be(
        known in proptest::collection::vec(any_source(), 0..60),
        own in 0..40_u16,
        count in 0..50_usize,
        seed in any::<u64>(),
    ) {
        let others: BTreeSet<PeerId> = known.iter().map(|known| known.peer).filter(|peer| *peer != id(own)).collect();
        let everyone: Vec<PeerId> = others.iter().copied().collect();
        for sampling in [Sampling::Uniform, Sampling::Guarded, Sampling::Graph(Graph::Complete)] {
            let drawn = sampling.draw(id(own), &known, &everyone, seed, count, &mut rng(seed));
            let different: BTreeSet<PeerId> = drawn.iter().copied().collect();
            prop_assert_eq!(drawn.len(), count.min(others.len()));
            prop_assert_eq!(different.len(), drawn.len());
            prop_assert!(different.is_subset(&others));
            prop_assert_eq!(drawn, sampling.draw(id(own), &known, &everyone, seed, count, &mut rng(seed)));
        }
    }

    #[test]
    fn no_address_makes_a_prefix_panic(text in ".{0,60}", ip in "[0-9a-f.:]{0,40}") {
        let _ = Prefix::of_multiaddr(&text);
        let _ = Prefix::of_multiaddr(&format!("/ip6/{ip}/ip4/{ip}"));
    }
}

//! Data are thinned to their limits and cannot leave the element they stand in.

use super::thin::{brief, picked};
use super::*;
use crate::record::{FaultRow, LinkRow, MixRow, NetworkRow, PeerRow, RoundRow, Row, RunInfo, RunRecord, SeedRecord};

fn seed(peers: usize) -> SeedRecord {
    let mut seed = SeedRecord::empty(0);
    for index in 0..peers {
        let name = format!("p{index}");
        seed.push(Row::Peer(PeerRow { name, classes: vec![1, 2], rows: 3, ..PeerRow::default() }));
    }
    seed
}

fn link(t_ms: u64, name: &str, other: &str, up: bool) -> Row {
    Row::Link(LinkRow { t_ms, name: name.into(), other: other.into(), up })
}

fn mix(t_ms: u64, name: &str, from: &str) -> Row {
    Row::Mix(MixRow { t_ms, name: name.into(), from: from.into(), bytes: 5000, ..MixRow::default() })
}

fn fault(t_ms: u64, kind: &str, name: &str, words: &str) -> Row {
    Row::Fault(FaultRow { t_ms, kind: kind.into(), names: vec![name.into()], words: words.into() })
}

fn network(t_ms: u64) -> Row {
    Row::Network(NetworkRow { t_ms, worst: Some(1.0 / 3.0), ..NetworkRow::default() })
}

fn page(seeds: Vec<SeedRecord>) -> PageData {
    let info = RunInfo { name: "small".into(), seeds: vec![0], ..RunInfo::default() };
    let scenario = "name = \"</script><script>alert(1)</script>\"".to_owned();
    PageData::new(&RunRecord { directory: ".".into(), info, scenario, seeds, outcome: None }, false)
}

#[test]
fn a_connection_is_up_while_one_side_says_so() {
    let mut seed = seed(3);
    for row in [
        link(10, "p0", "p1", true),
        link(12, "p1", "p0", true),
        link(20, "p0", "p1", false),
        link(30, "p1", "p0", false),
        link(40, "p2", "p1", true),
        network(100),
    ] {
        seed.push(row);
    }
    assert_eq!(page(vec![seed]).seeds[0].topology.links, [0, 1, 10, 30, 1, 2, 40, 100]);
}

#[test]
fn who_crashed_says_nothing_any_more_and_is_down_until_it_is_back() {
    let mut seed = seed(2);
    for row in [
        link(10, "p0", "p1", true),
        link(11, "p1", "p0", true),
        fault(20, "crash", "p0", "p0 crashes"),
        link(25, "p1", "p0", false),
        fault(50, "restart", "p0", "p0 starts again"),
        fault(70, "crash", "p1", "p1 crashes"),
        network(100),
    ] {
        seed.push(row);
    }
    let topology = &page(vec![seed]).seeds[0].topology;
    assert_eq!(topology.links, [0, 1, 10, 25]);
    assert_eq!(topology.down, [0, 20, 50, 1, 70, 100]);
}

#[test]
fn mixes_are_counted_by_pair_and_moment() {
    let mut seed = seed(3);
    [mix(1, "p0", "p1"), mix(2, "p0", "p1"), mix(1000, "p2", "p0"), mix(5, "p0", "stranger"), network(1270)]
        .into_iter()
        .for_each(|row| seed.push(row));
    let page = page(vec![seed]);
    assert_eq!(page.seeds[0].topology.moment_ms, 10);
    assert_eq!(page.seeds[0].topology.mixes, [0, 0, 1, 2, 100, 2, 0, 1]);
    assert_eq!(page.seeds[0].matrix.models, [0, 2, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(page.seeds[0].matrix.kilobytes[1], 10);
}

#[test]
fn a_crowd_is_thinned_to_the_limits() {
    let peers = 300;
    let mut seed = seed(peers);
    for t_ms in 0..6000u64 {
        let name = |salt: u64| format!("p{}", (t_ms * 7919 + salt * 104_729 + t_ms / 300) % peers as u64);
        (1..60).for_each(|salt| seed.push(mix(t_ms * 100, &name(0), &name(salt))));
        let name = name(0);
        seed.push(Row::Round(RoundRow { t_ms: t_ms * 100, name, test_accuracy: Some(0.5), ..RoundRow::default() }));
        seed.push(network(t_ms * 100));
        seed.push(fault(t_ms * 100, "loss", "p0", "packets are lost"));
    }
    let page = page(vec![seed]);
    let (seed, limit) = (&page.seeds[0], &page.thinning);
    assert!(seed.network.t.len() <= limit.samples && seed.network.t.last() == Some(&599_900));
    assert!(seed.topology.mixes.len() / 4 <= limit.mixes);
    assert_eq!((seed.matrix.block, seed.matrix.size), (3, 100));
    assert_eq!(seed.matrix.models.iter().sum::<u64>(), 6000 * 59);
    assert_eq!(seed.faults.len() + seed.faults_left_out, 6000);
    assert!(seed.curves.iter().map(|curve| curve.t.len()).sum::<usize>() <= limit.points);
    assert!(render(Page::Report, &page).len() < 5_000_000);
}

#[test]
fn text_of_a_run_cannot_end_its_element() {
    let mut seed = seed(1);
    seed.push(fault(1, "crash", "p0", "</script><img src=x onerror=alert(1)>"));
    let text = render(Page::Report, &page(vec![seed]));
    assert_eq!(text.matches("</script>").count(), 3);
    assert!(!text.contains("<img") && text.contains("\\u003cimg"));
    assert!(!text.contains("https://") && !text.contains("src=\"http"));
}

#[test]
fn a_run_without_seeds_has_a_page() {
    let page = page(Vec::new());
    assert!(page.cut && page.outcome.worst == [0.0, 0.0]);
    assert!(render(Page::Report, &page).contains("\"seeds\":[]"));
}

#[test]
fn picks_are_even_and_end_with_the_last() {
    assert_eq!(picked(0, 10).count(), 0);
    assert_eq!(picked(3, 10).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(picked(10, 4).collect::<Vec<_>>(), [0, 4, 8, 9]);
    for (count, most) in [(1, 2), (100, 7), (601, 600), (1_000_000, 800)] {
        let all: Vec<usize> = picked(count, most).collect();
        assert!(all.len() <= most && all.last() == Some(&(count - 1)), "{count} {most}: {}", all.len());
    }
}

#[test]
fn five_digits_are_kept() {
    assert_eq!(brief(1.0 / 3.0), 0.33333);
    assert_eq!(brief(-123.456_789), -123.46);
    assert_eq!(brief(98_765_432.1), 98_765_432.1);
    assert_eq!(brief(1.234_567e-9), 1.2346e-9);
    assert_eq!(brief(0.0), 0.0);
}

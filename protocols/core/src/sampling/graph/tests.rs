use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const SOME_EDGES: &str = "# a triangle, a tail and a far one\n0 1\n1,2\n 2\t0 # closes\n\n2, 3\n3 2\n3 90\n";

fn families() -> Vec<Graph> {
    let mut all = vec![Graph::Line, Graph::Ring, Graph::Star, Graph::Torus, Graph::Complete, Graph::OnePeerExponential];
    all.extend((1..=9).map(|degree| Graph::RandomRegular { degree, seed: 7 }));
    all.extend((1..=9).map(|k| Graph::BaseK { k }));
    all.push(Graph::Edges(EdgeList::parse("some", SOME_EDGES).unwrap()));
    all
}

/// One round of mixing. Shapes: `values: [n]`, answer `[n]`.
fn mixed(graph: &Graph, values: &[f64], round: u64) -> Vec<f64> {
    let table = graph.weight_table(values.len(), round);
    let mix = |(row, own): (&Vec<(usize, f64)>, &f64)| {
        row.iter().map(|&(other, weight)| weight * (values[other] - own)).sum::<f64>() + own
    };
    table.iter().zip(values).map(mix).collect()
}

/// The largest distance from the exact mean after one period, over all starts with one peer at 1 and the others at 0.
fn error_after_a_period(graph: &Graph, n: usize, first: u64) -> f64 {
    let start = |peer: usize| {
        let values: Vec<f64> = (0..n).map(|rank| if rank == peer { 1.0 } else { 0.0 }).collect();
        let rounds = first..first + graph.period(n);
        rounds.fold(values, |values, round| mixed(graph, &values, round))
    };
    (0..n).flat_map(start).map(|value| (value - 1.0 / n as f64).abs()).fold(0.0, f64::max)
}

fn is_connected(table: &Table) -> bool {
    let mut reached = BTreeSet::from([0]);
    let mut open = vec![0];
    while let Some(rank) = open.pop() {
        open.extend(table[rank].iter().copied().filter(|&other| reached.insert(other)));
    }
    reached.len() == table.len()
}

#[test]
fn base_k_is_exact_after_one_period() {
    for k in 1..=4 {
        for n in 2..=40 {
            let error = error_after_a_period(&Graph::BaseK { k }, n, 0);
            assert!(error < 1e-9, "k {k} n {n}: {error}");
        }
    }
}

#[test]
fn base_k_is_exact_for_larger_and_odder_numbers() {
    for (k, n) in [(1, 127), (1, 201), (2, 143), (3, 97), (5, 121), (6, 210), (7, 255), (9, 101), (40, 41), (1000, 30)]
    {
        let error = error_after_a_period(&Graph::BaseK { k }, n, 0);
        assert!(error < 1e-9, "k {k} n {n}: {error}");
    }
}

#[test]
fn base_k_repeats_and_never_exceeds_its_degree() {
    for k in 1..=5 {
        for n in 1..=60 {
            let graph = Graph::BaseK { k };
            let period = graph.period(n);
            for round in 0..period {
                let table = graph.table(n, round);
                assert!(table.iter().all(|neighbours| neighbours.len() <= k), "k {k} n {n} round {round}");
                assert_eq!(table, graph.table(n, round + 3 * period));
            }
        }
    }
}

#[test]
fn base_k_is_as_short_as_the_paper_says() {
    // Theorem 1: at most 2 log_{k+1}(n) + 2 rounds.
    for k in 1..=4 {
        for n in 2..=300 {
            let most = 2.0 * (n as f64).ln() / (k as f64 + 1.0).ln() + 2.0;
            assert!(Graph::BaseK { k }.period(n) as f64 <= most + 1e-9, "k {k} n {n}");
        }
    }
    // Five are 4 + 1: two rounds within, one to hand over, two to even out. Six are two copies of three, then across.
    assert_eq!(Graph::BaseK { k: 1 }.period(5), 5);
    assert_eq!(Graph::BaseK { k: 1 }.period(6), 4);
    assert_eq!(Graph::BaseK { k: 1 }.period(8), 3);
    assert_eq!(Graph::BaseK { k: 2 }.period(6), 2);
}

#[test]
fn one_peer_exponential_is_exact_for_powers_of_two_whenever_it_starts() {
    for n in [2, 4, 8, 16, 32, 64] {
        for first in [0, 1, 1000] {
            assert!(error_after_a_period(&Graph::OnePeerExponential, n, first) < 1e-12, "n {n}");
        }
    }
    assert!(error_after_a_period(&Graph::OnePeerExponential, 6, 0) > 1e-3);
}

#[test]
fn exponential_offsets_are_the_powers_of_two() {
    let ahead = |round| Graph::OnePeerExponential.neighbours(4, 6, round);
    assert_eq!([ahead(0), ahead(1), ahead(2), ahead(3)], [[5], [0], [2], [5]]);
    assert!(Graph::OnePeerExponential.neighbours(0, 1, 9).is_empty());
    assert_eq!(Graph::OnePeerExponential.period(1), 1);
}

#[test]
fn small_graphs_by_hand() {
    assert_eq!(Graph::Line.table(3, 0), [vec![1], vec![0, 2], vec![1]]);
    assert_eq!(Graph::Ring.table(4, 0), [[1, 3], [0, 2], [1, 3], [0, 2]]);
    assert_eq!(Graph::Ring.table(2, 0), [[1], [0]]);
    assert_eq!(Graph::Star.table(3, 0), [vec![1, 2], vec![0], vec![0]]);
    assert_eq!(Graph::Complete.table(3, 0), [[1, 2], [0, 2], [0, 1]]);
    assert_eq!(Graph::Torus.neighbours(0, 12, 0), [1, 3, 4, 8]);
    assert_eq!(Graph::Torus.neighbours(5, 12, 0), [1, 4, 6, 9]);
    assert_eq!(Graph::Torus.table(7, 0), Graph::Ring.table(7, 0));
    assert_eq!(Graph::Star.weights(0, 3, 0), [(1, 1.0 / 3.0), (2, 1.0 / 3.0)]);
}

#[test]
fn random_regular_graphs_are_regular_and_connected() {
    for degree in 1..=9 {
        for n in 1..=40 {
            for seed in 0..20 {
                let table = Graph::RandomRegular { degree, seed }.table(n, 0);
                let most = degree.min(n - 1);
                let missing: usize = table.iter().map(|neighbours| most - neighbours.len()).sum();
                assert_eq!(missing, n * most % 2, "degree {degree} n {n} seed {seed}");
                assert!(most < 3 || is_connected(&table), "degree {degree} n {n} seed {seed}");
            }
        }
    }
}

#[test]
fn random_regular_graphs_are_decided_by_their_seed() {
    let table = |seed| Graph::RandomRegular { degree: 4, seed }.table(100, 0);
    assert_eq!(table(1), table(1));
    assert_ne!(table(1), table(2));
    assert!(is_connected(&Graph::RandomRegular { degree: 3, seed: 0 }.table(5000, 0)));
}

#[test]
fn random_regular_graphs_favour_no_edge() {
    // Every pair of 12 peers is an edge of a 3-regular graph with chance 3/11.
    let mut counts = [[0_u32; 12]; 12];
    for seed in 0..4000 {
        let table = Graph::RandomRegular { degree: 3, seed }.table(12, 0);
        for (rank, neighbours) in table.iter().enumerate() {
            neighbours.iter().for_each(|&other| counts[rank][other] += 1);
        }
    }
    let expected = 4000.0 * 3.0 / 11.0;
    let pairs = (0..12).flat_map(|a| (0..a).map(move |b| (a, b)));
    let worst = pairs.map(|(a, b)| (f64::from(counts[a][b]) - expected).abs()).fold(0.0, f64::max);
    assert!(worst < 5.0 * 28.2, "{worst}");
}

#[test]
fn edge_lists_are_read_and_cut_to_the_network() {
    let edges = EdgeList::parse("net.txt", SOME_EDGES).unwrap();
    assert_eq!((edges.path(), edges.peers()), ("net.txt", 91));
    let graph = Graph::Edges(edges);
    assert_eq!(graph.table(4, 0), [vec![1, 2], vec![0, 2], vec![0, 1, 3], vec![2]]);
    assert_eq!(graph.neighbours(3, 91, 5), [2, 90]);
    assert!(graph.neighbours(90, 90, 0).is_empty());
    assert_eq!(EdgeList::parse("", "").unwrap().peers(), 0);
}

#[test]
fn faulty_edge_lists_are_refused_by_line() {
    let fault = |text: &str| EdgeList::parse("e", text).map_err(|error| (error.line, error.fault)).unwrap_err();
    assert_eq!(fault("0 1\n# 2\n7"), (3, EdgeFault::Words { got: 1 }));
    assert_eq!(fault("0 1 2"), (1, EdgeFault::Words { got: 3 }));
    assert_eq!(fault("0 -1"), (1, EdgeFault::Rank { got: "-1".into() }));
    assert_eq!(fault("0 99999999999999999999999"), (1, EdgeFault::Rank { got: "9".repeat(23) }));
    assert_eq!(fault("0 1\r\n4,4\r\n"), (2, EdgeFault::Loop { rank: 4 }));
    assert_eq!(fault(&"0 1\n".repeat(MAX_EDGES + 1)), (MAX_EDGES + 1, EdgeFault::TooMany));
    let shown = EdgeList::parse("net.txt", "0 1\n0 x").unwrap_err().to_string();
    assert_eq!(shown, "net.txt, line 2: \"x\" is not a rank (0, 1, 2, ...)");
}

#[test]
fn text_round_trips() {
    let texts =
        ["line", "ring", "star", "torus", "complete", "exponential", "regular:4", "regular:4:9", "base:1", "base:3"];
    for text in texts {
        assert_eq!(text.parse::<Graph>().unwrap().to_string(), text);
    }
    assert_eq!("regular:4".parse(), Ok(Graph::RandomRegular { degree: 4, seed: 0 }));
    assert_eq!("base:3".parse(), Ok(Graph::BaseK { k: 3 }));
    assert_eq!(Graph::Edges(EdgeList::parse("a b.txt", "").unwrap()).to_string(), "edges:a b.txt");
}

#[test]
fn bad_text_is_refused_with_a_reason() {
    let message = |text: &str| text.parse::<Graph>().unwrap_err().to_string();
    for text in ["", "Ring", "ring:2", "edges", "edges:", "äöü:ß", "hypercube"] {
        assert!(message(text).contains("regular:DEGREE"), "{text}");
    }
    for text in ["regular:", "regular:0", "regular:x", "regular:-1:4", "base:", "base:0", "base:1:2"] {
        assert!(message(text).contains("at least 1"), "{text}");
    }
    assert!(message("regular:3:x").contains("seed"));
    assert!(message("edges:net.txt").contains("edges:net.txt names a file"));
}

proptest! {
    #[test]
    fn neighbours_are_sorted_others_and_agree_with_tables(n in 0_usize..70, round in any::<u64>()) {
        for graph in families() {
            let table = graph.table(n, round);
            let weights = graph.weight_table(n, round);
            prop_assert_eq!((table.len(), weights.len()), (n, n));
            for (rank, neighbours) in table.iter().enumerate() {
                prop_assert!(neighbours.is_sorted_by(|a, b| a < b));
                prop_assert!(neighbours.iter().all(|&other| other < n && other != rank));
                prop_assert_eq!(neighbours, &graph.neighbours(rank, n, round));
                prop_assert_eq!(neighbours.len(), graph.degree_of(rank, n, round));
                prop_assert_eq!(&weights[rank], &graph.weights(rank, n, round));
                prop_assert!(weights[rank].iter().map(|(other, _)| other).eq(neighbours));
            }
            prop_assert!(graph.neighbours(n, n, round).is_empty());
            prop_assert!(graph.weights(n, n, round).is_empty());
            prop_assert_eq!(graph.degree_of(n, n, round), 0);
        }
    }

    #[test]
    fn every_round_is_doubly_stochastic(n in 1_usize..70, round in any::<u64>()) {
        for graph in families() {
            let mut columns = vec![1.0; n];
            for (rank, row) in graph.weight_table(n, round).iter().enumerate() {
                let given: f64 = row.iter().map(|(_, weight)| weight).sum();
                prop_assert!(row.iter().all(|(_, weight)| *weight > 0.0) && given < 1.0 + 1e-12, "{} {}", graph, n);
                columns[rank] -= 1.0 - given;
                row.iter().for_each(|&(other, weight)| columns[other] -= weight);
            }
            prop_assert!(columns.iter().all(|left| left.abs() < 1e-9), "{} {} {:?}", graph, n, columns);
        }
    }

    #[test]
    fn all_but_the_exponential_are_undirected(n in 1_usize..70, round in any::<u64>()) {
        for graph in families().into_iter().filter(|graph| *graph != Graph::OnePeerExponential) {
            let table = graph.table(n, round);
            let mut pairs = table.iter().enumerate().flat_map(|(a, others)| others.iter().map(move |&b| (a, b)));
            prop_assert!(pairs.all(|(a, b)| table[b].contains(&a)), "{} {}", graph, n);
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,60}") {
        let _ = text.parse::<Graph>();
        let _ = EdgeList::parse("", &text);
    }
}

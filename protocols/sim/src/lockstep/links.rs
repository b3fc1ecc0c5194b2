//! Who hears whom.

use peerlearn_protocols::id::PeerId;
use peerlearn_protocols::sampling::{Graph, Prefix, Source, draw_guarded};
use rand::seq::IteratorRandom;
use rand_chacha::ChaCha8Rng;

/// Who hears whom in a round, and with which weight.
#[derive(Debug, Clone)]
pub enum Links {
    /// Every peer pulls from so many others, drawn afresh (Epidemic Learning, EL-Local with pulls). Attackers may have
    /// several identities each.
    Fresh {
        /// Peers drawn.
        fan_out: usize,
        /// Identities of one attacker; an honest peer has one.
        identities: usize,
        /// Whether origins are drawn instead of identities ([`draw_guarded`]); every attacker is one origin.
        guarded: bool,
    },
    /// The neighbours in a graph, with its weights.
    Graph(Graph),
    /// For every peer its neighbours with their weights; the own weight is what is left.
    Fixed(Vec<Vec<(usize, f32)>>),
}

/// One model to hear: whose, under which identity, and the weight the graph gives it (0 without a graph).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WeightedEdge {
    pub from: usize,
    pub identity: PeerId,
    pub weight: f32,
}

impl Links {
    /// Everyone hears everyone.
    pub fn complete() -> Self {
        Links::Graph(Graph::Complete)
    }

    /// Fresh draws of honest identities.
    pub fn fresh(fan_out: usize) -> Self {
        Links::Fresh { fan_out, identities: 1, guarded: false }
    }

    /// Fixed links from undirected edges, with Metropolis-Hastings weights 1 / (1 + larger degree) (Xiao, Boyd, Kim
    /// 2007, equation 4), made lazy by `lazy` times (I + W) / 2.
    pub fn metropolis(peers: usize, edges: &[(usize, usize)], lazy: u32) -> Self {
        let mut neighbours = vec![Vec::new(); peers];
        for &(a, b) in edges {
            neighbours[a].push(b);
            neighbours[b].push(a);
        }
        let degree: Vec<usize> = neighbours.iter().map(Vec::len).collect();
        let factor = 0.5f32.powi(lazy as i32);
        let weight = |a: usize, b: usize| factor / (1 + degree[a].max(degree[b])) as f32;
        let row = |a: usize| neighbours[a].iter().map(|&b| (b, weight(a, b))).collect();
        Links::Fixed((0..peers).map(row).collect())
    }

    /// Whom each peer hears in this round.
    pub(super) fn of_round(&self, honest: &[bool], round: u64, rngs: &mut [ChaCha8Rng]) -> Vec<Vec<WeightedEdge>> {
        let peers = honest.len();
        match self {
            Links::Graph(graph) => {
                let table = graph.weight_table(peers, round);
                let link = |&(from, weight): &(usize, f64)| plain(from, weight as f32);
                table.iter().map(|row| row.iter().map(link).collect()).collect()
            }
            Links::Fixed(rows) => {
                rows.iter().map(|row| row.iter().map(|&(from, weight)| plain(from, weight)).collect()).collect()
            }
            Links::Fresh { fan_out, identities, guarded } => {
                let pool = pool(honest, *identities);
                let draw = |(own, rng)| draw(own, *fan_out, *guarded, &pool, rng);
                rngs.iter_mut().enumerate().map(draw).collect()
            }
        }
    }
}

fn plain(from: usize, weight: f32) -> WeightedEdge {
    WeightedEdge { from, identity: identity(from, 0), weight }
}

/// The name of one identity of a peer.
pub(super) fn identity(peer: usize, number: usize) -> PeerId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&(peer as u64).to_be_bytes());
    id[8..16].copy_from_slice(&(number as u64).to_be_bytes());
    PeerId(id)
}

/// All identities with the peer behind them.
fn pool(honest: &[bool], identities: usize) -> Vec<(usize, Source)> {
    let source = |peer: usize, number| Source {
        peer: identity(peer, number),
        introducer: None,
        // Each peer has a prefix of its own, all identities of an attacker the same.
        prefix: Prefix::V4([(peer >> 8) as u8, peer as u8]),
    };
    let numbers = |peer: usize| 0..if honest[peer] { 1 } else { identities };
    (0..honest.len()).flat_map(|peer| numbers(peer).map(move |number| (peer, source(peer, number)))).collect()
}

fn draw(own: usize, count: usize, guarded: bool, pool: &[(usize, Source)], rng: &mut ChaCha8Rng) -> Vec<WeightedEdge> {
    let others = pool.iter().filter(|(peer, _)| *peer != own);
    let drawn: Vec<PeerId> = if guarded {
        draw_guarded(&others.map(|(_, source)| *source).collect::<Vec<_>>(), count, rng)
    } else {
        others.map(|(_, source)| source.peer).sample(rng, count)
    };
    let peer_of = |identity: PeerId| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&identity.0[..8]);
        u64::from_be_bytes(bytes) as usize
    };
    drawn.into_iter().map(|identity| WeightedEdge { from: peer_of(identity), identity, weight: 0.0 }).collect()
}

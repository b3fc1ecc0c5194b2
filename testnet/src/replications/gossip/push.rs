//! Gossipy's simulation of pushed models (commit ea85ab1), tick by tick.
//!
//! All nodes start from one model and train it for an epoch. In every round a node pushes its model to one random
//! neighbour, at a tick of its own. What arrives at a node that is there is merged and trained on at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use peerlearn_protocols::dataset::Dataset;
use peerlearn_sim::Model;
use rand::RngExt;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::Merge;
use super::prepared::{Mark, Prepared};
use super::token::Account;

/// A model with the number of updates behind each of its parts.
#[derive(Debug, Clone)]
struct State {
    params: Vec<f32>,
    ages: Vec<u64>,
}

struct Message {
    to: usize,
    key: Key,
    /// The part that is meant, where only one is.
    part: usize,
}

/// Sender and ages: what gossipy takes models on their way for the same by.
type Key = (usize, Vec<u64>);

struct Pushes<'a> {
    prepared: &'a Prepared<'a>,
    nodes: Vec<State>,
    accounts: Vec<Account>,
    neighbours: Vec<Vec<usize>>,
    /// The tick of the round at which each node acts.
    offsets: Vec<u64>,
    /// Messages by the tick they arrive at, the present one first.
    queue: VecDeque<VecDeque<Message>>,
    /// Models on their way, with the number of messages that mean them.
    flying: BTreeMap<Key, (State, usize)>,
    rng: ChaCha8Rng,
}

/// Runs an experiment and measures it at its checkpoints.
pub(super) fn run(prepared: &Prepared<'_>) -> Vec<Mark> {
    let mut pushes = Pushes::new(prepared);
    let mut round = 0;
    let mut marks = Vec::new();
    for checkpoint in prepared.experiment.checkpoints(prepared.setup) {
        while round < checkpoint {
            pushes.round();
            round += 1;
        }
        let models: Vec<&[f32]> = pushes.nodes.iter().map(|node| &node.params[..]).collect();
        marks.push(prepared.mark(round, &models));
    }
    marks
}

impl<'a> Pushes<'a> {
    fn new(prepared: &'a Prepared<'a>) -> Self {
        let setup = prepared.setup;
        let mut rng = ChaCha8Rng::seed_from_u64(prepared.seed ^ 0x9055);
        let parts = if prepared.experiment.merge == Merge::Parts { prepared.experiment.parts } else { 1 };
        let state = State { params: prepared.model.initial(prepared.seed), ages: vec![0; parts] };
        let mut pushes = Self {
            prepared,
            nodes: vec![state; setup.nodes],
            accounts: vec![Account::default(); setup.nodes],
            neighbours: random_regular(setup.nodes, setup.degree, &mut rng),
            offsets: (0..setup.nodes).map(|_| rng.random_range(0..setup.ticks)).collect(),
            queue: VecDeque::new(),
            flying: BTreeMap::new(),
            rng,
        };
        for node in 0..setup.nodes {
            epoch(prepared, &prepared.parts[node], &mut pushes.nodes[node], &mut pushes.rng);
        }
        pushes
    }

    fn round(&mut self) {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.shuffle(&mut self.rng);
        let last = order[order.len() - 1];
        for tick in 0..self.prepared.setup.ticks {
            for &node in &order {
                if self.offsets[node] == tick && self.wants_to_send(node) {
                    self.push(node);
                }
            }
            self.deliver(last);
        }
    }

    fn wants_to_send(&mut self, node: usize) -> bool {
        match self.prepared.experiment.tokens {
            Some(limits) => self.accounts[node].acts(limits, &mut self.rng),
            None => true,
        }
    }

    /// Sends a copy of the model to a random neighbour.
    fn push(&mut self, node: usize) {
        let neighbours = &self.neighbours[node];
        let to = neighbours[self.rng.random_range(0..neighbours.len())];
        let part = self.rng.random_range(0..self.nodes[node].ages.len());
        if self.rng.random_bool(self.prepared.experiment.loss) {
            return;
        }
        let delay = self.rng.random_range(0..=self.prepared.setup.delay) as usize;
        while self.queue.len() <= delay {
            self.queue.push_back(VecDeque::new());
        }
        let key = (node, self.nodes[node].ages.clone());
        self.flying.entry(key.clone()).or_insert_with(|| (self.nodes[node].clone(), 0)).1 += 1;
        self.queue[delay].push_back(Message { to, key, part });
    }

    /// Hands out what arrives at this tick. `last` is the node that gossipy takes for the receiver when it answers.
    fn deliver(&mut self, last: usize) {
        while let Some(message) = self.queue.front_mut().and_then(VecDeque::pop_front) {
            let is_there = self.rng.random_bool(self.prepared.experiment.online);
            if is_there {
                self.take_in(&message);
            }
            self.forget(&message.key);
            let to = message.to;
            if let (true, Some(limits)) = (is_there, self.prepared.experiment.tokens) {
                // Gossipy charges the receiver, but it is the last node of its loop that sends.
                for _ in 0..self.accounts[to].reacts(limits, &mut self.rng) {
                    self.push(last);
                }
            }
        }
        self.queue.pop_front();
    }

    fn forget(&mut self, key: &Key) {
        let last = self.flying.get_mut(key).is_some_and(|(_, messages)| {
            *messages -= 1;
            *messages == 0
        });
        if last {
            self.flying.remove(key);
        }
    }

    fn take_in(&mut self, message: &Message) {
        let (prepared, own, part) = (self.prepared, &mut self.nodes[message.to], message.part);
        let rows = &prepared.parts[message.to];
        let Some((state, _)) = self.flying.get_mut(&message.key) else { return };
        match prepared.experiment.merge {
            Merge::Plain => merge(own, state, 0, 0.5, |_| 0),
            Merge::Limited => {
                let (ours, theirs, apart) = (own.ages[0], state.ages[0], prepared.experiment.most_apart);
                let weight = match (ours > theirs + apart, theirs > ours + apart) {
                    (true, _) => 0.0,
                    (_, true) => 1.0,
                    _ => share(ours, theirs),
                };
                merge(own, state, 0, weight, |_| 0);
            }
            Merge::Parts => {
                // The model that came is trained, not the own; messages that share it train it in turn.
                epoch(prepared, rows, state, &mut self.rng);
                let weight = share(own.ages[part], state.ages[part]);
                let layout = Parts::new(prepared, own.ages.len());
                merge(own, state, part, weight, |at| layout.of(at));
                return;
            }
        }
        epoch(prepared, rows, own, &mut self.rng);
    }
}

/// Weight of theirs in a merge by age.
fn share(ours: u64, theirs: u64) -> f32 {
    theirs as f32 / (ours + theirs).max(1) as f32
}

/// Moves one part towards another model; its age becomes the larger one.
fn merge(own: &mut State, other: &State, part: usize, weight: f32, part_of: impl Fn(usize) -> usize) {
    for (at, (own, other)) in own.params.iter_mut().zip(&other.params).enumerate() {
        if part_of(at) == part {
            *own = (1.0 - weight) * *own + weight * other;
        }
    }
    own.ages[part] = own.ages[part].max(other.ages[part]);
}

/// One pass over some rows; the last batch may be short.
fn epoch(prepared: &Prepared<'_>, rows: &Dataset, state: &mut State, rng: &mut ChaCha8Rng) {
    let (rate, decay) = (prepared.experiment.learning_rate, prepared.setup.weight_decay);
    let layout = Parts::new(prepared, state.ages.len());
    let by_age = prepared.experiment.merge == Merge::Parts;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.shuffle(rng);
    let mut gradient = vec![0.0; state.params.len()];
    for batch in order.chunks(prepared.setup.batch) {
        prepared.model.gradient(&state.params, rows, batch, rng, &mut gradient);
        state.ages.iter_mut().for_each(|age| *age += 1);
        for (at, (value, gradient)) in state.params.iter_mut().zip(&gradient).enumerate() {
            let slower = if by_age { state.ages[layout.of(at)] as f32 } else { 1.0 };
            *value -= rate * (gradient / slower + decay * *value);
        }
    }
}

/// Gossipy's parts: equal runs of the weights column by column, then the biases.
struct Parts {
    inputs: usize,
    outputs: usize,
    size: usize,
}

impl Parts {
    fn new(prepared: &Prepared<'_>, parts: usize) -> Self {
        let (inputs, outputs) = (prepared.parts[0].width(), prepared.parts[0].classes());
        Self { inputs, outputs, size: ((inputs + 1) * outputs).div_ceil(parts) }
    }

    fn of(&self, at: usize) -> usize {
        let weights = self.inputs * self.outputs;
        let place = if at < weights { at % self.inputs * self.outputs + at / self.inputs } else { at };
        place / self.size
    }
}

/// A random graph in which everyone has `degree` neighbours: stubs are paired until all fit (Steger, Wormald 1999).
fn random_regular(nodes: usize, degree: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    loop {
        let mut edges = BTreeSet::new();
        let mut stubs: Vec<usize> = (0..nodes * degree).map(|stub| stub / degree).collect();
        let mut left = usize::MAX;
        // Pairs that do not fit go back; where none fits any more, everything starts anew.
        while !stubs.is_empty() && stubs.len() < left {
            left = stubs.len();
            stubs.shuffle(rng);
            let mut back = Vec::new();
            for pair in stubs.chunks_exact(2) {
                let edge = (pair[0].min(pair[1]), pair[0].max(pair[1]));
                if edge.0 == edge.1 || !edges.insert(edge) {
                    back.extend_from_slice(pair);
                }
            }
            stubs = back;
        }
        if stubs.is_empty() {
            let mut neighbours = vec![Vec::new(); nodes];
            for (a, b) in edges {
                neighbours[a].push(b);
                neighbours[b].push(a);
            }
            return neighbours;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_of_a_regular_graph_has_its_neighbours_once() {
        let graph = random_regular(100, 20, &mut ChaCha8Rng::seed_from_u64(3));
        for (node, neighbours) in graph.iter().enumerate() {
            let distinct: BTreeSet<usize> = neighbours.iter().copied().collect();
            assert_eq!((neighbours.len(), distinct.len()), (20, 20));
            assert!(!distinct.contains(&node) && distinct.iter().all(|other| graph[*other].contains(&node)));
        }
    }

    #[test]
    fn parts_are_equal_and_run_down_the_columns() {
        // 57 inputs and 2 outputs: 116 parameters in 4 parts of 29.
        let parts = Parts { inputs: 57, outputs: 2, size: 29 };
        let sizes = [0, 1, 2, 3].map(|part| (0..116).filter(|at| parts.of(*at) == part).count());
        assert_eq!(sizes, [29; 4]);
        // Column 14 is cut in two; the biases come last.
        assert_eq!([14, 57 + 14, 114, 115].map(|at| parts.of(at)), [0, 1, 3, 3]);
    }

    #[test]
    fn a_merge_moves_its_part_only() {
        let state = |value, age| State { params: vec![value; 4], ages: vec![age, age] };
        let mut own = state(0.0, 1);
        merge(&mut own, &state(4.0, 3), 1, share(1, 3), |at| at / 2);
        assert_eq!((own.params, own.ages), (vec![0.0, 0.0, 3.0, 3.0], vec![1, 3]));
    }
}

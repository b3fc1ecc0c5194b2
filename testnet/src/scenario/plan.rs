//! A scenario for one seed: every peer with its settings, every step in time, all of it checked.

use std::collections::BTreeSet;
use std::time::Duration;

use peerlearn::NodeConfig;
use peerlearn::config::{ConfigError, Layers};
use peerlearn_sim::attack::Attack;
use toml::{Table, Value};

use super::timeline::{Act, Names, Step, steps};
use super::{Document, LinkSetup, Scenario, ScenarioError};

/// Most peers of one scenario; only the simulator takes so many.
pub const MAX_PEERS: usize = 100_000;
/// Most seeds of one scenario.
const MAX_SEEDS: usize = 1000;
/// Settings of a node that the runner decides itself.
const TAKEN: [&str; 6] =
    ["round.rounds", "round.min_interval", "training.seed", "network.contacts", "network.mdns", "data"];

/// One peer of a plan.
#[derive(Debug, Clone)]
pub struct PeerPlan {
    /// Its name, which no other peer has.
    pub name: String,
    /// The name of its group.
    pub group: String,
    /// What it does to others, if it is an attacker.
    pub attack: Option<Attack>,
    /// How many times slower its rounds are.
    pub slow: f64,
    /// When it comes.
    pub joins_at: Duration,
    /// Its links, with what the scenario says for all.
    pub links: LinkSetup,
    /// All its settings but contacts and data.
    pub config: NodeConfig,
}

/// A scenario for one seed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The seed.
    pub seed: u64,
    /// Who is there.
    pub peers: Vec<PeerPlan>,
    /// What happens when, in the order of time.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Makes a plan and checks everything but the data, which [`super::partition_rows`] checks.
    ///
    /// # Errors
    /// The first thing that cannot be, with file, line and key.
    pub fn new(document: &Document, seed: u64) -> Result<Self, ScenarioError> {
        let scenario = document.scenario()?;
        check_numbers(document, &scenario)?;
        let peers = peers(document, &scenario, seed)?;
        let names: Vec<(String, String)> = peers.iter().map(|peer| (peer.name.clone(), peer.group.clone())).collect();
        let joins: Vec<Duration> = peers.iter().map(|peer| peer.joins_at).collect();
        let steps = steps(&scenario, &Names { peers: &names }, &joins, document.folder(), seed)
            .map_err(|(key, reason)| document.wrong(&key, reason))?;
        let plan = Self { scenario, seed, peers, steps };
        plan.check_expectations(document)?;
        Ok(plan)
    }

    /// Peers that do not attack.
    pub fn honest(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        self.peers.iter().enumerate().filter(|(_, peer)| peer.attack.is_none()).map(|(index, _)| index)
    }

    /// Peers that are down when everything has happened.
    pub fn down_at_the_end(&self) -> BTreeSet<usize> {
        let mut down = BTreeSet::new();
        for act in self.steps.iter().flat_map(|step| &step.acts) {
            match act {
                Act::Crash(peer) | Act::Leave(peer) => drop(down.insert(*peer)),
                Act::Return(peer) => drop(down.remove(peer)),
                _ => {}
            }
        }
        down
    }

    fn check_expectations(&self, document: &Document) -> Result<(), ScenarioError> {
        let (scenario, expect) = (&self.scenario, &self.scenario.expect);
        let wrong = |key: &str, reason: String| Err(document.wrong(key, reason));
        for (key, value) in [("worst", expect.worst), ("mean", expect.mean), ("worst_tenth", expect.worst_tenth)] {
            if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
                return wrong(&format!("expect.{key}"), "an accuracy is a fraction, from 0 to 1".to_owned());
            }
        }
        if let Some(rounds) = expect.rounds.filter(|rounds| *rounds > scenario.rounds) {
            return wrong("expect.rounds", format!("{rounds} rounds cannot be reached: rounds is {}", scenario.rounds));
        }
        if let Some(within) = expect.within.filter(|within| within.0 > scenario.time_limit.0) {
            return wrong(
                "expect.within",
                format!("{within} is longer than the time limit of {}", scenario.time_limit),
            );
        }
        let down = self.down_at_the_end();
        let there = self.honest().filter(|peer| !down.contains(peer)).count();
        if let Some(up) = expect.up.filter(|up| *up > there) {
            return wrong("expect.up", format!("{up} cannot be reached: {there} honest peers are up at the end"));
        }
        if there == 0 {
            return wrong("fault", "no honest peer is up at the end, so nothing could be measured".to_owned());
        }
        Ok(())
    }
}

fn check_numbers(document: &Document, scenario: &Scenario) -> Result<(), ScenarioError> {
    let wrong = |key: &str, reason: String| Err(document.wrong(key, reason));
    let name_fits = |name: &str| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if !name_fits(&scenario.name) {
        return wrong("name", "a name has 1 to 64 letters, digits, - and _".to_owned());
    }
    let distinct: BTreeSet<u64> = scenario.seeds.iter().copied().collect();
    if !(1..=MAX_SEEDS).contains(&scenario.seeds.len()) || distinct.len() != scenario.seeds.len() {
        return wrong("seeds", format!("1 to {MAX_SEEDS} different seeds are needed"));
    }
    if !(1..=1_000_000).contains(&scenario.rounds) {
        return wrong("rounds", format!("{} is not from 1 to 1000000", scenario.rounds));
    }
    if scenario.until_accuracy.is_some_and(|until| !(0.0..=1.0).contains(&until)) {
        return wrong("until_accuracy", "an accuracy is a fraction, from 0 to 1".to_owned());
    }
    let least = scenario.pace.0.saturating_mul(u32::try_from(scenario.rounds).unwrap_or(u32::MAX));
    if least > scenario.time_limit.0 && scenario.until_accuracy.is_none() {
        let reason =
            format!("{} rounds of {} take longer than {}", scenario.rounds, scenario.pace, scenario.time_limit);
        return wrong("time_limit", reason);
    }
    check_links(document, "links", &scenario.links)?;
    if scenario.groups.is_empty() {
        return wrong("group", "a scenario needs at least one group of peers".to_owned());
    }
    let mut names = BTreeSet::new();
    for (index, group) in scenario.groups.iter().enumerate() {
        let key = |name: &str| format!("group.{index}.{name}");
        if !name_fits(&group.name) || !names.insert(&group.name) {
            return wrong(&key("name"), "a group has a name of its own, of letters, digits, - and _".to_owned());
        }
        if !(1..=MAX_PEERS).contains(&group.count) {
            return wrong(&key("count"), format!("{} is not from 1 to {MAX_PEERS}", group.count));
        }
        if !(1e-3..=1e3).contains(&group.slow) {
            return wrong(&key("slow"), format!("{} is not from 0.001 to 1000", group.slow));
        }
        check_links(document, &key("links"), &group.links)?;
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        check_links(document, &format!("fault.{index}.links"), &fault.links)?;
    }
    Ok(())
}

fn check_links(document: &Document, key: &str, links: &LinkSetup) -> Result<(), ScenarioError> {
    if links.delay.is_some_and(|(least, most)| least > most || most.0 > Duration::from_secs(60)) {
        return Err(document.wrong(&format!("{key}.delay"), "write [SHORTEST, LONGEST], 60s at most"));
    }
    if links.loss.is_some_and(|loss| !(0.0..1.0).contains(&loss)) {
        return Err(document.wrong(&format!("{key}.loss"), "a loss is a chance, from 0 to below 1"));
    }
    if links.rate.is_some_and(|rate| rate.0 < 1000) {
        return Err(document.wrong(&format!("{key}.rate"), "a rate is 1kB a second or more"));
    }
    Ok(())
}

fn peers(document: &Document, scenario: &Scenario, seed: u64) -> Result<Vec<PeerPlan>, ScenarioError> {
    let total: usize = scenario.groups.iter().map(|group| group.count).sum();
    if total > MAX_PEERS {
        return Err(document.wrong("group", format!("{total} peers; {MAX_PEERS} at most")));
    }
    let common = settings(document, "node", &scenario.node)?;
    let mut peers = Vec::with_capacity(total);
    for (index, group) in scenario.groups.iter().enumerate() {
        let key = format!("group.{index}");
        let attack = group.attack.as_deref().map(str::parse::<Attack>).transpose();
        let attack = attack.map_err(|error| document.wrong(&format!("{key}.attack"), error.to_string()))?;
        let own = settings(document, &format!("{key}.node"), &group.node)?;
        let load = || Layers::new().settings(&common)?.settings(&own)?.load();
        let mut config = load().map_err(|error| document.wrong(&format!("{key}.node"), error.to_string()))?;
        config.round.rounds = scenario.rounds;
        config.round.min_interval = scenario.pace.0.mul_f64(group.slow);
        config.network.mdns = false;
        for number in 1..=group.count {
            let mut config = config.clone();
            config.training.seed = seed.wrapping_mul(1_000_003).wrapping_add(peers.len() as u64);
            peers.push(PeerPlan {
                name: if group.count == 1 { group.name.clone() } else { format!("{}-{number}", group.name) },
                group: group.name.clone(),
                attack,
                slow: group.slow,
                joins_at: group.joins_at.unwrap_or_default().0,
                links: group.links.over(&scenario.links),
                config,
            });
        }
    }
    if peers.iter().all(|peer| peer.attack.is_some()) {
        return Err(document.wrong("group", "everybody is an attacker"));
    }
    if peers.iter().all(|peer| !peer.joins_at.is_zero()) {
        return Err(document.wrong("group", "nobody is there at the start"));
    }
    let mut names = BTreeSet::new();
    match peers.iter().find(|peer| !names.insert(&peer.name)) {
        Some(twice) => Err(document.wrong("group", format!("two peers are called {}", twice.name))),
        None => Ok(peers),
    }
}

/// Settings of nodes as `key=value` texts, each tried alone.
fn settings(document: &Document, key: &str, table: &Table) -> Result<Vec<String>, ScenarioError> {
    let mut texts = Vec::new();
    flatten("", &Value::Table(table.clone()), &mut texts);
    for (name, value) in &texts {
        let wrong = |reason: String| document.wrong(&format!("{key}.{name}"), reason);
        if TAKEN.iter().any(|taken| name == taken || name.starts_with(&format!("{taken}."))) {
            return Err(wrong("the scenario decides this itself".to_owned()));
        }
        Layers::new().settings(&[format!("{name}={value}")]).map_err(|error| {
            wrong(match error {
                ConfigError::Unknown { nearest: Some(nearest), .. } => {
                    format!("a node has no such setting; did you mean {nearest}?")
                }
                ConfigError::Unknown { .. } => "a node has no such setting".to_owned(),
                ConfigError::Value { reason, .. } => reason,
                error => error.to_string(),
            })
        })?;
    }
    Ok(texts.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

fn flatten(prefix: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                flatten(&key, value, found);
            }
        }
        Value::String(text) => found.push((prefix.to_owned(), text.clone())),
        value => found.push((prefix.to_owned(), value.to_string())),
    }
}

//! From the faults of a scenario to steps in time, for one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::schema::{ChurnSetup, FaultKind, FaultSetup, LinkSetup, RandomFaults, Scenario};
use super::trace::read_trace;

/// Something done to one peer, or to the network.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// It comes for the first time.
    Join(usize),
    /// kill -9.
    Crash(usize),
    /// A polite end.
    Leave(usize),
    /// Its disk is lost; it is down.
    Wipe(usize),
    /// It starts again from its disk, or as a newcomer where that is lost.
    Return(usize),
    /// Stopped, with everything in memory.
    Freeze(usize),
    /// Continued.
    Thaw(usize),
    /// Another network, with other addresses.
    Move(usize),
    /// The clock jumps ahead and goes at a rate.
    Clock(usize, f64, Duration),
    /// The disk takes nothing more, or does again.
    Disk(usize, bool),
    /// The piece of every peer; none when the network is whole.
    Pieces(Option<Vec<u8>>),
    /// Nothing goes from the first to the second, or does again.
    Block(usize, usize, bool),
    /// Worse links of a peer, or its usual ones.
    Link(usize, Option<LinkSetup>),
}

/// What happens at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// From the start of the run.
    pub at: Duration,
    /// What is done.
    pub acts: Vec<Act>,
    /// What it is called in the records.
    pub kind: &'static str,
    /// The peers it is about.
    pub peers: Vec<usize>,
    /// In words.
    pub words: String,
}

/// A complaint: the key it is about, and the reason.
pub(super) type Complaint = (String, String);

/// Who can be meant by a word in a scenario.
pub(super) struct Names<'a> {
    /// Name and group of every peer.
    pub peers: &'a [(String, String)],
}

impl Names<'_> {
    /// The peers that these names of peers or groups mean; everybody where there are none.
    pub fn find(&self, words: &[String], key: &str) -> Result<Vec<usize>, Complaint> {
        if words.is_empty() {
            return Ok((0..self.peers.len()).collect());
        }
        let mut found = BTreeSet::new();
        for word in words {
            let before = found.len();
            let meant = |(_, (name, group)): &(usize, &(String, String))| name == word || group == word;
            found.extend(self.peers.iter().enumerate().filter(meant).map(|(index, _)| index));
            let known = found.len() > before || self.peers.iter().any(|(name, group)| name == word || group == word);
            if !known {
                return Err((key.to_owned(), format!("there is no peer or group {word:?}")));
            }
        }
        Ok(found.into_iter().collect())
    }

    fn list(&self, peers: &[usize]) -> String {
        let shown: Vec<&str> = peers.iter().take(8).map(|&peer| self.peers[peer].0.as_str()).collect();
        let more = peers.len().saturating_sub(shown.len());
        if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
    }
}

/// All steps of a scenario in the order of time, for one seed.
///
/// # Errors
/// A fault names nobody, hits more peers than there are, or lacks what its kind needs: key and reason.
pub(super) fn steps(
    scenario: &Scenario,
    names: &Names<'_>,
    joins: &[Duration],
    folder: &Path,
    seed: u64,
) -> Result<Vec<Step>, Complaint> {
    let mut steps: Vec<Step> = Vec::new();
    for (peer, at) in joins.iter().enumerate().filter(|(_, at)| !at.is_zero()) {
        let words = format!("{} joins", names.peers[peer].0);
        steps.push(Step { at: *at, acts: vec![Act::Join(peer)], kind: "join", peers: vec![peer], words });
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        let rng = ChaCha8Rng::seed_from_u64(seed ^ (index as u64 + 1) << 32);
        steps.extend(fault_steps(fault, &format!("fault.{index}"), names, rng)?);
    }
    if let Some(churn) = &scenario.churn {
        let end = scenario.time_limit.0;
        let rng = ChaCha8Rng::seed_from_u64(seed ^ 0xc4u64 << 40);
        steps.extend(churn_steps(churn, names, joins, folder, end, rng)?);
    }
    if let Some(random) = &scenario.random_faults {
        steps.extend(random_steps(random, names, ChaCha8Rng::seed_from_u64(seed ^ 0xfau64 << 40))?);
    }
    let limit = scenario.time_limit.0;
    if let Some(late) = steps.iter().find(|step| step.at > limit) {
        let reason = format!("{} at {:?} comes after the time limit of {limit:?}", late.words, late.at);
        return Err(("time_limit".to_owned(), reason));
    }
    steps.sort_by_key(|step| step.at);
    Ok(reduce(steps, joins))
}

fn fault_steps(fault: &FaultSetup, key: &str, names: &Names<'_>, mut rng: ChaCha8Rng) -> Result<Vec<Step>, Complaint> {
    check_keys(fault, key)?;
    let mut peers = names.find(&fault.peers, &format!("{key}.peers"))?;
    if let Some(count) = fault.count {
        if count > peers.len() || count == 0 {
            let reason = format!("{count} of {} peers cannot be hit", peers.len());
            return Err((format!("{key}.count"), reason));
        }
        peers.shuffle(&mut rng);
        peers.truncate(count);
        peers.sort_unstable();
    }
    let who = names.list(&peers);
    let say =
        |words: &str| if fault.kind == FaultKind::Partition { words.to_owned() } else { format!("{who}: {words}") };
    let (begin, end) = begin_and_end(fault, key, names, &peers)?;
    let step =
        |at, part: Part| Step { at, acts: part.acts, kind: part.kind, peers: peers.clone(), words: say(part.words) };
    let mut steps = vec![step(fault.at.0, begin)];
    if let (Some(lasts), Some(end)) = (fault.lasts, end) {
        steps.push(step(fault.at.0 + lasts.0, end));
    }
    Ok(steps)
}

/// The beginning of a fault, or its end.
struct Part {
    kind: &'static str,
    acts: Vec<Act>,
    words: &'static str,
}

/// What happens when a fault begins and, if it has an end, when it ends.
fn begin_and_end(
    fault: &FaultSetup,
    key: &str,
    names: &Names<'_>,
    peers: &[usize],
) -> Result<(Part, Option<Part>), Complaint> {
    let each = |act: &dyn Fn(usize) -> Act| peers.iter().map(|&peer| act(peer)).collect::<Vec<_>>();
    let part = |kind, acts, words| Part { kind, acts, words };
    let (begin, end) = match fault.kind {
        FaultKind::Crash => (part("crash", each(&Act::Crash), "killed"), part("restart", each(&Act::Return), "back")),
        FaultKind::Leave => (part("leave", each(&Act::Leave), "leave"), part("return", each(&Act::Return), "back")),
        FaultKind::LostDisk => {
            let lost = peers.iter().flat_map(|&peer| [Act::Crash(peer), Act::Wipe(peer)]).collect();
            (part("crash", lost, "killed, disk lost"), part("restart", each(&Act::Return), "back as newcomers"))
        }
        FaultKind::Freeze => {
            (part("freeze", each(&Act::Freeze), "stopped"), part("wake", each(&Act::Thaw), "continued"))
        }
        FaultKind::Move => return Ok((part("move", each(&Act::Move), "change their addresses"), None)),
        FaultKind::FullDisk => {
            let full = |is_full| each(&|peer| Act::Disk(peer, is_full));
            (
                part("full-disk", full(true), "have a full disk"),
                part("room-on-disk", full(false), "have room on the disk again"),
            )
        }
        FaultKind::Clock => {
            let clock = |rate, jump| each(&|peer| Act::Clock(peer, rate, jump));
            let wrong = clock(fault.rate.unwrap_or(1.0), fault.jump.unwrap_or_default().0);
            let right = clock(1.0, Duration::ZERO);
            (part("clock", wrong, "have a wrong clock"), part("clock-right", right, "have a right one"))
        }
        FaultKind::SlowLink => {
            let link = |links: Option<&LinkSetup>| each(&|peer| Act::Link(peer, links.cloned()));
            let slow = link(Some(&fault.links));
            (part("slow-link", slow, "have slow links"), part("usual-link", link(None), "have their usual links"))
        }
        FaultKind::OneWay => {
            let to = names.find(&fault.to, &format!("{key}.to"))?;
            let block = |blocked| {
                let pairs = peers.iter().flat_map(|&from| to.iter().map(move |&to| (from, to)));
                pairs.filter(|(from, to)| from != to).map(|(from, to)| Act::Block(from, to, blocked)).collect()
            };
            (part("one-way", block(true), "are not heard"), part("both-ways", block(false), "are heard again"))
        }
        FaultKind::Partition => {
            let pieces = vec![Act::Pieces(Some(pieces(fault, key, names)?))];
            let whole = vec![Act::Pieces(None)];
            (part("partition", pieces, "the network falls apart"), part("heal", whole, "the network heals"))
        }
    };
    Ok((begin, Some(end)))
}

/// Keys that a kind needs, and keys that mean nothing to it.
fn check_keys(fault: &FaultSetup, key: &str) -> Result<(), Complaint> {
    let kind = fault.kind;
    let rules: [(&str, bool, bool, bool); 5] = [
        ("pieces", !fault.pieces.is_empty(), kind == FaultKind::Partition, true),
        ("to", !fault.to.is_empty(), kind == FaultKind::OneWay, true),
        ("links", !fault.links.is_empty(), kind == FaultKind::SlowLink, true),
        ("rate", fault.rate.is_some(), kind == FaultKind::Clock, false),
        ("jump", fault.jump.is_some(), kind == FaultKind::Clock, false),
    ];
    for (name, is_set, fits, is_needed) in rules {
        if is_set && !fits {
            return Err((format!("{key}.{name}"), format!("it means nothing to the kind {}", word(kind))));
        }
        if fits && is_needed && !is_set {
            return Err((key.to_owned(), format!("the kind {} needs {name}", word(kind))));
        }
    }
    let rate = fault.rate.unwrap_or(1.0);
    if !(1e-3..=1e3).contains(&rate) {
        return Err((format!("{key}.rate"), format!("{rate} is not from 0.001 to 1000")));
    }
    Ok(())
}

/// The word of a kind in scenarios.
fn word(kind: FaultKind) -> String {
    toml::Value::try_from(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn pieces(fault: &FaultSetup, key: &str, names: &Names<'_>) -> Result<Vec<u8>, Complaint> {
    let key = format!("{key}.pieces");
    if fault.pieces.len() > 64 {
        return Err((key, format!("{} pieces; 64 at most", fault.pieces.len())));
    }
    let mut piece_of: BTreeMap<usize, u8> = BTreeMap::new();
    for (piece, words) in fault.pieces.iter().enumerate() {
        for peer in names.find(words, &key)?.into_iter().filter(|_| !words.is_empty()) {
            if piece_of.insert(peer, piece as u8).is_some_and(|before| before != piece as u8) {
                return Err((key, format!("{} is in two pieces", names.peers[peer].0)));
            }
        }
    }
    let pieces: Vec<u8> = (0..names.peers.len()).map(|peer| piece_of.get(&peer).copied().unwrap_or(0)).collect();
    match pieces.iter().collect::<BTreeSet<_>>().len() {
        0 | 1 => Err((key, "everybody is in the same piece".to_owned())),
        _ => Ok(pieces),
    }
}

fn churn_steps(
    churn: &ChurnSetup,
    names: &Names<'_>,
    joins: &[Duration],
    folder: &Path,
    limit: Duration,
    mut rng: ChaCha8Rng,
) -> Result<Vec<Step>, Complaint> {
    let step = |at, peer: usize, up: bool| {
        let (act, kind, word) = match (up, churn.crash) {
            (true, true) => (Act::Return(peer), "restart", "back"),
            (true, false) => (Act::Return(peer), "return", "back"),
            (false, true) => (Act::Crash(peer), "crash", "killed"),
            (false, false) => (Act::Leave(peer), "leave", "leaves"),
        };
        Step { at, acts: vec![act], kind, peers: vec![peer], words: format!("{}: {word}", names.peers[peer].0) }
    };
    check_churn(churn)?;
    if !churn.trace.is_empty() {
        let wrong = |reason: String| ("churn.trace".to_owned(), reason);
        let trace = read_trace(&folder.join(&churn.trace), names.peers, joins).map_err(wrong)?;
        return Ok(trace.into_iter().map(|(at, peer, up)| step(at, peer, up)).collect());
    }
    let (Some(there), Some(gone)) = (churn.there, churn.gone) else {
        return Err(("churn".to_owned(), "it needs there and gone, or a trace".to_owned()));
    };
    if there.0.is_zero() || gone.0.is_zero() {
        return Err(("churn".to_owned(), "there and gone are longer than 0s".to_owned()));
    }
    let until = churn.until.map_or(limit, |until| until.0);
    let mut steps = Vec::new();
    for peer in names.find(&churn.peers, "churn.peers")? {
        let (mut at, mut up) = (churn.from.0, true);
        loop {
            let mean = if up { there.0 } else { gone.0 };
            at += mean.mul_f64(-(1.0 - rng.random::<f64>()).ln());
            if at >= until {
                break;
            }
            up = !up;
            steps.push(step(at, peer, up));
        }
        if !up && churn.until.is_some() {
            steps.push(step(until, peer, true));
        }
    }
    Ok(steps)
}

/// Keys of coming and going that mean nothing together.
fn check_churn(churn: &ChurnSetup) -> Result<(), Complaint> {
    let beside_a_trace = [
        ("peers", !churn.peers.is_empty()),
        ("there", churn.there.is_some()),
        ("gone", churn.gone.is_some()),
        ("from", !churn.from.0.is_zero()),
        ("until", churn.until.is_some()),
    ];
    if let Some((name, _)) = beside_a_trace.iter().find(|(_, is_set)| *is_set && !churn.trace.is_empty()) {
        return Err((format!("churn.{name}"), "it means nothing beside a trace, which says who goes when".to_owned()));
    }
    match churn.until {
        Some(until) if until.0 <= churn.from.0 => {
            Err(("churn.until".to_owned(), format!("{until} is not after {}", churn.from)))
        }
        _ => Ok(()),
    }
}

fn random_steps(random: &RandomFaults, names: &Names<'_>, mut rng: ChaCha8Rng) -> Result<Vec<Step>, Complaint> {
    let simple = [FaultKind::Crash, FaultKind::LostDisk, FaultKind::Leave, FaultKind::Freeze, FaultKind::Move];
    if let Some(kind) = random.kinds.iter().find(|kind| !simple.contains(kind)) {
        let reason = format!("{} cannot come at random; use crash, lost-disk, leave, freeze or move", word(*kind));
        return Err(("random_faults.kinds".to_owned(), reason));
    }
    if random.kinds.is_empty() || random.every.0 < Duration::from_millis(10) {
        return Err(("random_faults".to_owned(), "it needs kinds, and every of 10ms or more".to_owned()));
    }
    let peers = names.find(&random.peers, "random_faults.peers")?;
    let (mut steps, mut at) = (Vec::new(), Duration::ZERO);
    loop {
        at += random.every.0.mul_f64(-(1.0 - rng.random::<f64>()).ln());
        let (Some(kind), Some(peer)) = (random.kinds.choose(&mut rng), peers.choose(&mut rng)) else { break };
        if at >= random.until.0 {
            break;
        }
        let fault = FaultSetup {
            at: super::Span(at),
            kind: *kind,
            peers: vec![names.peers[*peer].0.clone()],
            count: None,
            lasts: Some(random.lasts),
            pieces: Vec::new(),
            to: Vec::new(),
            links: LinkSetup::default(),
            rate: None,
            jump: None,
        };
        steps.extend(fault_steps(&fault, "random_faults", names, rng.clone())?);
    }
    Ok(steps)
}

/// Leaves out what cannot happen: a peer that is down is not killed again, and comes back when the last of its faults
/// ends.
fn reduce(steps: Vec<Step>, joins: &[Duration]) -> Vec<Step> {
    let mut down: Vec<u32> = joins.iter().map(|at| u32::from(!at.is_zero())).collect();
    let mut frozen = vec![0u32; joins.len()];
    let mut full = vec![0u32; joins.len()];
    let mut happens = |act: &Act| match *act {
        Act::Join(peer) => {
            down[peer] = down[peer].saturating_sub(1);
            down[peer] == 0
        }
        Act::Crash(peer) | Act::Leave(peer) => {
            down[peer] += 1;
            down[peer] == 1
        }
        Act::Return(peer) => {
            let was = down[peer];
            down[peer] = was.saturating_sub(1);
            was == 1
        }
        Act::Freeze(peer) => {
            frozen[peer] += 1;
            frozen[peer] == 1 && down[peer] == 0
        }
        Act::Thaw(peer) => {
            let was = frozen[peer];
            frozen[peer] = was.saturating_sub(1);
            was == 1 && down[peer] == 0
        }
        // Also of one that is down: a disk outlives its process.
        Act::Disk(peer, true) => {
            full[peer] += 1;
            full[peer] == 1
        }
        Act::Disk(peer, false) => {
            let was = full[peer];
            full[peer] = was.saturating_sub(1);
            was == 1
        }
        Act::Move(peer) | Act::Clock(peer, ..) => down[peer] == 0,
        Act::Wipe(_) | Act::Pieces(_) | Act::Block(..) | Act::Link(..) => true,
    };
    let thin = |step: Step| {
        let acts: Vec<Act> = step.acts.iter().filter(|act| happens(act)).cloned().collect();
        (!acts.is_empty()).then_some(Step { acts, ..step })
    };
    steps.into_iter().filter_map(thin).collect()
}

//! A run on a terminal while it goes on: a live table where there is a terminal, a plain line now and then where there
//! is none. It is fed with the rows that go into the tables, so it shows what the report will show.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::record::{FaultRow, NetworkRow, Row, Standing, Standings};

/// Time between two redraws; people read no faster.
const REDRAW: Duration = Duration::from_millis(100);
/// Time between two plain lines.
const PLAIN: Duration = Duration::from_secs(3);
/// Most peers with a line of their own; beyond that a group has one, and beyond as many groups the rest has none.
const LINES: usize = 24;

/// Shows one seed on standard error.
#[derive(Debug)]
pub struct TerminalView {
    title: String,
    end_ms: Option<u64>,
    standings: Standings,
    network: NetworkRow,
    shown: Option<Instant>,
    screen: Option<Screen>,
}

#[derive(Debug)]
struct Screen {
    progress: MultiProgress,
    bars: Vec<ProgressBar>,
}

impl TerminalView {
    /// Of a seed that is called `title` and ends after `end_ms` at the latest, where that is known.
    pub fn new(title: &str, end_ms: Option<u64>) -> Self {
        let screen = console::user_attended_stderr().then(|| Screen {
            progress: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)),
            bars: Vec::new(),
        });
        Self {
            title: title.to_owned(),
            end_ms,
            standings: Standings::default(),
            network: NetworkRow::default(),
            shown: None,
            screen,
        }
    }

    /// Takes a row and shows it, if the last time is long enough ago. Faults are shown at once and stay.
    pub fn row(&mut self, row: &Row) {
        self.take(row).iter().for_each(|line| self.say(line));
    }

    /// Shows the last state and leaves it on the screen.
    pub fn finish(mut self) {
        self.show().iter().for_each(|line| self.say(line));
        if let Some(screen) = self.screen {
            screen.bars.iter().for_each(ProgressBar::abandon);
        }
    }

    /// Takes a row; the lines that are to be said for it.
    fn take(&mut self, row: &Row) -> Vec<String> {
        self.standings.take(row);
        let mut lines = Vec::new();
        match row {
            Row::Fault(fault) => lines.push(fault_line(fault)),
            Row::Network(network) => self.network = network.clone(),
            _ => {}
        }
        let pause = if self.screen.is_some() { REDRAW } else { PLAIN };
        // The first line comes with the first sample; before there is nothing to say.
        if self.shown.map_or(self.network.t_ms > 0, |shown| shown.elapsed() >= pause) {
            lines.extend(self.show());
        }
        lines
    }

    fn say(&self, line: &str) {
        match &self.screen {
            // A terminal that has gone away is no reason to end a run.
            Some(screen) => drop(screen.progress.println(line)),
            None => eprintln!("{line}"),
        }
    }

    /// Draws on the screen; without one, the line that stands for it.
    fn show(&mut self) -> Option<String> {
        self.shown = Some(Instant::now());
        let summary = format!("{}  {}", self.title, summary(&self.network, &self.standings, self.end_ms));
        let Some(screen) = &mut self.screen else { return Some(summary) };
        let mut lines = vec![console::style(summary).for_stderr().bold().to_string()];
        lines.extend(table(&self.standings));
        screen.show(&lines);
        None
    }
}

impl Screen {
    fn show(&mut self, lines: &[String]) {
        while self.bars.len() < lines.len() {
            let bar = self.progress.add(ProgressBar::new_spinner());
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            self.bars.push(bar);
        }
        self.bars.iter().zip(lines).for_each(|(bar, line)| bar.set_message(line.clone()));
    }
}

fn fault_line(fault: &FaultRow) -> String {
    let words = if fault.words.is_empty() { &fault.kind } else { &fault.words };
    console::style(format!("{:>8}  {words}", clock(fault.t_ms))).for_stderr().yellow().to_string()
}

/// One line for the whole network.
fn summary(network: &NetworkRow, standings: &Standings, end_ms: Option<u64>) -> String {
    let end = end_ms.map_or(String::new(), |end| format!(" of {}", clock(end)));
    let disagreement = network.disagreement.map_or(String::new(), |value| format!("  disagreement {value:.3}"));
    format!(
        "{}{end}  {}/{} up  round {}  worst {}  mean {}{disagreement}  {} in",
        clock(network.t_ms),
        network.up,
        standings.peers().len(),
        network.rounds_min,
        percent(network.worst),
        percent(network.mean),
        bytes(network.bytes_in),
    )
}

/// A line a peer, or a line a group where there are many peers.
fn table(standings: &Standings) -> Vec<String> {
    let peers = standings.peers();
    if peers.len() <= LINES {
        return peers.iter().map(peer_line).collect();
    }
    let mut groups: Vec<&str> = peers.iter().map(|peer| peer.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    let line = |group: &&str| group_line(group, peers.iter().filter(|peer| peer.group == **group).collect());
    groups.iter().take(LINES).map(line).collect()
}

fn peer_line(peer: &Standing) -> String {
    let state = match (&peer.attack, peer.up) {
        (Some(attack), true) => format!("attacks: {attack}"),
        (None, true) => String::new(),
        (_, false) => "down".to_owned(),
    };
    let line = format!(
        "{:<12} {:<10} round {:>5}  {:>7}  in {:>9}  out {:>9}  {state}",
        cut(&peer.name, 12),
        cut(&peer.group, 10),
        peer.rounds,
        percent(peer.accuracy()),
        bytes(peer.bytes_in),
        bytes(peer.bytes_out),
    );
    let line = console::style(line.trim_end().to_owned()).for_stderr();
    match (&peer.attack, peer.up) {
        (_, false) => line.dim(),
        (Some(_), true) => line.red(),
        (None, true) => line,
    }
    .to_string()
}

fn group_line(group: &str, peers: Vec<&Standing>) -> String {
    let up = peers.iter().filter(|peer| peer.up).count();
    let attackers = peers.iter().filter(|peer| peer.attack.is_some()).count();
    let honest = || peers.iter().filter(|peer| peer.up && peer.attack.is_none());
    let worst = honest().filter_map(|peer| peer.accuracy()).reduce(f64::min);
    let rounds = honest().map(|peer| peer.rounds).min().unwrap_or(0);
    let attackers = if attackers > 0 { format!("  {attackers} attack") } else { String::new() };
    let name = if group.is_empty() { "peers" } else { group };
    format!(
        "{:<16} {up:>4}/{:<4} up  round {rounds:>5}  worst {:>7}{attackers}",
        cut(name, 16),
        peers.len(),
        percent(worst)
    )
}

fn cut(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.1} %", value * 100.0))
}

fn clock(ms: u64) -> String {
    match ms {
        0..120_000 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => format!("{} min {:02} s", ms / 60_000, ms / 1000 % 60),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{PeerRow, RoundRow};

    fn peer(index: usize, attack: Option<&str>) -> Row {
        let (name, group) = (format!("p{index}"), format!("g{}", index % 2));
        Row::Peer(PeerRow { name, group, attack: attack.map(str::to_owned), ..PeerRow::default() })
    }

    fn round(index: usize, accuracy: f64) -> Row {
        let (name, test_accuracy) = (format!("p{index}"), Some(accuracy));
        Row::Round(RoundRow { name, round: 7, test_accuracy, bytes_in: 12_345, ..RoundRow::default() })
    }

    fn crash(index: usize) -> Row {
        let names = vec![format!("p{index}")];
        Row::Fault(FaultRow { t_ms: 1500, kind: "crash".into(), names, words: format!("p{index} crashes") })
    }

    fn standings(rows: &[Row]) -> Standings {
        let mut standings = Standings::default();
        rows.iter().for_each(|row| standings.take(row));
        standings
    }

    fn plain(line: &str) -> String {
        console::strip_ansi_codes(line).into_owned()
    }

    #[test]
    fn a_few_peers_have_a_line_each() {
        let lines = table(&standings(&[peer(0, None), peer(1, Some("noise")), round(0, 0.875), crash(1)]));
        assert_eq!(plain(&lines[0]), "p0           g0         round     7   87.5 %  in   12.3 kB  out       0 B");
        assert!(plain(&lines[1]).ends_with("down"));
    }

    #[test]
    fn many_peers_have_a_line_a_group() {
        let mut rows: Vec<Row> = (0..30).map(|index| peer(index, (index == 4).then_some("noise"))).collect();
        rows.extend([round(0, 0.5), round(2, 0.25), round(4, 0.1), crash(3)]);
        let lines = table(&standings(&rows));
        assert_eq!(lines[0], "g0                 15/15   up  round     0  worst  25.0 %  1 attack");
        assert_eq!(lines[1], "g1                 14/15   up  round     0  worst       -");
    }

    #[test]
    fn without_a_terminal_there_are_plain_lines() {
        let mut view = TerminalView { screen: None, ..TerminalView::new("seed 0", Some(60_000)) };
        let sample = |t_ms| Row::Network(NetworkRow { t_ms, up: 1, mean: Some(0.5), ..NetworkRow::default() });
        let rows = [peer(0, None), sample(0), sample(250), sample(500), crash(0)];
        let lines: Vec<String> = rows.iter().flat_map(|row| view.take(row)).map(|line| plain(&line)).collect();
        assert_eq!(
            lines,
            ["seed 0  0.2 s of 60.0 s  1/1 up  round 0  worst -  mean 50.0 %  0 B in", "   1.5 s  p0 crashes"]
        );
    }
}

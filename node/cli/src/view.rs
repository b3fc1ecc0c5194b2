//! The live view: progress and one line a peer on a terminal, a plain line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use peerlearn::learner::Evaluation;
use peerlearn_harness::{Board, PeerLine, brief_scores};

/// Time between two redraws; people read no faster.
const REDRAW: Duration = Duration::from_millis(100);
/// Time between two plain lines.
const PLAIN: Duration = Duration::from_secs(1);
/// Most peers with a line of their own; more than a screen shows nothing.
const MAX_LINES: usize = 40;

/// Shows a board as it changes, on standard error.
pub(super) struct View {
    rounds: u64,
    drawn: Instant,
    screen: Option<Screen>,
}

struct Screen {
    total: ProgressBar,
    lines: Vec<ProgressBar>,
}

impl View {
    pub fn new(peers: usize, rounds: u64) -> Self {
        let now = Instant::now();
        let screen = console::user_attended_stderr().then(|| Screen::new(peers, rounds));
        Self { rounds, drawn: now.checked_sub(PLAIN).unwrap_or(now), screen }
    }

    /// Shows the board, if the last time is long enough ago or this is the end.
    pub fn show(&mut self, board: &Board, end: bool) {
        let pause = if self.screen.is_some() { REDRAW } else { PLAIN };
        if !end && self.drawn.elapsed() < pause {
            return;
        }
        self.drawn = Instant::now();
        match &self.screen {
            Some(screen) => screen.show(board),
            None => super::tell(&plain(board, self.rounds)),
        }
    }

    /// Shows the board for the last time, and says that the peers are done and why the demo is not.
    pub fn baselines(&mut self, models: usize) {
        let words = format!("training {models} models without the others, to compare with");
        match &self.screen {
            Some(screen) => screen.total.set_message(words),
            None => super::tell(&words),
        }
    }

    pub fn finish(self) {
        if let Some(screen) = self.screen {
            screen.lines.iter().chain([&screen.total]).for_each(ProgressBar::abandon);
        }
    }
}

impl Screen {
    fn new(peers: usize, rounds: u64) -> Self {
        let progress = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let total = progress.add(ProgressBar::new(rounds));
        let style = "{bar:30} round {pos}/{len}  {msg}  {elapsed}";
        total.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let line = || {
            let bar = progress.add(ProgressBar::new_spinner());
            bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        };
        let lines = (0..peers.min(MAX_LINES)).map(|_| line()).collect();
        Self { total, lines }
    }

    fn show(&self, board: &Board) {
        self.total.set_position(board.least_round());
        self.total.set_message(summary(board));
        for (bar, line) in self.lines.iter().zip(board.lines()) {
            bar.set_message(describe(line));
        }
    }
}

fn plain(board: &Board, rounds: u64) -> String {
    format!("round {}/{rounds}  {}", board.least_round(), summary(board))
}

fn summary(board: &Board) -> String {
    let words = |accuracy: Option<f32>, balanced| {
        accuracy.map_or("-".to_owned(), |accuracy| brief_scores(accuracy, balanced, board.is_of_numbers()))
    };
    let known = board.lines().iter().map(|line| line.known).min().unwrap_or(0);
    let (worst, mean) = (words(board.worst(), board.worst_balanced()), words(board.mean(), board.mean_balanced()));
    format!("worst {worst}  mean {mean}  each knows {known} others")
}

fn describe(line: &PeerLine) -> String {
    let words = |part: &Option<Evaluation>| {
        let brief = |part: &Evaluation| brief_scores(part.accuracy, part.balanced, part.is_of_numbers());
        part.as_ref().map_or("-".to_owned(), brief)
    };
    format!(
        "{:<8} round {:>5}  own {:<23}  test {:<23}  knows {:>3}  in {:>9}  out {:>9}",
        line.name,
        line.round,
        words(&line.own),
        words(&line.test),
        line.known,
        peerlearn_harness::bytes(line.bytes_in),
        peerlearn_harness::bytes(line.bytes_out),
    )
}

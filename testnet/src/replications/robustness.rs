//! Every mixing rule against every attack, on data that are alike everywhere and on data that are skewed.

use std::fmt::Write as _;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::dataset::Dataset;
use peerlearn_protocols::mixing::Rule;
use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::recipe::{Recipe, Training};
use peerlearn_sim::attack::Attack;
use peerlearn_sim::lockstep::{Links, Lockstep, Network, Start};
use peerlearn_sim::{Head, Initial, Mlp, Model};
use rayon::prelude::*;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::{Axes, Curve, Replication, ReplicationError, Report, Run, assign, dirichlet, spread};

/// See the module.
pub(super) const REPLICATION: Replication =
    Replication { name: "robustness", about: "Every mixing rule against every attack, data alike and skewed", run };

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    honest: usize,
    attackers: usize,
    draws: usize,
    hidden: Vec<usize>,
    steps: u32,
    batch: usize,
    rate: f32,
    rounds: u64,
    #[serde(deserialize_with = "above_zero")]
    alpha: f64,
    least_rows: usize,
    seeds: Vec<u64>,
    pictured_threat: String,
    pictured: Vec<String>,
    pictured_every: u64,
    defences: Vec<Defence>,
    threats: Vec<Threat>,
}

fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    let fits = number.is_finite() && number > 0.0;
    if fits { Ok(number) } else { Err(Error::custom(format!("{number} is no number above 0"))) }
}

/// A rule, with its own number of draws where it says `of N`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Defence {
    label: String,
    rule: Rule,
    draws: Option<usize>,
}

impl TryFrom<String> for Defence {
    type Error = String;

    fn try_from(label: String) -> Result<Self, String> {
        let (rule, draws) = label.split_once(" of ").map_or((&label[..], None), |(rule, draws)| (rule, Some(draws)));
        let draws = draws.map(|draws| draws.parse().map_err(|error| format!("{label:?}: {error}"))).transpose()?;
        Ok(Self { rule: rule.parse::<Rule>().map_err(|error| error.to_string())?, draws, label })
    }
}

/// An attack, with several identities an attacker where it says `x N`, which draws by origin see through.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Threat {
    label: String,
    attack: Option<Attack>,
    identities: usize,
    guarded: bool,
}

impl TryFrom<String> for Threat {
    type Error = String;

    fn try_from(label: String) -> Result<Self, String> {
        let (bare, guarded) = label.strip_suffix(" guarded").map_or((&label[..], false), |bare| (bare, true));
        let (name, identities) = bare.split_once(" x ").unwrap_or((bare, "1"));
        let identities = identities.parse().map_err(|error| format!("{label:?}: {error}"))?;
        let attack = match name {
            "none" => None,
            name => Some(name.parse::<Attack>().map_err(|error| error.to_string())?),
        };
        Ok(Self { attack, identities, guarded, label })
    }
}

/// How rows are partitioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    Alike,
    Skewed,
}

/// What everything shares.
struct Prepared {
    setup: Setup,
    model: Mlp,
    train: Dataset,
    test: Dataset,
}

/// What one run came to.
struct Trial {
    mean: f64,
    worst: f64,
    disagreement: f64,
    /// Whether models stayed finite to the end.
    finite: bool,
    /// Round and mean accuracy, where it is to be drawn.
    points: Vec<(f64, f64)>,
}

/// All runs of one rule against one threat.
struct Cell<'a> {
    split: Split,
    defence: &'a Defence,
    threat: &'a Threat,
    trials: Vec<Trial>,
}

/// Runs it.
///
/// # Errors
/// No data, or a wrong scenario.
fn run(run: &Run) -> Result<Report, ReplicationError> {
    let setup: Setup = run.scenario.setup()?;
    let (train, test) = super::epidemic::digits(&run.data)?;
    let model = Mlp::new(train.width(), &setup.hidden, train.classes(), Head::Softmax, Initial::He)?;
    let prepared = Prepared { setup, model, train, test };
    let mut grid = Vec::new();
    for split in [Split::Alike, Split::Skewed] {
        for defence in prepared.setup.defences.iter().filter(|defence| run.wants(&defence.label)) {
            grid.extend(prepared.setup.threats.iter().map(|threat| (split, defence, threat)));
        }
    }
    let cell = |(split, defence, threat): (Split, _, _)| -> Result<Cell<'_>, ParamsError> {
        let trials = prepared.setup.seeds.iter().map(|&seed| prepared.trial(split, defence, threat, seed));
        Ok(Cell { split, defence, threat, trials: trials.collect::<Result<_, _>>()? })
    };
    let cells = grid.into_par_iter().map(cell).collect::<Result<Vec<_>, _>>()?;
    Ok(prepared.report(&cells))
}

impl Prepared {
    fn trial(&self, split: Split, defence: &Defence, threat: &Threat, seed: u64) -> Result<Trial, ParamsError> {
        let mut network = self.network(split, defence, threat, seed)?;
        let of_picture = split == Split::Skewed && threat.label == self.setup.pictured_threat;
        let pictured = of_picture && self.setup.pictured.contains(&defence.label);
        let (mut points, mut finite) = (Vec::new(), true);
        for round in 1..=self.setup.rounds {
            // A model that is no longer finite ends the run: it is scored as it stands.
            if network.round().is_err() {
                finite = false;
                break;
            }
            if pictured && round % self.setup.pictured_every == 0 {
                points.push((round as f64, 100.0 * network.score(&self.test).mean()));
            }
        }
        let score = network.score(&self.test);
        let (mean, worst) = (100.0 * score.mean(), 100.0 * score.worst());
        Ok(Trial { mean, worst, disagreement: score.disagreement, finite, points })
    }

    fn network(&self, split: Split, defence: &Defence, threat: &Threat, seed: u64) -> Result<Network<'_>, ParamsError> {
        let Setup { honest, attackers, steps, batch, .. } = self.setup;
        let training = Training { steps, batch, learning_rate: self.setup.rate, ..Training::default() };
        let fan_out = defence.draws.unwrap_or(self.setup.draws);
        let links = Links::Fresh { fan_out, identities: threat.identities, guarded: threat.guarded };
        let config = Lockstep {
            recipe: Recipe { training, rule: defence.rule, codec: Codec::F32, ..Recipe::default() },
            links,
            seed,
            ..Lockstep::default()
        };
        let parts = match split {
            Split::Alike => assign(&self.train, honest, seed),
            Split::Skewed => dirichlet(&self.train, honest, self.setup.alpha, self.setup.least_rows, seed),
        };
        let params = self.model.initial(seed);
        let start = |attack| {
            let params = params.clone();
            move |rows| Start { attack, ..Start::new(rows, params.clone()) }
        };
        let mut starts: Vec<Start> = parts.into_iter().map(start(None)).collect();
        if threat.attack.is_some() {
            // Attackers know rows like everyone's, and take none from the honest.
            let known = assign(&self.train, honest, seed ^ 0xa77).into_iter().take(attackers);
            starts.extend(known.map(start(threat.attack)));
        }
        Network::new(&self.model, config, starts)
    }

    fn report(&self, cells: &[Cell<'_>]) -> Report {
        let columns = ["data", "rule", "attack", "mean %", "worst peer %", "disagreement", "diverged"];
        let tables = [Split::Alike, Split::Skewed].map(|split| self.table(split, cells));
        let setup = &self.setup;
        let title = format!(
            "Honest accuracy, {} honest peers and {} attackers, {} fresh draws a round, {} seeds\n\n{}\nEvery cell with \
             its spread:",
            setup.honest,
            setup.attackers,
            setup.draws,
            setup.seeds.len(),
            tables.join("\n")
        );
        Report {
            title,
            columns: columns.map(String::from).to_vec(),
            rows: cells.iter().map(|cell| self.row(cell)).collect(),
            curves: cells.iter().filter_map(curve).collect(),
            axes: Axes { x: "round".into(), y: "mean accuracy, %".into(), log_x: false },
        }
    }

    fn name(&self, split: Split) -> String {
        match split {
            Split::Alike => "IID".to_owned(),
            Split::Skewed => format!("Dirichlet {}", self.setup.alpha),
        }
    }

    /// Rules by attacks, "mean / worst" in a cell.
    fn table(&self, split: Split, cells: &[Cell<'_>]) -> String {
        let threats: Vec<&str> = self.setup.threats.iter().map(|threat| &threat.label[..]).collect();
        let mut text = format!("**{}**, mean / worst honest peer, %\n\n", self.name(split));
        let _ = writeln!(text, "| rule | {} |\n|{}", threats.join(" | "), "---|".repeat(threats.len() + 1));
        let of_split: Vec<&Cell<'_>> = cells.iter().filter(|cell| cell.split == split).collect();
        for row in of_split.chunk_by(|one, other| one.defence.label == other.defence.label) {
            let cell = |cell: &&Cell<'_>| {
                let mean = |value: fn(&Trial) -> f64| {
                    cell.trials.iter().map(value).sum::<f64>() / cell.trials.len().max(1) as f64
                };
                format!("{:.0} / {:.0}", mean(|trial| trial.mean), mean(|trial| trial.worst))
            };
            let _ = writeln!(
                text,
                "| {} | {} |",
                row[0].defence.label,
                row.iter().map(cell).collect::<Vec<_>>().join(" | ")
            );
        }
        text
    }

    fn row(&self, cell: &Cell<'_>) -> Vec<String> {
        let over = |value: fn(&Trial) -> f64, digits| {
            let values: Vec<f64> = cell.trials.iter().map(value).collect();
            // A disagreement of numbers that are no longer finite says nothing.
            if values.iter().all(|value| value.is_finite() && *value < 1e6) {
                spread(&values, digits)
            } else {
                "-".into()
            }
        };
        vec![
            self.name(cell.split),
            cell.defence.label.clone(),
            cell.threat.label.clone(),
            over(|trial| trial.mean, 1),
            over(|trial| trial.worst, 1),
            over(|trial| trial.disagreement, 2),
            cell.trials.iter().filter(|trial| !trial.finite).count().to_string(),
        ]
    }
}

/// The mean over the trials that have points; none where nothing is to be drawn.
fn curve(cell: &Cell<'_>) -> Option<Curve> {
    let length = cell.trials.iter().map(|trial| trial.points.len()).min()?;
    let count = cell.trials.len() as f64;
    let at = |index: usize| {
        let mean = cell.trials.iter().map(|trial| trial.points[index].1).sum::<f64>() / count;
        (cell.trials[0].points[index].0, mean)
    };
    (length > 0).then(|| Curve {
        label: cell.defence.label.clone(),
        theirs: false,
        points: (0..length).map(at).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defences_and_threats_are_read_and_nonsense_is_refused() {
        let defence = Defence::try_from("ios:4 of 10".to_owned()).unwrap();
        assert_eq!((defence.rule, defence.draws), (Rule::Ios { b: 4 }, Some(10)));
        let threat = Threat::try_from("sign-flip x 10 guarded".to_owned()).unwrap();
        assert_eq!((threat.attack, threat.identities, threat.guarded), (Some(Attack::SignFlip), 10, true));
        assert_eq!(Threat::try_from("none".to_owned()).unwrap().attack, None);
        for wrong in ["", "ios", "ios:2 of x", "ios:2 of"] {
            assert!(Defence::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for wrong in ["", "sign-flip x", "sign-flip x y", "guarded"] {
            assert!(Threat::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}

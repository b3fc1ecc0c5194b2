//! The commented settings file that `peerlearn init` writes.

use toml::Value;

use super::NodeConfig;

/// Key and what it says of it, in the order of the file.
const WORDS: [(&str, &str); 66] = [
    ("task.network", "A word that keeps otherwise equal networks apart."),
    ("task.model", "The model: linear, mlp:SIZES or cnn. All peers of a network have the same."),
    (
        "data.source",
        "digits (built in), a table (CSV, TSV, JSON lines, Parquet, packed or not), a folder of tables, of IDX files (MNIST) or of \
         pictures, an .npz file, or - for a table on standard input.",
    ),
    (
        "data.label",
        "For tables: the column with the answer. Empty is that of the task, or the column label without one.",
    ),
    (
        "data.columns",
        "For tables without a task: the columns to learn from, by name. Empty is all that can be learnt from.",
    ),
    (
        "data.classes",
        "Without a task: names of all classes, where the own rows lack some. Empty is those of the own rows.",
    ),
    ("data.test", "For tables: a second file to measure on."),
    (
        "data.scaling",
        "Without a task, how numbers become inputs: auto (by mean and deviation of this file, for all peers), none, unit:MAX, or \
         standard (each peer by its own rows).",
    ),
    (
        "data.map",
        "Where the file differs from the task: { chol = \"CHOL\", sex = { from = \"s\", values = { w = \"female\" } } }; also unit and \
         drop.",
    ),
    ("data.partition", "To try things out: keep one part only of the rows, cut by iid, dirichlet:ALPHA or shards:K."),
    ("data.parts", "Number of parts."),
    ("data.part", "The part to keep, from 0. Without it, the identity of the node decides."),
    ("data.validation", "Fraction of the own rows kept apart to measure on."),
    ("data.seed", "Seeds partition and split."),
    (
        "data.memory",
        "For tables: most MiB of encoded rows of a file in memory (4 bytes a value); those of larger files are kept in a file.",
    ),
    (
        "data.cache",
        "Folder for that file, which the next start uses again. Empty is cache in the home, or a temporary file without a home.",
    ),
    (
        "data.image",
        "For pictures of different sizes without a task: how they become inputs (colour: grey or rgb; fit: pad, crop or stretch).",
    ),
    ("data.dialect.delimiter", "For text tables, where the guess is wrong: what separates cells."),
    ("data.dialect.quote", "What cells with a delimiter in them are quoted with; empty is nothing."),
    ("data.dialect.decimal", "What separates decimals: a point or a comma."),
    ("data.dialect.header", "Whether the first row names the columns."),
    ("data.dialect.encoding", "The encoding of the text."),
    ("data.dialect.missing", "Words that mean a missing value."),
    ("data.dialect.names", "Names of the columns of a file without a header."),
    ("training.steps", "Minibatch steps a round."),
    ("training.batch", "Rows a minibatch."),
    ("training.learning_rate", "Step size in the first round."),
    ("training.decay_rounds", "Rounds after which the step size has halved; 0 keeps it constant."),
    ("training.weight_decay", "L2 weight decay."),
    ("training.momentum", "Momentum within a round; never carried over, never mixed."),
    ("training.clip_norm", "Largest norm of a minibatch gradient; a longer one is scaled down to it. 0 is off."),
    ("training.proximal", "FedProx: strength of the pull back to the model at the start of the round."),
    ("training.control_variate", "Damping of the drift correction; 0 switches it off."),
    (
        "training.reference_steps",
        "Steps that a round counts as, whatever this peer takes (FedNova, eq. 9); alike for all, 0 is off.",
    ),
    ("training.seed", "Seeds the order of rows."),
    (
        "mixing.rule",
        "How models are averaged: uniform, sample-weighted, metropolis, age-limited, pair (two meet and move alike), push-sum, median, \
         trimmed-mean:B, multi-krum:B, ios:B, clip:R, clip:auto, ubar:RHO, balance:GAMMA or balance:GAMMA:ROUNDS.",
    ),
    (
        "mixing.moving_average",
        "Decay of the average of the own models that is measured, answered with and exported; 0 is off: the newest is.",
    ),
    ("mixing.outer.enabled", "Whether to take an outer Nesterov step on the average."),
    ("mixing.outer.rate", "Its step size."),
    ("mixing.outer.momentum", "Its momentum."),
    ("round.fan_out", "Peers asked for their model each round."),
    ("round.deadline", "Longest time a round waits for models."),
    (
        "round.straggler_timeout",
        "How long a round waits for its last models: times what the first half took; late ones count in the next. 0 is no limit.",
    ),
    ("round.min_interval", "Least time from the start of one round to the start of the next."),
    ("round.join_wait", "Longest time a starting node looks for peers before it trains alone."),
    ("round.rounds", "Rounds to stop after; 0 never stops."),
    ("round.evaluate_every", "Measure every so many rounds; 0 chooses by its cost."),
    (
        "round.estimate_every",
        "Least time between two estimates of number and disagreement of all peers; 0s is every round.",
    ),
    ("round.commit_every", "Least time between two checkpoints."),
    (
        "exchange.codec",
        "How models travel here: f32, f16, bf16, int8, int8-row, fragment:P (1/P of it) or top-k:M (M/1000).",
    ),
    ("exchange.rounding", "How int8 rounds: nearest, or stochastic, which is right on average (QSGD, section 3.1)."),
    (
        "exchange.compression",
        "Whether to ask for models compressed by zstd: none or zstd. For slow links; not under push-sum.",
    ),
    ("exchange.max_inbound", "Pulls served at a time."),
    ("membership.max_peers", "Most peers known at a time."),
    ("membership.announce_every", "Least time between two announcements in a quiet network."),
    (
        "membership.degree",
        "Connections kept up in the long run, however many peers there are: beyond it draws prefer connected peers.",
    ),
    ("membership.min_connections", "Connections below which known peers are dialled without being drawn."),
    (
        "membership.sampling",
        "Whom to draw: uniform (all alike), guarded (all origins alike), view:SIZE (a bounded view, for large networks; all \
         peers or none), or by a graph: line, ring, star, torus, complete, \
         regular:DEGREE, exponential, base:K, edges:PATH.",
    ),
    ("membership.shuffle_every", "Time between two shuffles of a view."),
    ("network.listen", "Where to listen, as multiaddresses; port 0 takes any free one."),
    ("network.contacts", "Multiaddresses or tickets of peers to dial at the start."),
    ("network.mdns", "Whether to look for peers on the local network."),
    (
        "network.relay",
        "Whether to carry connections of peers behind routers while this node is reached, and have its own carried while it \
         is not: auto, on (it is reached, whatever its addresses look like) or off.",
    ),
    ("network.port_mapping", "Whether to ask the router at home, by UPnP, to pass connections on to this node."),
    ("network.max_connections", "Most connections at a time."),
    ("network.request_timeout", "Longest time a question to a peer may take."),
];

/// The file: every setting with its default, commented out, and a sentence.
pub fn template() -> String {
    let defaults = Value::try_from(NodeConfig::default()).unwrap_or(Value::Boolean(false));
    let mut text = "# Settings of a peerlearn node. What is commented out has its default.\n\
                    # Stronger than this file: PEERLEARN_SECTION__KEY in the environment, and --set section.key=value.\n"
        .to_owned();
    let mut section = "";
    for (key, words) in &WORDS {
        let (in_section, name) = key.rsplit_once('.').unwrap_or(("", key));
        if in_section != section {
            section = in_section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        let value = key.split('.').try_fold(&defaults, |value, part| value.get(part));
        let value = value.map_or_else(|| example(key).to_owned(), short);
        text.push_str(&format!("# {words}\n# {name} = {value}\n"));
    }
    text
}

/// A value for a setting without a default.
fn example(key: &str) -> &'static str {
    match key {
        "data.partition" => "\"dirichlet:0.1\"",
        "data.dialect.delimiter" => "\";\"",
        "data.dialect.quote" => "\"\\\"\"",
        "data.dialect.decimal" => "\",\"",
        "data.dialect.header" => "true",
        "data.dialect.encoding" => "\"utf-8\"",
        "data.dialect.missing" => "[\"?\", \"NA\"]",
        "data.dialect.names" => "[\"age\", \"label\"]",
        "data.image" => "{size=[64, 64],colour=\"rgb\",fit=\"pad\",filter=\"triangle\"}",
        _ => "0",
    }
}

/// A value as people write it: `0.2`, not the nearest double of a single, `0.20000000298023224`.
fn short(value: &Value) -> String {
    match value {
        Value::Float(float) if (*float as f32).is_finite() => {
            let text = (*float as f32).to_string();
            if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_names_every_setting_and_says_its_default() {
        let text = template();
        assert_eq!(toml::from_str::<NodeConfig>(&text).unwrap(), NodeConfig::default());
        let is_value = |line: &str| line.starts_with("# ") && line.split(" = ").count() == 2 && !line.ends_with('.');
        let uncommented: Vec<&str> =
            text.lines().map(|line| if is_value(line) { line.trim_start_matches("# ") } else { line }).collect();
        let mut config: NodeConfig = toml::from_str(&uncommented.join("\n")).unwrap();
        assert!(config.data.partition.take().is_some() && config.data.part.take().is_some());
        assert!(config.data.image.take().is_some() && config.data.dialect.header == Some(true));
        config.data.dialect = Default::default();
        assert_eq!(config, NodeConfig::default());
        let defaults = Value::try_from(NodeConfig::default()).unwrap();
        for (section, values) in defaults.as_table().unwrap() {
            for name in values.as_table().unwrap().keys().filter(|name| *name != "outer") {
                let key = format!("{section}.{name}");
                let named = WORDS.iter().any(|(known, _)| *known == key || known.starts_with(&format!("{key}.")));
                assert!(named, "{section}.{name} is missing");
            }
        }
    }
}

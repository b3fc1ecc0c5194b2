use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn from_file(text: &str) -> Result<NodeConfig, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peerlearn.toml");
    std::fs::write(&path, text).unwrap();
    Layers::new().file(&path)?.load()
}

fn wrong(text: &str) -> String {
    from_file(text).unwrap_err().to_string()
}

#[test]
fn later_layers_win() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peerlearn.toml");
    std::fs::write(&path, "[training]\nsteps = 5\nbatch = 7\nlearning_rate = 1\n[mixing.outer]\nenabled = true\n")
        .unwrap();
    let variables = [("PEERLEARN_TRAINING__BATCH", "9"), ("PEERLEARN_HOME", "x"), ("PATH", "y")];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let config = Layers::new()
        .file(&path)
        .and_then(|layers| layers.environment(variables.into_iter()))
        .and_then(|layers| layers.settings(&["round.deadline=3s".into(), "network.listen=/ip4/127.0.0.1/tcp/0".into()]))
        .and_then(Layers::load)
        .unwrap();
    assert_eq!((config.training.steps, config.training.batch), (5, 9));
    assert_eq!(config.training.learning_rate, 1.0);
    assert!(config.mixing.outer.enabled);
    assert_eq!(config.round.deadline, Duration::from_secs(3));
    assert_eq!(config.network.listen, ["/ip4/127.0.0.1/tcp/0"]);
}

#[test]
fn errors_name_layer_line_and_key() {
    let error = wrong("[training]\n\nstepz = 5\n");
    assert!(error.contains("peerlearn.toml:3") && error.contains("did you mean training.steps?"), "{error}");
    let error = wrong("[training]\nsteps = \"many\"\n");
    assert!(
        error.contains("peerlearn.toml:2") && error.contains("training.steps") && error.contains("many"),
        "{error}"
    );
    let error = wrong("# a\n[training]\nlearning_rate = -0.5\n");
    assert!(error.contains("peerlearn.toml:3") && error.contains("-0.5") && error.contains("above 0"), "{error}");
    let error = wrong("[round]\ndeadline = \"soon\"\n");
    assert!(error.contains("peerlearn.toml:2") && error.contains("10s"), "{error}");
    let error = wrong("[training\nsteps = 5\n");
    assert!(error.contains("peerlearn.toml:1"), "{error}");
    let error = wrong("steps = 5\n");
    assert!(error.contains("did you mean training.steps?"), "{error}");
    let variables = [("PEERLEARN_DATA__PARTS".into(), "none".into())];
    let error = Layers::new().environment(variables.into_iter()).unwrap_err().to_string();
    assert!(error.contains("environment variable PEERLEARN_DATA__PARTS"), "{error}");
    let error = Layers::new().settings(&["training.steps".into()]).unwrap_err().to_string();
    assert!(error.contains("SECTION.KEY=VALUE"), "{error}");
    let error = Layers::new().settings(&["task.model=resnet".into()]).unwrap_err().to_string();
    assert!(error.contains("--set task.model") && error.contains("mlp:64,32"), "{error}");
    for (key, value, alternative) in [
        ("mixing.rule", "krum", "multi-krum:B"),
        ("mixing.rule", "trimmed-mean:0", "trimmed-mean:B"),
        ("exchange.codec", "int4", "int8-row"),
        ("exchange.rounding", "up", "`stochastic`"),
        ("membership.sampling", "square", "torus"),
        ("membership.sampling", "regular:0", "a degree of at least 1"),
        ("membership.sampling", "view:3", "from 4 to 4096 peers"),
        ("training.reference_steps", "-1", "u32"),
    ] {
        let error = Layers::new().settings(&[format!("{key}={value}")]).unwrap_err().to_string();
        assert!(error.contains(&format!("--set {key}")) && error.contains(alternative), "{error}");
    }
    let error = Layers::new().settings(&["mixing.rule=push-sum".into(), "exchange.codec=top-k:5".into()]).unwrap();
    let error = error.load().unwrap_err().to_string();
    assert!(error.contains("--set exchange.codec") && error.contains("push-sum"), "{error}");
    let path = Path::new("/nonexistent/peerlearn.toml");
    assert!(Layers::new().file(path).unwrap_err().to_string().contains("/nonexistent/peerlearn.toml"));
}

#[test]
fn the_recipe_has_codec_and_rounding_and_every_peer_a_seed_of_its_own() {
    let mut config = NodeConfig::default();
    config.exchange.codec = "fragment:3".parse().unwrap();
    config.exchange.rounding = peerlearn_protocols::codec::Rounding::Stochastic;
    let recipe = config.recipe();
    assert_eq!((recipe.codec, recipe.rounding), (config.exchange.codec, config.exchange.rounding));
    let [ant, again, bat] = [1, 1, 2].map(|peer| config.seed(&PeerId([peer; 32])));
    assert_eq!(ant, again, "two runs agree");
    assert_ne!(ant, bat, "fragments and rounding differ from peer to peer");
}

#[test]
fn a_key_that_had_another_name_is_taken_under_it() {
    assert_eq!(from_file("[round]\npatience = 7\n").unwrap().round.straggler_timeout, 7);
    let error = from_file("[round]\n\npatience = -7\n").unwrap_err().to_string();
    assert!(error.contains(":3: round.straggler_timeout = -7"), "{error}");
    for (old, new) in NodeConfig::RENAMED {
        let error = Layers::new().settings(&[format!("{old}=nonsense")]).unwrap_err().to_string();
        assert!(error.contains(new), "{error}");
    }
}

#[test]
fn options_without_a_default_can_be_set() {
    let config = from_file("[data]\npartition = \"shards:2\"\npart = 3\n").unwrap();
    assert_eq!((config.data.partition, config.data.part), (Some(peerlearn_data::Partition::Shards(2)), Some(3)));
}

proptest! {
    #[test]
    fn any_text_is_settings_or_an_error(text in "[\\[\\]a-z_.=\"0-9\\n# -]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = from_file(&text);
        let _ = from_file(&String::from_utf8_lossy(&bytes));
        let _ = Layers::new().settings(&[text]);
    }
}

//! b
use peerlearn::demo::*;
fn main() {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let args: Vec<String> = std::env::args().collect();
    let get = |k: &str, d: &str| {
        args.iter().find_map(|a| a.strip_prefix(&format!("{k}=")).map(str::to_owned)).unwrap_or(d.to_owned())
    };
    let mut config = peerlearn::NodeConfig::default();
    config.round.min_interval = std::time::Duration::ZERO;
    config.training.steps = get("steps", "20").parse().unwrap_or(20);
    config.training.learning_rate = get("lr", "0.2").parse().unwrap_or(0.2);
    config.training.decay_rounds = get("decay", "0").parse().unwrap_or(0.0);
    config.training.control_variate = get("cv", "0.1").parse().unwrap_or(0.1);
    config.training.momentum = get("mom", "0").parse().unwrap_or(0.0);
    config.training.batch = get("batch", "32").parse().unwrap_or(32);
    config.training.weight_decay = get("wd", "0").parse().unwrap_or(0.0);
    config.round.fan_out = get("s", "4").parse().unwrap_or(4);
    config.mixing.outer.enabled = get("outer", "false") == "true";
    config.mixing.outer.rate = get("orate", "0.7").parse().unwrap_or(0.7);
    config.mixing.outer.momentum = get("omom", "0.9").parse().unwrap_or(0.9);
    config.data.source = get("data", "digits");
    config.task.model = get("model", "mlp:64,32").parse().expect("m");
    let plan = DemoPlan {
        peers: get("peers", "8").parse().unwrap_or(8),
        partition: get("part", "dirichlet:0.1").parse().expect("p"),
        rounds: get("rounds", "120").parse().unwrap_or(120),
        until_accuracy: None,
        seed: get("seed", "0").parse().unwrap_or(0),
        config,
        out: None,
    };
    let rt = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("rt");
    let (_s, r) = tokio::sync::watch::channel(false);
    let verbose = get("v", "0") == "1";
    let out = rt.block_on(run(&plan, r, |b, st| {
        if verbose {
            if let peerlearn::event::NodeEvent::RoundClosed { round, .. } = st.event {
                if round % 20 == 0 {
                    eprintln!("{} {} {:?} {:?}", st.at_ms, round, b.worst(), b.mean());
                }
            }
        }
    }));
    match out {
        Ok(Ending::Finished(o)) => print!("{}", o.table()),
        x => println!("{x:?}"),
    }
}

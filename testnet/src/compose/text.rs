//! The text of a compose file.

use std::fmt::Write;

use super::{ComposeSetup, EVERYBODY};
use crate::run::LinkBook;
use crate::scenario::{LinkSetup, Plan};

/// What all containers have in common.
const SAFE: &str = "  init: true
  read_only: true
  cap_drop: [ALL]
  security_opt: [\"no-new-privileges:true\"]
  restart: unless-stopped
  pids_limit: 256
";

/// The file.
pub(super) fn compose(plan: &Plan, setup: &ComposeSetup) -> String {
    let mut text = head(plan, setup);
    let links = LinkBook::new(plan);
    for (index, peer) in plan.peers.iter().enumerate() {
        peer_service(&mut text, &peer.name);
        let links = links.setup(index);
        if setup.netem.is_some() && !links.is_empty() {
            links_service(&mut text, &peer.name, &links);
        }
    }
    text.push_str(&foot(plan));
    text
}

fn head(plan: &Plan, setup: &ComposeSetup) -> String {
    let mut text = format!(
        "# The {} peers of the scenario {}, written by peerlearn-testnet compose. `specs` beside this file belongs to it.\n\
         #   docker compose -f THIS up           then http://127.0.0.1:8080\n\
         #   docker compose -f THIS down -v      takes all of it away\n\
         # Faults of the scenario are not played; try docker compose kill, pause, stop, or docker network disconnect.\n\
         x-peer: &peer\n  image: {}\n  mem_limit: {}\n  cpus: {}\n{SAFE}",
        plan.peers.len(),
        plan.scenario.name,
        quoted(&setup.image),
        quoted(&setup.memory),
        setup.cpus,
    );
    text.push_str(
        "  healthcheck:\n    test: [CMD, /bin/peerlearn-testnet, health]\n    interval: 10s\n    timeout: 5s\n    \
         start_period: 20s\n",
    );
    let _ = write!(text, "  networks:\n    peers:\n      aliases: [{EVERYBODY}]\n");
    if let Some(image) = &setup.netem {
        let _ = write!(
            text,
            "\n# Makes the links of one peer bad and goes on; it shares the network of that peer, and nothing else.\n\
             # Where a peer is started anew, its links have to be too.\n\
             x-links: &links\n  image: {}\n  entrypoint: [tc]\n  read_only: true\n  cap_drop: [ALL]\n  \
             cap_add: [NET_ADMIN]\n  security_opt: [\"no-new-privileges:true\"]\n  user: \"0:0\"\n  restart: \"no\"\n",
            quoted(image),
        );
    }
    text.push_str("\nservices:\n");
    text
}

fn peer_service(text: &mut String, name: &str) {
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "  {name}:\n    <<: *peer\n    hostname: {name}\n    \
         command: [member, --spec, /specs/{name}.json, --events, /events/{name}.jsonl]\n    \
         volumes: [\"./specs:/specs:ro\", \"state-{name}:/state\", \"events:/events\"]\n",
    );
}

/// A container that runs `tc` once. Delay and loss of netem are of what goes out.
fn links_service(text: &mut String, name: &str, links: &LinkSetup) {
    let mut words: Vec<String> =
        ["qdisc", "replace", "dev", "eth0", "root", "netem"].into_iter().map(str::to_owned).collect();
    if let Some((least, most)) = links.delay {
        let (least, most) = (least.0.as_micros(), most.0.as_micros());
        words.extend(["delay".to_owned(), format!("{}us", least.midpoint(most)), format!("{}us", (most - least) / 2)]);
    }
    if let Some(loss) = links.loss {
        words.extend(["loss".to_owned(), format!("{}%", loss * 100.0)]);
    }
    if let Some(rate) = links.rate {
        words.extend(["rate".to_owned(), format!("{}bit", rate.0.saturating_mul(8))]);
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let _ = write!(
        text,
        "  {name}-links:\n    <<: *links\n    network_mode: \"service:{name}\"\n    depends_on: [{name}]\n    \
         command: [{}]\n",
        words.join(", "),
    );
}

fn foot(plan: &Plan) -> String {
    let mut text = "  watch:\n    <<: *peer\n    command: [watch, --events, /events, --listen, \"0.0.0.0:8080\"]\n    \
         volumes: [\"events:/events:ro\"]\n    ports: [\"127.0.0.1:8080:8080\"]\n    networks: [view]\n    \
         healthcheck:\n      test: [CMD, /bin/peerlearn-testnet, health, --page, \"127.0.0.1:8080\"]\n      \
         interval: 10s\n      timeout: 5s\n\n\
         networks:\n  # No way out: peers only reach each other.\n  peers:\n    internal: true\n  view: {}\n\n\
         volumes:\n  events: {}\n"
        .to_owned();
    for peer in &plan.peers {
        let _ = writeln!(text, "  state-{}: {{}}", peer.name);
    }
    text
}

/// As a string of YAML, which takes those of JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

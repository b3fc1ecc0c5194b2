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
        let links = links.setup(index);
        let by_kernel = setup.netem && !links.is_empty();
        if by_kernel {
            links_service(&mut text, &peer.name, &links);
        }
        peer_service(&mut text, &peer.name, by_kernel);
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
    if setup.netem {
        let _ = write!(
            text,
            "\n# Holds the network of one peer, and has its kernel make that bad where it can. The peer in it has no right\n\
             # to change that, and finds it as it was when it is started anew.\n\
             x-links: &links\n  image: {}\n  mem_limit: 32m\n{SAFE}  cap_add: [NET_ADMIN]\n  user: \"0:0\"\n  \
             healthcheck:\n    disable: true\n",
            quoted(&setup.image),
        );
    }
    text.push_str("\nservices:\n");
    text
}

/// A peer on the network of all, or on the one that its links hold.
fn peer_service(text: &mut String, name: &str, by_kernel: bool) {
    let network = match by_kernel {
        true => format!("network_mode: \"service:{name}-links\"\n    depends_on: [{name}-links]"),
        false => on_the_network(name),
    };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "  {name}:\n    <<: *peer\n    {network}\n    \
         command: [member, --spec, /specs/{name}.json, --events, /events/{name}.jsonl]\n    \
         volumes: [\"./specs:/specs:ro\", \"state-{name}:/state\", \"events:/events\"]\n",
    );
}

fn on_the_network(name: &str) -> String {
    format!("hostname: {name}\n    networks:\n      peers:\n        aliases: [{EVERYBODY}]")
}

/// A container that holds the network of a peer. Delay and loss of netem are of what goes out.
fn links_service(text: &mut String, name: &str, links: &LinkSetup) {
    let links = serde_json::to_string(links).unwrap_or_default();
    let _ = write!(
        text,
        "  {name}-links:\n    <<: *links\n    {}\n    command: [links, {}]\n",
        on_the_network(name),
        quoted(&links)
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

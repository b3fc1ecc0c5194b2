//! A compose file for the peers of a scenario: one service each, on a network without a way out, and one that shows
//! them.
//!
//! Beside the file lies a folder `specs` with what each peer is told and the rows it learns from. A name that all peers
//! answer to is the contact of each, so none is special. What goes wrong in the scenario is not played: with
//! containers, whoever likes does that by hand.

mod text;

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fleet::key;
use crate::member::{MemberSpec, RowsError, peer_of, write_rows};
use crate::run::LinkBook;
use crate::scenario::{Partitioned, Plan};

/// Most peers of one file: one machine runs them all.
const MOST: usize = 200;
/// The name that all peers answer to.
const EVERYBODY: &str = "peers";
/// The port that they listen on.
const PORT: u16 = 4001;

/// What containers are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposeSetup {
    /// The image; its entry point is `peerlearn-testnet`.
    pub image: String,
    /// Most memory of a container.
    pub memory: String,
    /// Most processors of a container.
    pub cpus: String,
    /// Whether the kernel makes links bad, where it can; else nodes do that themselves.
    pub netem: bool,
}

/// Why there is no compose file.
#[derive(Debug, Error)]
pub enum ComposeError {
    /// Too many peers.
    #[error("{got} peers are too many for one machine; at most {MOST}")]
    Crowd {
        /// How many.
        got: usize,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Rows cannot be written.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

/// Writes the file and its folder `specs`.
///
/// # Errors
/// There are too many peers, or something cannot be written.
pub fn write_compose(
    plan: &Plan,
    partitioned: &Partitioned,
    setup: &ComposeSetup,
    file: &Path,
) -> Result<(), ComposeError> {
    if plan.peers.len() > MOST {
        return Err(ComposeError::Crowd { got: plan.peers.len() });
    }
    let specs = file.parent().unwrap_or(Path::new("")).join("specs");
    fs::create_dir_all(&specs).map_err(failed(&specs))?;
    for (spec, rows) in specs_of(plan, setup).into_iter().zip(&partitioned.parts) {
        write_rows(&specs.join(format!("{}.rows", spec.name)), rows)?;
        let path = specs.join(format!("{}.json", spec.name));
        let text = serde_json::to_string_pretty(&spec).map_err(std::io::Error::from);
        text.and_then(|text| fs::write(&path, text)).map_err(failed(&path))?;
    }
    fs::write(file, text::compose(plan, setup)).map_err(failed(file))
}

/// What each peer is told.
fn specs_of(plan: &Plan, setup: &ComposeSetup) -> Vec<MemberSpec> {
    let key = |name: &str| key(plan.seed, name, 0);
    let ids: Vec<_> = plan.peers.iter().map(|peer| peer_of(&key(&peer.name))).collect();
    let links = LinkBook::new(plan);
    let spec = |(index, peer): (usize, &crate::scenario::PeerPlan)| {
        let mut config = peer.config.clone();
        config.network.listen = vec![format!("/ip4/0.0.0.0/tcp/{PORT}")];
        config.network.contacts = vec![format!("/dns4/{EVERYBODY}/tcp/{PORT}")];
        MemberSpec {
            name: peer.name.clone(),
            config,
            key: key(&peer.name),
            home: Some("/state".into()),
            rows: Some(format!("/specs/{}.rows", peer.name).into()),
            attack: peer.attack.map(|attack| attack.to_string()),
            links: links.table(index, &ids),
            waits: false,
            netem: setup.netem && !links.setup(index).is_empty(),
        }
    };
    plan.peers.iter().enumerate().map(spec).collect()
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> ComposeError {
    let path = path.to_owned();
    move |source| ComposeError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Document, partition_rows};

    const SCENARIO: &str = "name = \"lan\"\nrounds = 5\n[links]\ndelay = [\"10ms\", \"30ms\"]\nloss = 0.01\n\
        [[group]]\nname = \"ant\"\ncount = 2\n[[group]]\nname = \"bat\"\ncount = 1\nlinks = { rate = \"100kB\" }\n";

    fn written(netem: bool) -> (tempfile::TempDir, String) {
        let document = Document::parse(Path::new("lan.toml"), SCENARIO.to_owned()).unwrap();
        let plan = Plan::new(&document, 0).unwrap();
        let partitioned = partition_rows(&document, &plan.scenario.data, 3, 0).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("compose.yaml");
        let setup = ComposeSetup { image: "peerlearn:local".into(), memory: "256m".into(), cpus: "1".into(), netem };
        write_compose(&plan, &partitioned, &setup, &file).unwrap();
        let text = fs::read_to_string(file).unwrap();
        (folder, text)
    }

    #[test]
    fn every_peer_has_a_service_and_what_it_is_told() {
        let (folder, text) = written(false);
        for name in ["ant-1", "ant-2", "bat"] {
            assert!(text.contains(&format!("\n  {name}:\n")), "{text}");
            let spec = fs::read_to_string(folder.path().join(format!("specs/{name}.json"))).unwrap();
            let spec: MemberSpec = serde_json::from_str(&spec).unwrap();
            assert_eq!(spec.config.network.contacts, ["/dns4/peers/tcp/4001"]);
            assert_eq!(spec.links.usual.delay_us, (10_000, 30_000));
            assert_eq!(spec.links.rate, (name == "bat").then_some(100_000));
            assert!(folder.path().join(format!("specs/{name}.rows")).exists());
        }
        assert!(!text.contains("NET_ADMIN"));
    }

    #[test]
    fn only_who_makes_links_bad_may_do_so() {
        let (folder, text) = written(true);
        assert_eq!(text.matches("cap_add: [NET_ADMIN]").count(), 1);
        assert!(text.contains("command: [links, \"{\\\"delay\\\":[\\\"10ms\\\",\\\"30ms\\\"],\\\"loss\\\":0.01,\\\"rate\\\":\\\"100kB\\\"}\"]"), "{text}");
        let peer = text.split("\n  bat:\n").nth(1).unwrap().split("\n  watch:").next().unwrap();
        assert!(peer.contains("network_mode: \"service:bat-links\"") && !peer.contains("*links"), "{peer}");
        let spec = fs::read_to_string(folder.path().join("specs/bat.json")).unwrap();
        let spec: MemberSpec = serde_json::from_str(&spec).unwrap();
        // Until it sees netem, and for good where there is none, the node does it.
        assert!(spec.netem && spec.links.rate == Some(100_000));
    }
}

//! All nodes in this process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use peerlearn::data::Loaded;
use peerlearn_harness::{Load, LoadMeter};
use tokio::sync::mpsc;

use super::{Fleet, FleetError};
use crate::member::{Member, MemberCommand, MemberReport, MemberSpec};

/// Nodes in this process. A node that is stopped trains and talks no more, but its threads are there.
pub struct InProcess {
    rows: Vec<Loaded>,
    homes: PathBuf,
    told: mpsc::Sender<(usize, MemberReport)>,
    members: BTreeMap<usize, Member>,
    meter: LoadMeter,
}

impl InProcess {
    /// A fleet without nodes. Homes are made under `homes`.
    pub fn new(rows: Vec<Loaded>, homes: &Path, told: mpsc::Sender<(usize, MemberReport)>) -> Self {
        Self { rows, homes: homes.to_owned(), told, members: BTreeMap::new(), meter: LoadMeter::start() }
    }
}

impl Fleet for InProcess {
    async fn start(&mut self, peer: usize, spec: MemberSpec) -> Result<(), FleetError> {
        let name = spec.name.clone();
        let member = Member::start(spec, self.rows[peer].clone(), peer, self.told.clone()).await;
        let member = member.map_err(|source| FleetError::Node { name, source: Box::new(source) })?;
        self.members.insert(peer, member);
        Ok(())
    }

    async fn kill(&mut self, peer: usize) -> Result<(), FleetError> {
        if let Some(member) = self.members.remove(&peer) {
            member.abort().await;
        }
        Ok(())
    }

    async fn freeze(&mut self, peer: usize, frozen: bool) -> Result<(), FleetError> {
        self.order(peer, MemberCommand::Hold { still: frozen }).await;
        Ok(())
    }

    async fn fill_disk(&mut self, _: usize, _: bool) -> Result<bool, FleetError> {
        // Limits of the system are for processes.
        Ok(false)
    }

    async fn relocate(&mut self, peer: usize) -> Result<(), FleetError> {
        self.order(peer, MemberCommand::Move).await;
        Ok(())
    }

    async fn order(&mut self, peer: usize, order: MemberCommand) {
        if let Some(member) = self.members.get_mut(&peer)
            && !member.handle(order).await
        {
            self.members.remove(&peer);
        }
    }

    fn home(&self, peer: usize) -> PathBuf {
        self.homes.join(peer.to_string())
    }

    fn disk(&self, peer: usize) -> PathBuf {
        self.home(peer)
    }

    fn listen(&self) -> Vec<String> {
        vec!["/ip4/127.0.0.1/tcp/0".to_owned()]
    }

    fn load(&mut self) -> Load {
        self.meter.load()
    }

    async fn end(&mut self) {
        let members = std::mem::take(&mut self.members);
        futures::future::join_all(members.into_values().map(Member::abort)).await;
    }
}

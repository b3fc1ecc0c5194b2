//! Meetings of two: the conversations around [`peerlearn_protocols::exchange::pairing`], on both sides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::exchange::pairing::{
    ASK_AGAIN, GUEST_LIMIT, Half, Lead, MAX_OPEN, NoLead, OPEN_LIMIT, Settling,
};
use peerlearn_protocols::exchange::{Meeting, Pairing, Publication, PullOrder, Pulled};
use peerlearn_protocols::id::{PeerId, Root, TaskId};
use peerlearn_protocols::params::Layout;
use peerlearn_protocols::wire::blob::{Blob, encoded_len};
use peerlearn_protocols::wire::{BulkRequest, Refusal, Request, Response};

use super::pull::{self, PullFailure};
use crate::network::NetworkHandle;

/// The meetings of this node. Cloning shares them.
#[derive(Clone)]
pub(super) struct Meetings {
    pairing: Arc<Mutex<Pairing>>,
    open: Arc<tokio::sync::Semaphore>,
    task: TaskId,
    layout: Arc<Layout>,
    resumes: u32,
    network: NetworkHandle,
}

impl Meetings {
    pub fn new(pairing: Pairing, task: TaskId, layout: Arc<Layout>, resumes: u32, network: NetworkHandle) -> Self {
        let open = Arc::new(tokio::sync::Semaphore::new(MAX_OPEN));
        Self { pairing: Arc::new(Mutex::new(pairing)), open, task, layout, resumes, network }
    }

    /// Never locked while waiting, and whole even if a thread that held it panicked.
    fn pairing(&self) -> MutexGuard<'_, Pairing> {
        self.pairing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn publish(&self, publication: Publication) {
        self.pairing().publish(publication);
    }

    pub fn open(&self, request: &BulkRequest) -> Option<(Arc<Vec<u8>>, std::ops::Range<usize>)> {
        self.pairing().open(request)
    }

    pub fn take(&self, last: bool) -> Vec<Half> {
        self.pairing().take(last)
    }

    /// Answers a leader.
    pub fn answer(&self, leader: PeerId, request: &Request) -> Response {
        let refuse = |reason| Response::Refused { reason, retry_after_ms: ASK_AGAIN[0].as_millis() as u32 };
        match *request {
            Request::Meet { codec, number, root, .. } => {
                let invited = self.pairing().invited(leader, number, codec);
                match invited {
                    Ok(ours) => {
                        tokio::spawn(self.clone().be_guest(leader, number, codec, root));
                        Response::Meeting { offer: ours.offer, hashes: ours.first_hashes(), number }
                    }
                    Err(reason) => refuse(reason),
                }
            }
            Request::Settle { number, .. } => match self.pairing().settle(leader, number) {
                Settling::Settled => Response::Settled,
                Settling::Wait => refuse(Refusal::Busy),
                Settling::Gone => refuse(Refusal::Gone),
            },
            _ => refuse(Refusal::NoMeeting),
        }
    }

    /// Fetches the leader's model, and gives the meeting up when nobody asks to settle it.
    async fn be_guest(self, leader: PeerId, number: u64, codec: Codec, theirs: Root) {
        let pulling = self.pull(leader, codec, Meeting::Guest { theirs });
        match tokio::time::timeout(GUEST_LIMIT, pulling).await {
            Ok(Ok(pulled)) => {
                self.pairing().arrived(leader, number, Arc::new(pulled.blob), pulled.offer.age);
                tokio::time::sleep(GUEST_LIMIT).await;
            }
            Ok(Err(error)) => tracing::debug!(?leader, %error, "a meeting came to nothing"),
            Err(_) => tracing::debug!(?leader, "the model of a leader did not come in time"),
        }
        self.pairing().abandoned(leader, number);
    }

    /// Leads a meeting. What was begun goes on when nobody waits any more, so that both sides end alike.
    pub async fn lead(&self, peer: PeerId, limit: Duration) -> Result<(), PullFailure> {
        let lead = match self.pairing().lead(peer) {
            Ok(lead) => lead,
            Err(NoLead::Spent) => return Ok(()),
            Err(NoLead::Busy) => return Err(PullFailure::Meeting),
        };
        let leading = tokio::spawn(self.clone().lead_to_the_end(peer, lead, limit));
        match tokio::time::timeout(limit, leading).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(PullFailure::Meeting),
            Err(_) => Err(PullFailure::Deadline),
        }
    }

    async fn lead_to_the_end(self, peer: PeerId, lead: Lead, limit: Duration) -> Result<(), PullFailure> {
        let (number, ours) = (lead.number, lead.ours);
        let pulling = self.pull(peer, ours.offer.codec, Meeting::Led { number, ours: ours.offer.root });
        let pulled = match tokio::time::timeout(limit, pulling).await {
            Ok(Ok(pulled)) => pulled,
            failed => {
                self.pairing().lead_failed(number);
                return Err(failed.map_or(PullFailure::Deadline, |failed| failed.err().unwrap_or(PullFailure::Meeting)));
            }
        };
        let half = Half { peer, ours: ours.blob, theirs: Arc::new(pulled.blob), age: pulled.offer.age };
        self.settle(peer, number, half).await
    }

    /// Asks until the other has settled or has given up.
    async fn settle(&self, peer: PeerId, number: u64, half: Half) -> Result<(), PullFailure> {
        let mut open = None;
        let asking = async {
            loop {
                match self.network.request(peer, Request::Settle { task: self.task, number }).await {
                    Ok(Response::Settled) => return true,
                    Ok(Response::Refused { reason: Refusal::Busy, .. }) => tokio::time::sleep(ASK_AGAIN[0]).await,
                    Ok(_) => return false,
                    Err(_) => {
                        // It may have settled. Others may be met meanwhile, unless too many hang like this one.
                        if open.is_none() {
                            open = Arc::clone(&self.open).try_acquire_owned().ok();
                        }
                        if open.is_some() {
                            self.pairing().lead_open(number);
                        }
                        tokio::time::sleep(ASK_AGAIN[1]).await;
                    }
                }
            }
        };
        match tokio::time::timeout(OPEN_LIMIT, asking).await {
            Ok(true) => {
                self.pairing().led(number, half);
                Ok(())
            }
            Ok(false) => {
                self.pairing().lead_failed(number);
                Err(PullFailure::Meeting)
            }
            Err(_) => {
                self.pairing().lead_open(number);
                tracing::warn!(?peer, "{}", PullFailure::Open);
                Err(PullFailure::Open)
            }
        }
    }

    /// Fetches a model and checks that its values can be added.
    async fn pull(&self, peer: PeerId, codec: Codec, meeting: Meeting) -> Result<Pulled, PullFailure> {
        let order = PullOrder {
            task: self.task,
            codec,
            bytes: encoded_len(codec, &self.layout),
            least_age: 0,
            resumes: self.resumes,
            packed: false,
            share: None,
            meeting: Some(meeting),
        };
        let pulled = pull::run(&self.network, peer, order).await?;
        match Blob::parse(&pulled.blob, &self.layout) {
            Ok(_) => Ok(pulled),
            Err(_) => Err(PullFailure::Coat),
        }
    }
}

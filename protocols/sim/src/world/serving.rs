//! Publishing and serving models.

use std::sync::Arc;

use peerlearn_protocols::codec::Codec;
use peerlearn_protocols::exchange::Publication;
use peerlearn_protocols::mixing::push_sum::Ask;
use peerlearn_protocols::params::ParamsError;
use peerlearn_protocols::wire::blob::{self, Blob};
use peerlearn_protocols::wire::{BulkRequest, Refusal, Request, Response};
use rand::RngExt;

use super::event::{Chunks, Message};
use super::lie::Lie;
use super::peer::Peer;
use super::{Environment, peer_id};

impl Peer {
    /// Offers the model as it is to others; one that cannot be encoded is not offered.
    pub(super) fn publish(&mut self, env: &Environment<'_>) {
        self.mix_halves(env);
        let mut twisted = self.attacked().or_else(|| self.lie.map(|_| self.learner.params.clone()));
        if let (Some(lie), Some(params)) = (self.lie, &mut twisted) {
            lie.twist(params, &mut self.rng);
        }
        let params = twisted.as_deref().unwrap_or(&self.learner.params);
        let layout = env.model.layout();
        let native = self.encoder.encode(layout, params);
        let codec = self.recipe.codec;
        let whole = codec.is_partial().then(|| blob::encode(codec.whole(), layout, params));
        let (first, second) = match whole {
            Some(whole) => (self.publication(codec.whole(), whole), Some(native)),
            None => (self.publication(codec, native), None),
        };
        let Some(first) = first else { return };
        self.digest.push(u64::from_le_bytes(first.offer.root.0[..8].try_into().unwrap_or_default()));
        self.meetings.iter_mut().for_each(|meetings| meetings.publish(first.clone()));
        self.shelf.publish(first);
        let second = second.and_then(|native| self.publication(codec, native));
        second.into_iter().for_each(|publication| self.shelf.add(publication));
    }

    /// What an attacker publishes in place of its model.
    fn attacked(&mut self) -> Option<Vec<f32>> {
        let (attack, seen) = (self.attack?, self.seen.as_ref()?);
        Some(seen.answer(attack, &self.learner.params, self.rng.random()))
    }

    fn publication(&mut self, codec: Codec, encoded: Result<Vec<u8>, ParamsError>) -> Option<Publication> {
        let bytes = encoded.ok()?;
        let (age, samples) = (self.learner.age, self.learner.rows.len() as u32);
        let round = self.stats.rounds + 1;
        match self.lie {
            None => Some(Publication::new(Arc::new(bytes), codec, age, round, samples)),
            Some(lie) => {
                let honest = Publication::new(Arc::new(bytes.clone()), codec, age, round, samples);
                Some(lie.publish(bytes, honest, &mut self.rng))
            }
        }
    }

    pub(super) fn on_ask(&mut self, env: &Environment<'_>, from: u32, pull: u32, request: &Request) {
        if self.lie == Some(Lie::Silent) {
            return;
        }
        let mut response = self.shelf.answer(request);
        if matches!(response, Response::Refused { reason: Refusal::NoMeeting, .. })
            && let Some(answer) = self.answer_meeting(env, from, request)
        {
            response = answer;
        }
        if matches!(response, Response::Refused { reason: Refusal::Codec, .. }) && self.transcode(env, request) {
            response = self.shelf.answer(request);
        }
        if let Request::Share { number, taken, .. } = *request {
            response = match &mut self.purse {
                Some(purse) => purse.answer(peer_id(from), Ask { number, taken }, response),
                None => Response::Refused { reason: Refusal::NoMass, retry_after_ms: 600_000 },
            };
        }
        self.send(env, from, Message::Answer { pull, response: Box::new(response) });
    }

    fn transcode(&mut self, env: &Environment<'_>, request: &Request) -> bool {
        let (Request::Newest { codec, .. } | Request::Share { codec, .. }) = request else { return false };
        let Some(newest) = self.shelf.newest().filter(|_| self.shelf.has_room()) else { return false };
        let offer = newest.offer;
        let Ok(blob) = Blob::parse(&newest.blob, env.model.layout()) else { return false };
        let Ok(bytes) = blob.transcode(*codec) else { return false };
        self.shelf.add(Publication::new(Arc::new(bytes), *codec, offer.age, offer.round, offer.samples));
        true
    }

    /// The chunks leave one after the other over the uplink, behind those of other pulls. Where their turn comes only after
    /// the other side will have given up, they do not leave at all.
    pub(super) fn on_stream(&mut self, env: &Environment<'_>, from: u32, pull: u32, request: &BulkRequest) {
        if self.uplink_free > self.now + env.config.request_timeout {
            return;
        }
        let in_meeting = || self.meetings.as_ref().and_then(|meetings| meetings.open(request));
        let held = self.shelf.open(request).or_else(in_meeting);
        let is_as_offered = self.lie != Some(Lie::WrongHash);
        let cut = self.is_lost(env, from);
        let bytes = held.as_ref().map_or(0, |(_, range)| range.len());
        let took = std::time::Duration::from_secs_f64(bytes as f64 / env.link(self.index).uplink.max(1.0));
        self.uplink_free = self.uplink_free.max(self.now) + took;
        let at = self.uplink_free + self.delay(env, from);
        let chunks = held.filter(|_| !cut).map(|(model, range)| Box::new(Chunks { model, range, is_as_offered }));
        let message = Message::Chunks { pull, chunks };
        self.stats.bytes_out += message.bytes();
        if env.reaches(self.index, from, self.now) {
            self.send_at(from, at, message);
        }
    }
}

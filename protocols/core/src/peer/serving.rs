//! Answering others: questions, streams, and models in forms that are not there yet.

use std::collections::BTreeSet;

use super::{Effect, Peer, Token};
use crate::codec::Codec;
use crate::id::{PeerId, Root};
use crate::membership;
use crate::time::Time;
use crate::wire::{BulkRequest, Publication, Refusal, Request, Response};

/// Most questions that wait for the model to be ready in another form; more are told to come back.
const MAX_WAITING: usize = 32;
/// How long those are told to wait, and all that no answer can be given to now.
const RETRY_AFTER_MS: u32 = 200;
/// How long a peer of another kind is told to wait.
const NEVER_MS: u32 = 600_000;

/// A form of a model: its codec, and whether compressed.
type Form = (Codec, bool);

/// Questions that wait.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// Who asked for the newest model in a form that is being made.
    waiting: Vec<(Token, PeerId, Request)>,
    /// The model that is being written in another form, by the root of its first one, and that form.
    recoding: Option<(Root, Form)>,
    /// Forms of the newest model that compression was tried on.
    tried: BTreeSet<Root>,
    /// Whose shuffle is being answered.
    shuffling: Option<Token>,
}

impl Serving {
    /// A new model is in the store.
    pub fn forget_tried(&mut self) {
        self.tried.clear();
    }
}

impl Peer {
    pub(super) fn on_asked(
        &mut self,
        now: Time,
        token: Token,
        from: PeerId,
        request: Request,
        effects: &mut Vec<Effect>,
    ) {
        if self.scores.is_banned(now, &from) {
            return answer(token, refuse(Refusal::Busy, NEVER_MS), effects);
        }
        self.membership.use_connection(now, &from);
        match request {
            Request::Shuffle { task, descriptors } if task == self.settings.task => {
                self.serving.shuffling = Some(token);
                self.tell_membership(now, membership::Input::ShuffleAsked { from, descriptors }, effects);
            }
            Request::Shuffle { .. } => {
                answer(token, refuse(Refusal::OtherTask { ours: self.settings.task }, NEVER_MS), effects);
            }
            request => match self.form_to_make(&request) {
                Some(form) => self.wait_for_form(token, from, request, form, effects),
                None => self.answer_now(now, token, from, &request, effects),
            },
        }
    }

    pub(super) fn answer_shuffle(&mut self, response: Response, effects: &mut Vec<Effect>) {
        if let Some(token) = self.serving.shuffling.take() {
            answer(token, response, effects);
        }
    }

    fn answer_now(&mut self, now: Time, token: Token, from: PeerId, request: &Request, effects: &mut Vec<Effect>) {
        let mut stored = self.store.answer(request);
        let other_task = matches!(stored, Response::Refused { reason: Refusal::OtherTask { .. }, .. });
        if matches!(request, Request::Share { .. }) && self.mode.ledger().is_none() && !other_task {
            stored = refuse(Refusal::NoMass, NEVER_MS);
        }
        let response = self.with_mode(now, effects, |mode, actions| mode.answer(now, from, request, stored, actions));
        answer(token, response, effects);
    }

    /// The form in which a question wants the newest model, where that can be made and is not there: its codec, and
    /// whether compressed.
    fn form_to_make(&self, request: &Request) -> Option<Form> {
        let (task, codec, compressed) = match *request {
            Request::Newest { task, codec } => (task, codec, false),
            Request::Share { task, codec, .. } if self.mode.ledger().is_some() => (task, codec, false),
            Request::Compressed { task, codec } => (task, codec, true),
            _ => return None,
        };
        if task != self.settings.task || !self.store.has_room() {
            return None;
        }
        match self.store.newest_in(codec, false) {
            None => Some((codec, false)),
            Some(plain) => {
                let is_tried = || self.serving.tried.contains(&plain.offer.root);
                let missing = compressed && self.store.newest_in(codec, true).is_none() && !is_tried();
                missing.then_some((codec, true))
            }
        }
    }

    fn wait_for_form(&mut self, token: Token, from: PeerId, request: Request, form: Form, effects: &mut Vec<Effect>) {
        if self.serving.waiting.len() >= MAX_WAITING {
            return answer(token, refuse(Refusal::Busy, RETRY_AFTER_MS), effects);
        }
        self.serving.waiting.push((token, from, request));
        if self.serving.recoding.is_none() {
            self.recode(form, effects);
        }
    }

    fn recode(&mut self, (codec, compressed): Form, effects: &mut Vec<Effect>) {
        // A compressed frame is made of the plain form in the same codec.
        let of = if compressed { self.store.newest_in(codec, false) } else { self.store.newest() };
        let Some(of) = of.cloned() else { return };
        let newest = self.store.newest().map(|newest| (newest.offer.root, (codec, compressed)));
        if compressed {
            self.serving.tried.insert(of.offer.root);
        }
        self.serving.recoding = newest;
        effects.push(Effect::Recode { of: Box::new(of), codec, compressed });
    }

    pub(super) fn on_recoded(&mut self, now: Time, publication: Option<Box<Publication>>, effects: &mut Vec<Effect>) {
        let Some((was, form)) = self.serving.recoding.take() else { return };
        let made = publication.is_some();
        // A newer model may have been published meanwhile.
        let is_newest = self.store.newest().map(|newest| newest.offer.root) == Some(was);
        publication.filter(|_| is_newest).into_iter().for_each(|publication| self.store.add(*publication));
        // Each gets an answer, or another form is made; what could not be made is not tried again for the same
        // question.
        for (token, from, request) in std::mem::take(&mut self.serving.waiting) {
            match self.form_to_make(&request).filter(|next| *next != form || (made && !is_newest)) {
                Some(form) => self.wait_for_form(token, from, request, form, effects),
                None => self.answer_now(now, token, from, &request, effects),
            }
        }
    }

    pub(super) fn on_stream_asked(&mut self, token: Token, request: &BulkRequest, effects: &mut Vec<Effect>) {
        let held = self.store.open(request).or_else(|| self.mode.open(request));
        effects.push(match held {
            Some((blob, range)) => Effect::Serve { token, blob, range },
            None => Effect::NotHeld { token },
        });
    }
}

fn answer(token: Token, response: Response, effects: &mut Vec<Effect>) {
    effects.push(Effect::Answer { token, response: Box::new(response) });
}

fn refuse(reason: Refusal, retry_after_ms: u32) -> Response {
    Response::Refused { reason, retry_after_ms }
}

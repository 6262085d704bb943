//! Short ways to let people of the world meet and talk, and to look at what they see.

use std::collections::{BTreeMap, BTreeSet};

use beresta_client::crypto;
use beresta_client::engine::{AcceptRequest, Answer, AskError, InviteRequest, SendRefused};
use beresta_client::store::StoreError;
use beresta_client::store::contact::{Contact, ContactId};
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::{Message, MessageRow, MessageState};
use beresta_proto::command::Command;
use beresta_proto::id::AccountId;
use beresta_proto::invite::InviteLink;
use beresta_proto::reply::{Heard, Push};
use beresta_proto::time::SECOND_MS;
use beresta_proto::words::Words;

use super::{Who, World};
use crate::ratchet;

/// What a person sees of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Whether they wrote it.
    pub outgoing: bool,
    /// The text.
    pub text: String,
    /// How far it is.
    pub state: MessageState,
}

impl From<Message> for Shown {
    fn from(message: Message) -> Self {
        Self { outgoing: message.outgoing, text: message.body.to_string(), state: message.state }
    }
}

impl World {
    /// Makes an invite and waits for its link.
    ///
    /// # Errors
    /// As the engine says.
    pub fn invite(&mut self, who: Who) -> Result<InviteLink, AskError> {
        let request = InviteRequest { hours: 24, name: Words::default(), renews: None };
        self.invite_with(who, request)
    }

    /// Makes an invite of a kind and waits for its link.
    ///
    /// # Errors
    /// As the engine says.
    pub fn invite_with(&mut self, who: Who, request: InviteRequest) -> Result<InviteLink, AskError> {
        let ask = self.wish(who, |engine, store, now| engine.invite_new(store, request, now))?;
        self.run(5 * SECOND_MS);
        match self.answer(who, ask).expect("an answer")? {
            Answer::Invited { invite: _, link } => Ok(InviteLink::from_link(&link).expect("our own link")),
            Answer::Accepted { contact: _ } => unreachable!("an invite was asked for"),
        }
    }

    /// Accepts an invite and waits for its contact.
    ///
    /// # Errors
    /// As the engine says.
    pub fn accept(&mut self, who: Who, link: InviteLink) -> Result<ContactId, AskError> {
        self.accept_with(who, AcceptRequest { link, name: Words::default(), renews: None })
    }

    /// Accepts an invite in a certain way and waits for its contact.
    ///
    /// # Errors
    /// As the engine says.
    pub fn accept_with(&mut self, who: Who, request: AcceptRequest) -> Result<ContactId, AskError> {
        let ask = self.wish(who, |engine, store, now| engine.invite_accept(store, request, now))?;
        self.run(5 * SECOND_MS);
        match self.answer(who, ask).expect("an answer")? {
            Answer::Accepted { contact } => Ok(contact),
            Answer::Invited { invite: _, link: _ } => unreachable!("an invite was accepted"),
        }
    }

    /// Two people meet: what each calls the other.
    pub fn meet(&mut self, inviter: Who, joiner: Who) -> (ContactId, ContactId) {
        let link = self.invite(inviter).expect("an invite");
        let theirs = self.accept(joiner, link).expect("a contact");
        self.run(10 * SECOND_MS);
        let ours = self.contacts(inviter).last().expect("a contact").id;
        (ours, theirs)
    }

    /// Every contact of a person.
    pub fn contacts(&mut self, who: Who) -> Vec<Contact> {
        self.get(who).store.transaction(|tx| tx.contacts()).expect("contacts")
    }

    /// A person decides to write to a contact's key as it is now.
    pub fn decide(&mut self, who: Who, about: ContactId) {
        let shown = self.account_of(who, about);
        self.wish(who, |engine, store, now| engine.decide_identity(store, about, shown, false, now))
            .expect("a decision");
    }

    /// The account that names a contact's key now.
    pub fn account_of(&mut self, who: Who, contact: ContactId) -> AccountId {
        let contact = self.get(who).store.transaction(|tx| tx.contact(contact)).expect("a contact");
        contact.identity.account_id()
    }

    /// Sends a text.
    ///
    /// # Errors
    /// As the engine says.
    pub fn say(&mut self, who: Who, to: ContactId, text: &str) -> Result<MessageRow, SendRefused> {
        Ok(self.wish(who, |engine, store, now| engine.send(store, to, text, now))?.row)
    }

    /// Sets a conversation's timer, in seconds.
    pub fn set_timer(&mut self, who: Who, with: ContactId, seconds: Option<u32>) {
        self.wish(who, |engine, store, now| engine.set_timer(store, with, seconds, now)).expect("a timer");
    }

    /// The whole conversation as a person sees it.
    pub fn chat(&mut self, who: Who, with: ContactId) -> Vec<Shown> {
        let list = self.get(who).store.transaction(|tx| tx.history(with, None, u32::MAX)).expect("history");
        list.into_iter().map(Shown::from).collect()
    }

    /// The texts that came to a person from a contact, in the order of their coming.
    pub fn heard_texts(&mut self, who: Who, from: ContactId) -> Vec<String> {
        let chat = self.chat(who, from).into_iter();
        chat.filter(|one| !one.outgoing).map(|one| one.text).collect()
    }

    /// How far a message is.
    pub fn state(&mut self, who: Who, row: MessageRow) -> Option<MessageState> {
        let message = self.get(who).store.transaction(|tx| tx.message(row)).expect("message");
        message.map(|message| message.state)
    }

    /// Everything new was looked at: timers run.
    pub fn read_all(&mut self, who: Who) {
        let rows: Vec<MessageRow> = self
            .get(who)
            .store
            .transaction(|tx| tx.unshown(None))
            .expect("unshown")
            .into_iter()
            .map(|message| message.id)
            .collect();
        self.wish(who, |engine, store, now| engine.shown(store, &rows, now)).expect("shown");
    }

    /// How many capsules were on their way to the relay until now.
    #[must_use]
    pub fn capsules(&self) -> usize {
        let towards = self.tap.iter().filter(|(to_relay, _)| *to_relay);
        towards.filter(|(_, frame)| matches!(Command::decode(frame), Ok((_, Command::Send { .. })))).count()
    }

    /// What a person was told, in order.
    pub fn events(&mut self, who: Who) -> Vec<EventKind> {
        let rows = self.get(who).store.transaction(|tx| tx.events_after(0, u32::MAX)).expect("events");
        rows.into_iter().map(|row| row.kind).collect()
    }

    /// How often something was dropped for a reason.
    pub fn dropped(&mut self, who: Who, reason: DropReason) -> u64 {
        let rows = self.get(who).store.transaction(|tx| tx.dropped()).expect("dropped");
        rows.into_iter().find(|(one, _)| *one == reason).map_or(0, |(_, count)| count)
    }

    /// How many keys of ratchets encrypted more than one of the messages that came to a person's queues, and whether two
    /// ciphertexts of one key show what their texts have in common.
    pub fn keys_used_twice(&mut self, reader: Who) -> (usize, bool) {
        let mut used: BTreeMap<_, BTreeSet<Vec<u8>>> = BTreeMap::new();
        let relay = self.relay_address().relay;
        let pushed = self.tap.iter().filter(|(to_relay, _)| !to_relay);
        let store = &mut self.people[reader.0].store;
        for (_, frame) in pushed {
            let Ok(Heard::Push(Push::Deliver { queue, envelope, .. })) = Heard::decode(frame) else {
                continue;
            };
            let opened = store.transaction(|tx| {
                let Some(own) = tx.own_queue(&relay, &queue)? else { return Ok(None) };
                let Ok(sealed) = envelope.open(&own.envelope) else { return Ok(None) };
                Ok::<_, StoreError>(crypto::open_seal(tx, &sealed).ok())
            });
            let Some(opened) = opened.expect("a store") else { continue };
            let (step, ciphertext) = ratchet::read(opened.encrypted().expect("a seal")).expect("a message");
            used.entry((opened.sender().0, step)).or_default().insert(ciphertext);
        }
        let twice = used.values().filter(|ciphertexts| ciphertexts.len() > 1);
        let alike = |all: &BTreeSet<Vec<u8>>| {
            let mut pairs =
                all.iter().flat_map(|one| all.range::<Vec<u8>, _>(..one).map(move |other| (one, other)));
            pairs.any(|(one, other)| ratchet::have_a_block_in_common(one, other))
        };
        (twice.clone().count(), twice.clone().any(alike))
    }
}

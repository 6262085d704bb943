//! Who lies: a contact with a program of their own, and relays that push what they like. They know every address and
//! every key of a queue, as if all links had leaked, and can look into every envelope; but nobody has an identity key
//! that is not theirs. What they make must not be shown, and must harm nobody else.

use beresta_client::crypto;
use beresta_client::store::StoreError;
use beresta_client::store::contact::ContactId;
use beresta_client::store::message::MessageRow;
use beresta_client::store::queue::{OwnQueue, OwnQueueState};
use beresta_proto::capsule::{SendOrder, Session};
use beresta_proto::command::Command;
use beresta_proto::content::{Body, Content};
use beresta_proto::envelope::Envelope;
use beresta_proto::frame::RequestId;
use beresta_proto::id::{AccountId, ContentId, ConversationId, Device, MessageId, ReadId};
use beresta_proto::key::EnvelopeKey;
use beresta_proto::reply::Push;
use beresta_proto::rng::Random as _;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use beresta_server::relay::LinkId;
use libsignal_protocol::{CiphertextMessageType, SenderCertificate, SignalMessage};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::relay::exporter;
use super::{At, Sim, Who};
use crate::forge::{self, Issuer};
use crate::world::Seeded;

/// What is tried.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attack {
    /// With what another sent.
    Taken(Taken),
    /// With the liar's own text, under a certificate that is not right.
    Certificate(Certificate),
    /// With the liar's own text, sealed rightly.
    Sealed(Sealed),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Taken {
    /// An envelope comes again: from the relay, or from somebody who puts it into its queue under a fresh id.
    Again,
    /// A genuine seal in another queue, of the same reader or of another.
    Moved,
    /// Sealed anew by the liar, under a certificate that names the author's account or the liar's.
    Resealed,
    /// A bit of a genuine envelope is another.
    Damaged,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Certificate {
    /// It names another's account.
    OtherAccount,
    /// Another identity vouches for it.
    OtherRoot,
    /// It has ended.
    Expired,
    /// It names another device.
    OtherDevice,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Sealed {
    /// The content names other people, other devices or another conversation.
    OtherRoute,
    /// It lies in a queue that is another contact's.
    OtherQueue,
    /// Two texts have one content id: the second must not be shown.
    SameContent,
}

impl Attack {
    pub(super) const ALL: [Self; 11] = [
        Self::Taken(Taken::Again),
        Self::Taken(Taken::Moved),
        Self::Taken(Taken::Resealed),
        Self::Taken(Taken::Damaged),
        Self::Certificate(Certificate::OtherAccount),
        Self::Certificate(Certificate::OtherRoot),
        Self::Certificate(Certificate::Expired),
        Self::Certificate(Certificate::OtherDevice),
        Self::Sealed(Sealed::OtherRoute),
        Self::Sealed(Sealed::OtherQueue),
        Self::Sealed(Sealed::SameContent),
    ];
}

/// A delivery that a relay saw.
#[derive(Clone)]
pub(super) struct Tapped {
    pub(super) to: Who,
    pub(super) at: At,
    pub(super) queue: ReadId,
    pub(super) envelope: Envelope,
}

/// What a relay remembers of what it delivered.
pub(super) const TAPPED: usize = 32;

/// The liar, whom they lie to, and what each calls the other.
struct Pair {
    liar: Who,
    to: Who,
    theirs: ContactId,
    contact: ContactId,
}

/// What is inside of an envelope: who sealed it, and what.
struct Inside {
    from: Who,
    seal: Vec<u8>,
    encrypted: Vec<u8>,
}

impl Sim {
    pub(super) fn attack(&mut self, attack: Attack) {
        let mut rng = Seeded::new(self.dice.random());
        match attack {
            Attack::Taken(taken) => self.with_taken(taken, &mut rng),
            Attack::Certificate(wrong) => self.under_a_certificate(wrong, &mut rng),
            Attack::Sealed(sealed) => self.rightly_sealed(sealed, &mut rng),
        }
    }

    /// With what somebody else sent.
    fn with_taken(&mut self, taken: Taken, rng: &mut Seeded) {
        let Some(liar) = self.plan.liar else { return };
        if self.tapped.is_empty() {
            return;
        }
        let Tapped { to, at, queue, envelope } =
            self.tapped[self.dice.random_range(0..self.tapped.len())].clone();
        let Some(own) = self.queues(to).into_iter().find(|own| own.read_id == queue) else { return };
        match taken {
            Taken::Again => self.inject(to, at, &own, envelope, rng),
            Taken::Damaged => {
                let mut bytes = envelope.as_bytes().to_vec();
                let bit = self.dice.random_range(0..bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                self.inject(to, at, &own, Envelope::from_bytes(bytes).unwrap(), rng);
            }
            Taken::Moved => {
                let Some(inside) = self.inside(to, &own.envelope, &envelope) else { return };
                let other = Who(self.dice.random_range(0..self.people.len()));
                // To where it belongs is no attack: what a liar sealed rightly they have said.
                let author = self.people[inside.from.0].identity;
                let found = self.people[other.0].store.transaction(|tx| tx.contact_by_identity(&author));
                let author = found.unwrap().map(|contact| contact.id);
                let wrong = |one: &OwnQueue| {
                    let belongs = inside.from == liar && one.contact.is_some() && one.contact == author;
                    one.read_id != queue && !belongs
                };
                let queues: Vec<_> = self.queues(other).into_iter().filter(wrong).collect();
                self.inject_sealed(other, &queues, &inside.seal, rng);
            }
            Taken::Resealed => {
                let Some(inside) = self.inside(to, &own.envelope, &envelope) else { return };
                if inside.from == liar || to == liar {
                    return;
                }
                let mut dice = ChaCha20Rng::seed_from_u64(self.dice.random());
                let named = if self.dice.random() { inside.from } else { liar };
                let account = self.people[named.0].identity.account_id();
                let issuer = Issuer::of(&mut self.people[liar.0].store, &mut dice);
                let ends = self.now.plus(30 * DAY_MS);
                let key = *issuer.identity.public_key();
                let certificate = issuer.certificate(account, &key, 1, ends, &mut dice);
                let kind = match SignalMessage::try_from(inside.encrypted.as_slice()) {
                    Ok(_) => CiphertextMessageType::Whisper,
                    Err(_) => CiphertextMessageType::PreKey,
                };
                let reader = self.people[to.0].identity;
                let sealed = issuer.seal(&reader, certificate, kind, &inside.encrypted, &mut dice);
                // On the author's queue, the liar's own, or an invite's.
                let queues = self.queues(to);
                self.inject_sealed(to, &queues, &sealed.0, rng);
            }
        }
    }

    /// The liar's own text, encrypted rightly, under a certificate that is not right.
    fn under_a_certificate(&mut self, wrong: Certificate, rng: &mut Seeded) {
        let Some(pair) = self.pair() else { return };
        let mut dice = ChaCha20Rng::seed_from_u64(self.dice.random());
        let own = self.people[pair.liar.0].identity.account_id();
        let other = Who(self.dice.random_range(0..self.people.len()));
        let other = self.people[other.0].identity.account_id();
        let mine = Issuer::of(&mut self.people[pair.liar.0].store, &mut dice);
        let stranger = Issuer::new(libsignal_protocol::IdentityKeyPair::generate(&mut dice), &mut dice);
        let key = *mine.identity.public_key();
        let ends = self.now.plus(30 * DAY_MS);
        let certificate = match wrong {
            Certificate::OtherAccount if other == own => return,
            Certificate::OtherAccount => mine.certificate(other, &key, 1, ends, &mut dice),
            Certificate::OtherRoot => stranger.certificate(own, &key, 1, ends, &mut dice),
            // Older than any clock here may be wrong.
            Certificate::Expired => mine.certificate(own, &key, 1, super::BEGIN.minus(9 * DAY_MS), &mut dice),
            Certificate::OtherDevice => mine.certificate(own, &key, 2, ends, &mut dice),
        };
        let text = Body::Text(self.model.next_text().into());
        if let Some(seal) = self.seal_under(&pair, &certificate, text, rng) {
            let queues = self.queues_of(pair.to, pair.contact);
            self.inject_sealed(pair.to, &queues, &seal, rng);
        }
    }

    /// The liar's own text under their own certificate.
    fn rightly_sealed(&mut self, odd: Sealed, rng: &mut Seeded) {
        let Some(pair) = self.pair() else { return };
        // An account that nobody has.
        let account = AccountId(rng.array());
        let now = self.now;
        let content = ContentId::random(rng);
        let field = self.dice.random_range(0..5);
        let edit = |content: &mut Content| {
            let route = &mut content.route;
            match field {
                0 => route.from = account,
                1 => route.to = account,
                2 => route.from_device = Device::new(2).unwrap(),
                3 => route.to_device = Device::new(2).unwrap(),
                _ => route.conversation = ConversationId([1; 16]),
            }
        };
        let text = Body::Text(self.model.next_text().into());
        match odd {
            Sealed::OtherRoute => {
                let Some(seal) = self.seal_edited(&pair, text, edit, rng) else { return };
                let queues = self.queues_of(pair.to, pair.contact);
                self.inject_sealed(pair.to, &queues, &seal, rng);
            }
            Sealed::OtherQueue => {
                let Some(seal) = self.seal_edited(&pair, text, |_| (), rng) else { return };
                let queues = self.queues(pair.to).into_iter();
                let others: Vec<_> = queues.filter(|own| own.contact != Some(pair.contact)).collect();
                self.inject_sealed(pair.to, &others, &seal, rng);
            }
            Sealed::SameContent => {
                self.model.accepted(pair.liar, pair.to, MessageRow(0), now);
                let again = Body::Text(self.model.next_text().into());
                self.model.accepted(pair.liar, pair.to, MessageRow(0), now);
                self.model.twins();
                for body in [text, again] {
                    let Some(seal) = self.seal_edited(&pair, body, |one| one.id = content, rng) else {
                        return;
                    };
                    let queues = self.queues_of(pair.to, pair.contact);
                    self.inject_sealed(pair.to, &queues, &seal, rng);
                }
            }
        }
    }

    /// The liar and one of their contacts, who knows them too.
    fn pair(&mut self) -> Option<Pair> {
        let liar = self.plan.liar?;
        let to = Who(self.dice.random_range(0..self.people.len()));
        let (theirs, own) = (self.people[to.0].identity, self.people[liar.0].identity);
        let mut known = |who: Who, other| {
            let found = self.people[who.0].store.transaction(|tx| tx.contact_by_identity(&other)).unwrap();
            found.map(|contact| contact.id)
        };
        Some(Pair { liar, to, theirs: known(liar, theirs)?, contact: known(to, own)? })
    }

    fn seal_edited(
        &mut self,
        pair: &Pair,
        body: Body,
        edit: impl FnOnce(&mut Content),
        rng: &mut Seeded,
    ) -> Option<Vec<u8>> {
        let store = &mut self.people[pair.liar.0].store;
        Some(forge::edited(store, pair.theirs, body, edit, self.now, rng)?.0)
    }

    /// The liar's program takes the certificate for its own for a moment.
    fn seal_under(
        &mut self,
        pair: &Pair,
        certificate: &SenderCertificate,
        body: Body,
        rng: &mut Seeded,
    ) -> Option<Vec<u8>> {
        let now = self.now.0;
        let keep = |sim: &mut Self, bytes: &[u8], made| {
            let store = &mut sim.people[pair.liar.0].store;
            store.transaction(|tx| tx.set_sender_certificate(bytes, made)).unwrap();
        };
        let before = self.people[pair.liar.0].store.transaction(|tx| tx.sender_certificate()).unwrap();
        keep(self, certificate.serialized().unwrap(), now);
        let seal = self.seal_edited(pair, body, |_| (), rng);
        let (bytes, made) = before.unwrap_or_default();
        // One from the beginning of time is renewed before it is read.
        keep(self, &bytes, made);
        seal
    }

    /// The queues that a person reads.
    fn queues(&mut self, who: Who) -> Vec<OwnQueue> {
        let queues = self.people[who.0].store.transaction(|tx| tx.own_queues()).unwrap();
        queues.into_iter().filter(|own| own.state == OwnQueueState::Read).collect()
    }

    fn queues_of(&mut self, who: Who, contact: ContactId) -> Vec<OwnQueue> {
        self.queues(who).into_iter().filter(|own| own.contact == Some(contact)).collect()
    }

    fn inside(&mut self, to: Who, key: &EnvelopeKey, envelope: &Envelope) -> Option<Inside> {
        let seal = envelope.open(key).ok()?.to_vec();
        let opened = self.people[to.0]
            .store
            .transaction(|tx| Ok::<_, StoreError>(crypto::open_seal(tx, &seal).ok()))
            .unwrap()?;
        let from = self.people.iter().position(|one| one.identity == *opened.sender()).map(Who)?;
        Some(Inside { from, encrypted: opened.encrypted().unwrap().to_vec(), seal })
    }

    fn inject_sealed(&mut self, to: Who, queues: &[OwnQueue], seal: &[u8], rng: &mut Seeded) {
        if queues.is_empty() {
            return;
        }
        let own = &queues[self.dice.random_range(0..queues.len())];
        let Some(at) = self.relay_of(&own.relay) else { return };
        self.inject(to, at, own, Envelope::seal(&own.envelope, seal, rng).unwrap(), rng);
    }

    /// A relay pushes it, or somebody sends it, as chance has it.
    fn inject(&mut self, to: Who, at: At, own: &OwnQueue, envelope: Envelope, rng: &mut Seeded) {
        self.summary.attacks += 1;
        let linked = self.people[to.0].link(at).filter(|link| self.relays[at.0].links.contains_key(link));
        match linked {
            Some(link) if self.dice.random() => {
                // A place before all others: to say that it arrived deletes nothing.
                let push = Push::Deliver { queue: own.read_id, sequence: 0, envelope };
                self.send_to_person(to, at, link, push.encode().unwrap());
            }
            _ => self.put(at, own, envelope, rng),
        }
    }

    /// Somebody who knows the address puts an envelope into a queue.
    fn put(&mut self, at: At, own: &OwnQueue, envelope: Envelope, rng: &mut Seeded) {
        let relay = &mut self.relays[at.0];
        let today = |day: u64| Timestamp(day * DAY_MS) <= self.now;
        let Some(key) = relay.shown.iter().rev().find(|key| today(key.day)).filter(|_| relay.up) else {
            return;
        };
        let mut session = Session::new(relay.id, key.public.clone(), rng);
        let order = SendOrder {
            queue: own.send_id,
            capability: own.capability.clone(),
            message: MessageId::random(rng),
            ttl: TtlClass::ThreeWeeks,
            envelope,
        };
        let (capsule, _) = session.seal(&order, rng).unwrap();
        self.links += 1;
        let link = LinkId(self.links);
        relay.core.handle_connected(link, exporter(link), self.now);
        let frame = Command::Send { capsule }.encode(RequestId(1)).unwrap();
        relay.core.handle_frame(link, &frame, self.now);
        self.settle(at);
    }
}

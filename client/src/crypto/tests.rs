//! Two people with real stores in memory, and whoever else a test needs. Time and randomness are the test's.

mod forgery;
mod impersonation;
mod loss;
mod meeting;
mod time;
mod vector;

use beresta_proto::bundle::{Bundle, IdentityPublic};
use beresta_proto::id::Device;
use beresta_proto::rng::Random;
use beresta_proto::time::{DAY_MS, Timestamp};
use libsignal_protocol::{
    CiphertextMessageType, ContentHint, SenderCertificate, UnidentifiedSenderMessageContent,
    sealed_sender_encrypt_from_usmc,
};
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::account::Account;
use super::rng::SignalRng;
use super::stores::{Rows, Said, ready};
use super::*;
use crate::store::{Store, StoreError, Tx};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const WAY: Way = Way([1; 24]);

struct TestRng(ChaCha20Rng);

impl Random for TestRng {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// Does what changes rows only if it is not refused; a refusal changes as many as `rows` says. Everything of these tests
/// goes through here: none of the forgeries leaves a trace.
fn unless_refused<T, E>(
    tx: &Tx<'_>,
    rows: impl FnOnce(&E) -> u64,
    step: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let before = tx.changes();
    let outcome = step();
    if let Err(error) = &outcome {
        assert_eq!(tx.changes() - before, rows(error), "a refusal wrote");
    }
    outcome
}

/// A person with a store of their own.
struct Person {
    store: Store,
    rng: TestRng,
    identity: IdentityPublic,
    vouched: Vouched,
}

impl Person {
    fn new(seed: u64) -> Self {
        let mut rng = TestRng(ChaCha20Rng::seed_from_u64(seed));
        let mut store = Store::open_in_memory(&mut rng.0).unwrap();
        store.transaction(|tx| create_account(tx, &mut rng)).unwrap();
        let identity = store.transaction(own_identity).unwrap();
        Self { store, rng, identity, vouched: Vouched::new() }
    }

    /// What this person calls `other`.
    fn name(&mut self, other: &Self) -> Peer {
        Peer { handle: Handle::random(&mut self.rng), identity: other.identity, device: Device::FIRST }
    }

    fn bundle(&mut self) -> Bundle {
        let rng = &mut self.rng;
        self.store.transaction(|tx| make_bundle(tx, NOW, rng)).unwrap()
    }

    fn meet(&mut self, peer: &Peer, bundle: &Bundle) -> Result<(), MeetError> {
        let rng = &mut self.rng;
        self.store.transaction(|tx| unless_refused(tx, |_| 0, || meet(tx, peer, bundle, NOW, rng)))
    }

    fn send_at(&mut self, peer: &Peer, text: &[u8], now: Timestamp) -> Result<Sealed, EncryptError> {
        let rng = &mut self.rng;
        self.store.transaction(|tx| unless_refused(tx, |_| 0, || encrypt(tx, peer, text, u32::MAX, now, rng)))
    }

    fn send(&mut self, peer: &Peer, text: &[u8]) -> Sealed {
        self.send_at(peer, text, NOW).unwrap()
    }

    fn open(&mut self, sealed: &Sealed) -> Result<Opened, OpenError> {
        self.store.transaction(|tx| open_seal(tx, &sealed.0))
    }

    /// Receives as the engine does: a failure is committed too.
    fn receive_at(
        &mut self,
        sealed: &Sealed,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<Decrypted, DecryptError> {
        let opened = self.open(sealed).unwrap();
        let (rng, vouched) = (&mut self.rng, &mut self.vouched);
        let budget = |error: &DecryptError| u64::from(error.costs());
        self.store
            .transaction(|tx| {
                let received =
                    unless_refused(tx, budget, || decrypt(tx, &opened, expected, WAY, vouched, now, rng));
                Ok::<_, StoreError>(received)
            })
            .unwrap()
    }

    fn receive(&mut self, sealed: &Sealed, from: &Peer) -> Result<Vec<u8>, DecryptError> {
        self.receive_at(sealed, Expected::Pinned(from), NOW).map(|decrypted| decrypted.plaintext.to_vec())
    }

    fn record(&mut self, peer: &Peer) -> Option<Vec<u8>> {
        self.store.transaction(|tx| tx.session(&peer.handle.0, 1)).unwrap().map(|record| record.to_vec())
    }

    /// Seals `bytes` with this person's own keys and certificate, or with `certificate`: what a contact with a
    /// program of their own can do.
    fn seal(
        &mut self,
        to: IdentityPublic,
        kind: CiphertextMessageType,
        bytes: &[u8],
        certificate: Option<SenderCertificate>,
    ) -> Sealed {
        let rng = &mut self.rng;
        self.store
            .transaction(|tx| {
                let own = Account::load(tx).unwrap();
                let mut rng = SignalRng(rng);
                let certificate =
                    certificate.unwrap_or_else(|| seal::certificate(tx, &own, NOW, &mut rng).unwrap().0);
                let content = UnidentifiedSenderMessageContent::new(
                    kind,
                    certificate,
                    bytes.to_vec(),
                    ContentHint::Default,
                    None,
                );
                let peer = Peer { handle: Handle([0; 16]), identity: to, device: Device::FIRST };
                let rows = Rows { tx, own: &own, peer: &peer.identity, said: &Said::default() };
                let address = libsignal_protocol::ProtocolAddress::new("x".into(), 1u8.try_into().unwrap());
                let sealed =
                    ready(sealed_sender_encrypt_from_usmc(&address, &content.unwrap(), &rows, &mut rng))
                        .unwrap();
                Ok::<_, StoreError>(Sealed(sealed.unwrap()))
            })
            .unwrap()
    }

    /// The inner message of a seal made for this person.
    fn inner(&mut self, sealed: &Sealed) -> (CiphertextMessageType, Vec<u8>) {
        let opened = self.open(sealed).unwrap();
        (opened.content.msg_type().unwrap(), opened.content.contents().unwrap().to_vec())
    }
}

/// Anna and Boris, who have met: Boris used Anna's invite, and both have heard from the other.
struct Pair {
    anna: Person,
    boris: Person,
    /// What Anna calls Boris.
    to_boris: Peer,
    /// What Boris calls Anna.
    to_anna: Peer,
}

impl Pair {
    /// Boris has the bundle, and Anna has not heard from him.
    fn new(seed: u64) -> Self {
        let (mut anna, mut boris) = (Person::new(seed), Person::new(seed + 1));
        let bundle = anna.bundle();
        let (to_boris, to_anna) = (anna.name(&boris), boris.name(&anna));
        boris.meet(&to_anna, &bundle).unwrap();
        Self { anna, boris, to_boris, to_anna }
    }

    fn talking(seed: u64) -> Self {
        let mut pair = Self::new(seed);
        let hello = pair.boris.send(&pair.to_anna, b"hello");
        let stranger = Expected::Stranger { handle: pair.to_boris.handle };
        pair.anna.receive_at(&hello, stranger, NOW).unwrap();
        let reply = pair.anna.send(&pair.to_boris, b"reply");
        pair.boris.receive(&reply, &pair.to_anna).unwrap();
        let again = pair.boris.send(&pair.to_anna, b"again");
        pair.anna.receive(&again, &pair.to_boris).unwrap();
        pair
    }
}

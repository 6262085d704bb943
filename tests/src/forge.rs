#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what forgers need is made here from values that are right"
)]
//! What somebody with a program of their own needs to forge: certificates and seals that say what they like, and contents
//! that the program would not write. The keys are genuine: nobody has a key that is not theirs.

use std::task::{Context, Poll, Waker};

use beresta_client::crypto::{self, Handle, Peer, Sealed};
use beresta_client::store::contact::{Contact, ContactId};
use beresta_client::store::{Store, StoreError};
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::content::{Body, Content, Route};
use beresta_proto::id::{AccountId, ContentId, Device};
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;
use libsignal_protocol::{
    CiphertextMessageType, ContentHint, DeviceId, IdentityKeyPair, IdentityKeyStore as _,
    InMemIdentityKeyStore, KeyPair, PrivateKey, ProtocolAddress, PublicKey, SenderCertificate,
    ServerCertificate, Timestamp as SignalTime, UnidentifiedSenderMessageContent,
    sealed_sender_encrypt_from_usmc,
};
use rand_chacha::ChaCha20Rng;

/// What a future gives that never waits.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("stores in memory wait for nothing"),
    }
}

/// The public half, as addresses and offers have it.
pub(crate) fn public(identity: &IdentityKeyPair) -> IdentityPublic {
    IdentityPublic(identity.public_key().serialize().as_ref().try_into().unwrap())
}

/// An account id as sealed sender's certificates write it.
fn uuid(account: AccountId) -> String {
    let parts =
        [0..4, 4..6, 6..8, 8..10, 10..16].map(|part| data_encoding::HEXLOWER.encode(&account.0[part]));
    parts.join("-")
}

/// Who issues certificates: an identity, and the online key that it vouches for.
pub(crate) struct Issuer {
    pub(crate) identity: IdentityKeyPair,
    online: PrivateKey,
    vouched: ServerCertificate,
}

impl Issuer {
    /// With an online key of its own.
    pub(crate) fn new(identity: IdentityKeyPair, rng: &mut ChaCha20Rng) -> Self {
        let online = KeyPair::generate(rng);
        let vouched = ServerCertificate::new(1, online.public_key, identity.private_key(), rng).unwrap();
        Self { identity, online: online.private_key, vouched }
    }

    /// The keys of a person who has a store.
    pub(crate) fn of(store: &mut Store, rng: &mut ChaCha20Rng) -> Self {
        let row = store.transaction(|tx| tx.account()).unwrap().unwrap();
        Self::new(IdentityKeyPair::try_from(row.identity_pair.as_slice()).unwrap(), rng)
    }

    /// A certificate that says this, whether it is true or not.
    pub(crate) fn certificate(
        &self,
        account: AccountId,
        key: &PublicKey,
        device: u8,
        ends: Timestamp,
        rng: &mut ChaCha20Rng,
    ) -> SenderCertificate {
        let device = DeviceId::new(device).unwrap();
        let ends = SignalTime::from_epoch_millis(ends.0);
        let by = self.vouched.clone();
        SenderCertificate::new(uuid(account), None, *key, device, ends, by, &self.online, rng).unwrap()
    }

    /// Seals anything for somebody, under any certificate.
    pub(crate) fn seal(
        &self,
        to: &IdentityPublic,
        certificate: SenderCertificate,
        kind: CiphertextMessageType,
        bytes: &[u8],
        rng: &mut ChaCha20Rng,
    ) -> Sealed {
        let mut identities = InMemIdentityKeyStore::new(self.identity, 1);
        let address = ProtocolAddress::new("to".to_owned(), DeviceId::new(1).unwrap());
        let key = PublicKey::deserialize(&to.0).unwrap().into();
        ready(identities.save_identity(&address, &key)).unwrap();
        let hint = ContentHint::Resendable;
        let content = UnidentifiedSenderMessageContent::new(kind, certificate, bytes.to_vec(), hint, None);
        Sealed(ready(sealed_sender_encrypt_from_usmc(&address, &content.unwrap(), &identities, rng)).unwrap())
    }
}

/// A contact as the crypto room knows them.
pub(crate) fn peer(contact: &Contact) -> Peer {
    Peer { handle: Handle(contact.handle.0), identity: contact.identity, device: contact.device }
}

/// Encrypts for a contact what the program would say, after somebody edited it. The ratchet moves, and it is sealed
/// rightly.
pub(crate) fn edited(
    store: &mut Store,
    to: ContactId,
    body: Body,
    edit: impl FnOnce(&mut Content),
    now: Timestamp,
    rng: &mut impl Random,
) -> Option<Sealed> {
    let (contact, from) =
        store.transaction(|tx| Ok::<_, StoreError>((tx.contact(to)?, tx.profile()?.account))).unwrap();
    let mut content = Content {
        id: ContentId::random(rng),
        route: Route {
            from,
            from_device: Device::FIRST,
            to: contact.identity.account_id(),
            to_device: contact.device,
            conversation: contact.conversation,
        },
        sent: now,
        timer: contact.timer,
        seen_epoch: None,
        body,
    };
    edit(&mut content);
    let plain = content.encode().unwrap();
    store
        .transaction(|tx| {
            Ok::<_, StoreError>(crypto::encrypt(tx, &peer(&contact), &plain, u32::MAX, now, rng).ok())
        })
        .unwrap()
}

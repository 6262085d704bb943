//! The receiving procedure behind a genuine seal: what a contact with a program of their own can put into it.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use beresta_client::crypto::{self, DecryptError, Expected, Handle, Peer, Sealed, Vouched};
use beresta_client::rng::Rng;
use beresta_client::store::{Store, StoreError};
use beresta_proto::bundle::{Bundle, IdentityPublic};
use beresta_proto::id::Device;
use beresta_proto::time::{DAY_MS, Timestamp};
use libsignal_protocol::{
    CiphertextMessage, CiphertextMessageType, DeviceId, IdentityKeyPair, IdentityKeyStore as _,
    InMemSignalProtocolStore, PreKeyBundle, ProtocolAddress, PublicKey, SenderCertificate, SignalMessage,
    kem, message_decrypt, message_encrypt, process_prekey_bundle, sealed_sender_decrypt_to_usmc,
};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use crate::forge::{self, Issuer, ready};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// The messages that Boris wrote and that nobody has read yet.
const WRITTEN: usize = 3;

/// Anna, with our store and our procedure; and Boris, who uses libsignal as it is.
struct Pair {
    store: Store,
    rng: Rng,
    boris: Boris,
    to_boris: Peer,
    /// Ciphertexts that Anna has not seen, oldest first: kinds and bytes.
    written: Vec<(u8, Vec<u8>)>,
}

struct Boris {
    store: InMemSignalProtocolStore,
    issuer: Issuer,
    certificate: SenderCertificate,
    to: IdentityPublic,
    anna: ProtocolAddress,
    rng: ChaCha20Rng,
}

thread_local! {
    static PAIR: RefCell<Pair> = RefCell::new(Pair::new());
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(NOW.0)
}

fn signal_bundle(bundle: &Bundle) -> PreKeyBundle {
    let one_time = bundle.one_time.map(|(id, key)| (id.into(), PublicKey::deserialize(&key).unwrap()));
    PreKeyBundle::new(
        bundle.registration_id,
        DeviceId::new(bundle.device.get()).unwrap(),
        one_time,
        bundle.signed.id.into(),
        PublicKey::deserialize(&bundle.signed.public).unwrap(),
        bundle.signed.signature.to_vec(),
        bundle.kyber.id.into(),
        kem::PublicKey::deserialize(&bundle.kyber.public).unwrap(),
        bundle.kyber.signature.to_vec(),
        PublicKey::deserialize(&bundle.identity.0).unwrap().into(),
    )
    .unwrap()
}

impl Boris {
    fn new(bundle: &Bundle) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let identity = IdentityKeyPair::generate(&mut rng);
        let account = forge::public(&identity).account_id();
        let issuer = Issuer::new(identity, &mut rng);
        let ends = NOW.plus(30 * DAY_MS);
        let certificate = issuer.certificate(account, identity.public_key(), 1, ends, &mut rng);
        let mut store = InMemSignalProtocolStore::new(identity, 1).unwrap();
        let anna = ProtocolAddress::new("anna".to_owned(), DeviceId::new(1).unwrap());
        let InMemSignalProtocolStore { session_store, identity_store, .. } = &mut store;
        let to = bundle.identity;
        let bundle = signal_bundle(bundle);
        ready(process_prekey_bundle(&anna, session_store, identity_store, &bundle, now(), &mut rng)).unwrap();
        Self { store, issuer, certificate, to, anna, rng }
    }

    fn write(&mut self, plain: &[u8]) -> (u8, Vec<u8>) {
        let InMemSignalProtocolStore { session_store, identity_store, .. } = &mut self.store;
        let written = message_encrypt(plain, &self.anna, session_store, identity_store, now(), &mut self.rng);
        let message = ready(written).unwrap();
        (message.message_type() as u8, message.serialize().to_vec())
    }

    fn seal(&mut self, kind: CiphertextMessageType, bytes: &[u8]) -> Sealed {
        self.issuer.seal(&self.to, self.certificate.clone(), kind, bytes, &mut self.rng)
    }

    /// Reads what Anna sent: then the ratchets turn.
    fn read(&mut self, sealed: &Sealed) {
        let store = &mut self.store;
        let content = ready(sealed_sender_decrypt_to_usmc(&sealed.0, &store.identity_store)).unwrap();
        assert_eq!(content.msg_type().unwrap(), CiphertextMessageType::Whisper);
        let message = SignalMessage::try_from(content.contents().unwrap()).unwrap();
        ready(message_decrypt(
            &CiphertextMessage::SignalMessage(message),
            &self.anna,
            &mut store.session_store,
            &mut store.identity_store,
            &mut store.pre_key_store,
            &store.signed_pre_key_store,
            &mut store.kyber_pre_key_store,
            &mut self.rng,
        ))
        .unwrap();
    }
}

impl Pair {
    fn new() -> Self {
        let mut rng = Rng::new(ChaCha20Rng::seed_from_u64(1));
        let mut store = Store::open_in_memory(&mut rng).unwrap();
        let bundle = store
            .transaction(|tx| {
                crypto::create_account(tx, &mut rng).unwrap();
                Ok::<_, StoreError>(crypto::make_bundle(tx, NOW, &mut rng).unwrap())
            })
            .unwrap();
        let mut boris = Boris::new(&bundle);
        let identity = forge::public(&ready(boris.store.get_identity_key_pair()).unwrap());
        let to_boris = Peer { handle: Handle([1; 16]), identity, device: Device::FIRST };
        let hello = boris.write(b"hello");
        let mut pair = Self { store, rng, boris, to_boris, written: vec![hello] };
        let (kind, bytes) = pair.written[0].clone();
        pair.receive(kind, &bytes, Expected::Stranger { handle: pair.to_boris.handle }, true).unwrap();
        let (rng, peer) = (&mut pair.rng, &pair.to_boris);
        let reply = pair
            .store
            .transaction(|tx| Ok::<_, StoreError>(crypto::encrypt(tx, peer, b"reply", u32::MAX, NOW, rng)));
        pair.boris.read(&reply.unwrap().unwrap());
        for n in 0..WRITTEN {
            let written = pair.boris.write(format!("genuine {n}").as_bytes());
            pair.written.push(written);
        }
        pair
    }

    /// Has Anna receive what Boris sealed, and keeps what that did or not.
    fn receive(
        &mut self,
        kind: u8,
        bytes: &[u8],
        expected: Expected<'_>,
        keep: bool,
    ) -> Result<Vec<u8>, DecryptError> {
        let kind = CiphertextMessageType::try_from(kind).unwrap_or(CiphertextMessageType::Whisper);
        let sealed = self.boris.seal(kind, bytes);
        let (rng, handle) = (&mut self.rng, self.to_boris.handle);
        let mut outcome = None;
        let kept = self.store.transaction(|tx| {
            let opened = crypto::open_seal(tx, &sealed.0).unwrap();
            let before = tx.session(&handle.0, 1)?;
            let received =
                crypto::decrypt(tx, &opened, expected, crypto::Way([0; 24]), &mut Vouched::new(), NOW, rng);
            if received.is_err() {
                assert_eq!(tx.session(&handle.0, 1)?, before, "what was refused changed the session");
            }
            outcome = Some(received.map(|received| received.plaintext.to_vec()));
            if keep { Ok(()) } else { Err(StoreError::NotFound) }
        });
        assert_eq!(kept.is_ok(), keep);
        outcome.unwrap()
    }
}

/// What Boris wrote and Anna has not read, as bodies of this target take it: the kind, then the bytes.
#[must_use]
pub fn genuine() -> Vec<Vec<u8>> {
    PAIR.with_borrow(|pair| {
        pair.written.iter().map(|(kind, bytes)| [&[*kind], bytes.as_slice()].concat()).collect()
    })
}

/// The first byte is the kind of a message, the others are the message. Only what Boris wrote is accepted.
pub(super) fn guarded(bytes: &[u8]) {
    let Some((kind, message)) = bytes.split_first() else { return };
    PAIR.with_borrow_mut(|pair| {
        let peer = pair.to_boris;
        let received = pair.receive(*kind, message, Expected::Pinned(&peer), false);
        let written = pair.written.iter().skip(1).any(|(kind_of, bytes)| kind_of == kind && bytes == message);
        match received {
            Ok(plain) => assert!(written && plain.starts_with(b"genuine "), "a message that nobody wrote"),
            Err(error) => assert!(!written, "{error:?}"),
        }
    });
}

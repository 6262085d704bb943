//! The bare client: libsignal's sealed sender over its own stores in memory, one commit to SQLCipher, one capsule. No
//! outbox, no contacts, no guard: the least that a client with our cryptography and our promise of durability could do.

use std::path::Path;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use beresta_proto::envelope::Bucket;
use beresta_proto::frame::RequestId;
use beresta_proto::key::EpochSecret;
use beresta_proto::pad::pad;
use beresta_server::random::SystemRandom;
use libsignal_protocol::{
    DeviceId, GenericSignedPreKey as _, IdentityKeyPair, IdentityKeyStore as _, InMemSignalProtocolStore,
    KeyPair, KyberPreKeyRecord, KyberPreKeyStore as _, PreKeyBundle, PreKeyRecord, PreKeyStore as _,
    ProtocolAddress, SenderCertificate, ServerCertificate, SessionStore as _, SignedPreKeyRecord,
    SignedPreKeyStore as _, Timestamp, kem, process_prekey_bundle, sealed_sender_decrypt,
    sealed_sender_encrypt,
};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use rusqlite::{Connection, params};

use crate::beresta::{Address, Sealer};
use crate::client::{TEXT, cpu};

/// Bytes of a content beside its text: ids, times, the epoch key that was seen.
const CONTENT: usize = 150;

/// What each part took, in seconds, once for each message.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    pub(crate) encrypt: Vec<f64>,
    pub(crate) decrypt: Vec<f64>,
    pub(crate) commit_sent: Vec<f64>,
    pub(crate) commit_received: Vec<f64>,
    pub(crate) capsule: Vec<f64>,
}

/// One side.
struct Side {
    store: InMemSignalProtocolStore,
    address: ProtocolAddress,
    certificate: SenderCertificate,
    root: KeyPair,
}

/// Two who have met, and a store for both.
pub(crate) struct Bare {
    sides: [Side; 2],
    sealer: Sealer,
    conn: Connection,
}

/// What a future gives that never waits.
fn ready<F: Future>(future: F) -> F::Output {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("stores in memory wait for nothing"),
    }
}

impl Side {
    fn new(uuid: &str) -> Self {
        let rng = &mut OsRng.unwrap_err();
        let identity = IdentityKeyPair::generate(rng);
        let (root, server) = (KeyPair::generate(rng), KeyPair::generate(rng));
        let address = ProtocolAddress::new(uuid.to_owned(), DeviceId::new(1).unwrap());
        let by = ServerCertificate::new(1, server.public_key, &root.private_key, rng).unwrap();
        let certificate = SenderCertificate::new(
            uuid.to_owned(),
            None,
            *identity.public_key(),
            address.device_id(),
            Timestamp::from_epoch_millis(u64::from(u32::MAX) * 1_000),
            by,
            &server.private_key,
            rng,
        );
        let store = InMemSignalProtocolStore::new(identity, 1).unwrap();
        Self { store, address, certificate: certificate.unwrap(), root }
    }

    async fn bundle(&mut self) -> PreKeyBundle {
        let rng = &mut OsRng.unwrap_err();
        let (once, signed) = (KeyPair::generate(rng), KeyPair::generate(rng));
        let kyber = kem::KeyPair::generate(kem::KeyType::Kyber1024, rng);
        let identity = self.store.get_identity_key_pair().await.unwrap();
        let mut sign = |key: &[u8]| identity.private_key().calculate_signature(key, rng).unwrap();
        let (by, kyber_by) = (sign(&signed.public_key.serialize()), sign(&kyber.public_key.serialize()));
        let (id, made) = (1_u32, Timestamp::from_epoch_millis(1));
        let store = &mut self.store;
        store.save_pre_key(id.into(), &PreKeyRecord::new(id.into(), &once)).await.unwrap();
        let record = SignedPreKeyRecord::new(id.into(), made, &signed, &by);
        store.save_signed_pre_key(id.into(), &record).await.unwrap();
        let record = KyberPreKeyRecord::new(id.into(), made, &kyber, &kyber_by);
        store.save_kyber_pre_key(id.into(), &record).await.unwrap();
        PreKeyBundle::new(
            1,
            self.address.device_id(),
            Some((id.into(), once.public_key)),
            id.into(),
            signed.public_key,
            by.to_vec(),
            id.into(),
            kyber.public_key,
            kyber_by.to_vec(),
            *identity.identity_key(),
        )
        .unwrap()
    }

    fn encrypt(&mut self, to: &Self, plain: &[u8]) -> Vec<u8> {
        let InMemSignalProtocolStore { session_store, identity_store, .. } = &mut self.store;
        ready(sealed_sender_encrypt(
            &to.address,
            &self.certificate,
            plain,
            session_store,
            identity_store,
            SystemTime::now(),
            &mut OsRng.unwrap_err(),
        ))
        .unwrap()
    }

    fn decrypt(&mut self, from: &Self, sealed: &[u8]) -> Vec<u8> {
        let store = &mut self.store;
        ready(sealed_sender_decrypt(
            sealed,
            &from.root.public_key,
            Timestamp::from_epoch_millis(1),
            None,
            self.address.name().to_owned(),
            self.address.device_id(),
            &mut store.identity_store,
            &mut store.session_store,
            &mut store.pre_key_store,
            &store.signed_pre_key_store,
            &mut store.kyber_pre_key_store,
        ))
        .unwrap()
        .message
    }

    fn session(&self, with: &Self) -> Vec<u8> {
        ready(self.store.load_session(&with.address)).unwrap().unwrap().serialize().unwrap()
    }
}

impl Bare {
    pub(crate) fn new(path: &Path) -> Self {
        let mut anna = Side::new("9d0652a3-dcc3-4d11-975f-74d61598733f");
        let mut boris = Side::new("796abedb-ca4e-4f18-8803-1fde5b921f9f");
        let bundle = ready(boris.bundle());
        let rng = &mut OsRng.unwrap_err();
        let InMemSignalProtocolStore { session_store, identity_store, .. } = &mut anna.store;
        let now = SystemTime::now();
        ready(process_prekey_bundle(&boris.address, session_store, identity_store, &bundle, now, rng))
            .unwrap();
        let rng = &mut SystemRandom::new().unwrap();
        let epoch = EpochSecret::random(rng).public().unwrap();
        let sealer = Sealer::new(crate::bare::RELAY, epoch, Address::random(), true);
        let mut bare = Self { sides: [anna, boris], sealer, conn: open(path) };
        // Until both have heard from the other, messages are longer and costlier.
        (0..4).for_each(|_| bare.exchange(&mut Costs::default()));
        bare
    }

    /// One message each way.
    pub(crate) fn exchange(&mut self, costs: &mut Costs) {
        let plain = pad(&[0; TEXT.len() + CONTENT]);
        for _ in 0..2 {
            let [from, to] = &mut self.sides;
            let (took, sealed) = cpu(|| from.encrypt(to, &plain));
            costs.encrypt.push(took);
            let mut envelope = sealed.clone();
            envelope.resize(Bucket::for_body(sealed.len()).unwrap().size(), 0);
            costs.commit_sent.push(commit(&self.conn, &envelope, &from.session(to)));
            costs.capsule.push(cpu(|| self.sealer.frame(RequestId(1))).0);
            let (took, opened) = cpu(|| to.decrypt(from, &sealed));
            assert_eq!(opened, plain);
            costs.decrypt.push(took);
            costs.commit_received.push(commit(&self.conn, TEXT.as_bytes(), &to.session(from)));
            self.sides.swap(0, 1);
        }
    }
}

/// A database with the client's settings.
fn open(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(
        "PRAGMA cipher_memory_security = ON;
         PRAGMA key = \"x'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a'\";
         PRAGMA journal_mode = TRUNCATE;
         PRAGMA synchronous = FULL;
         PRAGMA secure_delete = ON;
         CREATE TABLE message (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
         CREATE TABLE session (id INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;",
    )
    .unwrap();
    let version: String = conn.query_row("PRAGMA cipher_version", [], |row| row.get(0)).unwrap();
    assert!(!version.is_empty(), "plain SQLite would be no peer");
    conn
}

/// Keeps a message and the ratchet as it stands after it, in one transaction: what it takes.
fn commit(conn: &Connection, body: &[u8], session: &[u8]) -> f64 {
    let mut message = conn.prepare_cached("INSERT INTO message (body) VALUES (?1)").unwrap();
    let mut ratchet = conn.prepare_cached("REPLACE INTO session (id, record) VALUES (1, ?1)").unwrap();
    let (took, ()) = cpu(|| {
        conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        message.execute(params![body]).unwrap();
        ratchet.execute(params![session]).unwrap();
        conn.execute_batch("COMMIT").unwrap();
    });
    took
}

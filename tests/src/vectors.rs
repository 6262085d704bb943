//! Vectors: values of the protocol with the exact bytes that they are, made from a seed. `tests/vectors` holds them, a
//! test reads them both ways, and whoever writes another client can do the same. A change of these files is a
//! change of the protocol.
//!
//! The certificate's vector is made and read in `client/src/crypto/tests/vector.rs`: it needs libsignal.

#![expect(clippy::unwrap_used, reason = "values made here are within their limits; if not, nobody is harmed")]

use std::path::{Path, PathBuf};

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::bundle::{Bundle, IdentityPublic, SignedPreKey};
use beresta_proto::capsule::{Capsule, SendOrder, SendReply, Session};
use beresta_proto::codec::{Reader, Writer};
use beresta_proto::descriptor::{Descriptor, EpochKey, Policy, relay_id};
use beresta_proto::envelope::Envelope;
use beresta_proto::hpke::ENC_LEN;
use beresta_proto::id::{BlobId, ConversationId, Device, MessageId, RelayId, SendId};
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::{BlobKey, Credit, EnvelopeKey, EpochSecret, SendCapability, SigningKey, sha256};
use beresta_proto::label;
use beresta_proto::rng::Random;
use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, Timestamp, TtlClass};
use serde_json::{Value, json};

/// The random bytes of a vector: SHA-256("beresta vector v1" ‖ seed ‖ counter 8), counter from 0, in a row.
#[derive(Debug)]
pub struct VectorRandom {
    seed: &'static str,
    counter: u64,
    left: Vec<u8>,
}

impl VectorRandom {
    /// Begins with the first byte.
    #[must_use]
    pub const fn new(seed: &'static str) -> Self {
        Self { seed, counter: 0, left: Vec::new() }
    }
}

impl Random for VectorRandom {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.left.is_empty() {
                let block =
                    [b"beresta vector v1", self.seed.as_bytes(), &self.counter.to_be_bytes()].concat();
                self.left = sha256(&block).into_iter().rev().collect();
                self.counter += 1;
            }
            *byte = self.left.pop().unwrap();
        }
    }
}

/// Lower-case hexadecimal, as vectors have it.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where the vectors lie.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// Every vector: the name of its file, and the text that the file must have.
#[must_use]
pub fn all() -> Vec<(&'static str, String)> {
    let vectors = [
        ("envelope.json", envelope()),
        ("capsule.json", capsule()),
        ("invite.json", invite()),
        ("descriptor.json", descriptor()),
    ];
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap() + "\n";
    vectors.iter().map(|(name, value)| (*name, text(value))).collect()
}

fn envelope() -> Value {
    let seed = "envelope";
    let mut rng = VectorRandom::new(seed);
    let bodies = [String::new(), "Привет, Борис".to_owned(), "x".repeat(2_004), "x".repeat(2_005)];
    let cases = bodies.map(|body| {
        let key = EnvelopeKey::random(&mut rng);
        let envelope = Envelope::seal(&key, body.as_bytes(), &mut rng).unwrap();
        json!({ "key": hex(key.expose()), "body": body, "envelope": hex(envelope.as_bytes()) })
    });
    json!({ "rules": "E1 to E4", "seed": seed, "cases": cases })
}

fn capsule() -> Value {
    let seed = "capsule";
    let mut rng = VectorRandom::new(seed);
    let relay = RelayId::random(&mut rng);
    let epoch = EpochSecret::random(&mut rng);
    let public = epoch.public().unwrap();
    let key = EnvelopeKey::random(&mut rng);
    let order = SendOrder {
        queue: SendId::random(&mut rng),
        capability: SendCapability::random(&mut rng),
        message: MessageId::random(&mut rng),
        ttl: TtlClass::ThreeWeeks,
        envelope: Envelope::seal(&key, b"", &mut rng).unwrap(),
    };
    let mut session = Session::new(relay, public.clone(), &mut rng);
    let trips: Vec<Value> = [SendReply::Stored, SendReply::Later { seconds: 90 }]
        .into_iter()
        .map(|reply| {
            let (bytes, _) = session.seal(&order, &mut rng).unwrap();
            let capsule = Capsule::decode(bytes.clone()).unwrap();
            let tag = capsule.tag();
            let header = capsule.open_header(&epoch, &relay).unwrap();
            let (_, replies) = capsule.open_order(&header.session, header.n).unwrap();
            let sealed = replies.seal(reply, &mut rng).unwrap();
            let (status, seconds) = match reply {
                SendReply::Later { seconds } => ("later", seconds),
                SendReply::Stored | SendReply::QueueFull | SendReply::Gone => ("stored", 0),
            };
            json!({
                "n": header.n,
                "tag": hex(&tag.0),
                "session_key": hex(&session_key(&bytes, &epoch, &relay)),
                "capsule": hex(&bytes),
                "reply": { "status": status, "seconds": seconds, "sealed": hex(&sealed.0) },
            })
        })
        .collect();
    json!({
        "rules": "C1 to C5, C8",
        "seed": seed,
        "relay": hex(&relay.0),
        "epoch_secret": hex(epoch.expose()),
        "epoch_public": hex(public.as_bytes()),
        "key_id": hex(&public.id().0),
        "order": {
            "queue": hex(&order.queue.0),
            "capability": hex(order.capability.expose()),
            "message": hex(&order.message.0),
            "ttl": order.ttl.code(),
            "envelope": hex(order.envelope.as_bytes()),
        },
        "trips": trips,
    })
}

/// The session key inside a capsule's header, opened as rule C2 says.
#[must_use]
pub fn session_key(capsule: &[u8], epoch: &EpochSecret, relay: &RelayId) -> Vec<u8> {
    let mut r = Reader::new(capsule);
    let front = r.take(2).unwrap();
    r.take(8).unwrap();
    let enc = r.take(ENC_LEN).unwrap();
    let aad = [front, relay.0.as_slice()].concat();
    let mut plain = epoch.open(enc, label::CAPSULE, &aad, r.take(56).unwrap()).unwrap();
    plain.truncate(32);
    plain
}

fn relay_address(rng: &mut VectorRandom) -> RelayAddress {
    let routes = vec![
        Route::Quic(([192, 0, 2, 1], 443).into()),
        Route::Quic(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 4433).into()),
        Route::Other { kind: 200, data: vec![1, 2, 3] },
    ];
    RelayAddress { relay: RelayId::random(rng), routes }
}

fn invite() -> Value {
    let seed = "invite";
    let mut rng = VectorRandom::new(seed);
    let relay = relay_address(&mut rng);
    // Random bytes stand where libsignal would put keys: what a key is, these formats don't know.
    let bundle = Bundle {
        registration_id: 1_234,
        device: Device::FIRST,
        identity: IdentityPublic(rng.array()),
        signed: SignedPreKey { id: 0x0001_0203, public: rng.array(), signature: rng.array() },
        one_time: Some((0x0004_0506, rng.array())),
        kyber: SignedPreKey { id: 0x0007_0809, public: rng.array(), signature: rng.array() },
    };
    let address = QueueAddress {
        relay: relay.clone(),
        device: Device::FIRST,
        send_id: SendId::random(&mut rng),
        capability: SendCapability::random(&mut rng),
        key: EnvelopeKey::random(&mut rng),
    };
    let name = "Анна".into();
    let conversation = ConversationId::random(&mut rng);
    let offer = Offer { name, conversation, bundle, addresses: vec![address], credit: None };
    let key = BlobKey::random(&mut rng);
    let (blob, hash) = offer.seal(&key, &mut rng).unwrap();
    let blob_id = BlobId::random(&mut rng);
    let link = InviteLink { relay, blob: blob_id, key, hash, expires: Timestamp(20_000 * DAY_MS) };

    // The same offer, of the version that brings a credit.
    let credit = Credit::random(&mut rng);
    let paid = Offer { credit: Some(credit.clone()), ..offer.clone() };
    let (paid_blob, paid_hash) = paid.seal(&link.key, &mut rng).unwrap();

    let mut bundle = Writer::default();
    offer.bundle.encode(&mut bundle);
    let mut addresses = Writer::default();
    QueueAddress::encode_list(&offer.addresses, &mut addresses);
    json!({
        "rules": "I1 to I3, I14, Q12, S2, S4",
        "seed": seed,
        "link": link.to_link().as_str(),
        "relay": hex(&link.relay.to_bytes()),
        "blob_id": hex(&link.blob.0),
        "blob_key": hex(link.key.expose()),
        "hash": hex(&link.hash),
        "expires_ms": link.expires.0,
        "name": offer.name.as_str(),
        "conversation": hex(&offer.conversation.0),
        "bundle": hex(bundle.as_slice()),
        "account": hex(&offer.bundle.identity.account_id().0),
        "addresses": hex(addresses.as_slice()),
        "blob": hex(&blob),
        "credit": hex(credit.expose()),
        "hash_with_credit": hex(&paid_hash),
        "blob_with_credit": hex(&paid_blob),
    })
}

fn descriptor() -> Value {
    let seed = "descriptor";
    let mut rng = VectorRandom::new(seed);
    let identity = SigningKey::random(&mut rng);
    let signer = SigningKey::random(&mut rng);
    let descriptor = Descriptor {
        identity: identity.verifying_key().unwrap(),
        sequence: 7,
        not_before: Timestamp(20_000 * DAY_MS),
        not_after: Timestamp(20_090 * DAY_MS),
        tls_key: rng.array(),
        epoch_signer: signer.verifying_key().unwrap(),
        routes: relay_address(&mut rng).routes,
        policy: Policy::MAILBOX.and(Policy::OPEN),
        operator: "Берёста".to_owned(),
    };
    let secret = EpochSecret::random(&mut rng);
    let key = EpochKey::sign(20_001, secret.public().unwrap(), &signer).unwrap();
    let mut key_bytes = Writer::default();
    key.encode(&mut key_bytes);
    json!({
        "rules": "D1, D2, D5, D7",
        "seed": seed,
        "identity_seed": hex(identity.expose()),
        "identity": hex(&descriptor.identity.0),
        "relay": hex(&relay_id(&descriptor.identity).0),
        "address": descriptor.address().to_link(),
        "sequence": descriptor.sequence,
        "not_before_ms": descriptor.not_before.0,
        "not_after_ms": descriptor.not_after.0,
        "tls_key": hex(&descriptor.tls_key),
        "epoch_signer_seed": hex(signer.expose()),
        "epoch_signer": hex(&descriptor.epoch_signer.0),
        "policy": descriptor.policy.0,
        "operator": descriptor.operator,
        "descriptor": hex(&descriptor.sign(&identity).unwrap()),
        "epoch": {
            "day": key.day,
            "secret": hex(secret.expose()),
            "key_id": hex(&key.id().0),
            "epoch_key": hex(key_bytes.as_slice()),
        },
    })
}

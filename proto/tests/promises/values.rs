//! Values of every kind, made from a seed.

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::auth::Exporter;
use beresta_proto::bundle::{Bundle, IdentityPublic, SignedPreKey};
use beresta_proto::command::{Command, Payment, Subscription};
use beresta_proto::content::{Body, Content, Route as Between, SeenEpoch, Timer};
use beresta_proto::descriptor::{Descriptor, EpochKey, Policy};
use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::id::{
    AccountId, BlobId, ContentId, ConversationId, Device, KeyId, MessageId, ReadId, RelayId, SendId,
};
use beresta_proto::invite::{InviteLink, Offer};
use beresta_proto::key::{
    BlobKey, CapabilityHash, Credit, EnvelopeKey, EpochSecret, SendCapability, Signature, SigningKey,
    VerifyingKey,
};
use beresta_proto::limits::{ADDRESSES, BLOB, BLOB_HOURS, NAME_BYTES, RECEIPTS, ROUTES, SUBSCRIPTIONS};
use beresta_proto::reply::{Push, Refusal, Reply, Subscribed};
use beresta_proto::rng::Random;
use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, Timestamp};
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

/// Randomness that comes again with its seed.
pub(crate) struct Seeded(ChaCha20Rng);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// A number from 0 to `limit`, the limit too.
    pub(crate) fn upto(&mut self, limit: usize) -> usize {
        usize::try_from(self.0.next_u32()).unwrap() % (limit + 1)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.fill(&mut out);
        out
    }

    pub(crate) fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.upto(1) == 1
    }

    /// Cyrillic, Latin and a sign of four bytes, at most `limit` bytes.
    pub(crate) fn text(&mut self, limit: usize) -> String {
        let mut out = String::new();
        let wanted = self.upto(limit);
        loop {
            let letter = ['б', 'e', 'р', ' ', '🌳', '\n'][self.upto(5)];
            if out.len() + letter.len_utf8() > wanted {
                return out;
            }
            out.push(letter);
        }
    }

    fn several<T>(&mut self, least: usize, most: usize, one: impl Fn(&mut Self) -> T) -> Vec<T> {
        let count = least + self.upto(most - least);
        (0..count).map(|_| one(self)).collect()
    }
}

pub(crate) fn route(rng: &mut Seeded) -> Route {
    match rng.upto(2) {
        0 => Route::Quic((rng.array::<4>(), 443).into()),
        1 => Route::Quic((rng.array::<16>(), 4433).into()),
        _ => {
            let len = rng.upto(64);
            Route::Other { kind: 200, data: rng.bytes(len) }
        }
    }
}

pub(crate) fn relay_address(rng: &mut Seeded) -> RelayAddress {
    RelayAddress { relay: RelayId::random(rng), routes: rng.several(1, ROUTES, route) }
}

pub(crate) fn device(rng: &mut Seeded) -> Device {
    Device::new(u8::try_from(1 + rng.upto(126)).unwrap()).unwrap()
}

pub(crate) fn queue_address(rng: &mut Seeded) -> QueueAddress {
    QueueAddress {
        relay: relay_address(rng),
        device: device(rng),
        send_id: SendId::random(rng),
        capability: SendCapability::random(rng),
        key: EnvelopeKey::random(rng),
    }
}

pub(crate) fn queue_addresses(rng: &mut Seeded) -> Vec<QueueAddress> {
    rng.several(1, ADDRESSES, queue_address)
}

pub(crate) fn bundle(rng: &mut Seeded) -> Bundle {
    Bundle {
        registration_id: 0x3fff,
        device: device(rng),
        identity: IdentityPublic(rng.array()),
        signed: SignedPreKey { id: 7, public: rng.array(), signature: rng.array() },
        one_time: rng.coin().then(|| (9, rng.array())),
        kyber: SignedPreKey { id: 0x00ff_ffff, public: rng.array(), signature: rng.array() },
    }
}

pub(crate) fn offer(rng: &mut Seeded) -> Offer {
    Offer {
        name: rng.text(NAME_BYTES).into(),
        conversation: ConversationId::random(rng),
        bundle: bundle(rng),
        // What fits a blob beside a bundle: an invite has one queue, at the most one more relay.
        addresses: rng.several(1, 2, queue_address),
        credit: rng.coin().then(|| Credit::random(rng)),
    }
}

/// A sealed offer and the link that opens it.
pub(crate) fn invite(rng: &mut Seeded, offer: &Offer) -> (InviteLink, Vec<u8>) {
    let key = BlobKey::random(rng);
    let (blob, hash) = offer.seal(&key, rng).unwrap();
    let link = InviteLink {
        relay: relay_address(rng),
        blob: BlobId::random(rng),
        key,
        hash,
        expires: Timestamp(rng.u64()),
    };
    (link, blob)
}

pub(crate) fn content(rng: &mut Seeded) -> Content {
    let body = match rng.upto(5) {
        0 => Body::Text(rng.text(13_000).into()),
        1 => Body::Delivered(rng.several(0, RECEIPTS, ContentId::random)),
        2 => Body::Meeting { name: rng.text(NAME_BYTES).into(), addresses: queue_addresses(rng) },
        3 => Body::TimerChanged,
        4 => Body::Resume,
        _ => Body::Probe,
    };
    content_of(rng, body)
}

pub(crate) fn content_of(rng: &mut Seeded, body: Body) -> Content {
    Content {
        id: ContentId::random(rng),
        route: Between {
            from: AccountId::random(rng),
            from_device: device(rng),
            to: AccountId::random(rng),
            to_device: device(rng),
            conversation: ConversationId::random(rng),
        },
        sent: Timestamp(rng.u64()),
        timer: Timer {
            seconds: rng.coin().then(|| 1 + u32::try_from(rng.upto(2_419_199)).unwrap()),
            version: u32::try_from(rng.upto(9)).unwrap(),
        },
        seen_epoch: rng.coin().then(|| SeenEpoch { day: rng.u64(), key: KeyId::random(rng) }),
        body,
    }
}

pub(crate) fn envelope(rng: &mut Seeded) -> Envelope {
    let bucket = Bucket::ALL[rng.upto(2)];
    Envelope::from_bytes(rng.bytes(bucket.size())).unwrap()
}

pub(crate) fn command(rng: &mut Seeded) -> Command {
    let queue = ReadId::random(rng);
    let blob = BlobId::random(rng);
    let signature = Signature(rng.array());
    let credit = rng.coin().then(|| Credit::random(rng));
    match rng.upto(8) {
        0 => Command::Descriptor,
        1 => Command::MakeQueue {
            read_key: VerifyingKey(rng.array()),
            capability: CapabilityHash(rng.array()),
            credit,
        },
        2 => Command::Subscribe(rng.several(0, SUBSCRIPTIONS, |rng| Subscription {
            queue: ReadId::random(rng),
            signature: Signature(rng.array()),
        })),
        3 => Command::Acknowledge { queue, upto: rng.u64() },
        4 => Command::DeleteQueue { queue, signature },
        5 => {
            let len = rng.upto(17_677);
            Command::Send { capsule: rng.bytes(len) }
        }
        6 => Command::PutBlob {
            blob,
            owner: VerifyingKey(rng.array()),
            hours: 1 + u16::try_from(rng.upto(usize::from(BLOB_HOURS) - 1)).unwrap(),
            sealed: rng.bytes(BLOB),
            payment: credit
                .map(|credit| Payment { credit, hands_on: rng.coin().then(|| Credit::random(rng)) }),
        },
        7 => Command::ClaimBlob { blob, claimant: VerifyingKey(rng.array()), signature },
        _ => Command::DeleteBlob { blob, signature },
    }
}

pub(crate) fn epoch_key(rng: &mut Seeded, signer: &SigningKey) -> EpochKey {
    EpochKey::sign(rng.u64(), EpochSecret::random(rng).public().unwrap(), signer).unwrap()
}

pub(crate) fn reply(rng: &mut Seeded) -> Reply {
    match rng.upto(5) {
        0 => Reply::Refused(
            [
                Refusal::Gone,
                Refusal::Claimed,
                Refusal::Exists,
                Refusal::Full,
                Refusal::RateLimited,
                Refusal::Unopenable,
                Refusal::Failed,
                Refusal::Closed,
                Refusal::NoCredit,
            ][rng.upto(7)],
        ),
        1 => Reply::Done,
        2 => {
            let signer = SigningKey::random(rng);
            let len = rng.upto(1_024);
            Reply::Descriptor {
                descriptor: rng.bytes(len),
                epoch_keys: rng.several(0, 2, |rng| epoch_key(rng, &signer)),
                clock: Timestamp(rng.u64()),
            }
        }
        3 => Reply::QueueMade { read_id: ReadId::random(rng), send_id: SendId::random(rng) },
        4 => Reply::Subscribed(
            rng.several(0, SUBSCRIPTIONS, |rng| if rng.coin() { Subscribed::Ok } else { Subscribed::Gone }),
        ),
        _ => Reply::Blob(rng.bytes(BLOB)),
    }
}

pub(crate) fn push(rng: &mut Seeded) -> Push {
    let queue = ReadId::random(rng);
    match rng.upto(3) {
        0 => Push::Deliver { queue, sequence: rng.u64(), envelope: envelope(rng) },
        1 => Push::TakenOver { queues: rng.several(0, SUBSCRIPTIONS, ReadId::random) },
        2 => Push::Drained { queue },
        _ => Push::GoAway { reconnect_after: u16::try_from(rng.upto(65_535)).unwrap() },
    }
}

/// A relay: its identity key and a descriptor that is valid from day 100 to day 190.
pub(crate) fn descriptor(rng: &mut Seeded) -> (SigningKey, SigningKey, Descriptor) {
    let identity = SigningKey::random(rng);
    let epoch_signer = SigningKey::random(rng);
    let descriptor = Descriptor {
        identity: identity.verifying_key().unwrap(),
        sequence: 5,
        not_before: Timestamp(100 * DAY_MS),
        not_after: Timestamp(190 * DAY_MS),
        tls_key: rng.array(),
        epoch_signer: epoch_signer.verifying_key().unwrap(),
        routes: rng.several(0, ROUTES, route),
        policy: Policy::MAILBOX.and(Policy::OPEN),
        operator: rng.text(NAME_BYTES),
    };
    (identity, epoch_signer, descriptor)
}

pub(crate) fn exporter(rng: &mut Seeded) -> Exporter {
    Exporter(rng.array())
}

pub(crate) fn message_id(rng: &mut Seeded) -> MessageId {
    MessageId::random(rng)
}

/// Decoding gives the value back; every shorter and every longer input is refused.
pub(crate) fn exact<T: PartialEq + core::fmt::Debug, E: core::fmt::Debug>(
    value: &T,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
) {
    assert_eq!(decode(bytes).unwrap(), *value);
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "cut to {len} of {} bytes", bytes.len());
    }
    assert!(decode(&[bytes, &[0]].concat()).is_err(), "a byte after the end");
}

/// The same bytes with one bit flipped.
pub(crate) fn flipped(bytes: &[u8], at: usize, bit: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at] ^= 1 << (bit % 8);
    out
}

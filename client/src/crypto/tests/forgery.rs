//! What a contact, or whoever holds an invite, can make us compute. Each forgery is sealed rightly by its maker: only
//! the guard stands between it and libsignal.

use std::sync::OnceLock;
use std::time::Duration;

use libsignal_protocol::{
    IdentityKey, KeyPair, KyberPayload, PreKeySignalMessage, PublicKey, SignalMessage, kem,
};

use super::*;
use crate::cpu_time;
use crate::store::signal::FailuresRow;

/// The limit of the promise: so many genuine messages of those that cost most.
const MOST: u32 = 2;
/// So far ahead a genuine message may come (rule S9). Not the guard's own limit: a guard that let more pass must fail.
const AHEAD: u32 = 2_000;
/// The shortest header that is right.
const HEADER: [u8; 4] = [1, 1, 0, 0];

/// Does a step, and says what it took of a CPU.
fn timed<T>(step: impl FnOnce() -> T) -> (Duration, T) {
    let before = cpu_time::used();
    let value = step();
    (cpu_time::used() - before, value)
}

/// What a genuine message that comes [`AHEAD`] takes of this CPU, which may be slower than another.
fn genuine() -> Duration {
    static GENUINE: OnceLock<Duration> = OnceLock::new();
    *GENUINE.get_or_init(|| {
        let mut pair = Pair::talking(399);
        for _ in 1..AHEAD {
            pair.boris.send(&pair.to_anna, b"lost");
        }
        let sealed = pair.boris.send(&pair.to_anna, b"far ahead");
        let (took, received) = timed(|| pair.anna.receive(&sealed, &pair.to_boris));
        assert_eq!(received.unwrap(), b"far ahead");
        took
    })
}

/// Does a step, and fails if it took too much of a CPU.
fn measured<T>(step: impl FnOnce() -> T) -> T {
    let (spent, value) = timed(step);
    assert!(spent < MOST * genuine(), "{spent:?} to {:?}", genuine());
    value
}

fn key(seed: u64) -> PublicKey {
    KeyPair::generate(&mut ChaCha20Rng::seed_from_u64(seed)).public_key
}

fn identity(key: &IdentityPublic) -> IdentityKey {
    IdentityKey::decode(&key.0).unwrap()
}

/// A message with a MAC of zeros' making.
fn whisper(pair: &Pair, ratchet_key: PublicKey, counter: u32, previous: u32, header: &[u8]) -> SignalMessage {
    let (from, to) = (identity(&pair.boris.identity), identity(&pair.anna.identity));
    SignalMessage::new(4, &[0; 32], ratchet_key, counter, previous, &[0; 32], &from, &to, header).unwrap()
}

/// A first message that claims `claimed`, with the ids of a bundle that Anna gave out and keys that are nobody's.
fn first(bundle: &Bundle, claimed: &IdentityPublic, base_key: PublicKey, message: SignalMessage) -> Vec<u8> {
    let public = kem::PublicKey::deserialize(&bundle.kyber.public).unwrap();
    let (_, ciphertext) = public.encapsulate(&mut ChaCha20Rng::seed_from_u64(4)).unwrap();
    let payload = KyberPayload::new(bundle.kyber.id.into(), ciphertext);
    let (one_time, signed) = (bundle.one_time.map(|(id, _)| id.into()), bundle.signed.id.into());
    PreKeySignalMessage::new(4, 1, one_time, signed, Some(payload), base_key, identity(claimed), message)
        .unwrap()
        .serialized()
        .to_vec()
}

impl Pair {
    /// Has Boris seal `bytes`, and Anna receive them from him.
    fn forge(&mut self, kind: CiphertextMessageType, bytes: &[u8]) -> DecryptError {
        let sealed = self.boris.seal(self.anna.identity, kind, bytes, None);
        let before = self.anna.record(&self.to_boris);
        let refused = measured(|| self.anna.receive(&sealed, &self.to_boris)).unwrap_err();
        assert_eq!(self.anna.record(&self.to_boris), before);
        refused
    }

    fn forge_running(&mut self, ratchet_key: PublicKey, counter: u32, header: &[u8]) -> DecryptError {
        let message = whisper(self, ratchet_key, counter, 0, header);
        self.forge(CiphertextMessageType::Whisper, message.serialized())
    }

    /// The ratchet key of a genuine message of Boris's, which Anna receives.
    fn known_key(&mut self) -> PublicKey {
        let sealed = self.boris.send(&self.to_anna, b"genuine");
        let (_, bytes) = self.anna.inner(&sealed);
        self.anna.receive(&sealed, &self.to_boris).unwrap();
        *SignalMessage::try_from(bytes.as_slice()).unwrap().sender_ratchet_key()
    }

    /// Puts 39 archived states into Anna's record, as an attacker could before there was a limit.
    fn crowd(&mut self) {
        let record = self.anna.record(&self.to_boris).unwrap();
        let current = field(&record, 1);
        let mut crowded = record.clone();
        for n in 0..39u64 {
            let state = replaced(&current, 13, Some(&key(1_000 + n).serialize()));
            crowded.extend(bytes_field(2, &state));
        }
        let handle = self.to_boris.handle;
        self.anna.store.transaction(|tx| tx.put_session(&handle.0, 1, &crowded)).unwrap();
    }
}

/// One field of bytes in protobuf.
fn bytes_field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(value);
    out
}

/// Each field of a message: its number, and all its bytes with where its value begins.
fn fields(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>, usize)> {
    let varint = |bytes: &[u8]| {
        let len = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let value = bytes[..len].iter().rev().fold(0u64, |acc, byte| acc << 7 | u64::from(byte & 0x7f));
        (value, len)
    };
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tag, tag_len) = varint(bytes);
        let (value, value_len) = varint(&bytes[tag_len..]);
        let (start, end) = match tag & 7 {
            0 => (tag_len, tag_len + value_len),
            2 => (tag_len + value_len, tag_len + value_len + usize::try_from(value).unwrap()),
            kind => panic!("wire type {kind}"),
        };
        all.push((u8::try_from(tag >> 3).unwrap(), bytes[..end].to_vec(), start));
        bytes = &bytes[end..];
    }
    all
}

fn field(bytes: &[u8], number: u8) -> Vec<u8> {
    let (_, bytes, start) = fields(bytes).into_iter().find(|(n, ..)| *n == number).unwrap();
    bytes[start..].to_vec()
}

/// The message with a field of bytes changed, or without it.
fn replaced(bytes: &[u8], number: u8, value: Option<&[u8]>) -> Vec<u8> {
    let kept = fields(bytes).into_iter().filter(|(n, ..)| *n != number).flat_map(|(_, bytes, _)| bytes);
    kept.chain(value.into_iter().flat_map(|value| bytes_field(number, value))).collect()
}

#[test]
fn forged_messages_cost_less_than_two_genuine_ones() {
    let mut pair = Pair::talking(400);
    let (annas, boriss) = (pair.anna.identity, pair.boris.identity);
    let bundle = pair.anna.bundle();
    let far = |error| assert!(matches!(error, DecryptError::Refused(Refused::TooFarAhead)), "{error:?}");

    // A first message with a counter of 24,999, and one that claims our own key, which lifts libsignal's limit.
    let message = whisper(&pair, key(1), 24_999, 0, &HEADER);
    let forged = first(&bundle, &boriss, key(2), message);
    far(pair.forge(CiphertextMessageType::PreKey, &forged));
    let message = whisper(&pair, key(1), u32::MAX, 0, &HEADER);
    let forged = first(&bundle, &annas, key(2), message);
    let refused = pair.forge(CiphertextMessageType::PreKey, &forged);
    assert!(matches!(refused, DecryptError::Refused(Refused::OurIdentity)));
    // The same as high as the guard lets it be.
    let message = whisper(&pair, key(1), MAX_JUMP, 0, &HEADER);
    let forged = first(&bundle, &boriss, key(2), message);
    assert!(matches!(pair.forge(CiphertextMessageType::PreKey, &forged), DecryptError::Undecryptable));

    // A running session's message against 39 archived states: too far, and as far as the guard lets it.
    pair.crowd();
    far(pair.forge_running(key(3), 24_999, &HEADER));
    far(pair.forge_running(key(3), 0, &[1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]));
    assert!(matches!(pair.forge_running(key(3), MAX_JUMP, &HEADER), DecryptError::Undecryptable));
    let known = pair.known_key();
    far(pair.forge_running(known, 24_999, &HEADER));
    assert!(matches!(pair.forge_running(known, MAX_JUMP, &HEADER), DecryptError::Undecryptable));
    // The length that it claims for the chain before.
    let message = whisper(&pair, key(3), 0, 1_000_000, &HEADER);
    far(pair.forge(CiphertextMessageType::Whisper, message.serialized()));

    let genuine = pair.boris.send(&pair.to_anna, b"still here");
    assert_eq!(pair.anna.receive(&genuine, &pair.to_boris).unwrap(), b"still here");
}

#[test]
fn a_cut_ratchet_header_crashes_nobody() {
    let mut pair = Pair::talking(410);
    let bundle = pair.anna.bundle();
    let boriss = pair.boris.identity;
    for header in [&[1, 1, 0][..], &[1, 0, 0, 0], &[1], &[1, 1, 0, 1, 0, 0]] {
        let refused = pair.forge_running(key(1), 0, header);
        assert!(matches!(refused, DecryptError::Refused(Refused::NotPostQuantum)));
        let message = whisper(&pair, key(1), 0, 0, header);
        let refused = pair.forge(CiphertextMessageType::PreKey, &first(&bundle, &boriss, key(2), message));
        assert!(matches!(refused, DecryptError::Refused(Refused::NotPostQuantum)));
    }
}

#[test]
fn a_session_without_the_post_quantum_ratchet_is_refused() {
    let mut pair = Pair::talking(420);
    // Talked down to none by the peer, in a message and in the version that the ratchet does not know.
    for header in [&[][..], &[0, 1, 0, 0], &[9, 1, 0, 0]] {
        let refused = pair.forge_running(key(1), 0, header);
        assert!(matches!(refused, DecryptError::Refused(Refused::NotPostQuantum)));
    }
    // A message of a session that X3DH made.
    let (from, to) = (identity(&pair.boris.identity), identity(&pair.anna.identity));
    let old = SignalMessage::new(3, &[0; 32], key(1), 0, 0, &[0; 32], &from, &to, &HEADER).unwrap();
    let refused = pair.forge(CiphertextMessageType::Whisper, old.serialized());
    assert!(matches!(refused, DecryptError::Refused(Refused::NotPostQuantum)));
    // A session of ours that lost its ratchet does not send.
    let record = pair.anna.record(&pair.to_boris).unwrap();
    let state = replaced(&field(&record, 1), 15, None);
    let stripped = replaced(&record, 1, Some(&state));
    let handle = pair.to_boris.handle;
    pair.anna.store.transaction(|tx| tx.put_session(&handle.0, 1, &stripped)).unwrap();
    assert!(matches!(pair.anna.send_at(&pair.to_boris, b"x", NOW), Err(EncryptError::NoSession)));
}

#[test]
fn a_weak_key_is_refused_wherever_it_stands() {
    let mut pair = Pair::talking(430);
    let good = pair.anna.bundle();
    let boriss = pair.boris.identity;
    let mut high = [0xff; 32];
    high[0] = 0xed; // 2^255 - 19, an unreduced zero, with the high bit set
    let order_8 = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda,
        0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ];
    let mut one = [0; 32];
    one[0] = 1;
    for weak in [[0; 32], one, order_8, high] {
        let weak_key = PublicKey::from_djb_public_key_bytes(&weak).unwrap();
        let refused = pair.forge_running(weak_key, 0, &HEADER);
        assert!(matches!(refused, DecryptError::Refused(Refused::WeakKey)));
        let message = whisper(&pair, weak_key, 0, 0, &HEADER);
        let refused = pair.forge(CiphertextMessageType::PreKey, &first(&good, &boriss, key(2), message));
        assert!(matches!(refused, DecryptError::Refused(Refused::WeakKey)));
        let message = whisper(&pair, key(1), 0, 0, &HEADER);
        let refused = pair.forge(CiphertextMessageType::PreKey, &first(&good, &boriss, weak_key, message));
        assert!(matches!(refused, DecryptError::Refused(Refused::WeakKey)));

        let mut carol = Person::new(439);
        let weak: [u8; 33] = weak_key.serialize().as_ref().try_into().unwrap();
        let mut bad = vec![good.clone(); 3];
        bad[0].one_time = Some((5, weak));
        bad[1].signed.public = weak;
        bad[2].identity = IdentityPublic(weak);
        for bundle in bad {
            let peer = Peer { handle: Handle([9; 16]), identity: bundle.identity, device: Device::FIRST };
            let refused = measured(|| carol.meet(&peer, &bundle));
            assert!(matches!(refused, Err(MeetError::Refused(Refused::WeakKey))));
        }
    }
}

#[test]
fn a_sender_who_fails_too_often_is_dropped_untried_for_the_rest_of_the_hour() {
    let mut pair = Pair::talking(440);
    for _ in 0..FAILURES_PER_HOUR {
        assert!(matches!(pair.forge_running(key(1), 0, &HEADER), DecryptError::Undecryptable));
    }
    assert!(matches!(pair.forge_running(key(1), 0, &HEADER), DecryptError::OverBudget));
    let genuine = pair.boris.send(&pair.to_anna, b"genuine");
    assert!(matches!(pair.anna.receive(&genuine, &pair.to_boris), Err(DecryptError::OverBudget)));
    let expected = pair.to_boris;
    let later = NOW.plus(beresta_proto::time::HOUR_MS);
    let got = pair.anna.receive_at(&genuine, Expected::Pinned(&expected), later).unwrap();
    assert_eq!(got.plaintext.as_slice(), b"genuine");
}

#[test]
fn a_contact_who_skips_ahead_without_end_is_dropped_untried_for_the_rest_of_the_hour() {
    let mut pair = Pair::talking(442);
    let spent = |pair: &mut Pair| {
        let purse = budget::key(pair.to_boris.handle, WAY);
        let row = pair.anna.store.transaction(|tx| tx.failures(&purse)).unwrap();
        row.map_or(0, |row| row.count)
    };
    // What comes in order is free.
    for _ in 0..5 {
        let next = pair.boris.send(&pair.to_anna, b"next");
        pair.anna.receive(&next, &pair.to_boris).unwrap();
    }
    assert_eq!(spent(&mut pair), 0);
    let skip = |pair: &mut Pair| {
        for _ in 0..500 {
            pair.boris.send(&pair.to_anna, b"never sent");
        }
        let next = pair.boris.send(&pair.to_anna, b"genuine");
        pair.anna.receive(&next, &pair.to_boris)
    };
    // 500 steps of either ratchet.
    skip(&mut pair).unwrap();
    assert_eq!(spent(&mut pair), 1_000);
    let purse = budget::key(pair.to_boris.handle, WAY);
    let nearly = FailuresRow { count: 39_999, since: NOW.0 };
    pair.anna.store.transaction(|tx| tx.put_failures(&purse, nearly)).unwrap();
    skip(&mut pair).unwrap();
    assert!(matches!(skip(&mut pair), Err(DecryptError::OverBudget)));
}

#[test]
fn a_strangers_failures_count_though_each_step_is_taken_back() {
    let mut pair = Pair::new(445);
    let bundle = pair.anna.bundle();
    let message = whisper(&pair, key(1), 0, 0, &HEADER);
    let forged = first(&bundle, &pair.boris.identity, key(2), message);
    let sealed = pair.boris.seal(pair.anna.identity, CiphertextMessageType::PreKey, &forged, None);
    let opened = pair.anna.open(&sealed).unwrap();
    let handle = pair.to_boris.handle;
    let Person { store, rng, vouched, .. } = &mut pair.anna;
    let mut receive = || {
        let step = |tx: &Tx<'_>| {
            let said = tx.all_or_nothing(|| {
                decrypt(tx, &opened, Expected::Stranger { handle }, WAY, vouched, NOW, rng).map(drop)
            });
            if matches!(said, Err(DecryptError::Undecryptable)) {
                count_failure(tx, handle, WAY, NOW)?;
            }
            Ok::<_, StoreError>(said)
        };
        store.transaction(step).unwrap()
    };
    for _ in 0..FAILURES_PER_HOUR {
        assert!(matches!(receive(), Err(DecryptError::Undecryptable)));
    }
    assert!(matches!(receive(), Err(DecryptError::OverBudget)));
}

#[test]
fn a_first_message_that_does_not_open_takes_nothing_from_who_was_invited() {
    let mut pair = Pair::new(447);
    let (bundle, mut clara) = (pair.anna.bundle(), Person::new(449));
    let message = whisper(&pair, key(1), 0, 0, &HEADER);
    let forged = first(&bundle, &pair.boris.identity, key(2), message);
    let sealed = pair.boris.seal(pair.anna.identity, CiphertextMessageType::PreKey, &forged, None);
    let stranger = Expected::Stranger { handle: pair.to_boris.handle };
    let refused = pair.anna.receive_at(&sealed, stranger, NOW);
    assert!(matches!(refused, Err(DecryptError::Undecryptable)));
    // Neither the invite's handle nor its pre-keys are the forger's now.
    let to_anna = clara.name(&pair.anna);
    clara.meet(&to_anna, &bundle).unwrap();
    let hello = clara.send(&to_anna, b"it is me");
    assert_eq!(pair.anna.receive_at(&hello, stranger, NOW).unwrap().peer.identity, clara.identity);
}

#[test]
fn a_repeat_is_not_a_failure() {
    let mut pair = Pair::talking(450);
    let message = pair.boris.send(&pair.to_anna, b"once");
    pair.anna.receive(&message, &pair.to_boris).unwrap();
    for _ in 0..2 * FAILURES_PER_HOUR {
        assert!(matches!(pair.anna.receive(&message, &pair.to_boris), Err(DecryptError::Duplicate)));
    }
}

#[test]
fn a_record_keeps_three_archived_states_and_its_newest_session_works() {
    let mut pair = Pair::talking(460);
    let first_session = pair.boris.send(&pair.to_anna, b"from the first session");
    for round in 0..6u8 {
        let bundle = pair.anna.bundle();
        pair.boris.meet(&pair.to_anna, &bundle).unwrap();
        let hello = pair.boris.send(&pair.to_anna, &[round]);
        assert_eq!(pair.anna.receive(&hello, &pair.to_boris).unwrap(), [round]);
        if round == 1 {
            // An archived session still opens what was under way.
            assert_eq!(pair.anna.receive(&first_session, &pair.to_boris).unwrap(), b"from the first session");
        }
        for record in [pair.anna.record(&pair.to_boris).unwrap(), pair.boris.record(&pair.to_anna).unwrap()] {
            let archived = fields(&record).iter().filter(|(number, ..)| *number == 2).count();
            assert!(archived <= 3);
        }
    }
    let reply = pair.anna.send(&pair.to_boris, b"reply");
    assert_eq!(pair.boris.receive(&reply, &pair.to_anna).unwrap(), b"reply");
}

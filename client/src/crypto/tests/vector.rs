//! The certificates of `tests/vectors/certificate.json`, both ways: only this room may name libsignal.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::crypto::account::uuid_text;
use crate::crypto::guard::{PeerKey, peer_identity};
use crate::crypto::seal::{certificate, check_certificate};

/// The random bytes of a vector, as docs/protocol/README.md says.
struct VectorRandom {
    counter: u64,
    left: Vec<u8>,
}

impl Random for VectorRandom {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.left.is_empty() {
                let block = [&b"beresta vector v1certificate"[..], &self.counter.to_be_bytes()].concat();
                self.left = beresta_proto::key::sha256(&block).into_iter().rev().collect();
                self.counter += 1;
            }
            *byte = self.left.pop().unwrap();
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn bytes(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn committed() -> Value {
    serde_json::from_str(include_str!("../../../../tests/vectors/certificate.json")).unwrap()
}

/// An account and its certificate, made in the order in which a client makes them.
fn made() -> Value {
    let mut rng = VectorRandom { counter: 0, left: Vec::new() };
    let mut store = Store::open_in_memory(&mut ChaCha20Rng::seed_from_u64(0)).unwrap();
    store.transaction(|tx| create_account(tx, &mut rng)).unwrap();
    store
        .transaction(|tx| {
            let row = tx.account()?.unwrap();
            let own = Account::load(tx).unwrap();
            let (sender, _) = certificate(tx, &own, NOW, &mut SignalRng(&mut rng)).unwrap();
            Ok::<_, StoreError>(json!({
                "rules": "S1 to S3",
                "seed": "certificate",
                "identity_pair": hex(&row.identity_pair),
                "identity": hex(&own.identity().0),
                "account": uuid_text(own.identity().account_id()),
                "registration_id": row.registration_id,
                "online_key": hex(&row.online_key),
                "made_ms": NOW.0,
                "expires_ms": NOW.plus(CERTIFICATE_LIFE_MS).0,
                "server_certificate": hex(&row.server_certificate),
                "sender_certificate": hex(sender.serialized().unwrap()),
            }))
        })
        .unwrap()
}

#[test]
fn the_certificate_of_the_vectors_is_made_again_from_its_seed() {
    let made = made();
    let text = Zeroizing::new(serde_json::to_string_pretty(&made).unwrap());
    assert!(committed() == made, "tests/vectors/certificate.json differs from:\n{}", *text);
}

#[test]
fn the_certificate_of_the_vectors_holds_for_its_key_and_time_only() {
    let vector = committed();
    let sender = SenderCertificate::deserialize(&bytes(&vector["sender_certificate"])).unwrap();
    assert_eq!(sender.sender_uuid().unwrap(), vector["account"].as_str().unwrap());
    assert_eq!(hex(&sender.key().unwrap().serialize()), vector["identity"].as_str().unwrap());
    let signer = sender.signer().unwrap().serialized().unwrap();
    assert_eq!(hex(signer), vector["server_certificate"].as_str().unwrap());

    let [own, other] = [500, 501].map(|seed| Person::new(seed).identity);
    let checked = |identity| peer_identity(&identity, &own).unwrap();
    let pinned = checked(IdentityPublic(bytes(&vector["identity"]).try_into().unwrap()));
    let expires = Timestamp(vector["expires_ms"].as_u64().unwrap());
    // With what held before, and without.
    let mut vouched = Vouched::new();
    let mut check = |certificate: &SenderCertificate, key: &PeerKey, now| {
        check_certificate(certificate, Handle([1; 16]), key, &mut vouched, now)
    };
    assert!(check(&sender, &pinned, expires).is_ok());
    assert!(check(&sender, &pinned, expires).is_ok());
    assert!(matches!(check(&sender, &pinned, expires.plus(1)), Err(DecryptError::Expired)));
    assert!(matches!(check(&sender, &checked(other), expires), Err(DecryptError::BadCertificate)));

    let good = bytes(&vector["sender_certificate"]);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let Ok(bad) = SenderCertificate::deserialize(&bad) else { continue };
        assert!(check(&bad, &pinned, expires).is_err(), "byte {at}");
    }
}

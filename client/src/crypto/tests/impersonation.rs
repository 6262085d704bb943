//! Mallory has a program of her own and may write what she likes into what she signs and seals.

use libsignal_protocol::{PublicKey, Timestamp as SignalTime};

use super::*;
use crate::crypto::account::uuid_text;

impl Person {
    /// A certificate of this person's own issue that names `account` and `key`.
    fn certificate(&mut self, account: IdentityPublic, key: IdentityPublic, device: u8) -> SenderCertificate {
        let rng = &mut self.rng;
        let own = self.store.transaction(Account::load).unwrap();
        SenderCertificate::new(
            uuid_text(account.account_id()),
            None,
            PublicKey::deserialize(&key.0).unwrap(),
            device.try_into().unwrap(),
            SignalTime::from_epoch_millis(NOW.0 + DAY_MS),
            own.server_certificate().clone(),
            own.online_key(),
            &mut SignalRng(rng),
        )
        .unwrap()
    }
}

#[test]
fn the_impersonations_a_a1_b_and_c_are_refused() {
    let mut pair = Pair::talking(100);
    let anna = pair.anna.identity;
    let mut mallory = Person::new(109);
    let mallorys = mallory.identity;
    let boriss = pair.boris.identity;

    // Mallory has met Boris rightly, as herself.
    let bundle = pair.boris.bundle();
    let to_boris = mallory.name(&pair.boris);
    mallory.meet(&to_boris, &bundle).unwrap();
    let hers = mallory.send(&to_boris, b"I am Anna");
    let (kind, bytes) = pair.boris.inner(&hers);

    // A and A': a certificate of hers with Anna's account, on Anna's queue.
    let lie = mallory.certificate(anna, mallorys, 1);
    let a = mallory.seal(boriss, kind, &bytes, Some(lie.clone()));
    assert_eq!(
        pair.boris.open(&a).unwrap().sender(),
        &mallorys,
        "the key tells who sealed it, whatever is named"
    );
    let anna_expected = Expected::Pinned(&pair.to_anna);
    assert!(matches!(pair.boris.receive_at(&a, anna_expected, NOW), Err(DecryptError::OtherKey)));

    // B: the same to somebody who never pinned Anna, on an invite queue.
    let handle = Handle::random(&mut pair.boris.rng);
    let invite = Expected::Stranger { handle };
    assert!(matches!(pair.boris.receive_at(&a, invite, NOW), Err(DecryptError::BadCertificate)));

    // C: a genuine message of Anna's to Boris, sealed again by Mallory.
    let genuine = pair.anna.send(&pair.to_boris, b"really Anna");
    let (kind, annas) = pair.boris.inner(&genuine);
    let c = mallory.seal(boriss, kind, &annas, Some(lie));
    assert!(matches!(pair.boris.receive_at(&c, anna_expected, NOW), Err(DecryptError::OtherKey)));
    assert!(matches!(pair.boris.receive_at(&c, invite, NOW), Err(DecryptError::BadCertificate)));
    // And under her own name, on the queue that she owns.
    let got = pair.boris.receive_at(&hers, invite, NOW).unwrap();
    let honest = mallory.certificate(mallorys, mallorys, 1);
    let c = mallory.seal(boriss, kind, &annas, Some(honest));
    assert!(matches!(
        pair.boris.receive_at(&c, Expected::Pinned(&got.peer), NOW),
        Err(DecryptError::Undecryptable)
    ));

    // Nothing of it moved the session with Anna.
    assert_eq!(pair.boris.receive(&genuine, &pair.to_anna).unwrap(), b"really Anna");
}

#[test]
fn a_first_message_sealed_by_another_key_is_refused() {
    let mut pair = Pair::new(110);
    let mut mallory = Person::new(119);
    let (mallorys, annas) = (mallory.identity, pair.anna.identity);
    let hello = pair.boris.send(&pair.to_anna, b"hello");
    let (kind, bytes) = pair.anna.inner(&hello);
    let honest = mallory.certificate(mallorys, mallorys, 1);
    let stolen = mallory.seal(annas, kind, &bytes, Some(honest));
    let invite = Expected::Stranger { handle: pair.to_boris.handle };
    assert!(matches!(
        pair.anna.receive_at(&stolen, invite, NOW),
        Err(DecryptError::Refused(Refused::OtherIdentity))
    ));
    // The invite is still Boris's to use.
    pair.anna.receive_at(&hello, invite, NOW).unwrap();
}

#[test]
fn a_certificate_of_another_is_of_no_use() {
    let mut pair = Pair::talking(120);
    let mut mallory = Person::new(129);
    let (anna, boris, mallorys) = (pair.anna.identity, pair.boris.identity, mallory.identity);
    let whisper = CiphertextMessageType::Whisper;
    // Anna's own certificate, which Mallory got as a contact of hers: the seal needs Anna's private key.
    let annas = pair.anna.certificate(anna, anna, 1);
    let sealed = mallory.seal(boris, whisper, b"x", Some(annas));
    assert!(matches!(pair.boris.open(&sealed), Err(OpenError::NotSealed)));
    // Anna's key signed for by Mallory: the root is the pinned key.
    let forged = mallory.certificate(anna, anna, 1);
    let sealed = pair.anna.seal(boris, whisper, b"x", Some(forged));
    let refused = pair.boris.receive_at(&sealed, Expected::Pinned(&pair.to_anna), NOW);
    assert!(matches!(refused, Err(DecryptError::BadCertificate)));
    // Anna under another account, and on another device, by her own hand.
    let other = pair.anna.certificate(mallorys, anna, 1);
    let sealed = pair.anna.seal(boris, whisper, b"x", Some(other));
    let refused = pair.boris.receive_at(&sealed, Expected::Pinned(&pair.to_anna), NOW);
    assert!(matches!(refused, Err(DecryptError::BadCertificate)));
    let other = pair.anna.certificate(anna, anna, 2);
    let sealed = pair.anna.seal(boris, whisper, b"x", Some(other));
    let refused = pair.boris.receive_at(&sealed, Expected::Pinned(&pair.to_anna), NOW);
    assert!(matches!(refused, Err(DecryptError::OtherDevice)));
}

#[test]
fn our_own_key_is_no_peers() {
    let mut pair = Pair::talking(130);
    let anna = pair.anna.identity;
    let mirrored = pair.anna.seal(anna, CiphertextMessageType::Whisper, b"x", None);
    assert!(matches!(pair.anna.open(&mirrored), Err(OpenError::Refused(Refused::OurIdentity))));
    let bundle = pair.anna.bundle();
    let me = Peer { handle: Handle([1; 16]), identity: anna, device: Device::FIRST };
    assert!(matches!(pair.anna.meet(&me, &bundle), Err(MeetError::Refused(Refused::OurIdentity))));
}

#[test]
fn a_changed_identity_is_never_taken_over() {
    let mut pair = Pair::talking(140);
    let mut mallory = Person::new(149);
    let bundle = mallory.bundle();
    // Mallory's key under the handle of Anna, for sending and for meeting.
    let swapped = Peer { identity: mallory.identity, ..pair.to_anna };
    assert!(matches!(pair.boris.meet(&swapped, &bundle), Err(MeetError::OtherIdentity)));
    assert!(matches!(pair.boris.send_at(&swapped, b"x", NOW), Err(EncryptError::OtherIdentity)));
    assert_eq!(
        pair.boris.store.transaction(|tx| pinned(tx, pair.to_anna.handle)).unwrap(),
        Some(pair.anna.identity)
    );
}

#[test]
fn only_messages_of_the_double_ratchet_are_taken() {
    let mut pair = Pair::talking(150);
    let boris = pair.boris.identity;
    for kind in [CiphertextMessageType::SenderKey, CiphertextMessageType::Plaintext] {
        let sealed = pair.anna.seal(boris, kind, &[0x33; 100], None);
        assert!(matches!(
            pair.boris.receive(&sealed, &pair.to_anna),
            Err(DecryptError::Refused(Refused::Malformed))
        ));
    }
    // Sealed sender v2, and anything too long for an envelope.
    assert!(matches!(pair.boris.open(&Sealed(vec![0x22; 200])), Err(OpenError::NotSealed)));
    assert!(matches!(pair.boris.open(&Sealed(vec![0x11; 16_385])), Err(OpenError::NotSealed)));
    assert!(matches!(pair.boris.open(&Sealed(Vec::new())), Err(OpenError::NotSealed)));
}

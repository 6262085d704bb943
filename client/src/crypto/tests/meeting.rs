use super::*;

#[test]
fn two_people_talk_both_ways() {
    let mut pair = Pair::new(10);
    let hello = pair.boris.send(&pair.to_anna, b"hello");
    assert_eq!(pair.anna.open(&hello).unwrap().sender(), &pair.boris.identity);
    let handle = pair.to_boris.handle;
    let got = pair.anna.receive_at(&hello, Expected::Stranger { handle }, NOW).unwrap();
    assert_eq!(got.plaintext.as_slice(), b"hello");
    assert_eq!(got.peer, pair.to_boris);
    for round in 0..4u8 {
        let reply = pair.anna.send(&pair.to_boris, &[round]);
        assert_eq!(pair.boris.receive(&reply, &pair.to_anna).unwrap(), [round]);
        let more = pair.boris.send(&pair.to_anna, &[round, 1]);
        assert_eq!(pair.anna.receive(&more, &pair.to_boris).unwrap(), [round, 1]);
    }
}

#[test]
fn a_second_key_on_an_invite_queue_is_named() {
    let mut pair = Pair::talking(20);
    let mut eve = Person::new(29);
    let bundle = pair.anna.bundle();
    let to_anna = eve.name(&pair.anna);
    eve.meet(&to_anna, &bundle).unwrap();
    let late = eve.send(&to_anna, b"me too");
    // The engine sees whose it is before anything is decrypted.
    assert_eq!(pair.anna.open(&late).unwrap().sender(), &eve.identity);
    let stranger = Expected::Stranger { handle: pair.to_boris.handle };
    assert!(matches!(pair.anna.receive_at(&late, stranger, NOW), Err(DecryptError::OtherKey)));
    assert!(matches!(pair.anna.receive(&late, &pair.to_boris), Err(DecryptError::OtherKey)));
}

#[test]
fn one_key_belongs_to_one_contact_only() {
    let mut pair = Pair::talking(30);
    let bundle = pair.anna.bundle();
    let again = pair.boris.name(&pair.anna);
    assert!(matches!(pair.boris.meet(&again, &bundle), Err(MeetError::OtherIdentity)));
    assert!(pair.boris.record(&again).is_none());
}

#[test]
fn a_first_message_that_comes_again_makes_no_second_session() {
    let mut pair = Pair::new(40);
    let hello = pair.boris.send(&pair.to_anna, b"hello");
    let stranger = Expected::Stranger { handle: pair.to_boris.handle };
    pair.anna.receive_at(&hello, stranger, NOW).unwrap();
    let before = pair.anna.record(&pair.to_boris);
    assert!(matches!(pair.anna.receive_at(&hello, stranger, NOW), Err(DecryptError::Duplicate)));
    assert_eq!(pair.anna.record(&pair.to_boris), before);
    // Not even where the session is forgotten: the private halves went with their use.
    pair.anna.store.transaction(|tx| forget(tx, pair.to_boris.handle)).unwrap();
    assert!(matches!(pair.anna.receive_at(&hello, stranger, NOW), Err(DecryptError::UnknownPreKey)));
    assert!(pair.anna.record(&pair.to_boris).is_none());
}

#[test]
fn a_first_message_is_noted_even_while_its_keys_are_there() {
    let mut pair = Pair::new(45);
    let hello = pair.boris.send(&pair.to_anna, b"hello");
    // A bundle that outlives its use: its rows are put back after the first message.
    let (kind, bytes) = pair.anna.inner(&hello);
    assert_eq!(kind, CiphertextMessageType::PreKey);
    let message = libsignal_protocol::PreKeySignalMessage::try_from(bytes.as_slice()).unwrap();
    let (kyber, signed) = (message.kyber_pre_key_id().unwrap().into(), message.signed_pre_key_id().into());
    pair.anna
        .store
        .transaction(|tx| tx.insert_used_pre_key(kyber, signed, &message.base_key().serialize()))
        .unwrap();
    let stranger = Expected::Stranger { handle: pair.to_boris.handle };
    assert!(matches!(pair.anna.receive_at(&hello, stranger, NOW), Err(DecryptError::Duplicate)));
    assert!(pair.anna.record(&pair.to_boris).is_none());
}

#[test]
fn a_replayed_message_changes_nothing() {
    let mut pair = Pair::talking(50);
    let message = pair.boris.send(&pair.to_anna, b"once");
    pair.anna.receive(&message, &pair.to_boris).unwrap();
    let before = pair.anna.record(&pair.to_boris);
    assert!(matches!(pair.anna.receive(&message, &pair.to_boris), Err(DecryptError::Duplicate)));
    assert_eq!(pair.anna.record(&pair.to_boris), before);
}

#[test]
fn a_bundle_that_was_taken_back_lets_nobody_in() {
    let (mut anna, mut boris) = (Person::new(60), Person::new(61));
    let bundle = anna.bundle();
    let to_anna = boris.name(&anna);
    boris.meet(&to_anna, &bundle).unwrap();
    anna.store.transaction(|tx| forget_bundle(tx, bundle.signed.id)).unwrap();
    let hello = boris.send(&to_anna, b"hello");
    let handle = Handle::random(&mut anna.rng);
    let refused = anna.receive_at(&hello, Expected::Stranger { handle }, NOW);
    assert!(matches!(refused, Err(DecryptError::UnknownPreKey)));
    assert_eq!(anna.store.transaction(|tx| pinned(tx, handle)).unwrap(), None);
}

#[test]
fn a_bundle_with_a_changed_byte_is_refused() {
    let (mut anna, mut boris) = (Person::new(70), Person::new(71));
    let good = anna.bundle();
    let to_anna = boris.name(&anna);
    let mut bad = vec![good.clone(); 4];
    bad[0].signed.signature[3] ^= 1;
    bad[1].kyber.public[700] ^= 1;
    bad[2].device = Device::new(2).unwrap();
    bad[3].identity = boris.identity;
    for bundle in &bad {
        assert!(matches!(boris.meet(&to_anna, bundle), Err(MeetError::BadBundle)));
    }
    assert!(boris.record(&to_anna).is_none());
    boris.meet(&to_anna, &good).unwrap();
}

#[test]
fn both_people_see_the_same_safety_number() {
    let mut pair = Pair::talking(80);
    let annas = pair.anna.store.transaction(|tx| safety_number(tx, &pair.to_boris)).unwrap();
    let boriss = pair.boris.store.transaction(|tx| safety_number(tx, &pair.to_anna)).unwrap();
    assert_eq!(annas.groups(), boriss.groups());
    assert_eq!(annas.groups().len(), 12);
    assert!(annas.groups().iter().all(|group| group.len() == 5 && group.bytes().all(|b| b.is_ascii_digit())));
    assert_eq!(annas.matches(&boriss.scannable().unwrap()), Ok(true));

    let eve = Person::new(89);
    let to_eve = pair.boris.name(&eve);
    let other = pair.boris.store.transaction(|tx| safety_number(tx, &to_eve)).unwrap();
    assert_ne!(other.groups(), annas.groups());
    assert_eq!(annas.matches(&other.scannable().unwrap()), Ok(false));
    assert_eq!(annas.matches(b"\xff"), Err(ScanError::Malformed));
}

#[test]
fn pre_key_ids_are_random_and_of_24_bits() {
    let mut anna = Person::new(90);
    let bundles: Vec<_> = (0..8).map(|_| anna.bundle()).collect();
    let ids: std::collections::BTreeSet<u32> =
        bundles.iter().flat_map(|b| [b.signed.id, b.kyber.id, b.one_time.unwrap().0]).collect();
    assert_eq!(ids.len(), 24);
    assert!(ids.iter().all(|id| (1..1 << 24).contains(id)));
    assert!(ids.iter().zip(ids.iter().skip(1)).all(|(a, b)| b - a > 1));
}

#[test]
fn no_secret_shows_in_debug() {
    let mut pair = Pair::talking(95);
    let sealed = pair.boris.send(&pair.to_anna, b"secret text");
    let opened = pair.anna.open(&sealed).unwrap();
    let got = pair.anna.receive_at(&sealed, Expected::Pinned(&pair.to_boris), NOW).unwrap();
    let number = pair.anna.store.transaction(|tx| safety_number(tx, &pair.to_boris)).unwrap();
    let (account, row) =
        pair.anna.store.transaction(|tx| Ok::<_, AccountError>((Account::load(tx)?, tx.account()?))).unwrap();
    let shown = format!("{sealed:?} {opened:?} {got:?} {number:?} {account:?} {row:?} {:?}", pair.to_boris);
    assert_eq!(
        shown,
        "Sealed(..) Opened(..) Decrypted(..) SafetyNumber(..) Account(..) Some(AccountRow(..)) Peer(..)"
    );
    assert_eq!(format!("{:?}", pair.to_boris.handle), "Handle(..)");
}

#[test]
fn the_account_is_made_once() {
    let mut anna = Person::new(99);
    let rng = &mut anna.rng;
    let again = anna.store.transaction(|tx| create_account(tx, rng));
    assert!(matches!(again, Err(AccountError::Exists)));
    assert_eq!(anna.store.transaction(own_identity).unwrap(), anna.identity);
}

use super::*;

/// How many others may overtake a message on its way. libsignal keeps the keys of five turns of the conversation.
const OVERTAKEN: usize = 6;

/// A message on its way: whose, what, how often overtaken.
struct UnderWay {
    from_anna: bool,
    text: Vec<u8>,
    sealed: Sealed,
    overtaken: usize,
}

/// Takes one of the oldest four, but the oldest where that has waited enough.
fn arriving(under_way: &mut Vec<UnderWay>, dice: &mut ChaCha20Rng) -> UnderWay {
    let waited = under_way[0].overtaken >= OVERTAKEN;
    let at = if waited { 0 } else { dice.next_u32() as usize % under_way.len().min(4) };
    under_way[..at].iter_mut().for_each(|message| message.overtaken += 1);
    under_way.remove(at)
}

#[test]
fn nothing_honest_is_refused_at_24_percent_loss_and_reordering() {
    let mut pair = Pair::talking(200);
    let mut dice = ChaCha20Rng::seed_from_u64(2_026);
    let mut under_way = Vec::new();
    let (mut sent, mut received) = (0u32, 0u32);
    while sent < 5_000 || !under_way.is_empty() {
        if sent < 5_000 && under_way.len() < 8 && dice.next_u32() % 2 == 0 {
            // People write in runs, and now and then across each other.
            let from_anna = (sent / 7 % 2 == 0) != (dice.next_u32() % 8 == 0);
            let text = sent.to_be_bytes().to_vec();
            let sealed = match from_anna {
                true => pair.anna.send(&pair.to_boris, &text),
                false => pair.boris.send(&pair.to_anna, &text),
            };
            sent += 1;
            if dice.next_u32() % 100 >= 24 {
                under_way.push(UnderWay { from_anna, text, sealed, overtaken: 0 });
            }
        } else if !under_way.is_empty() {
            let message = arriving(&mut under_way, &mut dice);
            let got = match message.from_anna {
                true => pair.boris.receive(&message.sealed, &pair.to_anna),
                false => pair.anna.receive(&message.sealed, &pair.to_boris),
            };
            assert_eq!(got.unwrap(), message.text);
            received += 1;
        }
    }
    assert!((3_600..4_000).contains(&received));
}

#[test]
fn after_1000_lost_messages_the_next_one_opens() {
    let mut pair = Pair::talking(210);
    for _ in 0..1_000 {
        pair.boris.send(&pair.to_anna, b"lost");
    }
    let next = pair.boris.send(&pair.to_anna, b"here");
    assert_eq!(pair.anna.receive(&next, &pair.to_boris).unwrap(), b"here");
    let reply = pair.anna.send(&pair.to_boris, b"and back");
    assert_eq!(pair.boris.receive(&reply, &pair.to_anna).unwrap(), b"and back");
}

#[test]
fn after_1000_lost_first_messages_the_next_one_opens() {
    let mut pair = Pair::new(220);
    for _ in 0..1_000 {
        pair.boris.send(&pair.to_anna, b"lost");
    }
    let next = pair.boris.send(&pair.to_anna, b"here");
    let stranger = Expected::Stranger { handle: pair.to_boris.handle };
    assert_eq!(pair.anna.receive_at(&next, stranger, NOW).unwrap().plaintext.as_slice(), b"here");
}

#[test]
fn a_step_that_fails_later_leaves_the_ratchet_where_it_was() {
    let mut pair = Pair::talking(230);
    let message = pair.boris.send(&pair.to_anna, b"again");
    let opened = pair.anna.open(&message).unwrap();
    let before = pair.anna.record(&pair.to_boris);
    let (to_boris, Person { store, rng, vouched, .. }) = (pair.to_boris, &mut pair.anna);
    // The engine decrypts, and then cannot keep the message's row.
    let failed = store.transaction(|tx| {
        decrypt(tx, &opened, Expected::Pinned(&to_boris), WAY, vouched, NOW, rng).unwrap();
        Err::<(), _>(StoreError::Full)
    });
    assert!(failed.is_err());
    assert_eq!(pair.anna.record(&pair.to_boris), before);
    assert_eq!(pair.anna.receive(&message, &pair.to_boris).unwrap(), b"again");
}

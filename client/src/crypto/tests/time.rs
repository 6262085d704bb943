use super::*;

const DAY: u64 = DAY_MS;

#[test]
fn a_message_opened_21_days_later_with_a_clock_a_day_wrong_is_shown() {
    // The sender's clock right, a day slow, a day fast; the certificate fresh or almost a week old; the receiver's
    // clock right, a day slow, a day fast.
    for (seed, sender_clock) in [NOW, NOW.minus(DAY), NOW.plus(DAY)].into_iter().enumerate() {
        let mut pair = Pair::talking(300 + 10 * seed as u64);
        let expected = pair.to_boris;
        for age in [0, CERTIFICATE_RENEWAL_MS - 1] {
            // The certificate is made at the first of these, and used again at the second.
            pair.boris.send_at(&pair.to_anna, b"renew", sender_clock.plus(40 * DAY)).unwrap();
            for receiver in [20 * DAY, 21 * DAY, 22 * DAY] {
                let late =
                    pair.boris.send_at(&pair.to_anna, b"late", sender_clock.plus(40 * DAY + age)).unwrap();
                let opened = NOW.plus(40 * DAY + age + receiver);
                let got = pair.anna.receive_at(&late, Expected::Pinned(&expected), opened).unwrap();
                assert_eq!(got.plaintext.as_slice(), b"late");
            }
        }
    }
}

#[test]
fn an_old_certificate_is_named_as_such_and_blocks_nothing_else() {
    let mut pair = Pair::talking(330);
    let message = pair.boris.send(&pair.to_anna, b"x");
    let expected = pair.to_boris;
    let expected = Expected::Pinned(&expected);
    let late = NOW.plus(CERTIFICATE_LIFE_MS + 1);
    assert!(matches!(pair.anna.receive_at(&message, expected, late), Err(DecryptError::Expired)));
    // Once the clock is right again it opens.
    assert!(pair.anna.receive_at(&message, expected, NOW).is_ok());
}

#[test]
fn certificates_are_renewed_weekly_and_when_the_clock_went_back() {
    let mut pair = Pair::talking(340);
    let made = |pair: &mut Pair, now| {
        pair.boris.send_at(&pair.to_anna, b"x", now).unwrap();
        pair.boris.store.transaction(|tx| tx.sender_certificate()).unwrap().unwrap().1
    };
    assert_eq!(made(&mut pair, NOW), NOW.0);
    assert_eq!(made(&mut pair, NOW.plus(CERTIFICATE_RENEWAL_MS - 1)), NOW.0);
    let week = NOW.plus(CERTIFICATE_RENEWAL_MS);
    assert_eq!(made(&mut pair, week), week.0);
    assert_eq!(made(&mut pair, NOW), NOW.0);
}

#[test]
fn a_session_that_nobody_answered_for_30_days_is_not_used() {
    let mut pair = Pair::new(350);
    pair.boris.send_at(&pair.to_anna, b"x", NOW.plus(30 * DAY)).unwrap();
    let refused = pair.boris.send_at(&pair.to_anna, b"x", NOW.plus(31 * DAY));
    assert!(matches!(refused, Err(EncryptError::NoSession)));
}

#[test]
fn no_time_however_absurd_panics() {
    let mut pair = Pair::talking(360);
    for now in [Timestamp(0), Timestamp(u64::MAX)] {
        let message = pair.boris.send_at(&pair.to_anna, b"x", now).unwrap();
        let expected = pair.to_boris;
        let _ = pair.anna.receive_at(&message, Expected::Pinned(&expected), Timestamp(u64::MAX));
        let _ = pair.anna.receive_at(&message, Expected::Pinned(&expected), Timestamp(0));
    }
}

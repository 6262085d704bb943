//! Wishes: a refused one changes nothing, and each one that a relay must answer is answered.

use super::*;

fn answers(effects: &[Effect]) -> Vec<(AskId, bool)> {
    let mut answers = Vec::new();
    for effect in effects {
        if let Effect::Answer { ask, outcome } = effect {
            answers.push((*ask, outcome.is_ok()));
        }
    }
    answers
}

#[test]
fn a_wish_that_is_refused_leaves_the_links_alone() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    bench.reads_a_queue(&station);
    bench.links(&station);
    bench.effects();
    let nobody = ContactId(7);
    bench.engine.send(&mut bench.store, nobody, "hello", bench.now).unwrap_err();
    bench.engine.rename(&mut bench.store, nobody, "Boris", bench.now).unwrap_err();
    assert!(bench.effects().is_empty());
    assert!(bench.engine.is_linked(&station.id()));
}

#[test]
fn a_refused_wish_writes_nothing() {
    let mut bench = Bench::new(None);
    let refused: Result<(), StoreError> = bench.engine.wish(&mut bench.store, bench.now, |_, tx| {
        tx.set_meta("test", b"half")?;
        Err(StoreError::NotFound)
    });
    refused.unwrap_err();
    assert_eq!(bench.store.transaction(|tx| tx.meta("test")), Ok(None));
}

#[test]
fn every_wish_is_answered_once_when_the_store_fails() {
    let (home, far) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(Some(home.address()));
    bench.links(&home);
    // One in flight at home, one that waits for another relay.
    let (flies, waits) = (bench.invites(), bench.accepts(far.address()));
    bench.effects();
    bench.fails();
    let said = bench.effects();
    assert_eq!(answers(&said), [(flies, false), (waits, false)]);
    assert_eq!(hang_ups(&said), 2);
    assert_eq!(answers(&bench.pass(DAY_MS)), []);
}

#[test]
fn an_answer_that_a_failed_step_gave_is_given_all_the_same() {
    let far = Station::new(2);
    let mut bench = Bench::new(None);
    let ask = bench.accepts(far.address());
    bench.effects();
    bench.now = bench.now.plus(2 * MINUTE_MS);
    let failed = bench.engine.step(&mut bench.store, bench.now, |engine, _| {
        engine.answer(ask, Err(AskError::LineBroke));
        Err::<(), _>(StoreError::Full)
    });
    failed.unwrap_err();
    assert_eq!(answers(&bench.effects()), [(ask, false)]);
}

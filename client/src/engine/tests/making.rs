//! Making queues for contacts who are to be told of one.

use beresta_proto::command::Command;
use beresta_proto::reply::{Refusal, Reply, Subscribed};

use super::queues::{made, said, untold};
use super::*;

#[test]
fn a_refusal_to_make_a_queue_for_a_contact_is_known_until_it_is_over() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    let contact = untold(&mut bench, &Station::new(2));
    let why = |bench: &Bench| bench.engine.queue_refusal(&home.id(), &[contact]);
    bench.links(&home);
    let making = bench.effects();
    assert_eq!((said(&making), why(&bench)), (vec!["MAKE QUEUE"], None));
    bench.answers(&home, &making, Reply::Refused(Refusal::NoCredit));
    assert_eq!(why(&bench), Some(Refusal::NoCredit));
    assert_eq!(bench.engine.queue_refusal(&Station::new(3).id(), &[contact]), None, "of this relay");
    let again = bench.pass(MINUTE_MS);
    bench.answers(&home, &again, Reply::Refused(Refusal::Closed));
    assert_eq!(why(&bench), Some(Refusal::Closed), "the last one");

    // Another home may make it.
    let other = Station::new(3);
    bench.engine.set_home(&mut bench.store, &other.address(), bench.now).unwrap();
    assert_eq!(why(&bench), None);
    bench.engine.set_home(&mut bench.store, &home.address(), bench.now).unwrap();
    let again = bench.pass(10 * MINUTE_MS);
    bench.answers(&home, &again, Reply::Refused(Refusal::Full));
    assert_eq!(why(&bench), Some(Refusal::Full));
    let again = bench.pass(10 * MINUTE_MS);
    let subscribing = bench.answers(&home, &again, made(1));
    bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(why(&bench), None);
}

#[test]
fn a_queue_whose_first_subscription_is_refused_for_now_is_subscribed_to_later_and_no_other_is_made() {
    for refusal in [Refusal::RateLimited, Refusal::Failed] {
        let (home, old) = (Station::new(1), Station::new(2));
        let mut bench = Bench::new(Some(home.address()));
        untold(&mut bench, &old);
        bench.links(&home);
        let making = bench.effects();
        let mut subscribing = bench.answers(&home, &making, made(1));
        for _ in 0..3 {
            assert_eq!(said(&bench.answers(&home, &subscribing, Reply::Refused(refusal))), [""; 0]);
            subscribing = bench.pass(10 * SECOND_MS);
            assert_eq!(said(&subscribing), ["SUBSCRIBE"]);
        }
        let Some(Effect::Transmit { command: Command::Subscribe(queues), .. }) = subscribing.last() else {
            panic!("no subscription")
        };
        assert_eq!(queues[0].queue, ReadId([1; 24]));
        bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
        assert!(bench.store.transaction(|tx| tx.own_queue(&home.id(), &ReadId([1; 24]))).unwrap().is_some());
    }
}

#[test]
fn what_a_relay_fails_to_read_for_good_gives_way_to_another_queue() {
    let (home, old) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(Some(home.address()));
    untold(&mut bench, &old);
    bench.links(&home);
    let making = bench.effects();
    let mut subscribing = bench.answers(&home, &making, made(1));
    // That it is asked too often is no failure of its.
    for refusal in [[Refusal::RateLimited; 4], [Refusal::Failed; 4]].concat() {
        bench.answers(&home, &subscribing, Reply::Refused(refusal));
        subscribing = bench.pass(10 * MINUTE_MS);
        assert_eq!(said(&subscribing), ["SUBSCRIBE"]);
    }
    bench.answers(&home, &subscribing, Reply::Refused(Refusal::Failed));
    assert_eq!(said(&bench.pass(10 * MINUTE_MS)), ["MAKE QUEUE"]);
}

#[test]
fn at_a_relay_of_which_nothing_is_known_yet_one_queue_is_made_and_once_it_is_read_many() {
    let (home, old) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(Some(home.address()));
    untold(&mut bench, &old);
    let others: Vec<_> = (10..40).map(|number| bench.writes_to(number, old.address())).collect();
    let needs = |tx: &Tx<'_>| {
        let mut all = others.iter().copied();
        all.try_for_each(|id| tx.update_contact(&Contact { needs_queue: true, ..tx.contact(id)? }))
    };
    bench.store.transaction(needs).unwrap();
    bench.links(&home);
    let making = bench.effects();
    assert_eq!(said(&making), ["MAKE QUEUE"]);
    let subscribing = bench.answers(&home, &making, made(1));
    assert_eq!(said(&subscribing), ["SUBSCRIBE"]);
    let others = bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(said(&others).iter().filter(|said| **said == "MAKE QUEUE").count(), 15);
}

//! How a queue of ours comes to be known.

use beresta_proto::command::Command;
use beresta_proto::limits::SUBSCRIPTIONS;
use beresta_proto::reply::{Refusal, Reply, Subscribed};
use beresta_proto::time::HOUR_MS;

use super::*;

pub(super) fn made(number: u8) -> Reply {
    Reply::QueueMade { read_id: ReadId([number; 24]), send_id: SendId([number; 24]) }
}

/// What was transmitted, by the names of the protocol.
pub(super) fn said(effects: &[Effect]) -> Vec<&'static str> {
    let mut said = Vec::new();
    for effect in effects {
        if let Effect::Transmit { relay: _, token: _, command } = effect {
            said.push(match command {
                Command::MakeQueue { .. } => "MAKE QUEUE",
                Command::Subscribe(_) => "SUBSCRIBE",
                Command::PutBlob { .. } => "PUT BLOB",
                Command::DeleteQueue { .. } => "DELETE QUEUE",
                Command::Descriptor => "DESCRIPTOR",
                Command::Acknowledge { .. }
                | Command::Send { .. }
                | Command::ClaimBlob { .. }
                | Command::DeleteBlob { .. } => "another",
            });
        }
    }
    said
}

impl Bench {
    /// The relay answers the last command that is among `effects`.
    pub(super) fn answers(&mut self, station: &Station, effects: &[Effect], reply: Reply) -> Vec<Effect> {
        let token = *tokens(effects).last().unwrap();
        self.engine.handle_reply(&mut self.store, station.id(), token, Some(reply), self.now).unwrap();
        self.effects()
    }

    fn kept(&mut self) -> (usize, u64) {
        let look = |tx: &Tx<'_>| Ok::<_, StoreError>((tx.own_queues()?.len(), tx.count_outgoing()?));
        self.store.transaction(look).unwrap()
    }
}

#[test]
fn a_queue_is_named_to_nobody_before_it_was_subscribed_to() {
    let (home, far) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(Some(home.address()));
    bench.links(&home);
    bench.invites();

    // In an invite.
    let making = bench.effects();
    assert_eq!(said(&making), ["MAKE QUEUE"]);
    let subscribing = bench.answers(&home, &making, made(1));
    assert_eq!(said(&subscribing), ["SUBSCRIBE"]);
    assert_eq!(bench.kept(), (0, 0));
    let putting = bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(said(&putting), ["PUT BLOB"]);
    assert_eq!(bench.kept().0, 1);

    // To a contact.
    let boris = bench.writes_to(3, far.address());
    let needs = |tx: &Tx<'_>| {
        let mut contact = tx.contact(boris)?;
        contact.needs_queue = true;
        tx.update_contact(&contact)
    };
    bench.store.transaction(needs).unwrap();
    bench.engine.handle_timeout(&mut bench.store, bench.now).unwrap();
    let making = bench.effects();
    assert_eq!(said(&making), ["MAKE QUEUE"]);
    let subscribing = bench.answers(&home, &making, made(2));
    assert_eq!(said(&subscribing), ["SUBSCRIBE"]);
    assert_eq!(bench.kept(), (1, 1));
    bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(bench.kept().0, 2);
}

#[test]
fn a_queue_that_is_gone_before_it_was_named_is_forgotten_and_its_wish_answered() {
    for reply in [Reply::Subscribed(vec![Subscribed::Gone]), Reply::Refused(Refusal::RateLimited)] {
        let home = Station::new(1);
        let mut bench = Bench::new(Some(home.address()));
        bench.links(&home);
        let ask = bench.invites();
        let making = bench.effects();
        let subscribing = bench.answers(&home, &making, made(1));
        let told = bench.answers(&home, &subscribing, reply);
        let busy = |effect: &Effect| matches!(effect, Effect::Answer { ask: one, outcome: Err(AskError::RelayBusy) } if *one == ask);
        assert!(told.iter().any(busy));
        assert_eq!(bench.kept(), (0, 0));
        assert!(bench.engine.is_linked(&home.id()));
    }
}

/// A queue of a contact's whose time was over yesterday.
fn over(bench: &mut Bench, station: &Station) -> OwnQueueId {
    let contact = bench.writes_to(3, Station::new(9).address());
    let read_id = bench.reads_a_queue(station).read_id;
    let (relay, end) = (station.id(), bench.now.minus(DAY_MS));
    let write = |tx: &Tx<'_>| {
        let mut queue = tx.own_queue(&relay, &read_id)?.ok_or(StoreError::NotFound)?;
        (queue.contact, queue.retire) = (Some(contact), Some(end));
        tx.update_own_queue(&queue)?;
        Ok::<_, StoreError>(queue.id)
    };
    bench.store.transaction(write).unwrap()
}

#[test]
fn a_queue_whose_time_is_over_is_left_once_it_was_read_out() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    over(&mut bench, &home);
    bench.pass(DAY_MS);
    bench.links(&home);
    let subscribing = bench.effects();
    assert_eq!(said(&subscribing), ["SUBSCRIBE"]);
    bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(said(&bench.pass(HOUR_MS)), [""; 0]);
    assert_eq!(said(&bench.catches_up(&home, 1)), ["DELETE QUEUE"]);
    assert_eq!(bench.kept().0, 1, "until its relay says that it is deleted");
}

#[test]
fn a_queue_that_is_being_deleted_keeps_nobody_from_being_reached() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    over(&mut bench, &home);
    bench.links(&home);
    let subscribing = bench.effects();
    bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    let deleting = bench.catches_up(&home, 1);
    assert_eq!(said(&deleting), ["DELETE QUEUE"]);
    let Bench { engine, store, .. } = &mut bench;
    assert!(engine.is_reached(store).unwrap() && engine.has_caught_up(store).unwrap());
    assert!(!engine.is_settled(store).unwrap(), "until its relay says that it is deleted");
}

#[test]
fn a_queue_that_a_relay_let_wait_for_its_subscription_is_read_out_from_then_on() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    over(&mut bench, &home);
    bench.links(&home);
    let subscribing = bench.effects();
    bench.answers(&home, &subscribing, Reply::Refused(Refusal::RateLimited));
    let again = bench.pass(2 * MINUTE_MS);
    assert_eq!(said(&again), ["SUBSCRIBE"]);
    bench.answers(&home, &again, Reply::Subscribed(vec![Subscribed::Ok]));
    bench.engine.handle_timeout(&mut bench.store, bench.now).unwrap();
    assert_eq!(said(&bench.effects()), [""; 0]);
    assert_eq!(said(&bench.catches_up(&home, 1)), ["DELETE QUEUE"]);
}

#[test]
fn what_a_relay_says_of_one_subscription_says_nothing_of_the_next_in_whatever_order_it_is_heard() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    over(&mut bench, &home);
    bench.links(&home);
    // More queues than fit into one command.
    let mut rng = rng(8);
    let more = |tx: &Tx<'_>| {
        let ours = tx.own_queues()?.remove(0);
        for _ in 0..SUBSCRIPTIONS {
            let fresh =
                OwnQueue { read_id: ReadId(rng.array()), send_id: SendId(rng.array()), ..ours.clone() };
            tx.insert_own_queue(&OwnQueue { contact: None, retire: None, ..fresh })?;
        }
        Ok::<_, StoreError>(())
    };
    bench.store.transaction(more).unwrap();
    bench.breaks(&home);
    bench.pass(MINUTE_MS);
    bench.links(&home);
    let subscribing = bench.effects();
    let asked: Vec<(Token, usize)> = subscribing.iter().filter_map(subscription).collect();
    let [(first, many), (second, one)] = asked[..] else { panic!("{asked:?}") };
    assert_eq!((many, one), (SUBSCRIPTIONS, 1));
    let answer = |bench: &mut Bench, token, queues| {
        let reply = Some(Reply::Subscribed(vec![Subscribed::Ok; queues]));
        bench.engine.handle_reply(&mut bench.store, home.id(), token, reply, bench.now).unwrap();
        said(&bench.effects()).len()
    };
    // The word of the first, then the answer to the second, and only then that to the first.
    assert_eq!(said(&bench.catches_up(&home, 1)), [""; 0]);
    assert_eq!((answer(&mut bench, second, one), answer(&mut bench, first, many)), (0, 0));
    assert_eq!(said(&bench.catches_up(&home, 1)), [""; 0]);
    assert_eq!(said(&bench.catches_up(&home, 2)), ["DELETE QUEUE"]);
}

/// A command that subscribes, and to how many queues.
fn subscription(effect: &Effect) -> Option<(Token, usize)> {
    let Effect::Transmit { token, command: Command::Subscribe(queues), .. } = effect else { return None };
    Some((*token, queues.len()))
}

#[test]
fn a_word_that_is_heard_before_its_answer_counts_with_it() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    over(&mut bench, &home);
    bench.links(&home);
    let subscribing = bench.effects();
    assert_eq!(said(&bench.catches_up(&home, 1)), [""; 0]);
    let answered = bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(said(&answered), ["DELETE QUEUE"]);
}

#[test]
fn a_queue_whose_time_was_over_while_the_machine_slept_is_left_once_the_clocks_agree() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    over(&mut bench, &home);
    let end = bench.now.plus(10 * DAY_MS);
    let later = |tx: &Tx<'_>| {
        let mut queue = tx.own_queues()?.remove(0);
        queue.retire = Some(end);
        tx.update_own_queue(&queue)
    };
    bench.store.transaction(later).unwrap();
    bench.links(&home);
    let subscribing = bench.effects();
    bench.answers(&home, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    bench.catches_up(&home, 1);
    // It wakes up with its link, in the moment in which the queue's time is over.
    bench.now = end;
    bench.engine.handle_timeout(&mut bench.store, end).unwrap();
    let woken = bench.effects();
    assert_eq!(said(&woken), ["DESCRIPTOR"]);
    let reply = Reply::Descriptor {
        descriptor: home.signed(),
        epoch_keys: vec![home.epoch_key(end.day())],
        clock: end,
    };
    assert!(said(&bench.answers(&home, &woken, reply)).contains(&"DELETE QUEUE"));
}

#[test]
fn a_queue_whose_relay_is_gone_is_given_up_a_week_after_its_time() {
    let home = Station::new(1);
    let mut bench = Bench::new(Some(home.address()));
    over(&mut bench, &home);
    bench.links(&home);
    bench.breaks(&home);
    // The program runs all the while, and looks at its clock.
    let mut kept = Vec::new();
    for _ in 0..6 * 24 {
        kept.push(bench.kept().0);
        bench.pass(HOUR_MS);
        bench.engine.handle_timeout(&mut bench.store, bench.now).unwrap();
    }
    assert!(kept.into_iter().all(|queues| queues == 1));
    assert_eq!(bench.kept().0, 0);
}

/// A contact who is to be told of a fresh queue, with the one before at `old`, whose time is over.
pub(super) fn untold(bench: &mut Bench, old: &Station) -> ContactId {
    let own = over(bench, old);
    let write = |tx: &Tx<'_>| {
        let queue = tx.own_queues()?.into_iter().find(|queue| queue.id == own).ok_or(StoreError::NotFound)?;
        let mut contact = tx.contact(queue.contact.ok_or(StoreError::NotFound)?)?;
        contact.needs_queue = true;
        tx.update_contact(&contact)?;
        Ok::<_, StoreError>(contact.id)
    };
    bench.store.transaction(write).unwrap()
}

#[test]
fn what_leads_to_a_contact_who_was_told_of_nothing_else_is_given_up_once_its_relay_is_gone() {
    let (home, old) = (Station::new(1), Station::new(2));
    let mut bench = Bench::new(Some(home.address()));
    untold(&mut bench, &old);
    bench.links(&home);
    bench.links(&old);
    let subscribing = bench.effects();
    bench.answers(&old, &subscribing, Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(said(&bench.catches_up(&old, 1)), [""; 0], "it was read out, and stays");
    let end = |bench: &mut Bench| bench.store.transaction(|tx| tx.own_queues()).unwrap().remove(0).retire;
    assert_eq!(end(&mut bench), Some(bench.now.plus(21 * DAY_MS)));

    // Its relay is not tried for a month; then it is, and is gone.
    bench.breaks(&old);
    bench.breaks(&home);
    bench.pass(30 * DAY_MS);
    let fails = |bench: &mut Bench, station: &Station| {
        let (engine, store) = (&mut bench.engine, &mut bench.store);
        engine.handle_dial_failed(store, station.id(), DialFailure::Unreachable, bench.now).unwrap();
    };
    // A line that is down says nothing of a relay.
    fails(&mut bench, &old);
    fails(&mut bench, &home);
    bench.links(&home);
    bench.pass(HOUR_MS);
    assert_eq!(bench.kept().0, 1);
    fails(&mut bench, &old);
    bench.pass(HOUR_MS);
    assert_eq!(bench.kept().0, 0);
}

#[test]
fn of_many_queues_that_are_left_few_are_deleted_at_once_and_in_the_end_all() {
    let station = Station::new(1);
    let mut bench = Bench::new(Some(station.address()));
    let queue = bench.reads_a_queue(&station);
    for number in 1..=20 {
        let (read_id, send_id) = (ReadId([number; 24]), SendId([number; 24]));
        let left = OwnQueue { read_id, send_id, state: OwnQueueState::Leaving, ..queue.clone() };
        bench.store.transaction(|tx| tx.insert_own_queue(&left)).unwrap();
    }
    bench.links(&station);
    let mut asked: Vec<Token> = Vec::new();
    let mut effects = bench.effects();
    let mut answered = 0;
    while answered < 20 {
        for effect in effects {
            if let Effect::Transmit { relay: _, token, command: Command::DeleteQueue { .. } } = effect {
                asked.push(token);
            }
        }
        assert!((1..=8).contains(&(asked.len() - answered)), "{} of {answered}", asked.len());
        let token = asked[answered];
        answered += 1;
        bench
            .engine
            .handle_reply(&mut bench.store, station.id(), token, Some(Reply::Done), bench.now)
            .unwrap();
        effects = bench.effects();
    }
    assert_eq!(asked.len(), 20);
    assert_eq!(bench.kept().0, 1);
}

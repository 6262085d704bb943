//! What a relay that lies or refuses can make its clients do: little, and nothing to other relays' links (rule L9).

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use beresta_client::crypto;
use beresta_client::engine::AskError;
use beresta_client::store::contact::ContactId;
use beresta_client::store::event::{DropReason, EventKind};
use beresta_client::store::message::MessageState;
use beresta_client::store::{StoreError, Tx};
use beresta_proto::address::QueueAddress;
use beresta_proto::command::Command;
use beresta_proto::id::SendId;
use beresta_proto::reply::{Push, Refusal, Reply, Subscribed};
use beresta_proto::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use beresta_tests::world::{Asked, Lie, Who, World};

/// What an hour of an honest client may take that is refused all it asks for: with pauses of up to five minutes a
/// dozen tries of each kind, and some for each thing to begin with.
const HOUR_OF_REFUSALS: usize = 200;

const REFUSALS: [Refusal; 8] = [
    Refusal::Gone,
    Refusal::Claimed,
    Refusal::Exists,
    Refusal::Full,
    Refusal::RateLimited,
    Refusal::Unopenable,
    Refusal::Failed,
    Refusal::Closed,
];

/// The kinds of command that a client repeats by itself, as a liar picks them.
const KINDS: [fn(&Command) -> bool; 5] = [
    |command| matches!(command, Command::MakeQueue { .. }),
    |command| matches!(command, Command::Subscribe(_)),
    |command| matches!(command, Command::DeleteQueue { .. }),
    |command| matches!(command, Command::Send { .. }),
    |command| matches!(command, Command::DeleteBlob { .. }),
];

/// Anna, who has something of every kind to ask of the relay; Boris, whom she talks to, is away.
fn busy(seed: u64) -> (World, Who) {
    let mut world = World::new(seed);
    let (anna, boris, vera) = (world.person("Анна"), world.person("Boris"), world.person("Vera"));
    let (to_boris, _) = world.meet(anna, boris);
    let (to_vera, _) = world.meet(anna, vera);
    let invite = world.invite(anna).unwrap();
    world.run(MINUTE_MS);
    world.go_offline(boris);
    world.go_offline(vera);
    world.go_offline(anna);
    world.run(SECOND_MS);
    world.say(anna, to_boris, "one").unwrap();
    world.wish(anna, |engine, store, now| engine.block(store, to_vera, now)).unwrap();
    let id = world.get(anna).store.transaction(|tx| tx.invites()).unwrap().last().unwrap().id;
    world.wish(anna, |engine, store, now| engine.invite_revoke(store, id, now)).unwrap();
    world.get(anna).store.transaction(|tx| needs_queue(tx, to_boris)).unwrap();
    drop(invite);
    world.go_online(anna);
    (world, anna)
}

/// Has a contact told of a fresh queue.
fn needs_queue(tx: &Tx<'_>, contact: ContactId) -> Result<(), StoreError> {
    let mut contact = tx.contact(contact)?;
    contact.needs_queue = true;
    tx.update_contact(&contact)
}

/// Lets an hour pass in which the relay lies as told, and counts what it was asked.
fn hour(
    seed: u64,
    is: impl Fn(&Command) -> bool + 'static,
    lie: impl Fn(&Asked<'_>) -> Lie + 'static,
) -> usize {
    let (mut world, _) = busy(seed);
    world.lie(move |asked| (!asked.opening && is(asked.command)).then(|| lie(asked)));
    let before = world.commands();
    world.run(HOUR_MS);
    world.commands() - before
}

#[test]
fn whatever_a_relay_refuses_is_asked_for_ever_more_seldom() {
    for (at, kind) in KINDS.into_iter().enumerate() {
        for refusal in REFUSALS {
            let asked = hour(at as u64, kind, move |_| Lie::Reply(Reply::Refused(refusal)));
            assert!(asked <= HOUR_OF_REFUSALS, "{asked} commands where kind {at} was refused: {refusal:?}");
        }
    }
}

#[test]
fn a_relay_that_refuses_everything_is_asked_ever_more_seldom() {
    for refusal in REFUSALS {
        let asked = hour(20, |_| true, move |_| Lie::Reply(Reply::Refused(refusal)));
        assert!(asked <= HOUR_OF_REFUSALS, "{asked} commands where all was refused: {refusal:?}");
    }
}

#[test]
fn a_relay_that_answers_what_was_not_asked_is_asked_ever_more_seldom() {
    for (at, kind) in KINDS.into_iter().enumerate() {
        for reply in [Reply::Done, Reply::Subscribed(Vec::new())] {
            let asked = hour(40 + at as u64, kind, move |_| Lie::Reply(reply.clone()));
            assert!(asked <= HOUR_OF_REFUSALS, "{asked} commands where kind {at} was answered wrongly");
        }
    }
}

#[test]
fn a_relay_that_hangs_up_at_every_command_is_dialled_ever_more_seldom() {
    for (at, kind) in KINDS.into_iter().enumerate() {
        let asked = hour(60 + at as u64, kind, |_| Lie::Close);
        assert!(asked <= HOUR_OF_REFUSALS, "{asked} commands where kind {at} ended the link");
    }
}

#[test]
fn a_relay_that_forgets_every_queue_does_not_use_up_the_ratchet() {
    let asked = hour(
        80,
        |command| matches!(command, Command::Subscribe(_)),
        |asked| {
            let Command::Subscribe(list) = asked.command else { unreachable!("only these are lied to") };
            Lie::Reply(Reply::Subscribed(vec![Subscribed::Gone; list.len()]))
        },
    );
    assert!(asked <= HOUR_OF_REFUSALS, "{asked} commands where every queue was gone");
}

#[test]
fn a_queue_that_we_have_already_is_not_taken_for_a_new_one() {
    let mut world = World::new(90);
    let (anna, boris) = (world.person("Анна"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    let own = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap();
    let (read_id, send_id) = (own[0].read_id, own[0].send_id);
    world.lie(move |asked| {
        let made = Lie::Reply(Reply::QueueMade { read_id, send_id });
        matches!(asked.command, Command::MakeQueue { .. }).then_some(made)
    });
    assert!(matches!(world.invite(anna), Err(AskError::RelayMisbehaved)));
    world.be_honest();
    world.run(MINUTE_MS);
    world.say(boris, to_anna, "still there").unwrap();
    let row = world.say(anna, to_boris, "and here").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["still there"]);
    assert_eq!(world.state(anna, row), Some(MessageState::Delivered));
}

#[test]
fn what_was_refused_goes_on_once_the_relay_is_better() {
    for refusal in REFUSALS {
        let (mut world, anna) = busy(91);
        world.lie(move |asked| (!asked.opening).then_some(Lie::Reply(Reply::Refused(refusal))));
        world.run(HOUR_MS);
        world.be_honest();
        world.run(HOUR_MS);
        let settled = world.wish(anna, |engine, store, _| engine.is_settled(store)).unwrap();
        assert!(settled, "after {refusal:?}");
    }
}

#[test]
fn a_relay_with_a_key_for_each_person_is_noticed() {
    // Rule D9: Anna reads at the relay, and it shows her another key of the day than Boris, who writes to her there.
    let mut world = World::new(92);
    let (anna, boris) = (world.person("Анна"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "one key").unwrap();
    world.run(MINUTE_MS);
    assert!(!world.events(anna).contains(&EventKind::RelayForked));
    let shown = world.with_another_key();
    world.lie(move |asked| {
        let other = asked.who == anna && matches!(asked.command, Command::Descriptor);
        other.then(|| Lie::Reply(shown.clone()))
    });
    world.break_line(anna);
    world.run(MINUTE_MS);
    world.say(boris, to_anna, "two keys").unwrap();
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["one key", "two keys"]);
    assert!(world.events(anna).contains(&EventKind::RelayForked));
}

#[test]
fn where_one_queue_of_a_contact_is_gone_the_next_is_written_to() {
    let mut world = World::new(93);
    let (anna, boris) = (world.person("Анна"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    // Boris has two queues of Anna's: the one that she reads, and one before it that is not there any more.
    let two = |tx: &Tx<'_>| {
        let there = tx.peer_queue(to_anna)?.unwrap().address;
        let gone = QueueAddress { send_id: SendId([9; 24]), ..there.clone() };
        tx.replace_peer_queues(to_anna, &[gone, there])
    };
    world.get(boris).store.transaction(two).unwrap();
    let rows = [world.say(boris, to_anna, "first").unwrap(), world.say(boris, to_anna, "second").unwrap()];
    world.run(MINUTE_MS);
    assert_eq!(world.heard_texts(anna, to_boris), ["first", "second"]);
    assert!(rows.iter().all(|row| world.state(boris, *row) == Some(MessageState::Delivered)));
    // The one that was gone is not tried again.
    let before = world.commands();
    world.say(boris, to_anna, "third").unwrap();
    world.run(SECOND_MS);
    assert_eq!(world.heard_texts(anna, to_boris).len(), 3);
    assert_eq!(world.commands() - before, 2);
}

#[test]
fn a_relay_that_says_drained_without_end_makes_nobody_speak() {
    let mut world = World::new(94);
    let (anna, boris) = (world.person("Анна"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    world.say(boris, to_anna, "hello").unwrap();
    world.run(MINUTE_MS);
    let queue = world.get(anna).store.transaction(|tx| tx.own_queues()).unwrap().last().unwrap().read_id;
    let before = world.commands();
    for _ in 0..100 {
        world.push_on_the_line(anna, &Push::Drained { queue });
    }
    world.run(MINUTE_MS);
    // One capsule and its acknowledgement.
    assert_eq!(world.commands() - before, 2);
    assert_eq!(world.heard_texts(anna, to_boris), ["hello"]);
}

#[test]
fn a_relay_that_we_left_uses_up_nothing_of_what_comes_by_another() {
    let mut world = World::new(95);
    let (anna, boris) = (world.person("Анна"), world.person("Boris"));
    let (to_boris, to_anna) = world.meet(anna, boris);
    let talk = |world: &mut World, text: &str| {
        world.say(boris, to_anna, text).unwrap();
        world.run(SECOND_MS);
        world.say(anna, to_boris, text).unwrap();
        world.run(MINUTE_MS);
    };
    world.say(boris, to_anna, "old").unwrap();
    world.run(SECOND_MS);
    let copy = world.last_delivery();
    // So long ago that it is not known for a repeat any more.
    (0..6).for_each(|round| talk(&mut world, &format!("{round}")));
    world.get(anna).store.transaction(|tx| needs_queue(tx, to_boris)).unwrap();
    world.run(HOUR_MS);
    talk(&mut world, "by the fresh queue");
    for _ in 0..crypto::FAILURES_PER_HOUR {
        world.push(anna, copy.clone());
    }
    assert_eq!(world.dropped(anna, DropReason::Decryption), u64::from(crypto::FAILURES_PER_HOUR));
    talk(&mut world, "alive");
    assert_eq!(world.heard_texts(anna, to_boris).last().unwrap(), "alive");
    assert_eq!(world.dropped(anna, DropReason::Budget), 0);
    // By that queue no more is tried.
    world.push(anna, copy);
    assert_eq!(world.dropped(anna, DropReason::Budget), 1);
}

//! Keys are looked up in turn, before signatures are checked (rule Q3): who asks without end fills nothing for others.

use beresta_proto::command::{Command, Subscription};
use beresta_proto::id::{BlobId, ReadId};
use beresta_proto::key::Signature;
use beresta_proto::limits::SUBSCRIPTIONS;
use beresta_proto::reply::{Refusal, Reply, Subscribed};

use super::super::{Limits, LinkId};
use super::world::{World, subscription};
use crate::queue::{Answer, Op};

/// A subscription to as many queues as fit, none of which is there.
fn nowhere() -> Command {
    let one = |n: usize| {
        let queue = ReadId([u8::try_from(n).unwrap(); 24]);
        Subscription { queue, signature: Signature([0; 64]) }
    };
    Command::Subscribe((0..SUBSCRIPTIONS).map(one).collect())
}

/// Queues that the engine was asked to look up and has not.
fn looked_up(world: &World) -> usize {
    let reads = world.asked.iter().map(|(_, op)| if let Op::Find { reads } = op { reads.len() } else { 0 });
    reads.sum()
}

#[test]
fn no_more_keys_are_looked_up_at_once_than_signatures_are_checked_and_links_take_turns() {
    let mut world = World::with(Limits { signatures: 2 * SUBSCRIPTIONS, ..Limits::default() });
    let queue = world.make_queue();
    let flood: Vec<LinkId> = (0..9).map(|_| world.connect()).collect();
    for _ in 0..5 {
        for link in &flood {
            world.say(*link, &nowhere());
        }
    }
    assert_eq!(
        (looked_up(&world), world.asked.len()),
        (2 * SUBSCRIPTIONS, 2),
        "one question for each command"
    );
    let boris = world.connect();
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    let mut others = 0;
    while world.replies(boris).is_empty() {
        let (ticket, answer) = world.carry_out().unwrap();
        world.answer(ticket, answer);
        while world.work() {}
        assert!(looked_up(&world) <= 2 * SUBSCRIPTIONS);
        others += 1;
    }
    assert!(others <= 2 * flood.len(), "{others} were looked after first");
    world.settle();
    for link in flood {
        assert_eq!(world.replies(link), vec![Reply::Subscribed(vec![Subscribed::Gone; SUBSCRIPTIONS]); 5]);
    }
    assert_eq!(world.relay.signatures, 0);
}

#[test]
fn a_key_that_could_not_be_looked_up_refuses_its_command_and_holds_nobody_up() {
    let mut world = World::with(Limits { signatures: 1, ..Limits::default() });
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    let signature = Signature([0; 64]);
    let asks = [
        Command::Subscribe(vec![subscription(anna, &queue)]),
        Command::DeleteQueue { queue: queue.read_id, signature },
        Command::DeleteBlob { blob: BlobId([1; 16]), signature },
    ];
    for ask in &asks {
        world.say(anna, ask);
        world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
        let (ticket, _) = world.asked.pop_front().unwrap();
        world.answer(ticket, Answer::Failed);
        assert_eq!(world.replies(anna), [Reply::Refused(Refusal::Failed)]);
        world.settle();
        assert_eq!(world.replies(boris), [Reply::Subscribed(vec![Subscribed::Ok])]);
    }
    // And so where its link has ended.
    for ask in &asks {
        let gone = world.connect();
        world.say(gone, ask);
        world.close(gone);
        world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
        world.settle();
        assert_eq!(world.replies(boris), [Reply::Subscribed(vec![Subscribed::Ok])]);
    }
    assert_eq!(world.relay.signatures, 0);
    assert!(!world.relay.is_busy());
}

//! Keys are looked up in turn, before signatures are checked (rule Q3): who asks without end fills nothing for others.

use beresta_proto::command::{Command, Subscription};
use beresta_proto::id::{BlobId, ReadId};
use beresta_proto::key::Signature;
use beresta_proto::limits::{FRAME_CONTROL, SUBSCRIPTIONS, WINDOW_BYTES};
use beresta_proto::reply::{Refusal, Reply, Subscribed};

use super::super::{Limits, LinkId};
use super::world::{Queue, World, subscription};
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

/// Reads of queues that the engine was asked for and has not done.
fn reads(world: &World) -> usize {
    world.asked.iter().filter(|(_, op)| matches!(op, Op::Fetch { .. })).count()
}

/// The engine does all but read.
fn all_but_reads(world: &mut World) {
    while let Some(at) = world.asked.iter().position(|(_, op)| !matches!(op, Op::Fetch { .. })) {
        let (ticket, op) = world.asked.remove(at).unwrap();
        let answer = world.answer_to(op);
        world.answer(ticket, answer);
        while world.work() {}
    }
}

/// Queues with a message each.
fn filled(world: &mut World, queues: u32) -> Vec<Queue> {
    let anna = world.connect();
    let mut fill = |number| {
        let queue = world.make_queue();
        let capsule = world.sender(&queue).capsule(number);
        world.send(anna, &capsule);
        queue
    };
    (0..queues).map(&mut fill).collect()
}

#[test]
fn no_more_queues_are_read_at_once_than_leave_room_for_look_ups_and_links_take_turns() {
    let mut world = World::with(Limits { fetches: 4, ..Limits::default() });
    let (theirs, ours) = (filled(&mut world, 60), filled(&mut world, 1));
    let boris = world.connect();
    let mut flood = Vec::new();
    for queues in theirs.chunks(4) {
        let link = world.connect();
        world.say(link, &Command::Subscribe(queues.iter().map(|one| subscription(link, one)).collect()));
        flood.push(link);
    }
    // Their queues are looked up, and as many read as may be.
    all_but_reads(&mut world);
    assert_eq!(reads(&world), 4);
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &ours[0])]));
    let mut others = 0;
    while world.delivered(boris).is_empty() {
        let (ticket, answer) = world.carry_out().unwrap();
        world.answer(ticket, answer);
        while world.work() {}
        assert!(reads(&world) <= 4);
        others += 1;
    }
    assert!(others <= 2 * flood.len() + 4, "{others} came first");
    world.settle();
    let delivered: usize = flood.into_iter().map(|link| world.delivered(link).len()).sum();
    assert_eq!(delivered, theirs.len());
    assert_eq!(world.relay.fetches, 0);
    assert!(!world.relay.is_busy());
}

#[test]
fn a_link_that_ends_while_it_waits_to_be_read_for_leaves_its_turn_to_others() {
    let mut world = World::with(Limits { fetches: 1, ..Limits::default() });
    let (theirs, ours) = (filled(&mut world, 8), filled(&mut world, 1));
    for round in 0..3 {
        let (gone, boris) = (world.connect(), world.connect());
        world.say(gone, &Command::Subscribe(theirs.iter().map(|one| subscription(gone, one)).collect()));
        world.say(boris, &Command::Subscribe(vec![subscription(boris, &ours[0])]));
        for _ in 0..round {
            let (ticket, answer) = world.carry_out().unwrap();
            world.answer(ticket, answer);
            while world.work() {}
        }
        world.close(gone);
        world.settle();
        assert_eq!(world.delivered(boris).len(), 1);
        assert_eq!((world.relay.fetches, world.relay.is_busy()), (0, false));
        world.close(boris);
    }
}

#[test]
fn a_queue_whose_turn_comes_as_the_room_of_all_ends_is_not_forgotten() {
    let mut world = World::with(Limits { fetches: 1, ..Limits::default() });
    let (ours, [drains, many, others]) = (filled(&mut world, 1), [(); 3].map(|()| world.make_queue()));
    let [anna, boris, vera, sender] = [(); 4].map(|()| world.connect());
    world.subscribe(anna, &drains);
    world.subscribe(boris, &many);
    let mut to_boris = world.sender(&many);
    to_boris.size = 12_000;
    for text in 0..3 {
        let capsule = to_boris.capsule(text);
        world.send(sender, &capsule);
    }
    // Boris holds more than his share, and less than he may where there is room. All wait behind Vera's queue.
    world.say(vera, &Command::Subscribe(vec![subscription(vera, &others)]));
    all_but_reads(&mut world);
    let queue = *world.relay.deliveries.iter().find(|(_, one)| one.link == anna).unwrap().0;
    world.relay.drained(queue, world.now);
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &ours[0])]));
    all_but_reads(&mut world);
    // What Anna is told in her turn, before his, is what the room ends with.
    let read = WINDOW_BYTES;
    let [caught_up, told] = [FRAME_CONTROL; 2];
    world.relay.limits.held_of_all = world.relay.held - read + caught_up + told;
    world.settle();
    assert_eq!(world.relay.room(), world.relay.limits.share);
    assert_eq!(world.delivered(boris).len(), 3);
    world.settle();
    assert_eq!(world.delivered(boris).len(), 1);
}

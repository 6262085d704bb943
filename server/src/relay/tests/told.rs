//! Who has no room for a word is told once there is room, and in few words.

use std::collections::BTreeSet;

use beresta_proto::command::Command;
use beresta_proto::frame::RequestId;
use beresta_proto::id::ReadId;
use beresta_proto::limits::SUBSCRIPTIONS;
use beresta_proto::reply::{Heard, Push, Refusal, Reply, Subscribed};
use beresta_proto::time::MINUTE_MS;

use super::super::{Limits, LinkId};
use super::delivery::subscribed;
use super::takeover::{begin_to_fetch, takes_over};
use super::world::{Queue, World, subscription};
use crate::queue::rules::queue_ref;
use crate::queue::{Answer, Op};

/// More than a share's worth of words of one queue each.
const MANY: usize = 160;

/// What the driver reports together as written.
pub(super) const REPORT: usize = 16 * 1_024;

/// Where every link may hold its share and no more, and how much that is.
pub(super) fn crowded() -> (World, usize) {
    let limits = Limits { held_of_all: 0, ..Limits::default() };
    (World::with(limits), limits.share)
}

/// A link that is subscribed to so many queues, and has taken all that it was told.
fn reader(world: &mut World, queues: usize) -> (LinkId, Vec<Queue>) {
    let queues: Vec<Queue> = (0..queues).map(|_| world.make_queue()).collect();
    let link = world.connect();
    for some in queues.chunks(SUBSCRIPTIONS) {
        world.ask(link, &Command::Subscribe(some.iter().map(|queue| subscription(link, queue)).collect()));
        world.hear(link);
    }
    (link, queues)
}

/// Has a link told as much as it has room for, and take none of it.
fn fill(world: &mut World, link: LinkId) {
    while world.relay.may_read(link) {
        world.say(link, &Command::Descriptor);
    }
}

/// What a link is told as it takes it. Less than the driver reports together as written is never reported.
fn pushes(world: &mut World, link: LinkId) -> Vec<Push> {
    let mut pushed = Vec::new();
    loop {
        let is_reported = world.heard_unwritten(link) >= REPORT;
        let push = |heard| if let Heard::Push(push) = heard { Some(push) } else { None };
        pushed.extend(world.hear(link).into_iter().filter_map(push));
        world.settle();
        if !is_reported {
            return pushed;
        }
    }
}

/// The engine says that these queues drained as it swept.
fn drain(world: &mut World, queues: &[Queue]) {
    world.pass(6 * MINUTE_MS);
    let sweep = world.asked.iter().position(|(_, op)| matches!(op, Op::Expire { .. })).unwrap();
    let (ticket, _) = world.asked.remove(sweep).unwrap();
    let namer = world.relay.namer();
    let drained = queues.iter().map(|queue| queue_ref(&namer.read(&queue.read_id))).collect();
    world.answer(ticket, Answer::Expired { deleted: 0, drained, more: false });
    world.settle();
}

fn is_drained(push: &Push, queue: &Queue) -> bool {
    *push == Push::Drained { queue: queue.read_id }
}

#[test]
fn who_loses_its_queues_one_by_one_and_takes_nothing_is_told_of_all_in_few_words_once_it_does() {
    let (mut world, share) = crowded();
    let (loser, queues) = reader(&mut world, MANY);
    fill(&mut world, loser);
    let winner = world.connect();
    for queue in &queues {
        assert_eq!(world.subscribe(winner, queue), subscribed());
        world.hear(winner);
    }
    let unwritten = world.heard_unwritten(loser);
    assert!(unwritten < share + 3_584, "{unwritten} bytes");
    let told = pushes(&mut world, loser);
    let words: Vec<Vec<ReadId>> = told
        .into_iter()
        .map(|push| if let Push::TakenOver { queues } = push { queues } else { panic!("{push:?}") })
        .collect();
    assert_eq!(words.len(), MANY / SUBSCRIPTIONS);
    let lost: Vec<ReadId> = queues.iter().map(|queue| queue.read_id).collect();
    assert_eq!(words.concat(), lost, "each once, in their order");
    assert!(world.relay.may_read(loser));
    assert_eq!(world.relay.links[&loser].held, 0);
    // From now on it is told at once.
    world.subscribe(loser, &queues[0]);
    world.hear(loser);
    world.subscribe(winner, &queues[0]);
    assert_eq!(world.hear(loser), [Heard::Push(Push::TakenOver { queues: vec![queues[0].read_id] })]);
}

#[test]
fn who_subscribes_again_to_what_it_was_not_told_that_it_lost_is_told_that_first() {
    let (mut world, _) = crowded();
    let (loser, queues) = reader(&mut world, 4);
    fill(&mut world, loser);
    let winner = world.connect();
    let both = |link| Command::Subscribe(queues[1..3].iter().map(|one| subscription(link, one)).collect());
    world.ask(winner, &Command::Subscribe(queues.iter().map(|one| subscription(winner, one)).collect()));
    // What was under way when it had room still.
    let again = world.say(loser, &both(loser));
    world.settle();
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|n| queues[n].read_id);
    let heard: Vec<Heard> = world
        .hear(loser)
        .into_iter()
        .filter(|heard| !matches!(heard, Heard::Reply(_, Reply::Descriptor { .. })))
        .collect();
    let taken_over = |queues: &[ReadId]| Heard::Push(Push::TakenOver { queues: queues.to_vec() });
    let answer = Heard::Reply(again, Reply::Subscribed(vec![Subscribed::Ok; 2]));
    assert_eq!(heard, [taken_over(&[second, third]), answer]);
    // Only now it has caught up: it was not told of what it lost before.
    world.settle();
    let heard = world.hear(loser);
    assert!(matches!(heard[0], Heard::Push(Push::TakenOver { .. })), "{heard:?}");
    assert_eq!(heard[0], taken_over(&[first, fourth]));
    assert!(matches!(heard[1..], [Heard::Push(Push::CaughtUp { .. })]), "{heard:?}");
    let told = pushes(&mut world, winner);
    assert!(told.contains(&Push::TakenOver { queues: vec![second, third] }), "{told:?}");
}

#[test]
fn what_a_link_was_not_told_that_it_lost_counts_as_subscribed() {
    let limits = Limits { held_of_all: 0, subscriptions: 3, ..Limits::default() };
    let mut world = World::with(limits);
    let (loser, queues) = reader(&mut world, 3);
    let others = [world.make_queue(), world.make_queue()];
    fill(&mut world, loser);
    let winner = world.connect();
    world.subscribe(winner, &queues[0]);
    world.subscribe(winner, &queues[1]);
    // So that what is still to be told is bounded, whatever was under way.
    let ask = |world: &mut World, queue| {
        let request = world.say(loser, &Command::Subscribe(vec![subscription(loser, queue)]));
        world.settle();
        request
    };
    let refused = ask(&mut world, &others[0]);
    let again = ask(&mut world, &queues[0]);
    let answer = |request: RequestId, reply| Heard::Reply(request, reply);
    let heard = world.hear(loser);
    assert!(heard.contains(&answer(refused, Reply::Refused(Refusal::RateLimited))));
    assert!(heard.contains(&answer(again, subscribed())));
    pushes(&mut world, loser);
    assert_eq!(world.subscribe(loser, &others[1]), subscribed());
}

#[test]
fn who_takes_nothing_is_told_which_of_its_queues_drained_once_it_does() {
    let (mut world, share) = crowded();
    let (link, queues) = reader(&mut world, MANY);
    drain(&mut world, &queues);
    let unwritten = world.heard_unwritten(link);
    assert!(unwritten <= share, "{unwritten} bytes");
    // One of which it hears twice would be told to its sender twice.
    let told = pushes(&mut world, link);
    assert_eq!(told.len(), MANY);
    for queue in &queues {
        assert_eq!(told.iter().filter(|push| is_drained(push, queue)).count(), 1);
    }
    assert_eq!(world.relay.links[&link].held, 0);
}

#[test]
fn who_comes_to_queues_that_drained_is_told_of_them_as_it_takes_it() {
    let (mut world, share) = crowded();
    let queues: Vec<Queue> = (0..MANY).map(|_| world.make_queue()).collect();
    drain(&mut world, &queues);
    let link = world.connect();
    for some in queues.chunks(SUBSCRIPTIONS) {
        world.say(link, &Command::Subscribe(some.iter().map(|queue| subscription(link, queue)).collect()));
    }
    world.settle();
    let unwritten = world.heard_unwritten(link);
    assert!(unwritten <= share + 256, "{unwritten} bytes");
    let told = pushes(&mut world, link);
    let drained: BTreeSet<usize> =
        (0..MANY).filter(|n| told.iter().any(|push| is_drained(push, &queues[*n]))).collect();
    assert_eq!(drained.len(), MANY);
}

#[test]
fn that_a_queue_drained_is_told_to_the_next_one_where_its_reader_had_no_room_to_hear_it() {
    for leaves in [true, false] {
        let (mut world, _) = crowded();
        let (link, queues) = reader(&mut world, 1);
        fill(&mut world, link);
        drain(&mut world, &queues);
        if leaves {
            world.close(link);
        }
        let next = world.connect();
        world.subscribe(next, &queues[0]);
        assert!(pushes(&mut world, next).iter().any(|push| is_drained(push, &queues[0])));
        assert!(!pushes(&mut world, link).iter().any(|push| is_drained(push, &queues[0])));
        let again = world.connect();
        world.subscribe(again, &queues[0]);
        assert!(!pushes(&mut world, again).iter().any(|push| is_drained(push, &queues[0])));
    }
}

#[test]
fn which_queues_are_remembered_to_have_drained_hangs_on_what_happened_and_not_on_chance() {
    let histories = [(); 3].map(|()| {
        let mut world = World::with(Limits { untold: 6, ..Limits::default() });
        let queues: Vec<Queue> = (0..60).map(|_| world.make_queue()).collect();
        drain(&mut world, &queues);
        let told = |world: &World| world.relay.untold.iter().copied().collect::<BTreeSet<_>>();
        let remembered = told(&world);
        let namer = world.relay.namer();
        let of = |queue: &Queue| queue_ref(&namer.read(&queue.read_id));
        assert_eq!((remembered.len(), remembered.contains(&of(&queues[59]))), (6, true));
        let again = queues.into_iter().filter(|queue| remembered.contains(&of(queue))).collect::<Vec<_>>();
        drain(&mut world, &again);
        assert_eq!(told(&world), remembered, "what is remembered already takes nobody's place");
        remembered
    });
    assert!(histories.iter().all(|one| *one == histories[0]));
}

#[test]
fn a_queue_that_drained_with_the_last_of_the_room_is_read_when_there_is_some_again() {
    let (mut world, share) = crowded();
    let queue = world.make_queue();
    let (anna, mut sender) = (world.connect(), world.sender(&queue));
    world.send(anna, &sender.capsule(0));
    drain(&mut world, core::slice::from_ref(&queue));
    let link = world.connect();
    // All but the answer and the word.
    while world.heard_unwritten(link) < share - 2 * 256 {
        world.say(link, &Command::Descriptor);
    }
    world.say(link, &Command::Subscribe(vec![subscription(link, &queue)]));
    world.settle();
    assert_eq!(world.heard_unwritten(link), share);
    let told = pushes(&mut world, link);
    assert!(is_drained(&told[0], &queue), "{told:?}");
    assert!(matches!(told[1..], [Push::Deliver { .. }, Push::CaughtUp { .. }]), "{told:?}");
}

#[test]
fn who_loses_what_is_being_read_for_it_hears_of_all_that_it_lost_before_it_has_caught_up() {
    let (mut world, share) = crowded();
    let (loser, queues) = reader(&mut world, 1);
    let busy = world.make_queue();
    let (anna, mut sender) = (world.connect(), world.sender(&busy));
    world.send(anna, &sender.capsule(0));
    // What is being read takes all of its room.
    let (ticket, answer) = begin_to_fetch(&mut world, loser, &busy);
    assert_eq!(world.relay.links[&loser].unwritten(), share);
    let (one, other) = (world.connect(), world.connect());
    world.subscribe(one, &queues[0]);
    takes_over(&mut world, other, &busy);
    world.answer(ticket, answer);
    let told = pushes(&mut world, loser);
    let queues = vec![queues[0].read_id, busy.read_id];
    assert_eq!(told, [Push::TakenOver { queues }, Push::CaughtUp { subscribed: 2 }]);
}

#[test]
fn who_loses_what_it_waited_for_hears_that_before_it_has_caught_up_and_then_that_it_has() {
    let (mut world, _) = crowded();
    let (loser, winner, queue) = (world.connect(), world.connect(), world.make_queue());
    fill(&mut world, loser);
    world.subscribe(loser, &queue);
    world.subscribe(winner, &queue);
    let lost = Push::TakenOver { queues: vec![queue.read_id] };
    assert_eq!(pushes(&mut world, loser), [lost, Push::CaughtUp { subscribed: 1 }]);
}

use beresta_proto::capsule::{SendReply, Session};
use beresta_proto::command::Command;
use beresta_proto::id::KeyId;
use beresta_proto::key::SendCapability;
use beresta_proto::reply::{Heard, Refusal, Reply, Subscribed};
use beresta_proto::time::{DAY_MS, HOUR_MS};

use super::super::*;
use super::world::{RELAY, Sender, World, seeded, subscription};

fn refusal(world: &mut World, link: LinkId, capsule: Vec<u8>) -> Option<Refusal> {
    let Reply::Refused(refusal) = world.ask(link, &Command::Send { capsule }) else { return None };
    Some(refusal)
}

#[test]
fn a_session_is_opened_once_and_recognised_from_then_on() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    for text in 0..100 {
        // Another link each time, as after a change of network.
        let link = world.connect();
        assert_eq!(world.send(link, &sender.capsule(text)), SendReply::Stored);
        world.close(link);
    }
    assert_eq!(world.openings, 1);
}

#[test]
fn a_burst_on_one_link_is_opened_once_even_before_the_first_is_stored() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &queue);
    for text in 0..20 {
        let (capsule, _) = sender.capsule(text);
        world.say(anna, &Command::Send { capsule });
    }
    assert_eq!(world.jobs.len(), 1, "one at a time for a link");
    world.settle();
    assert_eq!(world.openings, 1);
    assert_eq!(world.hear(anna).len(), 20);
    let texts: Vec<u32> = world.delivered(boris).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, (0..20).collect::<Vec<_>>());
}

#[test]
fn lost_and_reordered_capsules_are_delivered_once_and_mostly_recognised() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &queue);
    let capsules: Vec<_> = (0..60).map(|text| sender.capsule(text)).collect();
    let order = [0, 5, 3, 4, 1, 2, 30, 20, 40, 59, 41];
    for at in order {
        assert_eq!(world.send(anna, &capsules[at]), SendReply::Stored);
    }
    assert_eq!(world.openings, 1);
    let texts: Vec<usize> = world.delivered(boris).into_iter().map(|(_, text)| text as usize).collect();
    assert_eq!(texts, order);
    // Far behind the window: opened the slow way, with the same result.
    assert_eq!(world.send(anna, &capsules[10]), SendReply::Stored);
    assert_eq!(world.openings, 2);
}

#[test]
fn a_relay_that_forgot_its_sessions_delivers_once_and_asks_for_nothing() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let anna = world.connect();
    world.send(anna, &sender.capsule(0));
    world.restart();
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &queue);
    let (capsule, key) = sender.capsule(1);
    world.say(anna, &Command::Send { capsule });
    world.settle();
    let heard = world.hear(anna);
    let [Heard::Reply(_, Reply::Sent(sealed))] = heard.as_slice() else { panic!("more than one answer") };
    assert_eq!(key.open(sealed), Ok(SendReply::Stored));
    assert_eq!(world.openings, 2);
    let texts: Vec<u32> = world.delivered(boris).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, [0, 1]);
}

#[test]
fn a_session_whose_epoch_key_is_destroyed_meanwhile_is_not_remembered() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (anna, boris) = (world.connect(), world.connect());
    // While the engine stores its first message.
    let (capsule, _) = world.sender(&queue).capsule(0);
    world.say(anna, &Command::Send { capsule });
    assert!(world.work());
    let (ticket, answer) = world.carry_out().unwrap();
    world.pass(3 * DAY_MS);
    world.answer(ticket, answer);
    assert_eq!(world.relay.recogniser.sizes(), (0, 0));
    // While a worker opens it.
    let (capsule, _) = world.sender(&queue).capsule(1);
    world.say(boris, &Command::Send { capsule });
    world.pass(3 * DAY_MS);
    world.settle();
    let heard = world.hear(boris);
    assert!(matches!(heard.as_slice(), [Heard::Reply(_, Reply::Refused(Refusal::Unopenable))]));
    assert_eq!(world.relay.recogniser.sizes(), (0, 0));
    assert!([anna, boris].iter().all(|link| world.relay.links[link].fresh.is_none()));
}

#[test]
fn at_an_epochs_turn_mail_is_delivered_once_without_a_further_round_trip() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &queue);
    // Noon, evening, the next morning and its evening: the same session, sealed to the first day's key.
    for text in 0..4 {
        assert_eq!(world.send(anna, &sender.capsule(text)), SendReply::Stored);
        world.pass(8 * HOUR_MS);
    }
    assert_eq!(world.openings, 1);
    assert!(world.relay.links[&anna].fresh.is_some());
    // A new session to the key of the day.
    let mut today = world.sender(&queue);
    assert_eq!(world.send(anna, &today.capsule(4)), SendReply::Stored);
    let texts: Vec<u32> = world.delivered(boris).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, [0, 1, 2, 3, 4]);
    // After 48 hours the old key and its sessions are gone, and the link stays.
    world.pass(DAY_MS);
    let (late, _) = sender.capsule(5);
    assert_eq!(refusal(&mut world, anna, late), Some(Refusal::Unopenable));
    assert!(world.closed.is_empty());
}

#[test]
fn a_session_ends_with_its_epoch_key_also_on_the_link_that_opened_it() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut wrong = queue.clone();
    wrong.capability = SendCapability::random(&mut world.rng);
    // With a wrong capability, so that the link alone remembers the session.
    let mut sender = world.sender(&wrong);
    let link = world.connect();
    assert_eq!(world.send(link, &sender.capsule(0)), SendReply::Gone);
    assert_eq!(world.send(link, &sender.capsule(1)), SendReply::Gone);
    assert_eq!((world.openings, world.relay.recogniser.sizes()), (1, (0, 0)));
    // Not even before the turn, which a busy relay may be late for.
    world.now = world.now.plus(2 * DAY_MS);
    let (late, _) = sender.capsule(2);
    assert_eq!(refusal(&mut world, link, late), Some(Refusal::Unopenable));
    world.pass(0);
    assert!(world.relay.links[&link].fresh.is_none());
}

#[test]
fn a_replayed_capsule_changes_nothing() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let (anna, mallory, boris) = (world.connect(), world.connect(), world.connect());
    world.subscribe(boris, &queue);
    let capsule = sender.capsule(0);
    assert_eq!(world.send(anna, &capsule), SendReply::Stored);
    let (sequence, _) = world.delivered(boris)[0];
    for _ in 0..3 {
        assert_eq!(world.send(mallory, &capsule), SendReply::Stored, "answered alike");
    }
    world.acknowledge(boris, &queue, sequence);
    assert_eq!(world.send(mallory, &capsule), SendReply::Stored, "and so after it is gone");
    assert_eq!(world.hear(boris), []);
    // The honest session is where it was.
    let before = world.openings;
    assert_eq!(world.send(anna, &sender.capsule(1)), SendReply::Stored);
    assert_eq!((world.openings, world.delivered(boris).len()), (before, 1));
}

#[test]
fn a_copied_tag_on_another_order_does_not_spend_the_honest_capsule() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let (anna, mallory) = (world.connect(), world.connect());
    world.send(anna, &sender.capsule(0));
    let capsule = sender.capsule(1);
    let mut forged = capsule.0.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refusal(&mut world, mallory, forged), Some(Refusal::Unopenable));
    assert_eq!(world.send(anna, &capsule), SendReply::Stored);
    assert_eq!(world.openings, 1);
}

#[test]
fn a_wrong_capability_and_an_unknown_queue_look_alike_and_plant_no_session() {
    let mut world = World::new();
    let (queue, other) = (world.make_queue(), world.make_queue());
    let mut wrong = queue.clone();
    wrong.capability = SendCapability::random(&mut world.rng);
    let mut unknown = other.clone();
    unknown.send_id.0[0] ^= 1;
    for queue in [wrong, unknown] {
        let mut sender = world.sender(&queue);
        let anna = world.connect();
        assert_eq!(world.send(anna, &sender.capsule(0)), SendReply::Gone);
        assert_eq!(world.relay.recogniser.sizes(), (0, 0));
    }
}

fn flood(world: &mut World, sender: &mut Sender, links: &[LinkId], each: u32) {
    for text in 0..each {
        for link in links {
            let (mut capsule, _) = sender.capsule(text);
            // The header of bytes 1,130 to 1,186 does not open.
            capsule[1_140] ^= 1;
            world.say(*link, &Command::Send { capsule });
        }
    }
}

#[test]
fn a_flood_of_unknown_tags_pushes_no_honest_session_out() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (mut honest, mut attacker) = (world.sender(&queue), world.sender(&queue));
    let anna = world.connect();
    world.send(anna, &honest.capsule(0));
    let mallory: Vec<LinkId> = (0..10).map(|_| world.connect()).collect();
    flood(&mut world, &mut attacker, &mallory, 30);
    assert_eq!(world.jobs.len(), 10, "one opening for each link, however much it sends");

    // While all of that waits, an honest capsule goes through at once.
    let (capsule, key) = honest.capsule(1);
    world.say(anna, &Command::Send { capsule });
    let (ticket, answer) = world.carry_out().unwrap();
    world.answer(ticket, answer);
    let Some(Heard::Reply(_, Reply::Sent(sealed))) = world.hear(anna).pop() else { panic!("stalled") };
    assert_eq!(key.open(&sealed), Ok(SendReply::Stored));

    world.settle();
    assert_eq!(world.relay.recogniser.sizes().0, 1);
    let before = world.openings;
    assert_eq!(world.send(anna, &honest.capsule(2)), SendReply::Stored);
    assert_eq!(world.openings, before);
}

#[test]
fn who_sends_capsule_after_capsule_that_does_not_open_is_closed() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let mallory = world.connect();
    for _ in 0..40 {
        flood(&mut world, &mut sender, &[mallory], 1);
        world.settle();
    }
    assert_eq!(world.closed.get(&mallory), Some(&CloseReason::Unopenable));
}

#[test]
fn a_stale_epoch_key_is_no_attack() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let link = world.connect();
    for text in 0..100 {
        let (mut capsule, _) = sender.capsule(text);
        capsule[2..10].copy_from_slice(&KeyId([0xee; 8]).0);
        assert_eq!(refusal(&mut world, link, capsule), Some(Refusal::Unopenable));
    }
    assert!(world.closed.is_empty());
    assert_eq!(world.openings, 0);
}

#[test]
fn all_capsules_of_a_bucket_have_the_same_size_and_form_whoever_knows_the_session() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let (first, _) = sender.capsule(0);
    let to = world.epoch();
    let mut other = Session::new(RELAY, to, &mut seeded(77));
    let order = sender.order(1);
    let (recognised, _) = sender.capsule(2);
    let (fresh, _) = other.seal(&order, &mut seeded(78)).unwrap();
    assert_eq!(first.len(), recognised.len());
    assert_eq!(first.len(), fresh.len());
    assert_eq!((&first[..10], &first[..10]), (&recognised[..10], &fresh[..10]));
    // After the public front nothing is shared: a byte is equal by chance only.
    let equal = first[10..].iter().zip(&recognised[10..]).filter(|(one, other)| one == other).count();
    assert!(equal < first.len() / 64, "{equal}");
}

/// The engine answers all that it was asked; the workers do nothing.
fn look_up(world: &mut World) {
    while let Some((ticket, answer)) = world.carry_out() {
        world.answer(ticket, answer);
    }
}

#[test]
fn openings_and_signatures_that_strangers_ask_for_leave_each_other_room() {
    let limits = Limits { openings: 4, signatures: 8, ..Limits::default() };
    let mut world = World::with(limits);
    let queue = world.make_queue();
    let (mut sender, mut attacker) = (world.sender(&queue), world.sender(&queue));
    let mallory: Vec<LinkId> = (0..6).map(|_| world.connect()).collect();
    flood(&mut world, &mut attacker, &mallory, 1);
    assert_eq!(world.jobs.len(), 4);
    let (anna, boris) = (world.connect(), world.connect());
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    look_up(&mut world);
    assert_eq!(world.jobs.len(), 5, "a signature is checked beside them");
    world.settle();
    assert!(mallory.iter().all(|link| world.hear(*link).len() == 1), "who had to wait has an answer, too");
    assert_eq!(world.replies(boris), [Reply::Subscribed(vec![Subscribed::Ok])]);

    // Two signatures each, and eight may be under check: the last two links wait.
    for link in &mallory {
        let wanted = vec![subscription(*link, &queue); 2];
        world.say(*link, &Command::Subscribe(wanted));
    }
    look_up(&mut world);
    assert_eq!(world.jobs.len(), 4);
    let (capsule, _) = sender.capsule(0);
    world.say(anna, &Command::Send { capsule });
    assert_eq!(world.jobs.len(), 5, "who is not known yet is opened beside them");
    world.settle();
    assert!(matches!(world.hear(anna)[..], [Heard::Reply(_, Reply::Sent(_))]));
    assert!(mallory.iter().all(|link| world.replies(*link).len() == 1));
}

#[test]
fn who_asks_without_end_waits_for_each_turn_behind_everybody_else() {
    let mut world = World::with(Limits { openings: 1, signatures: 2, ..Limits::default() });
    let queue = world.make_queue();
    let (mut sender, mut attacker) = (world.sender(&queue), world.sender(&queue));
    let (mallory, anna, boris) = (world.connect(), world.connect(), world.connect());
    flood(&mut world, &mut attacker, &[mallory], 10);
    for _ in 0..10 {
        world.say(mallory, &Command::Subscribe(vec![subscription(mallory, &queue); 2]));
    }
    let (capsule, _) = sender.capsule(0);
    world.say(anna, &Command::Send { capsule });
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    look_up(&mut world);
    // One turn of Mallory's, of each kind, was under way before.
    for _ in 0..4 {
        assert!(world.work());
        look_up(&mut world);
    }
    let heard = [anna, boris].map(|link| world.hear(link));
    assert!(matches!(heard[0][..], [Heard::Reply(_, Reply::Sent(_))]), "{:?}", heard[0]);
    assert!(matches!(heard[1][..], [Heard::Reply(_, Reply::Subscribed(_)), ..]), "{:?}", heard[1]);
    world.settle();
    assert_eq!(world.replies(mallory).len(), 20);
}

#[test]
fn who_leaves_while_they_wait_for_their_turn_holds_nobody_up() {
    let mut world = World::with(Limits { openings: 1, signatures: 2, ..Limits::default() });
    let queue = world.make_queue();
    let mut attacker = world.sender(&queue);
    let mallory: Vec<LinkId> = (0..3).map(|_| world.connect()).collect();
    flood(&mut world, &mut attacker, &mallory, 2);
    for link in &mallory {
        world.say(*link, &Command::Subscribe(vec![subscription(*link, &queue); 2]));
    }
    look_up(&mut world);
    mallory.iter().for_each(|link| world.close(*link));
    let boris = world.connect();
    world.say(boris, &Command::Subscribe(vec![subscription(boris, &queue)]));
    world.settle();
    assert!(matches!(world.replies(boris)[..], [Reply::Subscribed(_)]));
    assert_eq!((world.relay.openings, world.relay.signatures), (0, 0));
}

#[test]
fn one_link_has_the_signatures_of_one_command_under_check_however_many_it_sends() {
    let mut world = World::new();
    let queues: Vec<_> = (0..20).map(|_| world.make_queue()).collect();
    let boris = world.connect();
    for queue in &queues {
        world.say(boris, &Command::Subscribe(vec![subscription(boris, queue)]));
    }
    while let Some((ticket, answer)) = world.carry_out() {
        world.answer(ticket, answer);
    }
    assert_eq!(world.jobs.len(), 1);
    world.settle();
    assert_eq!(world.replies(boris).len(), 20, "and each is answered");
}

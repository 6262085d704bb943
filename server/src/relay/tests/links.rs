use beresta_proto::command::Command;
use beresta_proto::frame::{Frame, RequestId};
use beresta_proto::id::ReadId;
use beresta_proto::key::Signature;
use beresta_proto::reply::{Heard, Push, Refusal, Reply};
use beresta_proto::time::{HOUR_MS, MINUTE_MS, SECOND_MS};

use super::super::*;
use super::world::{NOON, World};

#[test]
fn a_malformed_frame_closes_its_link_and_no_other() {
    let good = Command::Descriptor.encode(RequestId(1)).unwrap();
    let mut padded = good.clone();
    padded[200] = 1;
    let unknown = Frame { kind: 0x7f, request: RequestId(1), body: &[] }.encode().unwrap();
    let ours = Reply::Done.encode(RequestId(1)).unwrap();
    let zero = Command::Descriptor.encode(RequestId(0)).unwrap();
    let short = Command::Send { capsule: vec![1; 100] }.encode(RequestId(1)).unwrap();
    for frame in [&[][..], &good[..100], &padded, &unknown, &ours, &zero, &short] {
        let mut world = World::new();
        let (one, other) = (world.connect(), world.connect());
        world.frame(one, frame);
        assert_eq!(world.closed.get(&one), Some(&CloseReason::Malformed));
        world.frame(one, &good);
        assert_eq!(world.hear(one), [], "a closed link is not served");
        world.frame(other, &good);
        assert_eq!(world.hear(other).len(), 1);
    }
}

#[test]
fn a_link_with_64_open_commands_is_read_no_further_until_one_is_answered() {
    let mut world = World::new();
    let queue = world.make_queue();
    let link = world.connect();
    let delete = Command::DeleteQueue { queue: queue.read_id, signature: Signature([0; 64]) };
    for _ in 0..64 {
        assert!(world.relay.may_read(link));
        world.say(link, &delete);
    }
    assert!(!world.relay.may_read(link));
    assert_eq!(world.resumed, 0);
    world.settle();
    assert_eq!(world.resumed, 1);
    assert!(world.relay.may_read(link));
    assert_eq!(world.hear(link).len(), 64, "each has one answer");
}

#[test]
fn a_client_that_never_reads_is_not_read_from_either() {
    let mut world = World::new();
    let (reader, other) = (world.connect(), world.connect());
    let mut asked = 0;
    while world.relay.may_read(reader) {
        world.say(reader, &Command::Descriptor);
        asked += 1;
        assert!(asked < 1_000);
    }
    assert!(world.relay.may_read(other));
    world.write_out(reader);
    assert_eq!(world.resumed, 1);
    assert!(world.relay.may_read(reader));
}

#[test]
fn slow_readers_that_fill_the_memory_leave_the_others_their_share() {
    let limits = Limits { held: 40_000, held_of_all: 100_000, share: 10_000, ..Limits::default() };
    let mut world = World::with(limits);
    let fill = |world: &mut World, link| {
        let mut asked = 0;
        while world.relay.may_read(link) {
            world.say(link, &Command::Descriptor);
            asked += 3_584;
        }
        asked
    };
    let slow: Vec<LinkId> = (0..10).map(|_| world.connect()).collect();
    let taken: Vec<usize> = slow.iter().map(|link| fill(&mut world, *link)).collect();
    assert!(taken[..2].iter().all(|bytes| *bytes >= 40_000), "{taken:?}");
    assert!(taken[3..].iter().all(|bytes| (10_000..14_000).contains(bytes)), "{taken:?}");
    assert_eq!(world.relay.held, taken.iter().sum::<usize>());

    let honest = world.connect();
    assert!(world.relay.may_read(honest));
    assert!(matches!(world.ask(honest, &Command::Descriptor), Reply::Descriptor { .. }));
    // Who takes what it was given is read from again, and who leaves holds nothing.
    world.write_out(slow[9]);
    assert_eq!(world.resumed, 1);
    world.hear(honest);
    slow.iter().for_each(|link| world.close(*link));
    assert_eq!(world.relay.held, 0);
    assert!(fill(&mut world, honest) >= 40_000);
}

#[test]
fn capsules_that_wait_are_counted() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    sender.size = 10_000;
    let link = world.connect();
    let mut sent = 0;
    while world.relay.may_read(link) {
        let (capsule, _) = sender.capsule(sent);
        world.say(link, &Command::Send { capsule });
        sent += 1;
    }
    assert_eq!(sent, 30, "512 KiB of 17,920 bytes each");
    world.settle();
    assert!(world.relay.may_read(link));
    assert_eq!(world.hear(link).len(), 30);
    assert_eq!(world.relay.held, 0);
}

#[test]
fn a_reader_of_many_full_queues_gets_them_as_it_takes_them() {
    let mut world = World::new();
    let queues: Vec<_> = (0..6).map(|_| world.make_queue()).collect();
    for queue in &queues {
        let mut sender = world.sender(queue);
        sender.size = 10_000;
        let link = world.connect();
        for text in 0..16 {
            world.send(link, &sender.capsule(text));
        }
    }
    let reader = world.connect();
    for queue in &queues {
        world.subscribe(reader, queue);
    }
    let first = world.delivered(reader).len();
    assert!((16..=3 * 16).contains(&first), "{first} messages for who took none yet");
    let mut got = first;
    for _ in 0..20 {
        world.write_out(reader);
        world.settle();
        got += world.delivered(reader).len();
    }
    assert_eq!(got, 6 * 16);
}

#[test]
fn who_asks_too_fast_is_refused_and_who_goes_on_is_closed() {
    let limits = Limits { burst: 10, per_second: 2, over_rate: 5, ..Limits::default() };
    let mut world = World::with(limits);
    let (fast, slow) = (world.connect(), world.connect());
    let cheap = Command::Acknowledge { queue: ReadId([1; 24]), upto: 1 };
    for _ in 0..12 {
        world.say(fast, &cheap);
    }
    let refused = world
        .hear(fast)
        .into_iter()
        .filter(|heard| matches!(heard, Heard::Reply(_, Reply::Refused(Refusal::RateLimited))));
    assert_eq!(refused.count(), 2);
    world.pass(SECOND_MS);
    assert_eq!(world.ask(fast, &cheap), Reply::Refused(Refusal::Gone));
    for _ in 0..10 {
        world.say(fast, &cheap);
    }
    assert_eq!(world.closed.get(&fast), Some(&CloseReason::OverRate));
    assert_eq!(world.ask(slow, &cheap), Reply::Refused(Refusal::Gone));
}

#[test]
fn an_answer_costs_as_much_as_its_bytes() {
    let mut world = World::with(Limits { burst: 100, per_second: 0, ..Limits::default() });
    let link = world.connect();
    for _ in 0..10 {
        world.say(link, &Command::Descriptor);
    }
    let heard = world.hear(link);
    let answered = heard.iter().filter(|one| matches!(one, Heard::Reply(_, Reply::Descriptor { .. })));
    assert_eq!(answered.count(), 100 / (3_584 / 256));
}

#[test]
fn the_descriptor_comes_with_the_relays_clock_to_the_minute() {
    let mut world = World::new();
    world.pass(59 * SECOND_MS);
    let link = world.connect();
    let Reply::Descriptor { clock, descriptor, epoch_keys } = world.ask(link, &Command::Descriptor) else {
        panic!("no descriptor")
    };
    assert_eq!((clock.0 % MINUTE_MS, descriptor, epoch_keys.len()), (0, vec![1; 200], 1));
}

#[test]
fn a_renewed_descriptor_is_what_the_next_one_hears() {
    let mut world = World::new();
    let link = world.connect();
    world.relay.handle_renewed(vec![2; 300]);
    let reply = world.ask(link, &Command::Descriptor);
    assert!(matches!(reply, Reply::Descriptor { descriptor, .. } if descriptor == [2; 300]));
}

#[test]
fn a_link_that_ends_leaves_nothing_and_what_it_began_is_finished() {
    let mut world = World::new();
    let queue = world.make_queue();
    let mut sender = world.sender(&queue);
    let (anna, boris) = (world.connect(), world.connect());
    world.subscribe(boris, &queue);
    let (capsule, _) = sender.capsule(7);
    world.say(anna, &Command::Send { capsule });
    assert!(world.work());
    world.close(anna);
    world.settle();
    assert_eq!(world.delivered(boris).len(), 1);
    assert_eq!(world.hear(anna), []);
    world.close(boris);
    assert!(world.relay.links.is_empty() && world.relay.deliveries.is_empty());
    assert!(world.relay.pending.is_empty());
    assert_eq!((world.relay.openings, world.relay.signatures), (0, 0));
    assert!(!world.relay.is_busy());
}

#[test]
fn everybody_is_told_when_the_relay_stops() {
    let mut world = World::new();
    let links = [world.connect(), world.connect()];
    world.relay.handle_stop(5, 60);
    // One whose handshake was under way.
    let late = world.connect();
    for link in links.into_iter().chain([late]) {
        world.settle();
        world.write_out(link);
        let heard = world.hear(link);
        assert!(matches!(heard[..], [Heard::Push(Push::GoAway { reconnect_after: 5..=60 })]), "{heard:?}");
    }
}

#[test]
fn what_the_core_asks_for_shows_no_byte_of_it() {
    let mut world = World::new();
    let link = world.connect();
    world.relay.handle_frame(link, &Command::Descriptor.encode(RequestId(1)).unwrap(), world.now);
    let output = world.relay.poll_output().unwrap();
    assert_eq!(format!("{output:?}"), "Frame(..)");
    assert_eq!(
        format!("{:?}", Output::KeepEpochs { ticket: Ticket(1), keys: Zeroizing::new(vec![1; 8]) }),
        "KeepEpochs(..)"
    );
}

#[test]
fn epoch_keys_that_could_not_be_written_are_written_again_and_not_handed_out_before() {
    let mut world = World::new();
    let offered = |world: &mut World| {
        let link = world.connect();
        let Reply::Descriptor { epoch_keys, .. } = world.ask(link, &Command::Descriptor) else { panic!() };
        epoch_keys.iter().map(|key| key.day).collect::<Vec<_>>()
    };
    let today = NOON.day();
    world.disk_is_full = true;
    world.pass(7 * HOUR_MS);
    let writes = world.writes;
    assert_eq!(offered(&mut world), [today]);
    assert!(world.relay.poll_timeout() <= world.now.plus(MINUTE_MS));
    world.pass(MINUTE_MS);
    assert_eq!((world.writes, offered(&mut world)), (writes + 1, vec![today]));
    world.disk_is_full = false;
    world.pass(MINUTE_MS);
    assert_eq!((world.writes, offered(&mut world)), (writes + 2, vec![today, today + 1]));
    world.pass(MINUTE_MS);
    assert_eq!(world.writes, writes + 2);
}

#[test]
fn one_write_of_the_epoch_keys_is_under_way_at_a_time_and_a_stop_waits_for_it() {
    let mut relay = World::new().relay;
    let mut writes = Vec::new();
    for hours in [7, 40] {
        relay.handle_timeout(NOON.plus(hours * HOUR_MS));
        while let Some(output) = relay.poll_output() {
            if let Output::KeepEpochs { ticket, keys: _ } = output {
                writes.push(ticket);
            }
        }
    }
    assert_eq!(writes.len(), 1);
    assert!(relay.is_busy());
    relay.handle_kept(writes[0], true, NOON.plus(40 * HOUR_MS));
    let next = relay.poll_output();
    assert!(matches!(next, Some(Output::KeepEpochs { .. })), "what changed meanwhile is written next");
}

use beresta_proto::auth;
use beresta_proto::capsule::SendReply;
use beresta_proto::command::{Command, Payment};
use beresta_proto::id::BlobId;
use beresta_proto::key::{Credit, SigningKey};
use beresta_proto::limits::BLOB;
use beresta_proto::reply::{Refusal, Reply, Subscribed};

use super::super::*;
use super::world::{World, exporter, subscription};
use crate::queue::{Answer, QueueEngine as _};

const BLOB_ID: BlobId = BlobId([8; 16]);

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::take(&mut [seed; 32])
}

pub(super) fn put(owner: &SigningKey, fill: u8) -> Command {
    let owner = owner.verifying_key().unwrap();
    Command::PutBlob { blob: BLOB_ID, owner, hours: 24, sealed: vec![fill; BLOB], payment: None }
}

pub(super) fn claim(link: LinkId, claimant: &SigningKey) -> Command {
    let signature = claimant.sign(&auth::claim_blob(&exporter(link), &BLOB_ID)).unwrap();
    Command::ClaimBlob { blob: BLOB_ID, claimant: claimant.verifying_key().unwrap(), signature }
}

fn delete(link: LinkId, owner: &SigningKey) -> Command {
    Command::DeleteBlob {
        blob: BLOB_ID,
        signature: owner.sign(&auth::delete_blob(&exporter(link), &BLOB_ID)).unwrap(),
    }
}

#[test]
fn a_second_claimant_is_told_that_the_invite_was_used() {
    let mut world = World::new();
    let (owner, first, second) = (world.connect(), world.connect(), world.connect());
    assert_eq!(world.ask(owner, &put(&key(1), 7)), Reply::Done);
    assert_eq!(world.ask(owner, &put(&key(1), 7)), Reply::Done, "a repeat");
    assert_eq!(world.ask(owner, &put(&key(1), 6)), Reply::Refused(Refusal::Exists));
    assert_eq!(world.ask(first, &claim(first, &key(2))), Reply::Blob(vec![7; BLOB]));
    assert_eq!(world.ask(second, &claim(second, &key(3))), Reply::Refused(Refusal::Claimed));
    // The same key may claim again, also on another link.
    assert_eq!(world.ask(second, &claim(second, &key(2))), Reply::Blob(vec![7; BLOB]));
}

#[test]
fn a_relay_that_asks_for_a_credit_makes_nothing_without_one_and_goes_on_for_who_is_there() {
    let mut world = World::new();
    let queue = world.make_queue();
    world.relay.limits.asks_credit = true;
    let (link, credit) = (world.connect(), Credit::take(&mut [3; 32]));
    let make = |credit: Option<&Credit>| Command::MakeQueue {
        read_key: key(1).verifying_key().unwrap(),
        capability: queue.capability.hash(),
        credit: credit.cloned(),
    };
    let paid = |fill: u8, with: Option<&Credit>| {
        let Command::PutBlob { blob, owner, hours, sealed, payment: _ } = put(&key(1), fill) else {
            panic!()
        };
        let payment = with.map(|credit| Payment { credit: credit.clone(), hands_on: None });
        Command::PutBlob { blob, owner, hours, sealed, payment }
    };
    let refused = Reply::Refused(Refusal::NoCredit);
    let asked = world.asked.len();
    assert_eq!(
        [world.ask(link, &make(None)), world.ask(link, &put(&key(1), 7))],
        [refused.clone(), refused.clone()]
    );
    assert_eq!(world.asked.len(), asked, "without one the disk is not asked");
    assert_eq!(world.ask(link, &make(Some(&credit))), refused, "nobody granted it");
    let grant = Op::Grant { credit: world.relay.namer().credit(&credit), makes: 2, days: 1, now: world.now };
    world.engine.submit(grant, Box::new(|answer| assert_eq!(answer, Answer::Done)));
    assert!(matches!(world.ask(link, &make(Some(&credit))), Reply::QueueMade { .. }));
    assert_eq!(world.ask(link, &paid(7, Some(&credit))), Reply::Done);
    assert_eq!(world.ask(link, &make(Some(&credit))), refused, "used up");
    // Who is there needs none.
    assert_eq!(world.subscribe(link, &queue), Reply::Subscribed(vec![Subscribed::Ok]));
    let capsule = world.sender(&queue).capsule(0);
    assert_eq!(world.send(link, &capsule), SendReply::Stored);
    assert_eq!(world.ask(link, &claim(link, &key(2))), Reply::Blob(vec![7; BLOB]));
    // An open relay takes nothing.
    world.relay.limits.asks_credit = false;
    assert!(matches!(world.ask(link, &make(Some(&credit))), Reply::QueueMade { .. }));
}

#[test]
fn a_claim_signed_for_another_link_locks_nothing() {
    let mut world = World::new();
    let (owner, first, second) = (world.connect(), world.connect(), world.connect());
    world.ask(owner, &put(&key(1), 7));
    let stolen = claim(first, &key(2));
    assert_eq!(world.ask(second, &stolen), Reply::Refused(Refusal::Gone));
    assert_eq!(world.ask(second, &claim(second, &key(3))), Reply::Blob(vec![7; BLOB]));
}

#[test]
fn only_its_owner_deletes_a_blob_and_a_wrong_owner_hears_the_same_as_of_no_blob() {
    let mut world = World::new();
    let (owner, other) = (world.connect(), world.connect());
    let gone = Reply::Refused(Refusal::Gone);
    assert_eq!(world.ask(other, &delete(other, &key(2))), gone);
    world.ask(owner, &put(&key(1), 7));
    assert_eq!(world.ask(other, &delete(other, &key(2))), gone);
    assert_eq!(world.ask(owner, &delete(owner, &key(1))), Reply::Done);
    assert_eq!(world.ask(owner, &claim(owner, &key(3))), gone);
    assert_eq!(world.ask(owner, &delete(owner, &key(1))), gone);
}

#[test]
fn a_wrong_id_and_a_wrong_proof_look_alike_and_cost_the_same_work() {
    let mut world = World::new();
    let queue = world.make_queue();
    let link = world.connect();
    let mut unknown = queue.clone();
    unknown.read_id.0[0] ^= 1;
    let mut forged = queue.clone();
    forged.read_key = key(9);
    let mut steps = Vec::new();
    for asked in [&unknown, &forged] {
        world.say(link, &Command::Subscribe(vec![subscription(link, asked)]));
        let mut took = Vec::new();
        while let Some((ticket, answer)) = world.carry_out() {
            world.answer(ticket, answer);
            took.push((world.asked.len(), world.jobs.len()));
            while world.work() {
                took.push((world.asked.len(), world.jobs.len()));
            }
        }
        steps.push((took, world.hear(link).len()));
    }
    assert_eq!(steps[0], steps[1], "as many look-ups and as many checks");
    for asked in [&unknown, &forged] {
        assert_eq!(world.subscribe(link, asked), Reply::Subscribed(vec![Subscribed::Gone]));
        let signature = asked.read_key.sign(&auth::delete_queue(&exporter(link), &asked.read_id)).unwrap();
        let delete = Command::DeleteQueue { queue: asked.read_id, signature };
        assert_eq!(world.ask(link, &delete), Reply::Refused(Refusal::Gone));
    }
    assert_eq!(world.subscribe(link, &queue), Reply::Subscribed(vec![Subscribed::Ok]));
}

#[test]
fn a_signature_for_another_link_or_purpose_is_refused() {
    let mut world = World::new();
    let queue = world.make_queue();
    let (first, second) = (world.connect(), world.connect());
    let stolen = subscription(first, &queue);
    let reply = world.ask(second, &Command::Subscribe(vec![stolen]));
    assert_eq!(reply, Reply::Subscribed(vec![Subscribed::Gone]));
    let delete = Command::DeleteQueue { queue: queue.read_id, signature: stolen.signature };
    assert_eq!(world.ask(first, &delete), Reply::Refused(Refusal::Gone));
}

#[test]
fn a_deleted_queue_is_gone_with_its_subscription() {
    let mut world = World::new();
    let queue = world.make_queue();
    let link = world.connect();
    world.subscribe(link, &queue);
    let capsule = world.sender(&queue).capsule(0);
    world.send(link, &capsule);
    let signature = queue.read_key.sign(&auth::delete_queue(&exporter(link), &queue.read_id)).unwrap();
    let delete = Command::DeleteQueue { queue: queue.read_id, signature };
    assert_eq!(world.ask(link, &delete), Reply::Done);
    assert_eq!(world.ask(link, &delete), Reply::Refused(Refusal::Gone));
    assert_eq!(world.subscribe(link, &queue), Reply::Subscribed(vec![Subscribed::Gone]));
    assert!(world.relay.deliveries.is_empty());
    assert_eq!(world.relay.recogniser.sizes(), (0, 0));
}

#[test]
fn one_frame_subscribes_to_many_queues_and_answers_in_their_order() {
    let mut world = World::new();
    let (one, mut two, three) = (world.make_queue(), world.make_queue(), world.make_queue());
    two.read_key = key(9);
    let link = world.connect();
    let wanted = [&one, &two, &three].map(|queue| subscription(link, queue)).to_vec();
    assert_eq!(
        world.ask(link, &Command::Subscribe(wanted)),
        Reply::Subscribed(vec![Subscribed::Ok, Subscribed::Gone, Subscribed::Ok])
    );
    assert_eq!(world.ask(link, &Command::Subscribe(vec![])), Reply::Subscribed(vec![]));
}

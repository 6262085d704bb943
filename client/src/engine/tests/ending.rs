//! The engine over a store on disk: what its files keep. How people talk is shown in the package `tests`.

use std::path::Path;

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::content::Timer;
use beresta_proto::id::{BlobId, ContentId, ConversationId, Device, ReadId, RelayId, SendId};
use beresta_proto::key::{EnvelopeKey, SendCapability, SigningKey};
use beresta_proto::rng::Random as _;
use beresta_proto::route::Route;
use beresta_proto::time::{HOUR_MS, SECOND_MS};

use super::super::sweep::start_timer;
use super::super::*;
use super::rng;
use crate::crypto;
use crate::store::contact::{Contact, ContactId, Handle};
use crate::store::event::EventKind;
use crate::store::invite::{BlobState, Invite, InviteId, InviteState};
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::profile::Profile;
use crate::store::queue::{OwnQueue, OwnQueueId, OwnQueueState};
use crate::store::signal::PreKeyKind;
use crate::store::{KdfCost, Passphrase};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn pass() -> Passphrase {
    Passphrase::new(String::from("right"))
}

/// A person on disk, and a contact of theirs at a relay that nobody reaches.
fn person(dir: &Path) -> (Engine, Store, ContactId) {
    let mut rng = rng(1);
    let mut store = Store::create(dir, &pass(), KdfCost::FOR_TESTS, &mut rng).unwrap();
    let mut other = Store::open_in_memory(&mut rng).unwrap();
    let bundle = other
        .transaction(|tx| {
            crypto::create_account(tx, &mut rng).unwrap();
            Ok::<_, StoreError>(crypto::make_bundle(tx, NOW, &mut rng).unwrap())
        })
        .unwrap();
    let address = QueueAddress {
        relay: RelayAddress {
            relay: RelayId([1; 32]),
            routes: vec![Route::Other { kind: 200, data: Vec::new() }],
        },
        device: Device::FIRST,
        send_id: SendId([2; 24]),
        capability: SendCapability::random(&mut rng),
        key: EnvelopeKey::random(&mut rng),
    };
    let contact = store
        .transaction(|tx| {
            let account = crypto::create_account(tx, &mut rng).unwrap();
            let (name, language) = ("Anna".into(), String::from("en"));
            tx.insert_profile(&Profile { account, name, language, home: None }, NOW)?;
            let contact = Contact {
                handle: Handle(rng.array()),
                identity: bundle.identity,
                device: bundle.device,
                timer: Timer { seconds: Some(60), version: 1 },
                ..Contact::boris()
            };
            let id = tx.insert_contact(&contact, NOW)?;
            tx.replace_peer_queues(id, &[address])?;
            crypto::meet(tx, &peer(&contact), &bundle, NOW, &mut rng).unwrap();
            Ok::<_, StoreError>(id)
        })
        .unwrap();
    (Engine::new(rng), store, contact)
}

/// A text that came and was shown, under a timer.
fn hear(engine: &mut Engine, store: &mut Store, from: ContactId, text: &str, timer: Option<u32>) {
    let row = store
        .transaction(|tx| {
            tx.insert_message(&Message {
                id: MessageRow(0),
                contact: from,
                content: ContentId::random(&mut engine.rng),
                outgoing: false,
                body: text.to_owned().into(),
                sent: NOW,
                arrived: NOW,
                state: MessageState::New,
                timer,
                expires: None,
                fails: None,
            })
        })
        .unwrap();
    engine.shown(store, &[row.unwrap()], NOW).unwrap();
}

fn count(store: &mut Store, word: &str) -> usize {
    memchr::memmem::find_iter(&store.pages(), word).count()
}

#[test]
fn after_its_end_no_copy_is_left() {
    // Rule E10.
    let dir = tempfile::tempdir().unwrap();
    let (mut engine, mut store, boris) = person(dir.path());
    for n in 0..20 {
        // Some fill pages of their own.
        let long = |word: &str| format!("{word}-{n} ").repeat(if n % 5 == 0 { 800 } else { 3 });
        hear(&mut engine, &mut store, boris, &long("GONE"), Some(60));
        hear(&mut engine, &mut store, boris, &long("KEPT"), None);
        let sent = engine.send(&mut store, boris, &long("GONE"), NOW).unwrap();
        store
            .transaction(|tx| {
                let mut message = tx.message(sent.row)?.unwrap();
                // Half of them have no receipt when their time is over.
                message.state = if n % 2 == 0 { MessageState::AtRelay } else { MessageState::Delivered };
                start_timer(&mut message, NOW);
                tx.update_message(&message)
            })
            .unwrap();
    }
    let (gone, kept) = (store.traces("GONE"), store.traces("KEPT"));
    assert_eq!((store.left_of(&gone), store.left_of(&kept)), ((40, 40), (20, 20)));
    let before = Store::killed(dir.path());

    let end = NOW.plus(60 * SECOND_MS);
    engine.handle_timeout(&mut store, end.minus(1)).unwrap();
    assert!(!store.owes_scrub());
    engine.handle_timeout(&mut store, end).unwrap();
    assert!(store.owes_scrub() && Store::journal_len(dir.path()) == 0);

    // Killed before the driver scrubs: the next start does.
    let copy = Store::killed(dir.path());
    drop(store);
    drop(dir);
    let mut store = Store::open(copy.path(), &pass()).unwrap();
    Engine::new(rng(2)).handle_start(&mut store, end).unwrap();
    store.scrub().unwrap();
    assert_eq!((store.left_of(&gone), store.left_of(&kept)), ((0, 0), (20, 20)));
    assert_eq!(Store::journal_len(copy.path()), 0);

    // Whoever carves the old database out of the disk has the passphrase and every key that is left.
    drop(store);
    Store::give_keys(copy.path(), before.path());
    let mut carved = Store::open(before.path(), &pass()).unwrap();
    let texts = carved.transaction(|tx| tx.history(boris, None, u32::MAX)).unwrap();
    assert_eq!(texts.iter().filter(|one| one.body.contains("KEPT")).count(), 20);
    assert!(texts.iter().all(|one| !one.body.contains("GONE")));
}

#[test]
fn a_removed_contact_is_in_no_page() {
    let dir = tempfile::tempdir().unwrap();
    let (mut engine, mut store, boris) = person(dir.path());
    hear(&mut engine, &mut store, boris, "GONE with them", None);
    engine.rename(&mut store, boris, "GONE too", NOW).unwrap();
    engine.send(&mut store, boris, "GONE unsent", NOW).unwrap();
    let said = store.traces("GONE");
    assert_eq!((store.left_of(&said), count(&mut store, "GONE too") > 0), ((2, 2), true));
    engine.remove(&mut store, boris, NOW).unwrap();
    assert!(store.owes_scrub());
    store.scrub().unwrap();
    assert_eq!(
        (store.left_of(&said), count(&mut store, "GONE"), Store::journal_len(dir.path())),
        ((0, 0), 0, 0)
    );
}

#[test]
fn an_invite_whose_queue_the_relay_lost_is_over_and_its_keys_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (mut engine, mut store, _) = person(dir.path());
    let (mut draw, relay, read_id) = (rng(3), RelayId([1; 32]), ReadId([4; 24]));
    let invite = store
        .transaction(|tx| {
            let bundle = crypto::make_bundle(tx, NOW, &mut draw).unwrap().signed.id;
            let invite = tx.insert_invite(&Invite {
                id: InviteId(0),
                relay,
                blob: BlobId([5; 16]),
                owner: SigningKey::random(&mut draw),
                conversation: ConversationId([6; 16]),
                bundle,
                link: String::from("beresta:").into(),
                stranger: Handle([7; 16]),
                name: "Vera".into(),
                renews: None,
                state: InviteState::Open,
                blob_state: BlobState::There,
                created: NOW,
                expires: NOW.plus(HOUR_MS),
            })?;
            tx.insert_own_queue(&OwnQueue {
                id: OwnQueueId(0),
                relay,
                read_id,
                send_id: SendId([8; 24]),
                read_key: SigningKey::random(&mut draw),
                capability: SendCapability::random(&mut draw),
                envelope: EnvelopeKey::random(&mut draw),
                invite: Some(invite),
                contact: None,
                state: OwnQueueState::Read,
                retire: None,
                told: None,
            })?;
            tx.invite(invite)
        })
        .unwrap();
    engine.step(&mut store, NOW, |engine, tx| engine.queue_lost(tx, relay, read_id)).unwrap();
    store
        .transaction(|tx| {
            let over = tx.invite(invite.id)?;
            assert_eq!((over.state, over.blob_state), (InviteState::Ended, BlobState::Leaving));
            assert_eq!((over.link.as_str(), over.name.as_str()), ("", ""));
            assert!(tx.pre_key(PreKeyKind::Signed, invite.bundle)?.is_none() && tx.own_queues()?.is_empty());
            let told = tx.events_after(0, 9)?;
            assert!(told.iter().any(|event| event.kind == EventKind::InviteEnded));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    // Its blob may be said to be gone twice, and after the row is.
    engine.step(&mut store, NOW, |_, tx| Engine::blob_gone(tx, InviteId(99))).unwrap();
}

//! What the files of a relay give away that is taken by force.

use beresta_client::store::{Passphrase, Store, StoreError};
use beresta_proto::invite::InviteLink;
use beresta_tests::process::scan::{Needle, search, secret, text};
use beresta_tests::process::{Person, Programs, Relay};

use super::{ANNA, BORIS, World};

const SAID: [&str; 2] = ["The ledger is under the seventh stair", "Сожгите список до четверга"];
/// Lies at the relay when it is seized.
const WAITS: &str = "Meet me behind the chestnut tomorrow";

/// The ids and secrets of a profile's queues, both ways, and what its contacts are known by. A queue's read key, which
/// is used for that queue alone and public, is at the relay.
fn kept(person: &Person) -> Vec<Needle> {
    let mut store = Store::open(&person.dir, &Passphrase::new(person.who.passphrase.to_owned())).unwrap();
    let rows = store.transaction(|tx| {
        let contact = tx.contacts()?.pop().ok_or(StoreError::NotFound)?;
        let peer = tx.peer_queue(contact.id)?.ok_or(StoreError::NotFound)?;
        Ok::<_, StoreError>((tx.own_queues()?, peer.address, contact))
    });
    let (queues, address, contact) = rows.unwrap();
    let mut needles = secret("a contact's account", &contact.identity.account_id().0);
    needles.extend(secret("a contact's key", &contact.identity.0));
    needles.extend(secret("a conversation's id", &contact.conversation.0));
    needles.extend(secret("a contact's queue", &address.send_id.0));
    needles.extend(secret("its capability", address.capability.expose()));
    needles.extend(secret("its key", address.key.expose()));
    for queue in queues {
        needles.extend(secret("a queue's id for reading", &queue.read_id.0));
        needles.extend(secret("a queue's id for sending", &queue.send_id.0));
        needles.extend(secret("a queue's capability", queue.capability.expose()));
        needles.extend(secret("a queue's key", queue.envelope.expose()));
    }
    needles
}

/// Rule Q11, and that a relay has only ciphertext.
#[test]
fn a_seized_relay_holds_no_word_name_key_or_id_of_a_conversation() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
    let mut world = World::at(&programs, relay, folder);
    let (anna, boris) = (&world.anna, &world.boris);
    let link = anna.meet(boris).unwrap();
    anna.run(&["send", BORIS.name], SAID[0]).unwrap();
    boris.run(&["receive", "--brief", "--max", "1"], "").unwrap();
    boris.run(&["send", ANNA.name], SAID[1]).unwrap();
    anna.run(&["receive", "--brief", "--max", "1"], "").unwrap();
    anna.run(&["send", BORIS.name], WAITS).unwrap();
    assert!(world.relay.waiting().unwrap() > 0);
    // As it is pulled from the wall, its log of writes and all.
    world.relay.kill().unwrap();

    let invite = InviteLink::from_link(link.trim()).unwrap();
    let mut needles = text(link.trim());
    needles.extend(secret("the invite's blob", &invite.blob.0));
    needles.extend(secret("the invite's key", invite.key.expose()));
    for said in SAID.into_iter().chain([WAITS]) {
        needles.extend(said.split(' ').filter(|word| word.chars().count() > 4).flat_map(text));
    }
    for person in [anna, boris] {
        needles.extend([person.who.name, person.who.passphrase, &person.account].into_iter().flat_map(text));
        needles.extend(kept(person));
    }
    let seizure = search(&world.relay.dir, &needles).unwrap();
    assert_eq!(seizure.found, Vec::<String>::new());
    // What is searched for is found where it is: the relay's own key is in its files.
    assert!(seizure.files > 3 && seizure.bytes > 32 * 1_024, "{} files", seizure.files);
    let there = secret("the relay", &invite.relay.relay.0);
    assert_eq!(search(&world.relay.dir, &there).unwrap().found.len(), 1);
}

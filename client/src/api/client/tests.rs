//! Whom a person means.

use beresta_proto::bundle::IdentityPublic;
use beresta_proto::content::Timer;
use beresta_proto::id::{ConversationId, Device};
use beresta_proto::time::Timestamp;

use super::*;
use crate::store::contact::{ContactState, Handle};

fn contact(id: i64, name: &str) -> Contact {
    Contact {
        id: ContactId(id),
        handle: Handle([0; 16]),
        identity: IdentityPublic([5; 33]),
        device: Device::FIRST,
        conversation: ConversationId([0; 16]),
        name: name.into(),
        state: ContactState::Active,
        verified: false,
        identity_changed: false,
        needs_queue: false,
        timer: Timer { seconds: None, version: 0 },
        probed: Timestamp(0),
    }
}

fn found(contacts: &[Contact], who: &str) -> Result<String, Error> {
    find(contacts, who).map(|one| one.id)
}

#[test]
fn nobody_gets_another_s_letters_by_the_name_they_choose() {
    let mut contacts = vec![contact(1, "Boris"), contact(2, "Vera")];
    for who in ["bor", "Boris", "BORIS", "c1"] {
        assert_eq!(found(&contacts, who), Ok(String::from("c1")));
    }
    contacts.push(contact(3, "bor"));
    assert!(matches!(found(&contacts, "bor"), Err(Error::Ambiguous(names)) if names.len() == 2));
    assert_eq!(found(&contacts, "Boris"), Ok(String::from("c1")));
    contacts.push(contact(4, "Boris"));
    assert!(matches!(found(&contacts, "Boris"), Err(Error::Ambiguous(names)) if names.len() == 2));
    // Nor by calling themselves like an id.
    contacts.push(contact(5, "c7"));
    assert_eq!(found(&contacts, "c7"), Err(Error::NotFound));
    assert_eq!(found(&contacts, "c5"), Ok(String::from("c5")));
    assert_eq!(found(&contacts, ""), Err(Error::NotFound));
}

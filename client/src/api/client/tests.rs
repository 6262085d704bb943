//! Whom a person means.

use super::*;

fn contact(id: i64, name: &str) -> Contact {
    Contact { id: ContactId(id), name: name.into(), ..Contact::boris() }
}

fn found(contacts: &[Contact], who: &str) -> Result<String, Error> {
    find(contacts, who).map(|one| contact_id(one.id))
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

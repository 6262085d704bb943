//! Links, blobs, addresses and bundles.

use beresta_proto::address::{QueueAddress, RelayAddress};
use beresta_proto::bundle::Bundle;
use beresta_proto::codec::{DecodeError, Reader, Writer};
use beresta_proto::credit::{CREDIT_SCHEME, CreditCode};
use beresta_proto::id::RelayId;
use beresta_proto::invite::{BlobError, INVITE_SCHEME, InviteLink, LinkError, Offer};
use beresta_proto::key::{BlobKey, Credit};
use beresta_proto::label;
use beresta_proto::route::Route;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE64URL_NOPAD;
use proptest::prelude::*;

use crate::values::{self, Seeded, exact, flipped};

const INSIDE: usize = 4_096 - 24 - 16;

fn decode_all<T>(
    bytes: &[u8],
    decode: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let mut r = Reader::new(bytes);
    let value = decode(&mut r)?;
    r.finish()?;
    Ok(value)
}

fn bundle_bytes(bundle: &Bundle) -> Vec<u8> {
    let mut w = Writer::default();
    bundle.encode(&mut w);
    w.into_vec()
}

/// A blob with any inside, made as the text of rule I3 says, and its hash.
fn sealed(key: &BlobKey, inside: &[u8]) -> (Vec<u8>, [u8; 16]) {
    let nonce = [5; 24];
    let digest = ring::digest::digest(&ring::digest::SHA256, &[label::INVITE_HASH, inside].concat());
    let mut inside = inside.to_vec();
    let tag = XChaCha20Poly1305::new(key.expose().into())
        .encrypt_inout_detached(&XNonce::from(nonce), label::INVITE_BLOB, inside.as_mut_slice().into())
        .unwrap();
    ([nonce.as_slice(), &inside, &tag].concat(), digest.as_ref()[..16].try_into().unwrap())
}

fn inside(offer: &Offer) -> Vec<u8> {
    let mut w = Writer::default();
    w.u8(if offer.credit.is_some() { 2 } else { 1 });
    w.bytes(offer.name.as_bytes());
    w.put(&offer.conversation.0);
    offer.bundle.encode(&mut w);
    QueueAddress::encode_list(&offer.addresses, &mut w);
    offer.credit.iter().for_each(|credit| w.put(credit.expose()));
    w.zeros_to(INSIDE);
    w.into_vec()
}

fn link(seed: u64) -> (InviteLink, Offer, Vec<u8>) {
    let mut rng = Seeded::new(seed);
    let offer = values::offer(&mut rng);
    let (link, blob) = values::invite(&mut rng, &offer);
    (link, offer, blob)
}

#[test]
fn an_invite_is_read_alone_and_behind_an_https_link() {
    let (invite, ..) = link(1);
    let text = invite.to_link();
    assert_eq!(InviteLink::from_link(&text), Ok(invite.clone()));
    assert_eq!(InviteLink::from_link(&format!("  {}\n", text.as_str())), Ok(invite.clone()));
    assert_eq!(InviteLink::from_link(&format!("https://example.org/i?x=1#{}", text.as_str())), Ok(invite));
}

#[test]
fn another_scheme_is_no_invite() {
    let (invite, ..) = link(2);
    let text = invite.to_link();
    let relay = invite.relay.to_link();
    let bare = text.trim_start_matches(INVITE_SCHEME);
    for other in ["", "hello", "beresta", bare, &text.to_uppercase(), &relay] {
        assert_eq!(InviteLink::from_link(other), Err(LinkError::Scheme), "{other}");
    }
    for other in
        [format!("http://example.org/#{}", text.as_str()), format!("https://example.org/{}", text.as_str())]
    {
        assert_eq!(InviteLink::from_link(&other), Err(LinkError::Scheme));
    }
    assert_eq!(RelayAddress::from_link(&text), Err(LinkError::Scheme));
    assert_eq!(RelayAddress::from_link(&relay), Ok(invite.relay));
}

#[test]
fn a_link_damaged_by_one_letter_is_called_damaged() {
    let (invite, ..) = link(3);
    let text = invite.to_link();
    for at in INVITE_SCHEME.len()..text.len() {
        let mut letters: Vec<char> = text.chars().collect();
        letters[at] = if letters[at] == 'A' { 'B' } else { 'A' };
        let changed: String = letters.iter().collect();
        assert_eq!(InviteLink::from_link(&changed), Err(LinkError::Damaged), "letter {at} changed");
        letters.remove(at);
        let missing: String = letters.iter().collect();
        assert_eq!(InviteLink::from_link(&missing), Err(LinkError::Damaged), "letter {at} missing");
    }
    for end in ["A", "=", " beresta", "\u{430}"] {
        assert_eq!(InviteLink::from_link(&format!("{}{end}", text.as_str())), Err(LinkError::Damaged));
    }
    let long = format!("{INVITE_SCHEME}{}", "A".repeat(100_000));
    assert_eq!(InviteLink::from_link(&long), Err(LinkError::Damaged));
}

#[test]
fn a_whole_link_of_a_newer_version_is_not_called_damaged() {
    let payload = |bytes: &[u8]| {
        let sum = ring::digest::digest(&ring::digest::SHA256, &[label::LINK_CHECKSUM, bytes].concat());
        format!("beresta:{}", BASE64URL_NOPAD.encode(&[bytes, &sum.as_ref()[..4]].concat()))
    };
    let newer = |code: &[u8]| InviteLink::from_link(&payload(code));
    let unknown = |what| LinkError::Malformed(DecodeError::Unknown { what, code: 2 });
    assert_eq!(newer(&[2, 1, 0]), Err(unknown("invite version")));
    assert_eq!(newer(&[1, 2, 0]), Err(unknown("invite kind")));
    assert!(matches!(newer(&[1, 1]), Err(LinkError::Malformed(DecodeError::Truncated { .. }))));
}

#[test]
fn a_link_with_one_route_fits_a_small_code() {
    let (mut invite, ..) = link(4);
    invite.relay.routes = vec![Route::Quic(([192, 0, 2, 1], 443).into())];
    assert_eq!(invite.to_link().len(), 8 + 159);
}

#[test]
fn a_swapped_key_in_a_blob_is_forged() {
    let (invite, mut offer, _) = link(5);
    // The worst case: whoever swaps knows the blob's key, and seals another offer under it.
    offer.bundle.identity.0[1] ^= 1;
    let (swapped, hash) = sealed(&invite.key, &inside(&offer));
    assert_eq!(Offer::open(&invite, &swapped), Err(BlobError::Forged));
    assert_eq!(Offer::open(&InviteLink { hash, ..invite }, &swapped), Ok(offer));
}

#[test]
fn a_changed_blob_or_another_link_is_forged() {
    let (invite, offer, blob) = link(6);
    assert_eq!(Offer::open(&invite, &blob), Ok(offer));
    for at in (0..blob.len()).step_by(7) {
        assert_eq!(Offer::open(&invite, &flipped(&blob, at, at)), Err(BlobError::Forged));
    }
    let (other, ..) = link(7);
    assert_eq!(Offer::open(&other, &blob), Err(BlobError::Forged));
    for len in [0, 23, 4_095] {
        assert!(matches!(Offer::open(&invite, &blob[..len]), Err(BlobError::Malformed(_))));
    }
    assert!(Offer::open(&invite, &[blob.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn a_blob_that_its_maker_wrote_wrongly_is_malformed() {
    let (invite, offer, _) = link(8);
    let good = inside(&offer);
    let open = |inside: &[u8]| {
        let (blob, hash) = sealed(&invite.key, inside);
        Offer::open(&InviteLink { hash, ..invite.clone() }, &blob)
    };
    assert_eq!(open(&good), Ok(offer));
    assert_eq!(open(&flipped(&good, INSIDE - 1, 0)), Err(BlobError::Malformed(DecodeError::Padding)));
    for code in [0, 3] {
        let version = DecodeError::Unknown { what: "offer version", code };
        let newer = [&[u8::try_from(code).unwrap()], &good[1..]].concat();
        assert_eq!(open(&newer), Err(BlobError::Malformed(version)));
    }
    assert!(matches!(open(&flipped(&good, 1, 7)), Err(BlobError::Malformed(DecodeError::TooLong { .. }))));
}

#[test]
fn an_offer_brings_a_credit_or_none_and_nothing_behind_it() {
    let (invite, mut offer, _) = link(12);
    let open = |inside: &[u8]| {
        let (blob, hash) = sealed(&invite.key, inside);
        Offer::open(&InviteLink { hash, ..invite.clone() }, &blob)
    };
    offer.credit = None;
    let without = inside(&offer);
    offer.credit = Some(Credit::take(&mut [7; 32]));
    let with = inside(&offer);
    assert_eq!((without[0], with[0]), (1, 2));
    assert_eq!(open(&with), Ok(offer));
    // Read as one that brings none, its credit is what no maker writes; and so is a byte behind it.
    let padding = Err(BlobError::Malformed(DecodeError::Padding));
    assert_eq!(open(&[&[1], &with[1..]].concat()), padding);
    let end = with.iter().rposition(|byte| *byte != 0).unwrap();
    assert_eq!(open(&flipped(&with, end + 1, 0)), padding);
}

#[test]
fn an_offer_that_nobody_could_read_is_not_sealed() {
    let mut rng = Seeded::new(9);
    let good = values::offer(&mut rng);
    let key = BlobKey::random(&mut rng);
    let mut seal = |offer: Offer| offer.seal(&key, &mut rng).map(|_| ());
    assert_eq!(seal(good.clone()), Ok(()));
    assert!(seal(Offer { name: "й".repeat(33).into(), ..good.clone() }).is_err(), "66 bytes of name");
    assert!(seal(Offer { addresses: vec![], ..good.clone() }).is_err());
    let mut routeless = good.clone();
    routeless.addresses[0].relay.routes.clear();
    assert!(seal(routeless).is_err());
    let many = vec![good.addresses[0].clone(); 9];
    assert!(seal(Offer { addresses: many, ..good }).is_err());
}

#[test]
fn a_bundle_has_the_sizes_of_the_text() {
    let mut bundle = values::bundle(&mut Seeded::new(10));
    bundle.one_time = None;
    assert_eq!(bundle_bytes(&bundle).len(), 1_777);
    bundle.one_time = Some((1, [0; 33]));
    assert_eq!(bundle_bytes(&bundle).len(), 1_814);
}

#[test]
fn an_address_without_a_route_is_refused() {
    let mut address = values::relay_address(&mut Seeded::new(11));
    address.routes.clear();
    assert_eq!(RelayAddress::from_bytes(&address.to_bytes()), Err(DecodeError::Invalid { what: "routes" }));
}

#[test]
fn a_route_of_an_unknown_kind_is_kept() {
    let mut address = values::relay_address(&mut Seeded::new(12));
    address.routes = vec![
        Route::Other { kind: 77, data: vec![1, 2, 3] },
        Route::Quic(([127, 0, 0, 1], 4433).into()),
        Route::Other { kind: 0, data: vec![] },
    ];
    assert_eq!(RelayAddress::from_bytes(&address.to_bytes()), Ok(address.clone()));

    address.routes = vec![Route::Other { kind: 77, data: vec![0; 65] }];
    assert!(matches!(RelayAddress::from_bytes(&address.to_bytes()), Err(DecodeError::TooLong { .. })));
    address.routes = vec![Route::Other { kind: 1, data: vec![0; 7] }];
    assert_eq!(RelayAddress::from_bytes(&address.to_bytes()), Err(DecodeError::Trailing { extra: 1 }));
    address.routes = vec![Route::Other { kind: 77, data: vec![] }; 5];
    assert!(matches!(RelayAddress::from_bytes(&address.to_bytes()), Err(DecodeError::TooLong { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_link_and_its_offer_survive_a_round_trip(seed: u64) {
        let (invite, offer, blob) = link(seed);
        prop_assert_eq!(blob.len(), 4_096);
        let heard = InviteLink::from_link(&invite.to_link()).unwrap();
        prop_assert_eq!(&heard, &invite);
        prop_assert_eq!(Offer::open(&heard, &blob).unwrap(), offer);
    }

    #[test]
    fn a_bundle_survives_a_round_trip(seed: u64) {
        let bundle = values::bundle(&mut Seeded::new(seed));
        exact(&bundle, &bundle_bytes(&bundle), |bytes| decode_all(bytes, Bundle::decode));
    }

    #[test]
    fn a_list_of_addresses_survives_a_round_trip(seed: u64) {
        let list = values::queue_addresses(&mut Seeded::new(seed));
        let mut w = Writer::default();
        QueueAddress::encode_list(&list, &mut w);
        exact(&list, w.as_slice(), |bytes| decode_all(bytes, QueueAddress::decode_list));
    }

    #[test]
    fn a_relays_address_survives_a_round_trip(seed: u64) {
        let address = values::relay_address(&mut Seeded::new(seed));
        exact(&address, &address.to_bytes(), RelayAddress::from_bytes);
        prop_assert_eq!(RelayAddress::from_link(&address.to_link()).unwrap(), address);
    }
}

#[test]
fn a_code_of_an_operator_is_read_as_it_was_written_and_a_damaged_one_is_told() {
    let credit = CreditCode { relay: RelayId([6; 32]), credit: Credit::take(&mut [7; 32]) };
    let code = credit.to_code();
    assert_eq!(CreditCode::from_code(&format!(" {}\n", code.as_str())), Ok(credit));
    assert_eq!(CreditCode::from_code(&code.replace("beresta-credit:", "beresta:")), Err(LinkError::Scheme));
    for at in CREDIT_SCHEME.len()..code.len() {
        let mut changed = String::from(code.as_str());
        changed.replace_range(at..=at, if changed.as_bytes()[at] == b'A' { "B" } else { "A" });
        assert_eq!(CreditCode::from_code(&changed), Err(LinkError::Damaged), "letter {at} changed");
    }
    // Of the length of something else.
    let (invite, ..) = link(6);
    let long = invite.to_link().replace("beresta:", CREDIT_SCHEME);
    assert!(matches!(CreditCode::from_code(&long), Err(LinkError::Malformed(_))));
}

//! What `Debug` shows of a person's records: numbers, times and states, and nothing said, named or kept secret.

use std::fmt::Debug;

use beresta_proto::address::RelayAddress;
use beresta_proto::bundle::IdentityPublic;
use beresta_proto::content::Timer;
use beresta_proto::id::{BlobId, ContentId, ConversationId, Device, ReadId, RelayId, SendId};
use beresta_proto::key::{BlobKey, EnvelopeKey, SendCapability, SigningKey};
use beresta_proto::route::Route;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::api::{KdfCost, NewProfile, Passphrase};
use crate::engine::{AcceptRequest, Answer, InviteRequest};
use crate::rng::Rng;
use crate::store::contact::Handle;
use crate::store::contact::{Contact, ContactState};
use crate::store::message::MessageRow;
use crate::store::profile::Profile;
use crate::store::queue::{OwnQueue, OwnQueueId, OwnQueueState};

/// Every planted byte: 167 in lists, a7 in hexadecimal, U6 in base 32, p6 in base 64.
const P: u8 = 0xa7;
const NAME: &str = "Anna167";
const AT: Timestamp = Timestamp(5);

fn shown(values: &[&dyn Debug]) -> String {
    let lines: Vec<_> = values.iter().map(|value| format!("{value:?}")).collect();
    let text = lines.join("\n");
    let pretty = values.iter().map(|value| format!("{value:#?}")).collect::<String>();
    for planted in ["167", "a7", "A7", "p6", "U6", "Anna"] {
        assert!(!text.contains(planted) && !pretty.contains(planted), "{planted} shows in {text}");
    }
    text
}

fn relay() -> RelayAddress {
    RelayAddress { relay: RelayId([P; 32]), routes: vec![Route::Quic(([P; 4], 167).into())] }
}

fn link() -> InviteLink {
    let (blob, key) = (BlobId([P; 16]), BlobKey::take(&mut [P; 32]));
    InviteLink { relay: relay(), blob, key, hash: [P; 16], expires: AT }
}

fn message() -> Message {
    Message {
        id: MessageRow(1),
        contact: contact::ContactId(2),
        content: ContentId([P; 16]),
        outgoing: true,
        body: NAME.into(),
        sent: AT,
        arrived: AT,
        state: MessageState::Queued,
        timer: Some(60),
        expires: None,
        fails: None,
    }
}

fn contact() -> Contact {
    Contact {
        id: contact::ContactId(2),
        handle: Handle([P; 16]),
        identity: IdentityPublic([P; 33]),
        device: Device::FIRST,
        conversation: ConversationId([P; 16]),
        name: NAME.into(),
        state: ContactState::Active,
        verified: true,
        identity_changed: false,
        needs_queue: false,
        timer: Timer { seconds: None, version: 0 },
        probed: AT,
    }
}

fn invite(rng: &mut Rng) -> Invite {
    Invite {
        id: invite::InviteId(3),
        relay: RelayId([P; 32]),
        blob: BlobId([P; 16]),
        owner: SigningKey::random(rng),
        conversation: ConversationId([P; 16]),
        bundle: 4,
        link: link().to_link(),
        stranger: Handle([P; 16]),
        name: NAME.into(),
        renews: None,
        state: InviteState::Open,
        blob_state: invite::BlobState::There,
        created: AT,
        expires: Timestamp(9),
    }
}

#[test]
fn rows_and_records_show_no_word_and_no_name() {
    let mut rng = Rng::new(ChaCha20Rng::seed_from_u64(1));
    let profile = Profile {
        account: AccountId([P; 16]),
        name: NAME.into(),
        language: "en".to_owned(),
        home: Some(relay()),
    };
    let queue = OwnQueue {
        id: OwnQueueId(6),
        relay: RelayId([P; 32]),
        read_id: ReadId([P; 24]),
        send_id: SendId([P; 24]),
        read_key: SigningKey::random(&mut rng),
        capability: SendCapability::take(&mut [P; 32]),
        envelope: EnvelopeKey::take(&mut [P; 32]),
        invite: None,
        contact: None,
        state: OwnQueueState::Read,
        retire: None,
        told: None,
    };
    insta::assert_snapshot!(shown(&[&message(), &contact(), &invite(&mut rng), &profile, &queue]), @r#"
    Message { id: MessageRow(1), contact: ContactId(2), content: ContentId(..), outgoing: true, body: Words(..), sent: Timestamp(5), arrived: Timestamp(5), state: Queued, timer: Some(60), expires: None, fails: None }
    Contact { id: ContactId(2), handle: Handle(..), identity: IdentityPublic(..), device: Device(1), conversation: ConversationId(..), name: Words(..), state: Active, verified: true, identity_changed: false, needs_queue: false, timer: Timer { seconds: None, version: 0 }, probed: Timestamp(5) }
    Invite { id: InviteId(3), relay: RelayId(..), blob: BlobId(..), owner: SigningKey(..), conversation: ConversationId(..), bundle: 4, link: Words(..), stranger: Handle(..), name: Words(..), renews: None, state: Open, blob_state: There, created: Timestamp(5), expires: Timestamp(9) }
    Profile { account: AccountId(..), name: Words(..), language: "en", home: Some(RelayAddress { relay: RelayId(..), routes: [Route::Quic(..)] }) }
    OwnQueue { id: OwnQueueId(6), relay: RelayId(..), read_id: ReadId(..), send_id: SendId(..), read_key: SigningKey(..), capability: SendCapability(..), envelope: EnvelopeKey(..), invite: None, contact: None, state: Read, retire: None, told: None }
    "#);

    let person = ContactInfo::from(&contact());
    let status = Status {
        name: NAME.into(),
        account: BASE32_NOPAD.encode(&[P; 16]).into(),
        language: "en".to_owned(),
        relay: Some(RelayStatus {
            address: relay().to_link().into(),
            linked: true,
            volatile: false,
            fault: None,
            passed_over: 0,
            refusal: None,
        }),
        contacts: 1,
        untold: 0,
        lost: 0,
        new_messages: 0,
        waiting: 0,
        clock_skew_ms: None,
        trouble: StoreTrouble::default(),
        dropped: Vec::new(),
    };
    let fresh = NewInvite { id: invite_id(invite::InviteId(3)), link: link().to_link(), expires_ms: 9 };
    insta::assert_snapshot!(shown(&[
        &MessageInfo::from(message()),
        &person,
        &status,
        &fresh,
        &InviteInfo::at(invite(&mut rng), AT),
        &preview(&link()).unwrap(),
        &Error::Ambiguous(vec![NAME.into()]),
    ]), @r#"
    MessageInfo { id: "m1", contact: "c2", outgoing: true, text: Words(..), sent_ms: 5, arrived_ms: 5, state: Queued, expires_ms: None, too_long_now: false }
    ContactInfo { id: "c2", name: Words(..), account: Words(..), tag: Words(..), trust: Verified, met: true, blocked: false, seized: false, timer_secs: None, volatile: false, lost: false }
    Status { name: Words(..), account: Words(..), language: "en", relay: Some(RelayStatus { address: Words(..), linked: true, volatile: false, fault: None, passed_over: 0, refusal: None }), contacts: 1, untold: 0, lost: 0, new_messages: 0, waiting: 0, clock_skew_ms: None, trouble: StoreTrouble { unwritable: false, unwiped: false }, dropped: [] }
    NewInvite { id: "i3", link: Words(..), expires_ms: 9 }
    InviteInfo { id: "i3", name: Some(Words(..)), status: Open, created_ms: 5, expires_ms: 9, link: Some(Words(..)) }
    InvitePreview { relay: Words(..), expires_ms: 5 }
    Ambiguous([Words(..)])
    "#);

    let new = NewProfile {
        dir: "profile".into(),
        passphrase: Passphrase::new(NAME.to_owned()),
        cost: KdfCost::FOR_TESTS,
        name: NAME.into(),
        language: "en".to_owned(),
        relay: Some(relay().to_link().into()),
    };
    insta::assert_snapshot!(shown(&[
        &new,
        &InviteRequest { hours: 24, name: NAME.into(), renews: None },
        &AcceptRequest { link: link(), name: NAME.into(), renews: None },
        &Answer::Invited { invite: invite::InviteId(3), link: link().to_link() },
    ]), @r#"
    NewProfile { dir: "profile", passphrase: Passphrase(..), cost: KdfCost { memory_kib: 256, passes: 1, lanes: 1 }, name: Words(..), language: "en", relay: Some(Words(..)) }
    InviteRequest { hours: 24, name: Words(..), renews: None }
    AcceptRequest { link: InviteLink(..), name: Words(..), renews: None }
    Invited { invite: InviteId(3), link: Words(..) }
    "#);
}

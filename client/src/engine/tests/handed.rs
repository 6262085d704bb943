//! What an invite brings to pay for a queue with (rule I14).

use beresta_proto::command::Command;
use beresta_proto::invite::Offer;
use beresta_proto::key::Credit;
use beresta_proto::reply::Reply;

use super::*;

/// An offer of somebody else's that brings a credit, and the link that opens it.
fn offer(station: &Station, credit: &Credit) -> (InviteLink, Vec<u8>) {
    let mut rng = rng(98);
    let mut store = Store::open_in_memory(&mut rng).unwrap();
    let bundle = store.transaction(|tx| {
        crypto::check_backend(tx).unwrap();
        crypto::create_account(tx, &mut rng).unwrap();
        Ok::<_, StoreError>(crypto::make_bundle(tx, BEGIN, &mut rng).unwrap())
    });
    let offer = Offer {
        name: "Boris".into(),
        conversation: ConversationId(rng.array()),
        bundle: bundle.unwrap(),
        addresses: vec![queue_at(station.address(), 5)],
        credit: Some(credit.clone()),
    };
    let (blob, key) = (BlobId::random(&mut rng), BlobKey::random(&mut rng));
    let (sealed, hash) = offer.seal(&key, &mut rng).unwrap();
    (InviteLink { relay: station.address(), blob, key, hash, expires: BEGIN.plus(DAY_MS) }, sealed)
}

#[test]
fn what_an_invite_brings_is_shown_to_its_own_relay_alone() {
    let (one, other) = (Station::new(1), Station::new(2));
    let credit = Credit::take(&mut [8; 32]);
    for (home, shown) in [(&one, Some(credit.clone())), (&other, None)] {
        let mut bench = Bench::new(Some(home.address()));
        bench.links(&one);
        if home.id() != one.id() {
            bench.links(&other);
        }
        bench.effects();
        let (link, sealed) = offer(&one, &credit);
        let request = AcceptRequest { link, name: Words::default(), renews: None };
        bench.engine.invite_accept(&mut bench.store, request, bench.now).unwrap();
        let claiming = bench.effects();
        let token = *tokens(&claiming).last().unwrap();
        let blob = Some(Reply::Blob(sealed));
        bench.engine.handle_reply(&mut bench.store, one.id(), token, blob, bench.now).unwrap();
        let made: Vec<_> = bench
            .effects()
            .into_iter()
            .filter_map(|effect| match effect {
                Effect::Transmit { relay, command: Command::MakeQueue { credit, .. }, .. } => {
                    Some((relay, credit))
                }
                Effect::Dial { .. }
                | Effect::Transmit { .. }
                | Effect::HangUp { .. }
                | Effect::Answer { .. } => None,
            })
            .collect();
        assert!(made == [(home.id(), shown)], "{}", made.len());
    }
}

//! A sender whose session key the test knows: what it draws is written down.

use beresta_proto::address::RelayAddress;
use beresta_proto::capsule::{SendOrder, SendReply, Session};
use beresta_proto::command::Command;
use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::id::{KeyId, MessageId};
use beresta_proto::key::{SendCapability, SigningKey};
use beresta_proto::reply::Reply;
use beresta_proto::rng::Random;
use beresta_proto::route::Route;
use beresta_proto::time::TtlClass;
use beresta_server::net::Visit;
use beresta_server::random::SystemRandom;

/// Capsules of a session: a relay knows it well by then.
pub(super) const CAPSULES: u64 = 5;

struct WrittenDown(SystemRandom, Vec<u8>);

impl Random for WrittenDown {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out);
        self.1.extend_from_slice(out);
    }
}

/// Makes a queue at a relay and sends to it in one session: its key, and the epoch key's id.
pub(super) fn send(address: &str) -> ([u8; 32], KeyId) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let relay = RelayAddress::from_link(address).unwrap();
        let [Route::Quic(at)] = relay.routes.as_slice() else {
            unreachable!("a relay of a test has one route")
        };
        let mut line = Visit::open(*at).await.unwrap();
        let said = line.ask(&Command::Descriptor).await.unwrap();
        let Reply::Descriptor { epoch_keys, clock, .. } = said else { unreachable!("{said:?}") };
        let epoch = epoch_keys.into_iter().find(|key| key.day == clock.day()).unwrap();

        let mut rng = WrittenDown(SystemRandom::new().unwrap(), Vec::new());
        let read_key = SigningKey::random(&mut rng).verifying_key().unwrap();
        let capability = SendCapability::random(&mut rng);
        let make = Command::MakeQueue { read_key, capability: capability.hash(), credit: None };
        let made = line.ask(&make).await.unwrap();
        let Reply::QueueMade { send_id, .. } = made else { unreachable!("{made:?}") };

        rng.1.clear();
        let mut session = Session::new(relay.relay, epoch.public.clone(), &mut rng);
        let secret = *rng.1.first_chunk().unwrap();
        for _ in 0..CAPSULES {
            let order = SendOrder {
                queue: send_id,
                capability: capability.clone(),
                message: MessageId::random(&mut rng),
                ttl: TtlClass::Hour,
                envelope: Envelope::from_bytes(vec![0x5a; Bucket::S.size()]).unwrap(),
            };
            let (capsule, key) = session.seal(&order, &mut rng).unwrap();
            let sent = line.ask(&Command::Send { capsule }).await.unwrap();
            let Reply::Sent(sealed) = sent else { unreachable!("{sent:?}") };
            assert_eq!(key.open(&sealed), Ok(SendReply::Stored));
        }
        line.close().await;
        (secret, session.key_id())
    })
}

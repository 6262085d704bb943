//! The committed vectors, both ways: the same seed gives the same bytes, and the bytes mean what stands beside them.

#[cfg(test)]
mod both_ways {
    use std::fs::read_to_string;

    use beresta_proto::address::{QueueAddress, RelayAddress};
    use beresta_proto::capsule::{Capsule, SendReply};
    use beresta_proto::codec::{Reader, Writer};
    use beresta_proto::descriptor::{EpochKey, UnverifiedDescriptor};
    use beresta_proto::envelope::Envelope;
    use beresta_proto::id::RelayId;
    use beresta_proto::invite::{InviteLink, Offer};
    use beresta_proto::key::{EnvelopeKey, EpochSecret, SigningKey};
    use beresta_proto::time::Timestamp;
    use beresta_tests::vectors::{all, folder, hex, session_key};
    use serde_json::Value;

    fn vector(name: &str) -> Value {
        serde_json::from_str(&read_to_string(folder().join(name)).unwrap()).unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        let text = value.as_str().unwrap().as_bytes();
        let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        text.chunks(2).map(digits).collect()
    }

    fn array<const N: usize>(value: &Value) -> [u8; N] {
        bytes(value).try_into().unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_committed_bytes() {
        for (name, text) in all() {
            let made: Value = serde_json::from_str(&text).unwrap();
            assert!(
                vector(name) == made,
                "{name} differs: the bytes of the protocol changed, or its file did"
            );
        }
    }

    #[test]
    fn an_envelope_of_the_vectors_opens_to_its_body() {
        for case in vector("envelope.json")["cases"].as_array().unwrap() {
            let key = EnvelopeKey::take(&mut array(&case["key"]));
            let envelope = Envelope::from_bytes(bytes(&case["envelope"])).unwrap();
            assert_eq!(envelope.open(&key).unwrap().as_slice(), case["body"].as_str().unwrap().as_bytes());
        }
    }

    #[test]
    fn a_capsule_of_the_vectors_opens_to_its_order_and_answer() {
        let vector = vector("capsule.json");
        let epoch = EpochSecret::take(&mut array(&vector["epoch_secret"]));
        let relay = RelayId(array(&vector["relay"]));
        let public = epoch.public().unwrap();
        assert_eq!(public.as_bytes().as_slice(), bytes(&vector["epoch_public"]));
        assert_eq!(public.id().0, array(&vector["key_id"]));

        let trips = vector["trips"].as_array().unwrap();
        assert_eq!(trips.len(), 2);
        for (n, trip) in trips.iter().enumerate() {
            let sealed = bytes(&trip["capsule"]);
            assert_eq!(session_key(&sealed, &epoch, &relay), bytes(&trip["session_key"]));
            let capsule = Capsule::decode(sealed).unwrap();
            assert_eq!(capsule.tag().0, array(&trip["tag"]));
            assert_eq!(capsule.key_id(), public.id());
            let header = capsule.open_header(&epoch, &relay).unwrap();
            assert_eq!((header.n, trip["n"].as_u64()), (n as u64, Some(n as u64)));

            let (order, replies) = capsule.open_order(&header.session, header.n).unwrap();
            let expected = &vector["order"];
            assert_eq!(order.queue.0, array(&expected["queue"]));
            assert_eq!(*order.capability.expose(), array(&expected["capability"]));
            assert_eq!(order.message.0, array(&expected["message"]));
            assert_eq!(Some(u64::from(order.ttl.code())), expected["ttl"].as_u64());
            assert_eq!(order.envelope.as_bytes(), bytes(&expected["envelope"]));

            let reply = &trip["reply"];
            let seconds = u32::try_from(reply["seconds"].as_u64().unwrap()).unwrap();
            let meaning = match reply["status"].as_str().unwrap() {
                "later" => SendReply::Later { seconds },
                _ => SendReply::Stored,
            };
            let sealed = beresta_proto::capsule::SealedReply(array(&reply["sealed"]));
            assert_eq!(replies.open(&sealed), Ok(meaning));
        }
    }

    #[test]
    fn an_invite_of_the_vectors_opens_to_its_offer() {
        let vector = vector("invite.json");
        let link = InviteLink::from_link(vector["link"].as_str().unwrap()).unwrap();
        assert_eq!(link.relay.to_bytes(), bytes(&vector["relay"]));
        assert_eq!(link.blob.0, array(&vector["blob_id"]));
        assert_eq!(*link.key.expose(), array(&vector["blob_key"]));
        assert_eq!(link.hash, array(&vector["hash"]));
        assert_eq!(Some(link.expires.0), vector["expires_ms"].as_u64());

        let offer = Offer::open(&link, &bytes(&vector["blob"])).unwrap();
        assert_eq!(offer.name.as_str(), vector["name"].as_str().unwrap());
        assert_eq!(offer.conversation.0, array(&vector["conversation"]));
        assert_eq!(offer.bundle.identity.account_id().0, array(&vector["account"]));
        let mut bundle = Writer::default();
        offer.bundle.encode(&mut bundle);
        assert_eq!(bundle.as_slice(), bytes(&vector["bundle"]));
        let addresses = bytes(&vector["addresses"]);
        let mut r = Reader::new(&addresses);
        assert_eq!(QueueAddress::decode_list(&mut r).unwrap(), offer.addresses);
        r.finish().unwrap();

        let with = InviteLink { hash: array(&vector["hash_with_credit"]), ..link };
        let brings = Offer::open(&with, &bytes(&vector["blob_with_credit"])).unwrap();
        assert_eq!(brings.credit.as_ref().unwrap().expose(), &array(&vector["credit"]));
        assert_eq!(Offer { credit: None, ..brings }, offer);
    }

    #[test]
    fn a_descriptor_of_the_vectors_verifies_and_says_the_same() {
        let vector = vector("descriptor.json");
        let relay = RelayId(array(&vector["relay"]));
        let tls_key = array(&vector["tls_key"]);
        let sequence = vector["sequence"].as_u64().unwrap();
        let begins = Timestamp(vector["not_before_ms"].as_u64().unwrap());
        let heard = UnverifiedDescriptor::decode(&bytes(&vector["descriptor"])).unwrap();
        let descriptor = heard.verify(&relay, &tls_key, sequence, begins).unwrap();
        assert_eq!(descriptor.sequence, sequence);
        assert_eq!(descriptor.not_before, begins);
        assert_eq!(Some(descriptor.not_after.0), vector["not_after_ms"].as_u64());
        assert_eq!(Some(u64::from(descriptor.policy.0)), vector["policy"].as_u64());
        assert_eq!(descriptor.operator, vector["operator"].as_str().unwrap());
        let address = RelayAddress::from_link(vector["address"].as_str().unwrap()).unwrap();
        assert_eq!(address, descriptor.address());

        let public = |seed: &Value| SigningKey::take(&mut array(seed)).verifying_key().unwrap();
        assert_eq!(descriptor.identity, public(&vector["identity_seed"]));
        assert_eq!(hex(&descriptor.identity.0), vector["identity"].as_str().unwrap());
        assert_eq!(descriptor.epoch_signer, public(&vector["epoch_signer_seed"]));
        assert_eq!(hex(&descriptor.epoch_signer.0), vector["epoch_signer"].as_str().unwrap());

        let epoch = &vector["epoch"];
        let encoded = bytes(&epoch["epoch_key"]);
        let mut r = Reader::new(&encoded);
        let key = EpochKey::decode(&mut r).unwrap();
        r.finish().unwrap();
        assert_eq!(key.verify(&descriptor), Ok(()));
        assert_eq!(Some(key.day), epoch["day"].as_u64());
        assert_eq!(key.id().0, array(&epoch["key_id"]));
        assert_eq!(key.public, EpochSecret::take(&mut array(&epoch["secret"])).public().unwrap());
    }
}

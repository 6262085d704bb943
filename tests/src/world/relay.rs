//! The world's relay: its core, its memory engine, and the hands that carry out what the core says.

use std::sync::{Arc, PoisonError};

use beresta_proto::descriptor::{Descriptor, Policy};
use beresta_proto::envelope::Bucket;
use beresta_proto::key::SigningKey;
use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, SECOND_MS, Timestamp};
use beresta_server::queue::{Answer, Namer, Op, QueueEngine as _};
use beresta_server::relay::{Identity, Limits, Output, Relay, Worked};

use super::{BEGIN, Parcel, Seeded, TLS_KEY, Who, World};

impl World {
    /// Performs the relay's outputs until it rests.
    pub(super) fn settle_relay(&mut self) {
        loop {
            let mut idle = true;
            while let Some(output) = self.relay.poll_output() {
                idle = false;
                self.relay_output(output);
            }
            let answers = std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner));
            for (ticket, answer) in answers {
                idle = false;
                self.relay.handle_stored(ticket, answer, self.now);
            }
            if idle {
                return;
            }
        }
    }

    /// What its disk answers instead of storing an envelope.
    fn stores_not(&mut self, op: &Op) -> Option<Answer> {
        let Op::Append { envelope, .. } = op else { return None };
        if let Some(left) = self.fails.checked_sub(1) {
            self.fails = left;
            return Some(Answer::Failed);
        }
        (self.takes_no_long && envelope.bucket() == Bucket::L).then_some(Answer::Full)
    }

    fn relay_output(&mut self, output: Output) {
        match output {
            Output::Frame { link, bytes } => {
                self.relay.handle_written(link, bytes.len(), self.now);
                let to = self.people.iter().position(|person| person.link == Some(link));
                if let Some(to) = to {
                    self.post(Parcel::ToPerson(Who(to), link, bytes));
                }
            }
            Output::Close { link, reason: _ } => {
                let to = self.people.iter().position(|person| person.link == Some(link));
                if let Some(to) = to {
                    self.post(Parcel::Broken(Who(to), link));
                }
            }
            Output::Resume { link: _ } => {}
            Output::Engine { ticket, op } => {
                let answers = Arc::clone(&self.answers);
                if let Some(refused) = self.stores_not(&op) {
                    return answers.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, refused));
                }
                self.queues.submit(
                    op,
                    Box::new(move |answer| {
                        answers.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, answer));
                    }),
                );
            }
            Output::Work { ticket, job } => {
                let worked: Worked = job.run();
                self.relay.handle_opened(ticket, worked, self.now);
            }
            Output::KeepEpochs { ticket, keys } => {
                self.epochs = keys.to_vec();
                self.relay.handle_kept(ticket, true, self.now);
            }
        }
    }
}

/// The descriptor of a relay that renews it every month it is started in.
pub(super) fn descriptor(identity: &SigningKey, epoch_signer: &SigningKey, now: Timestamp) -> Descriptor {
    let month = now.since(BEGIN) / (30 * DAY_MS);
    let begins = BEGIN.plus(month * 30 * DAY_MS);
    let at = std::net::SocketAddr::from(([192, 0, 2, 1], 443));
    Descriptor {
        identity: identity.verifying_key().unwrap(),
        sequence: month + 1,
        not_before: begins.minus(SECOND_MS),
        not_after: begins.plus(89 * DAY_MS),
        tls_key: TLS_KEY,
        epoch_signer: epoch_signer.verifying_key().unwrap(),
        routes: vec![Route::Quic(at)],
        policy: Policy::MAILBOX.and(Policy::OPEN),
        operator: String::new(),
    }
}

pub(super) fn relay(
    (identity, epoch_signer, namer_secret): (&SigningKey, &SigningKey, &[u8; 32]),
    limits: Limits,
    epochs: Option<Vec<u8>>,
    now: Timestamp,
    seed: u64,
) -> Relay<Seeded> {
    let described = descriptor(identity, epoch_signer, now);
    let identity = Identity {
        relay: described.address().relay,
        descriptor: described.sign(identity).unwrap(),
        epoch_signer: epoch_signer.clone(),
        epochs: epochs.map(Into::into),
        namer: Namer::new(namer_secret),
    };
    Relay::new(identity, limits, now, Seeded::new(seed ^ 0x5eed)).unwrap()
}

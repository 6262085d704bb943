//! A relay of the simulation: its core, its disk, and the hands that carry out what the core says.

use std::collections::BTreeMap;

use beresta_proto::address::RelayAddress;
use beresta_proto::auth::Exporter;
use beresta_proto::descriptor::{Descriptor, EpochKey, Policy};
use beresta_proto::id::{ReadId, RelayId};
use beresta_proto::key::SigningKey;
use beresta_proto::rng::Random as _;
use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, SECOND_MS, Timestamp};
use beresta_server::queue::{Answer, Namer};
use beresta_server::relay::{Identity, Limits, LinkId, Output, Relay, Ticket};
use rand::Rng as _;

use super::disk::Disk;
use super::event::Event;
use super::times::NOTICED_MS;
use super::{At, BEGIN, Sim, Who};
use crate::world::Seeded;

/// What relays' certificates hash to.
pub(super) const TLS_KEY: [u8; 32] = [7; 32];
/// What was pushed and not acknowledged is stored after so long.
const GRACE_MS: u64 = 250;
/// A commit takes at most so long.
const COMMIT_MS: u64 = 12;

/// One relay.
pub(super) struct Node {
    pub(super) core: Relay<Seeded>,
    pub(super) disk: Disk,
    /// Counts its starts.
    pub(super) life: u64,
    pub(super) up: bool,
    /// The epoch keys that it showed last.
    pub(super) shown: Vec<EpochKey>,
    /// Whose link each is.
    pub(super) links: BTreeMap<LinkId, Who>,
    /// Its folder as it was once.
    pub(super) older: Option<Disk>,
    /// Who it is.
    pub(super) id: RelayId,
    identity: SigningKey,
    epoch_signer: SigningKey,
    namer_secret: [u8; 32],
    seed: u64,
    /// The month of its descriptor.
    month: u64,
}

impl Node {
    pub(super) fn new(seed: u64, now: Timestamp) -> Self {
        let mut rng = Seeded::new(seed);
        let identity = SigningKey::random(&mut rng);
        let epoch_signer = SigningKey::random(&mut rng);
        let namer_secret = rng.array();
        let disk = Disk::new();
        let core = core(&identity, &epoch_signer, &namer_secret, None, now, seed);
        let id = beresta_proto::descriptor::relay_id(&identity.verifying_key().unwrap());
        let (links, shown) = (BTreeMap::new(), Vec::new());
        let (life, up, older) = (0, true, None);
        let month = month(now);
        Self {
            core,
            disk,
            life,
            up,
            shown,
            links,
            older,
            id,
            identity,
            epoch_signer,
            namer_secret,
            seed,
            month,
        }
    }

    /// Its operator renews its descriptor each month, while it runs.
    pub(super) fn renew(&mut self, now: Timestamp) {
        if self.month != month(now) && self.up {
            self.month = month(now);
            let renewed = descriptor(&self.identity, &self.epoch_signer, now);
            self.core.handle_renewed(renewed.sign(&self.identity).unwrap());
        }
    }

    /// How many messages wait in a queue that somebody reads.
    pub(super) fn waiting(&self, read_id: &ReadId, now: Timestamp) -> usize {
        self.disk.waiting(Namer::new(&self.namer_secret).read(read_id), now)
    }

    pub(super) fn address(&self, now: Timestamp) -> RelayAddress {
        descriptor(&self.identity, &self.epoch_signer, now).address()
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        self.up.then(|| self.core.poll_timeout())
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    fn start(&mut self, now: Timestamp) {
        let epochs = self.disk.epochs.clone();
        let seed = self.seed.wrapping_add(self.life);
        self.core = core(&self.identity, &self.epoch_signer, &self.namer_secret, epochs, now, seed);
        self.up = true;
    }
}

pub(super) fn exporter(link: LinkId) -> Exporter {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&link.0.to_be_bytes());
    Exporter(bytes)
}

const fn month(now: Timestamp) -> u64 {
    now.since(BEGIN) / (30 * DAY_MS)
}

/// The descriptor of a relay in a month.
fn descriptor(identity: &SigningKey, epoch_signer: &SigningKey, now: Timestamp) -> Descriptor {
    let month = month(now);
    let begins = BEGIN.plus(month * 30 * DAY_MS);
    Descriptor {
        identity: identity.verifying_key().unwrap(),
        sequence: month + 1,
        not_before: begins.minus(SECOND_MS),
        not_after: begins.plus(89 * DAY_MS),
        tls_key: TLS_KEY,
        epoch_signer: epoch_signer.verifying_key().unwrap(),
        routes: vec![Route::Quic(([192, 0, 2, 1], 443).into())],
        policy: Policy::MAILBOX.and(Policy::OPEN),
        operator: String::new(),
    }
}

fn core(
    identity: &SigningKey,
    epoch_signer: &SigningKey,
    namer_secret: &[u8; 32],
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
    // Few people have few queues: so they wait for their turn to be read for, too.
    let limits = Limits { fetches: 1, ..Limits::default() };
    Relay::new(identity, limits, now, Seeded::new(seed ^ 0x5eed)).unwrap()
}

impl Sim {
    /// Performs the relay's outputs until it rests.
    pub(super) fn settle(&mut self, at: At) {
        while let Some(output) = self.relays[at.0].core.poll_output() {
            let life = self.relays[at.0].life;
            match output {
                Output::Frame { link, bytes } => {
                    self.relays[at.0].core.handle_written(link, bytes.len(), self.now);
                    if let Some(who) = self.relays[at.0].links.get(&link).copied() {
                        self.send_to_person(who, at, link, bytes);
                    }
                }
                Output::Close { link, reason: _ } => {
                    if let Some(who) = self.relays[at.0].links.remove(&link) {
                        self.events.at(self.now.plus(50), Event::PersonLoses(who, at, link));
                    }
                }
                Output::Resume { link: _ } => {}
                Output::Engine { ticket, op } => {
                    self.relays[at.0].disk.submit(ticket, op);
                    let commit = self.now.plus(self.dice.random_range(1..=COMMIT_MS));
                    self.events.at(commit, Event::Disk(at, life));
                }
                Output::Work { ticket, job } => {
                    self.events.at(self.now.plus(1), Event::Worked(at, life, ticket, job.run()));
                }
                Output::KeepEpochs { ticket, keys } => {
                    self.relays[at.0].disk.epochs = Some(keys.to_vec());
                    self.relays[at.0].core.handle_kept(ticket, true, self.now);
                }
            }
        }
    }

    pub(super) fn disk(&mut self, at: At, life: u64) {
        let relay = &mut self.relays[at.0];
        if relay.life != life {
            return;
        }
        let answers = relay.disk.carry_out(&mut self.dice);
        for (ticket, answer, _) in &answers {
            if matches!(answer, Answer::Admitted { .. }) {
                self.summary.admitted += 1;
                self.events.at(self.now.plus(GRACE_MS), Event::Overdue(at, life, *ticket));
            }
        }
        self.answers(at, life, answers);
    }

    /// A message was pushed, and not acknowledged in its time.
    pub(super) fn overdue(&mut self, at: At, life: u64, ticket: Ticket) {
        if self.relays[at.0].life == life {
            let answers = self.relays[at.0].disk.store_late(ticket, &mut self.dice);
            self.answers(at, life, answers);
        }
    }

    fn answers(&mut self, at: At, life: u64, answers: Vec<(Ticket, Answer, bool)>) {
        for (ticket, answer, fault) in answers {
            self.summary.disk_faults += u64::from(fault);
            self.events.at(self.now.plus(1), Event::Stored(at, life, ticket, answer));
        }
    }

    /// The relay is killed, and started again after a while.
    pub(super) fn kill_relay(&mut self, at: At, down_ms: u64) {
        let relay = &mut self.relays[at.0];
        if !relay.up {
            return;
        }
        relay.up = false;
        relay.life += 1;
        self.summary.kills += 1;
        self.summary.disk_faults += relay.disk.kill(&mut self.dice) as u64;
        for (link, who) in std::mem::take(&mut relay.links) {
            let noticed = self.now.plus(self.dice.random_range(0..NOTICED_MS));
            self.events.at(noticed, Event::PersonLoses(who, at, link));
        }
        self.events.at(self.now.plus(down_ms), Event::RelayUp(at));
    }

    pub(super) fn start_relay(&mut self, at: At) {
        if !self.relays[at.0].up {
            self.relays[at.0].start(self.now);
            self.settle(at);
        }
    }
}

//! Tries a relay as its people use it, from this machine: reaches it at each of its routes, checks it as a client does,
//! sends a message through a queue made for it, keeps an invite there, and takes both away again.
//!
//! What is remembered of the message goes with the queue. Only where the relay or the line fails meanwhile something stays, and
//! ends by itself: the queue in days, or in months once it was subscribed to, the invite in an hour or two. Where a code paid for
//! them, it did so for good.

use std::net::SocketAddr;
use std::time::Duration;

use beresta_proto::address::RelayAddress;
use beresta_proto::auth::{self, Exporter};
use beresta_proto::capsule::{SendOrder, SendReply, Session};
use beresta_proto::command::{Command, Payment, Subscription};
use beresta_proto::descriptor::{Descriptor, DescriptorError, EpochKey, UnverifiedDescriptor};
use beresta_proto::envelope::{Bucket, Envelope};
use beresta_proto::id::{BlobId, MessageId, ReadId, SendId};
use beresta_proto::key::{Credit, SendCapability, SigningKey};
use beresta_proto::limits::BLOB;
use beresta_proto::reply::{Push, Refusal, Reply, Subscribed};
use beresta_proto::rng::Random as _;
use beresta_proto::route::Route;
use beresta_proto::time::{MINUTE_MS, Timestamp, TtlClass};

use crate::clock;
use crate::net::{Visit, VisitError};
use crate::random::SystemRandom;

/// A relay's clock that differs by more is worth a word. Clients bear an hour (DESCRIPTOR, `docs/protocol/7-descriptor.md`).
const CLOCK_MS: u64 = 5 * MINUTE_MS;

/// What is tried, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It answers at one of its routes, it and nobody else.
    Answers(SocketAddr),
    /// It is the relay that was asked for, with a descriptor and a key of the day that clients take.
    IsTheOne,
    /// A queue is made and subscribed to.
    Queue,
    /// A message is sent to it by a second link, arrives, and is acknowledged.
    Message,
    /// An invite is kept, handed out once, and deleted.
    Invite,
    /// The queue is deleted.
    Leaves,
}

/// Why a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The address has no route of a kind that is known.
    #[error("no route that this version knows")]
    NoRoute,
    /// Nobody answers, or the link went wrong.
    #[error(transparent)]
    Link(#[from] VisitError),
    /// Somebody else answers.
    #[error("somebody else answers")]
    OtherRelay,
    /// Its descriptor is over, or one of the two clocks is wrong.
    #[error("the descriptor is not valid now")]
    Stale,
    /// It handed out no key of today that its descriptor signed.
    #[error("no key of today")]
    NoKey,
    /// Its operator lets nobody new in.
    #[error("it lets nobody new in")]
    Closed,
    /// It serves only who has a code of its operator, and none was shown.
    #[error("it asks for a code")]
    AsksCredit,
    /// It does not take the code that was shown: not its own, used up, over or taken back.
    #[error("it does not take the code")]
    BadCredit,
    /// It has no room left, or too much to do.
    #[error("it is full, or busy")]
    Busy,
}

const WRONG: Trouble = Trouble::Link(VisitError::Wrong);
const INTERNAL: Trouble = Trouble::Link(VisitError::Internal);

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// The step.
    pub step: Step,
    /// How long it took, or why it failed.
    pub outcome: Result<Duration, Trouble>,
}

/// A relay that was checked.
struct Checked {
    descriptor: Descriptor,
    epoch: EpochKey,
}

/// Tries all of it and tells of each step. Whether the relay can be used: it failed no step but those for other routes.
/// `off` is told the minutes by which the clocks differ, if they are many.
/// `credit` pays for the queue and the invite where the relay asks for it (rule Q2); each that is made uses up one.
pub async fn run(
    relay: &RelayAddress,
    credit: Option<&Credit>,
    mut tell: impl FnMut(Tried),
    off: impl FnOnce(u64),
) -> bool {
    let mut answers = None;
    for route in &relay.routes {
        let Route::Quic(at) = route else { continue };
        // Each by itself, because one that nobody answers at takes longer than a relay bears with who says nothing.
        if step(Step::Answers(*at), &mut tell, knock(relay, *at)).await.is_ok() {
            answers = answers.or(Some(*at));
        }
    }
    if relay.routes.iter().all(|route| !matches!(route, Route::Quic(_))) {
        tell(Tried { step: Step::IsTheOne, outcome: Err(Trouble::NoRoute) });
    }
    let Some(at) = answers else { return false };
    let Ok(mut reader) = Visit::open(at).await else {
        tell(Tried { step: Step::Answers(at), outcome: Err(Trouble::Link(VisitError::Ended)) });
        return false;
    };
    let done = visit((relay, credit), at, &mut reader, &mut tell, off).await;
    reader.close().await;
    done.is_ok()
}

/// Whether it is the relay that answers there. What else is wrong with it is told once, and not of each route.
async fn knock(relay: &RelayAddress, at: SocketAddr) -> Result<(), Trouble> {
    let mut line = Visit::open(at).await?;
    let heard = hear(relay, &mut line).await;
    line.close().await;
    match heard?.descriptor {
        Ok(_) | Err(Trouble::Stale) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// Tells what came of a step, and gives it.
async fn step<T>(
    what: Step,
    tell: &mut impl FnMut(Tried),
    tried: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let begun = clock::monotonic();
    let outcome = tried.await;
    let told = outcome.as_ref().map(|_| begun.elapsed()).map_err(|trouble| *trouble);
    tell(Tried { step: what, outcome: told });
    outcome
}

async fn visit(
    (relay, credit): (&RelayAddress, Option<&Credit>),
    at: SocketAddr,
    reader: &mut Visit,
    tell: &mut impl FnMut(Tried),
    off: impl FnOnce(u64),
) -> Result<(), Trouble> {
    let mut rng = SystemRandom::new().map_err(|_| INTERNAL)?;
    let checked = step(Step::IsTheOne, tell, check(relay, reader, off)).await?;
    let exporter = reader.exporter().ok_or(INTERNAL)?;
    let mut queue = Queue::draw(&mut rng);
    let made = step(Step::Queue, tell, queue.make(reader, &exporter, credit)).await;
    if queue.ids.is_none() {
        return made;
    }
    let message = match made {
        Ok(()) => step(Step::Message, tell, queue.carry(reader, at, &checked, relay, &mut rng)).await,
        // It is there, though nobody could subscribe to it.
        Err(trouble) => Err(trouble),
    };
    let invite = match message {
        Ok(()) => step(Step::Invite, tell, invite(reader, &exporter, credit, &mut rng)).await,
        Err(trouble) => Err(trouble),
    };
    // Whatever came before, nothing is left. Only the queue of which no answer told lies there until it ends.
    let left = step(Step::Leaves, tell, queue.delete(reader, &exporter)).await;
    message.and(invite).and(left)
}

/// What a relay said of itself.
struct Said {
    descriptor: Result<Descriptor, Trouble>,
    epoch_keys: Vec<EpochKey>,
    clock: Timestamp,
}

/// Asks who answers, and holds that against the address.
async fn hear(relay: &RelayAddress, line: &mut Visit) -> Result<Said, Trouble> {
    let Reply::Descriptor { descriptor, epoch_keys, clock: theirs } = line.ask(&Command::Descriptor).await?
    else {
        return Err(WRONG);
    };
    let tls_key = line.tls_key().ok_or(WRONG)?;
    let unverified = UnverifiedDescriptor::decode(&descriptor).map_err(|_| WRONG)?;
    let verified = unverified.verify(&relay.relay, &tls_key, 0, clock::now());
    let descriptor = verified.map_err(|error| match error {
        DescriptorError::Stale => Trouble::Stale,
        DescriptorError::OtherRelay
        | DescriptorError::Forged
        | DescriptorError::OtherTlsKey
        | DescriptorError::Superseded => Trouble::OtherRelay,
    });
    Ok(Said { descriptor, epoch_keys, clock: theirs })
}

/// As a client checks who answers (rules D4, D9).
async fn check(relay: &RelayAddress, line: &mut Visit, off: impl FnOnce(u64)) -> Result<Checked, Trouble> {
    let Said { descriptor, epoch_keys, clock: theirs } = hear(relay, line).await?;
    let now = clock::now();
    let apart = now.since(theirs).max(theirs.since(now));
    if apart > CLOCK_MS {
        off(apart / MINUTE_MS);
    }
    let descriptor = descriptor?;
    let keys = descriptor.epoch_keys(epoch_keys, theirs).map_err(|_| Trouble::NoKey)?;
    let epoch = keys.into_iter().find(|key| key.day == theirs.day()).ok_or(Trouble::NoKey)?;
    Ok(Checked { descriptor, epoch })
}

/// What an answer means that is not the one that was hoped for.
const fn trouble(reply: &Reply) -> Trouble {
    match reply {
        Reply::Refused(Refusal::Closed) => Trouble::Closed,
        Reply::Refused(Refusal::NoCredit) => Trouble::AsksCredit,
        Reply::Refused(Refusal::Full | Refusal::RateLimited | Refusal::Failed) => Trouble::Busy,
        Reply::Refused(Refusal::Claimed | Refusal::Gone | Refusal::Exists | Refusal::Unopenable)
        | Reply::Done
        | Reply::Descriptor { .. }
        | Reply::QueueMade { .. }
        | Reply::Subscribed(_)
        | Reply::Sent(_)
        | Reply::Blob(_) => WRONG,
    }
}

/// The same of what is to be paid for.
fn unpaid(reply: &Reply, credit: Option<&Credit>) -> Trouble {
    let asked = *reply == Reply::Refused(Refusal::NoCredit);
    if asked && credit.is_some() { Trouble::BadCredit } else { trouble(reply) }
}

/// A queue that is made for the test.
struct Queue {
    read_key: SigningKey,
    capability: SendCapability,
    ids: Option<(ReadId, SendId)>,
}

impl Queue {
    fn draw(rng: &mut SystemRandom) -> Self {
        Self { read_key: SigningKey::random(rng), capability: SendCapability::random(rng), ids: None }
    }

    async fn make(
        &mut self,
        line: &mut Visit,
        exporter: &Exporter,
        credit: Option<&Credit>,
    ) -> Result<(), Trouble> {
        let read_key = self.read_key.verifying_key().map_err(|_| INTERNAL)?;
        let capability = self.capability.hash();
        let made = line.ask(&Command::MakeQueue { read_key, capability, credit: credit.cloned() }).await?;
        let Reply::QueueMade { read_id, send_id } = made else { return Err(unpaid(&made, credit)) };
        self.ids = Some((read_id, send_id));
        let text = auth::subscribe(exporter, &read_id);
        let signature = self.read_key.sign(&text).map_err(|_| INTERNAL)?;
        let subscribed =
            line.ask(&Command::Subscribe(vec![Subscription { queue: read_id, signature }])).await?;
        if subscribed != Reply::Subscribed(vec![Subscribed::Ok]) {
            return Err(trouble(&subscribed));
        }
        // Nothing waits in a queue that was just made.
        if line.push().await? == (Push::CaughtUp { subscribed: 1 }) { Ok(()) } else { Err(WRONG) }
    }

    /// Sends a message by a link of its own, as another person would, and reads it.
    async fn carry(
        &self,
        reader: &mut Visit,
        at: SocketAddr,
        checked: &Checked,
        relay: &RelayAddress,
        rng: &mut SystemRandom,
    ) -> Result<(), Trouble> {
        let (read_id, send_id) = self.ids.ok_or(INTERNAL)?;
        let mut sender = Visit::open(at).await?;
        if sender.tls_key() != Some(checked.descriptor.tls_key) {
            return Err(Trouble::OtherRelay);
        }
        let mut envelope = vec![0; Bucket::S.size()];
        rng.fill(&mut envelope);
        let envelope = Envelope::from_bytes(envelope).map_err(|_| INTERNAL)?;
        let order = SendOrder {
            queue: send_id,
            capability: self.capability.clone(),
            message: MessageId::random(rng),
            ttl: TtlClass::Hour,
            envelope: envelope.clone(),
        };
        let mut session = Session::new(relay.relay, checked.epoch.public.clone(), rng);
        let (capsule, key) = session.seal(&order, rng).map_err(|_| INTERNAL)?;
        let sent = sender.ask(&Command::Send { capsule }).await?;
        sender.close().await;
        let Reply::Sent(sealed) = sent else { return Err(trouble(&sent)) };
        match key.open(&sealed) {
            Ok(SendReply::Stored) => {}
            Ok(SendReply::Later { .. }) => return Err(Trouble::Busy),
            Ok(SendReply::QueueFull | SendReply::Gone) | Err(_) => return Err(WRONG),
        }
        let delivered = reader.push().await?;
        let Push::Deliver { queue, sequence, envelope: came } = delivered else { return Err(WRONG) };
        if queue != read_id || came != envelope {
            return Err(WRONG);
        }
        let done = reader.ask(&Command::Acknowledge { queue, upto: sequence }).await?;
        if done == Reply::Done { Ok(()) } else { Err(trouble(&done)) }
    }

    async fn delete(&self, line: &mut Visit, exporter: &Exporter) -> Result<(), Trouble> {
        let (queue, _) = self.ids.ok_or(INTERNAL)?;
        let text = auth::delete_queue(exporter, &queue);
        let signature = self.read_key.sign(&text).map_err(|_| INTERNAL)?;
        let done = line.ask(&Command::DeleteQueue { queue, signature }).await?;
        if done == Reply::Done { Ok(()) } else { Err(trouble(&done)) }
    }
}

/// Keeps a blob, claims it and deletes it (rules B1 to B4).
async fn invite(
    line: &mut Visit,
    exporter: &Exporter,
    credit: Option<&Credit>,
    rng: &mut SystemRandom,
) -> Result<(), Trouble> {
    let (blob, owner, claimant) = (BlobId::random(rng), SigningKey::random(rng), SigningKey::random(rng));
    let key = |key: &SigningKey| key.verifying_key().map_err(|_| INTERNAL);
    let mut sealed = vec![0; BLOB];
    rng.fill(&mut sealed);
    let (owns, sends, credit) = (key(&owner)?, sealed.clone(), credit.cloned());
    let payment = credit.clone().map(|credit| Payment { credit, hands_on: None });
    let put = Command::PutBlob { blob, owner: owns, hours: 1, sealed: sends, payment };
    let done = line.ask(&put).await?;
    if done != Reply::Done {
        return Err(unpaid(&done, credit.as_ref()));
    }
    let signature = claimant.sign(&auth::claim_blob(exporter, &blob)).map_err(|_| INTERNAL)?;
    let claimed = line.ask(&Command::ClaimBlob { blob, claimant: key(&claimant)?, signature }).await?;
    let same = matches!(&claimed, Reply::Blob(bytes) if *bytes == sealed);
    let signature = owner.sign(&auth::delete_blob(exporter, &blob)).map_err(|_| INTERNAL)?;
    let gone = line.ask(&Command::DeleteBlob { blob, signature }).await?;
    match (same, gone) {
        (true, Reply::Done) => Ok(()),
        (false, _) => Err(trouble(&claimed)),
        (true, other) => Err(trouble(&other)),
    }
}

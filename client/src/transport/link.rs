//! A link: commands out in order, replies matched by number, pushes as they come. One task reads, one writes; the link
//! ends when either fails or the [`Link`] is dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use beresta_proto::auth::Exporter;
use beresta_proto::codec::DecodeError;
use beresta_proto::command::Command;
use beresta_proto::descriptor::{Descriptor, EpochKey};
use beresta_proto::frame::{Class, RequestId};
use beresta_proto::reply::{Heard, Push, Reply};
use beresta_proto::time::Timestamp;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::{mpsc, oneshot, watch};

/// A reply does not come where nothing came for so long: the relay commits in milliseconds, a frame takes seconds on the
/// slowest line. It may wait behind a window of pushes, which takes longer.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest that it is waited for, whatever comes: a window takes a minute at 64 kbit/s.
const LONGEST_REPLY: Duration = Duration::from_secs(4 * 60);
/// Pushes that wait for the engine. A relay that has more is slowed down by QUIC's windows.
const PUSHES: usize = 64;
/// Why a relay is told that the link ends: in order, or because it said what no relay says.
const CLOSED: VarInt = VarInt::from_u32(0);
const MISBEHAVED: VarInt = VarInt::from_u32(1);

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The link ended.
    #[error("the link ended")]
    Ended,
    /// No reply came in time. The link was closed.
    #[error("no reply came in time")]
    Silent,
    /// The command is over a limit of the protocol: our own error.
    #[error("the command does not fit a frame: {0}")]
    Unsayable(DecodeError),
}

type Waiting = Arc<Mutex<BTreeMap<RequestId, oneshot::Sender<Reply>>>>;

/// What the writer writes.
struct Said {
    command: Command,
    reply: oneshot::Sender<Reply>,
}

/// An open link to a relay that was checked.
#[derive(Debug)]
pub struct Link {
    pub(super) descriptor: Descriptor,
    pub(super) epoch_keys: Vec<EpochKey>,
    pub(super) clock: Timestamp,
    pub(super) exporter: Exporter,
    wire: Wire,
}

/// The two tasks of a link.
pub(super) struct Wire {
    connection: Connection,
    said: mpsc::UnboundedSender<Said>,
    /// Changes with every frame that comes.
    heard: watch::Receiver<()>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { connection: _, said: _, heard: _ } = self;
        f.write_str("Wire(..)")
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.connection.close(CLOSED, b"");
    }
}

impl Wire {
    /// Carries frames over the connection's one stream.
    pub(super) fn new(
        connection: Connection,
        (send, receive): (SendStream, RecvStream),
    ) -> (Self, mpsc::Receiver<Push>) {
        let waiting = Waiting::default();
        // Unbounded, because the engine bounds what it has in flight and must be able to say things in order without
        // waiting.
        let (said, to_say) = mpsc::unbounded_channel();
        let (pushes, pushed) = mpsc::channel(PUSHES);
        let (hears, heard) = watch::channel(());
        tokio::spawn(write(send, to_say, Arc::clone(&waiting), connection.clone()));
        tokio::spawn(read(receive, (pushes, hears), waiting, connection.clone()));
        (Self { connection, said, heard }, pushed)
    }

    /// Says a command behind those before it, at once; the reply is awaited by whoever wants it.
    pub(super) fn request(
        &self,
        command: Command,
    ) -> impl Future<Output = Result<Reply, LinkError>> + Send + use<> {
        let (reply, replied) = oneshot::channel();
        let said = self.said.send(Said { command, reply });
        let (connection, heard) = (self.connection.clone(), self.heard.clone());
        async move {
            said.map_err(|_| LinkError::Ended)?;
            let reply = in_time(replied, heard).await;
            if reply == Err(LinkError::Silent) {
                connection.close(CLOSED, b"");
            }
            reply
        }
    }
}

/// Waits for a reply for as long as it may still come.
async fn in_time(
    mut replied: oneshot::Receiver<Reply>,
    mut heard: watch::Receiver<()>,
) -> Result<Reply, LinkError> {
    let longest = tokio::time::sleep(LONGEST_REPLY);
    tokio::pin!(longest);
    heard.mark_unchanged();
    loop {
        tokio::select! {
            biased;
            reply = &mut replied => return reply.map_err(|_| LinkError::Ended),
            frame = heard.changed() => if frame.is_err() {
                return replied.await.map_err(|_| LinkError::Ended);
            },
            () = tokio::time::sleep(REPLY_TIMEOUT) => return Err(LinkError::Silent),
            () = &mut longest => return Err(LinkError::Silent),
        }
    }
}

impl Link {
    pub(super) const fn new(
        descriptor: Descriptor,
        epoch_keys: Vec<EpochKey>,
        clock: Timestamp,
        exporter: Exporter,
        wire: Wire,
    ) -> Self {
        Self { descriptor, epoch_keys, clock, exporter, wire }
    }

    /// The relay's checked descriptor.
    #[must_use]
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// What the relay handed out as epoch keys. They are checked by who seals to them.
    #[must_use]
    pub fn epoch_keys(&self) -> &[EpochKey] {
        &self.epoch_keys
    }

    /// The relay's clock when the link began.
    #[must_use]
    pub const fn relay_clock(&self) -> Timestamp {
        self.clock
    }

    /// Binds signatures to this link.
    #[must_use]
    pub const fn exporter(&self) -> &Exporter {
        &self.exporter
    }

    /// Says a command behind those before it, at once; the future gives the reply and may be dropped.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn request(&self, command: Command) -> impl Future<Output = Result<Reply, LinkError>> + Send + use<> {
        self.wire.request(command)
    }
}

fn lock(waiting: &Waiting) -> std::sync::MutexGuard<'_, BTreeMap<RequestId, oneshot::Sender<Reply>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write(
    mut send: SendStream,
    mut to_say: mpsc::UnboundedReceiver<Said>,
    waiting: Waiting,
    connection: Connection,
) {
    // 0 marks pushes.
    let mut next = 1_u32;
    while let Some(Said { command, reply }) = to_say.recv().await {
        let request = RequestId(next);
        next = next.checked_add(1).unwrap_or(1);
        // What does not fit a frame is not said: dropping its sender tells whoever waits.
        let Ok(frame) = command.encode(request) else { continue };
        lock(&waiting).insert(request, reply);
        if send.write_all(&frame).await.is_err() {
            break;
        }
    }
    connection.close(CLOSED, b"");
    lock(&waiting).clear();
}

async fn read(
    mut receive: RecvStream,
    (pushes, hears): (mpsc::Sender<Push>, watch::Sender<()>),
    waiting: Waiting,
    connection: Connection,
) {
    while let Ok(frame) = read_frame(&mut receive).await {
        hears.send_replace(());
        let Ok(heard) = Heard::decode(&frame) else {
            connection.close(MISBEHAVED, b"");
            break;
        };
        match heard {
            Heard::Reply(request, reply) => {
                let Some(asker) = lock(&waiting).remove(&request) else {
                    // An answer to what was not asked.
                    connection.close(MISBEHAVED, b"");
                    break;
                };
                // Whoever asked may have gone away.
                let _ = asker.send(reply);
            }
            Heard::Push(push) => {
                if pushes.send(push).await.is_err() {
                    break;
                }
            }
        }
    }
    connection.close(CLOSED, b"");
    lock(&waiting).clear();
}

/// The stream ended, or does not carry frames.
#[derive(Debug)]
struct NoFrame;

/// Reads one frame: its first byte says how many follow.
async fn read_frame(receive: &mut RecvStream) -> Result<Vec<u8>, NoFrame> {
    let mut first = [0; 1];
    receive.read_exact(&mut first).await.map_err(|_| NoFrame)?;
    let [code] = first;
    let class = Class::from_code(code).map_err(|_| NoFrame)?;
    let mut frame = vec![0; class.size()];
    let (head, rest) = frame.split_at_mut(1);
    head.copy_from_slice(&first);
    receive.read_exact(rest).await.map_err(|_| NoFrame)?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a reply ends that comes after so many seconds, where a frame comes each so many.
    async fn ends(reply_secs: u64, frames_secs: u64) -> Result<Reply, LinkError> {
        let (reply, replied) = oneshot::channel();
        let (hears, heard) = watch::channel(());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(reply_secs)).await;
            let _ = reply.send(Reply::Done);
        });
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(frames_secs)).await;
                hears.send_replace(());
            }
        });
        in_time(replied, heard).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_may_take_as_long_as_what_came_before_it_needs_on_a_slow_line() {
        assert_eq!(ends(29, 1_000).await, Ok(Reply::Done));
        assert_eq!(ends(31, 1_000).await, Err(LinkError::Silent));
        // Behind 512 KiB on a line of 64 kbit/s.
        assert_eq!(ends(65, 2).await, Ok(Reply::Done));
        // Not for ever.
        assert_eq!(ends(241, 2).await, Err(LinkError::Silent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_cannot_come_any_more_is_not_waited_for() {
        let (reply, replied) = oneshot::channel();
        let (hears, heard) = watch::channel(());
        drop((reply, hears));
        assert_eq!(in_time(replied, heard).await, Err(LinkError::Ended));
    }
}

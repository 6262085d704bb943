//! The operator's way in: a socket in the relay's folder, for its owner alone. One line comes, one goes, and the line is
//! closed; who says nothing, or too much, is hung up on.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an answer that does not belong to the question is a failure of the engine, whichever it is"
)]

use std::fs;
use std::io::{self, BufRead as _, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use beresta_proto::id::{ReadId, SendId};
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::survey::Survey;
use crate::admin::{Credit, QUEUE_ID, Reply, Request, Status, bin, percent};
use crate::clock;
use crate::home::{Home, Name};
use crate::metrics::Figures;
use crate::queue::{Answer, CreditId, CreditName, CreditRecord, Op, QueueRecord};

/// Bytes of the longest request.
const LONGEST: u64 = 4 * 1024;
/// Bytes of the longest answer: as many credits as there can be.
const LONGEST_ANSWER: u64 = 256 * 1024;
/// From a request to the end of its answer, for who asks.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a request to come, and for an answer to go: whoever hangs holds up the next one.
const PROMPTLY: Duration = Duration::from_secs(2);
/// To see whether who asked has hung up.
const GLANCE: Duration = Duration::from_millis(1);
/// After which it is listened again when that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a relay was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// No relay runs in this folder.
    #[error("no relay runs here")]
    NotRunning,
    /// The socket belongs to somebody else.
    #[error("the relay's socket may not be used")]
    Denied,
    /// Its socket can't be used, because the path of its folder is too long, say.
    #[error("the relay's socket cannot be used")]
    Unreached,
    /// It did not answer, or not in words of this version. Whether it did what it was asked for is not known.
    #[error("the relay gave no answer")]
    NoAnswer,
}

/// Asks the relay that runs in a folder. Waits for at most 10 s.
///
/// # Errors
/// [`AdminError`].
pub fn ask(home: &Home, request: Request) -> Result<Reply, AdminError> {
    let no_answer = |_: io::Error| AdminError::NoAnswer;
    let mut socket = UnixStream::connect(home.path(Name::Admin)).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => AdminError::Denied,
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => AdminError::NotRunning,
        // A path that is too long for a socket says nothing of whether one runs.
        _ => AdminError::Unreached,
    })?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(no_answer)?;
    socket.set_write_timeout(Some(PATIENCE)).map_err(no_answer)?;
    let mut line = serde_json::to_vec(&request).map_err(|_| AdminError::NoAnswer)?;
    line.push(b'\n');
    socket.write_all(&line).map_err(no_answer)?;
    let mut answer = Vec::new();
    io::BufReader::new(socket.take(LONGEST_ANSWER)).read_until(b'\n', &mut answer).map_err(no_answer)?;
    serde_json::from_slice(&answer).map_err(|_| AdminError::NoAnswer)
}

/// Listens at the relay's socket. What an earlier run left there is replaced: the queues' lock has one relay in a folder.
pub(super) fn listen(home: &Home) -> io::Result<UnixListener> {
    let path = home.path(Name::Admin);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The folder is closed to others, so nobody comes between these two.
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// What is needed to carry requests out.
pub(super) struct Desk {
    pub(super) survey: Survey,
    pub(super) home: Home,
    pub(super) since: Timestamp,
    /// The operator wants the relay to send everybody away.
    pub(super) drain: Arc<Notify>,
}

impl core::fmt::Debug for Desk {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { survey: _, home: _, since: _, drain: _ } = self;
        f.write_str("Desk(..)")
    }
}

/// Answers for ever, one after the other.
pub(super) async fn serve(listener: UnixListener, desk: Desk) {
    loop {
        match listener.accept().await {
            // Whoever hung up meanwhile misses nothing but the answer.
            Ok((mut stream, _)) => drop(desk.answer(&mut stream).await),
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// Whether who asked is gone. A relay that stood still for longer than they wait, on a disk that hangs or with its whole machine, does
/// not do afterwards what nobody expects any more.
async fn has_hung_up(line: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> bool {
    matches!(timeout(GLANCE, line.fill_buf()).await, Ok(Ok([])))
}

impl Desk {
    async fn answer(&self, stream: &mut tokio::net::UnixStream) -> io::Result<()> {
        let mut line = Vec::new();
        let mut reader = BufReader::new((&mut *stream).take(LONGEST));
        timeout(PROMPTLY, reader.read_until(b'\n', &mut line)).await??;
        let request = serde_json::from_slice(&line);
        if request.is_ok() && has_hung_up(&mut reader).await {
            return Ok(());
        }
        let reply = match request {
            // To its end: half of it would be worse than an answer that nobody waits for.
            Ok(request) => self.carry_out(request).await,
            Err(_) => Reply::NotUnderstood,
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        let said = timeout(PROMPTLY, async {
            stream.write_all(&line).await?;
            stream.shutdown().await
        });
        let said = said.await;
        if matches!(request, Ok(Request::Drain)) {
            self.drain.notify_one();
        }
        said?
    }

    async fn carry_out(&self, request: Request) -> Reply {
        match request {
            Request::Status => {
                let figures = self.survey.figures().await;
                figures.map_or(Reply::Failed, |figures| Reply::Status(self.status(&figures)))
            }
            Request::PauseNew => self.pause(true),
            Request::Resume => self.pause(false),
            Request::Drain => Reply::Done,
            Request::DeleteQueue(id) => self.delete_queue(id).await,
            Request::Grant { name, makes, days } => {
                let (credit, now) = (CreditName(name), clock::now());
                self.about_credits(Op::Grant { credit, makes, days, now }).await
            }
            Request::Credits => self.about_credits(Op::Credits { now: clock::now() }).await,
            Request::Revoke(id) => self.about_credits(Op::Revoke { credit: CreditId(id) }).await,
        }
    }

    fn status(&self, figures: &Figures) -> Status {
        let Figures { links, paused, roomy, held, cap, descriptor_left, descriptor_sequence, .. } = figures;
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            running_hours: clock::now().since(self.since) / HOUR_MS,
            paused: *paused,
            intake: figures.intake,
            roomy_buffers: *roomy,
            links: bin(*links),
            queues: bin(held.queues),
            messages: bin(held.messages),
            blobs: bin(held.blobs),
            disk_percent: percent(held.used, *cap),
            descriptor_days: Some(descriptor_left / DAY_MS),
            descriptor_sequence: *descriptor_sequence,
        }
    }

    /// On the disk first: a restart in the middle of an attack must not open the door again.
    fn pause(&self, paused: bool) -> Reply {
        let kept = if paused { self.home.replace(Name::Paused, b"") } else { self.home.remove(Name::Paused) };
        if kept.is_err() {
            tracing::error!(
                "the mark that nobody new is let in can't be written or removed in the relay's folder"
            );
            return Reply::Failed;
        }
        self.survey.hub.pause(paused);
        Reply::Done
    }

    async fn about_credits(&self, op: Op) -> Reply {
        let now = clock::now();
        match self.survey.hub.consult(op).await {
            Answer::Done => Reply::Done,
            Answer::Gone => Reply::Gone,
            Answer::Enough => Reply::Enough,
            Answer::Full => Reply::NoRoom,
            Answer::Credits(list) => {
                let shown = list.into_iter().map(|CreditRecord { id, left, ends }| {
                    let days = (ends.since(now) / DAY_MS).max(1);
                    Credit { id: id.0, left, days }
                });
                Reply::Credits(shown.collect())
            }
            _ => Reply::Failed,
        }
    }

    /// Who complains may have either id.
    async fn delete_queue(&self, id: [u8; QUEUE_ID]) -> Reply {
        let hub = &self.survey.hub;
        let (send, read) = hub.names(&SendId(id), &ReadId(id));
        let mut records = Vec::new();
        for op in [Op::FindSend { send }, Op::Find { reads: vec![read] }] {
            let Answer::Found(found) = hub.consult(op).await else { return Reply::Failed };
            records.extend(found.into_iter().flatten());
        }
        let Some(QueueRecord { queue, .. }) = records.first().copied() else { return Reply::Gone };
        match hub.consult(Op::DeleteQueue { queue }).await {
            Answer::Done | Answer::Gone => {
                hub.deleted(queue);
                Reply::Done
            }
            _ => Reply::Failed,
        }
    }
}

//! One link's task: frames from the stream to the hub, frames from the outbox to the stream. One future and no buffer
//! while nothing happens, because most links are idle most of the time.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use beresta_proto::frame::Class;
use bytes::Bytes;
use quinn::{RecvStream, SendStream, VarInt};
use tokio::io::ReadBuf;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::flow::Flow;
use super::hub::Hub;
use super::outbox::Outbox;
use crate::relay::{CloseReason, LinkId};

/// Until the first command is whole.
pub(super) const FIRST_COMMAND: Duration = Duration::from_secs(10);
/// In which what waits to be written, or comes of a frame, moves by [`SLOWEST`] or to its end, or the client is too slow.
const SLOW: Duration = Duration::from_secs(10);
/// Bytes in [`SLOW`]: 1 KiB a second, as the worst of mobile networks do.
const SLOWEST: usize = 10 * 1024;
/// Bytes that are read at once.
const SCRATCH: usize = 24 * 1024;
/// Written bytes that are reported together, so that a frame does not cost a second lock.
const REPORT: usize = 16 * 1024;

/// Why a link's task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client closed it, or it was lost.
    Theirs,
    /// We close it.
    Ours(CloseReason),
}

pub(super) struct LinkTask {
    hub: Arc<Hub>,
    id: LinkId,
    outbox: Arc<Outbox>,
    send: SendStream,
    recv: RecvStream,
    /// Read and not handed over: part of a frame, or frames that the core does not take yet.
    unread: Vec<u8>,
    reading: bool,
    flow: Arc<Flow>,
    /// Whether a whole command came.
    greeted: bool,
    /// When what is awaited of a frame must be there.
    due: Option<Instant>,
    /// How much of it was there when that was set.
    came: usize,
    /// Wakes us then, or earlier and again: one timer serves for many frames.
    patience: Option<Pin<Box<Sleep>>>,
    writing: VecDeque<Bytes>,
    unreported: usize,
    slow: Option<Pin<Box<Sleep>>>,
    moved: usize,
}

/// Bytes of the frame that begins here, if its first byte is there.
fn frame_size(bytes: &[u8]) -> Result<Option<usize>, CloseReason> {
    let Some(code) = bytes.first() else { return Ok(None) };
    Class::from_code(*code).map(|class| Some(class.size())).map_err(|_| CloseReason::Malformed)
}

impl LinkTask {
    pub(super) fn new(
        hub: Arc<Hub>,
        (id, outbox): (LinkId, Arc<Outbox>),
        (send, recv): (SendStream, RecvStream),
        flow: Arc<Flow>,
    ) -> Self {
        let patience = Box::pin(sleep(FIRST_COMMAND));
        Self {
            hub,
            id,
            outbox,
            send,
            recv,
            unread: Vec::new(),
            reading: true,
            flow,
            greeted: false,
            due: Some(patience.deadline()),
            came: 0,
            patience: Some(patience),
            writing: VecDeque::new(),
            unreported: 0,
            slow: None,
            moved: 0,
        }
    }

    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.run(cx) {
            Ok(()) => Poll::Pending,
            Err(end) => Poll::Ready(end),
        }
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let mut taken = self.outbox.hush();
        loop {
            if let Some(reason) = taken.close {
                return Err(End::Ours(reason));
            }
            if taken.resume {
                self.reading = true;
                let waiting = core::mem::take(&mut self.unread);
                self.hand_over(&waiting).map_err(End::Ours)?;
            }
            self.read(cx)?;
            taken = self.outbox.take(&mut self.writing, cx.waker());
            if !taken.resume && taken.close.is_none() && !self.write(cx)? {
                return self.wait(cx);
            }
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        let mut scratch = [const { MaybeUninit::uninit() }; SCRATCH];
        while self.reading {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            // Less than a frame, as long as we read: there is room for what belongs to it.
            buffer.put_slice(&self.unread);
            match self.recv.poll_read_buf(cx, &mut buffer) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(_)) => return Err(End::Theirs),
                Poll::Ready(Ok(())) if buffer.filled().len() == self.unread.len() => return Err(End::Theirs),
                Poll::Ready(Ok(())) => {
                    let bytes = buffer.filled().len();
                    self.flow.read(bytes.saturating_sub(self.unread.len()), bytes == SCRATCH);
                    self.hand_over(buffer.filled()).map_err(End::Ours)?;
                }
            }
        }
        Ok(())
    }

    /// Hands whole frames to the core; keeps the rest.
    fn hand_over(&mut self, bytes: &[u8]) -> Result<(), CloseReason> {
        let mut rest = bytes;
        let mut malformed = None;
        let mut whole = 0_usize;
        // What is too little to be told by itself is not to be held against a link that only listens.
        let written = core::mem::take(&mut self.unreported);
        self.reading = self.hub.frames(self.id, written, || match frame_size(rest) {
            Ok(size) => {
                let (frame, after) = rest.split_at_checked(size?)?;
                rest = after;
                whole = whole.saturating_add(1);
                Some(frame)
            }
            Err(reason) => {
                malformed = Some(reason);
                None
            }
        });
        if let Some(reason) = malformed {
            return Err(reason);
        }
        self.keep(rest);
        if whole > 0 {
            if !self.greeted {
                self.greeted = true;
                self.patience = None;
            }
            self.due = None;
        }
        if self.greeted {
            // Frames that wait for us are not the client's slowness.
            match (self.due, self.unread.is_empty() || !self.reading) {
                (_, true) => self.due = None,
                (None, false) => self.expect(sleep(SLOW).deadline()),
                (Some(_), false) => {}
            }
        }
        Ok(())
    }

    /// Keeps what is not handed over; no buffer where that is nothing.
    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            self.unread = Vec::new();
        } else {
            self.unread.clear();
            self.unread.extend_from_slice(rest);
        }
    }

    /// Waits for the rest of a frame until then.
    fn expect(&mut self, due: Instant) {
        self.due = Some(due);
        self.came = self.unread.len();
        if self.patience.is_none() {
            self.patience = Some(Box::pin(sleep_until(due)));
        }
    }

    /// Writes what waits. Says whether that made room for more, which may be there at once.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        while !self.writing.is_empty() {
            let chunks = self.writing.make_contiguous();
            let written = match pin!(self.send.write_chunks(chunks)).as_mut().poll(cx) {
                Poll::Pending => {
                    self.flow.widen(true);
                    break;
                }
                Poll::Ready(Err(_)) => return Err(End::Theirs),
                Poll::Ready(Ok(written)) => written,
            };
            self.writing.drain(..written.chunks);
            self.flow.wrote(written.bytes);
            self.unreported = self.unreported.saturating_add(written.bytes);
            self.moved = self.moved.saturating_add(written.bytes);
        }
        if self.writing.is_empty() {
            self.slow = None;
            self.writing.shrink_to(8);
        } else if self.slow.is_none() {
            self.slow = Some(Box::pin(sleep(SLOW)));
            self.moved = 0;
        }
        if self.unreported < REPORT {
            return Ok(false);
        }
        self.hub.written(self.id, core::mem::take(&mut self.unreported));
        Ok(true)
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Result<(), End> {
        while let Some(patience) = self.patience.as_mut() {
            if patience.as_mut().poll(cx).is_pending() {
                break;
            }
            let at = patience.deadline();
            if self.due.is_some_and(|due| due <= at) {
                // A long frame on a slow line: as slow as a reader may be.
                if !self.greeted || self.unread.len() < self.came.saturating_add(SLOWEST) {
                    return Err(End::Ours(CloseReason::Slow));
                }
                self.expect(sleep(SLOW).deadline());
            }
            self.patience = self.due.map(|due| Box::pin(sleep_until(due)));
        }
        while let Some(slow) = self.slow.as_mut() {
            if slow.as_mut().poll(cx).is_pending() {
                break;
            }
            if self.moved < SLOWEST {
                return Err(End::Ours(CloseReason::Slow));
            }
            self.moved = 0;
            self.slow = Some(Box::pin(sleep(SLOW)));
        }
        Ok(())
    }
}

impl Drop for LinkTask {
    /// Lets go of what was not taken, on both sides.
    fn drop(&mut self) {
        // Only who has lost the streams already is refused.
        let _ = self.send.reset(VarInt::from_u32(0));
        let _ = self.recv.stop(VarInt::from_u32(0));
    }
}

impl Future for LinkTask {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        self.get_mut().poll_link(cx)
    }
}

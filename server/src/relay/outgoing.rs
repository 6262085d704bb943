//! What goes out on a link, and how much memory a link may hold: frames that are not answered and what answers them, what
//! is being read for it from the disk, and what is not written. A link that holds too much is not read from until some of that is gone (rule
//! L6), and nothing is pushed to it as long as what is not written is too much by itself.

use beresta_proto::command::Command;
use beresta_proto::envelope::Bucket;
use beresta_proto::frame::Class;
use beresta_proto::reply::{Push, Refusal, Reply};
use beresta_proto::rng::Random;
use beresta_proto::time::Timestamp;

use super::Relay;
use super::output::{CloseReason, LinkId, Output};
use super::pending::Asked;
use super::tally::Outcome;

/// Bytes of the longest that answers a command.
pub(super) const fn answer_bytes(command: &Command) -> usize {
    match command {
        Command::Descriptor => Class::Bucket(Bucket::S).size(),
        Command::ClaimBlob { .. } => Class::Bucket(Bucket::M).size(),
        // And the word that it has caught up.
        Command::Subscribe(_) => 2 * Class::Control.size(),
        Command::MakeQueue { .. }
        | Command::Acknowledge { .. }
        | Command::DeleteQueue { .. }
        | Command::Send { .. }
        | Command::PutBlob { .. }
        | Command::DeleteBlob { .. } => Class::Control.size(),
    }
}

impl<R: Random> Relay<R> {
    /// Bytes that one link may hold: less while all together hold much. Every link keeps a share, for the slow readers
    /// that fill the memory must not be able to stop the others.
    pub(super) const fn room(&self) -> usize {
        if self.held < self.limits.held_of_all { self.limits.held } else { self.limits.share }
    }

    /// So many more bytes are held for a link. Nothing for one that is closed.
    pub(super) fn hold(&mut self, link: LinkId, bytes: usize) {
        let Some(one) = self.links.get_mut(&link) else { return };
        one.held = one.held.saturating_add(bytes);
        self.held = self.held.saturating_add(bytes);
    }

    /// So many bytes are held for commands of a link, until they are answered.
    pub(super) fn hold_asked(&mut self, link: LinkId, bytes: usize) {
        self.hold(link, bytes);
        if let Some(one) = self.links.get_mut(&link) {
            one.asked = one.asked.saturating_add(bytes);
        }
    }

    /// So many less.
    pub(super) fn release(&mut self, link: LinkId, bytes: usize) {
        let Some(one) = self.links.get_mut(&link) else { return };
        let bytes = bytes.min(one.held);
        one.held = one.held.saturating_sub(bytes);
        self.held = self.held.saturating_sub(bytes);
    }

    /// Whether the next frame of a link should be read now. If not, [`Output::Resume`] follows.
    pub fn may_read(&mut self, link: LinkId) -> bool {
        let room = self.room();
        let Some(one) = self.links.get_mut(&link) else { return false };
        one.paused = one.open >= self.limits.outstanding || one.held >= room;
        !one.paused
    }

    /// So many bytes of a link's frames were written.
    pub fn handle_written(&mut self, link: LinkId, bytes: usize, now: Timestamp) {
        self.release(link, bytes);
        self.room_again(link, now);
    }

    pub(super) fn frame(&mut self, link: LinkId, bytes: Vec<u8>) {
        if self.links.contains_key(&link) {
            self.hold(link, bytes.len());
            self.outputs.push_back(Output::Frame { link, bytes });
        }
    }

    pub(super) fn push(&mut self, link: LinkId, push: &Push) {
        // Every push fits its class, so none is lost here.
        if let Ok(bytes) = push.encode() {
            self.frame(link, bytes);
        }
    }

    /// The one answer to a command.
    pub(super) fn reply(&mut self, asked: Asked, reply: &Reply) {
        let Asked { link, request, kind, bytes } = asked;
        match reply {
            Reply::Refused(refusal) => self.tally.count(kind, (*refusal).into()),
            // Counted where it was sealed.
            Reply::Sent(_) => {}
            Reply::Done
            | Reply::Descriptor { .. }
            | Reply::QueueMade { .. }
            | Reply::Subscribed(_)
            | Reply::Blob(_) => self.tally.count(kind, Outcome::Ok),
        }
        let encoded = reply.encode(request).or_else(|_| Reply::Refused(Refusal::Failed).encode(request));
        if let Ok(frame) = encoded {
            self.frame(link, frame);
        }
        self.release(link, bytes);
        let Some(one) = self.links.get_mut(&link) else { return };
        one.open = one.open.saturating_sub(1);
        one.asked = one.asked.saturating_sub(bytes);
        self.resume(link);
    }

    pub(super) fn refuse(&mut self, asked: Asked, refusal: Refusal) {
        self.reply(asked, &Reply::Refused(refusal));
    }

    /// Goes on reading from a link that was not read from, if it has room.
    pub(super) fn resume(&mut self, link: LinkId) {
        if self.links.get(&link).is_some_and(|one| one.paused) && self.may_read(link) {
            self.outputs.push_back(Output::Resume { link });
        }
    }

    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        if self.links.contains_key(&link) {
            self.handle_closed(link);
            self.outputs.push_back(Output::Close { link, reason });
        }
    }
}

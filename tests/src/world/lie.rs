//! A relay that does not do what it was asked to, for some commands: it answers something else, or hangs up.

use beresta_proto::command::Command;
use beresta_proto::descriptor::EpochKey;
use beresta_proto::frame::RequestId;
use beresta_proto::key::EpochSecret;
use beresta_proto::reply::{Push, Reply};
use beresta_server::relay::LinkId;

use super::{Parcel, Who, World};

/// What a relay is asked.
#[derive(Debug)]
pub struct Asked<'a> {
    /// By whom.
    pub who: Who,
    /// Whether it is the DESCRIPTOR with which each link begins.
    pub opening: bool,
    /// What.
    pub command: &'a Command,
}

/// What it does instead.
#[derive(Debug)]
pub enum Lie {
    /// Answers so.
    Reply(Reply),
    /// Hangs up.
    Close,
}

/// Decides about each command; none leaves it to the honest core.
pub type Liar = Box<dyn FnMut(&Asked<'_>) -> Option<Lie>>;

impl World {
    /// From now on the relay lies as `liar` says.
    pub fn lie(&mut self, liar: impl FnMut(&Asked<'_>) -> Option<Lie> + 'static) {
        self.liar = Some(Box::new(liar));
    }

    /// The relay is honest again.
    pub fn be_honest(&mut self) {
        self.liar = None;
    }

    /// The relay pushes something to a person that its core did not say.
    pub fn push_on_the_line(&mut self, who: Who, push: &Push) {
        let link = self.people[who.0].link.unwrap();
        self.post(Parcel::ToPerson(who, link, push.encode().unwrap()));
    }

    /// How many commands reached the relay so far.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.tap.iter().filter(|(to_relay, _)| *to_relay).count()
    }

    /// What a relay shows of itself with another epoch key of today than it shows to others.
    pub fn with_another_key(&mut self) -> Reply {
        let public = EpochSecret::random(&mut self.rng).public().unwrap();
        let key = EpochKey::sign(self.now.day(), public, &self.epoch_signer).unwrap();
        let descriptor = super::descriptor(&self.identity, &self.epoch_signer, self.now);
        let descriptor = descriptor.sign(&self.identity).unwrap();
        Reply::Descriptor { descriptor, epoch_keys: vec![key], clock: self.now }
    }

    /// Whether the relay lied about this frame, so that its core never sees it.
    pub(super) fn lied(&mut self, who: Who, link: LinkId, frame: &[u8]) -> bool {
        let Some(mut liar) = self.liar.take() else { return false };
        let (request, command) = Command::decode(frame).unwrap();
        let opening = request == RequestId(u32::MAX);
        let lie = liar(&Asked { who, opening, command: &command });
        self.liar = Some(liar);
        match lie {
            None => return false,
            Some(Lie::Reply(reply)) => {
                self.post(Parcel::ToPerson(who, link, reply.encode(request).unwrap()));
            }
            Some(Lie::Close) => self.break_line(who),
        }
        true
    }
}

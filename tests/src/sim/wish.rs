//! What people want: to meet, to talk, to move, to part.

use beresta_client::engine::{AcceptRequest, Answer, AskId, Engine, InviteRequest};
use beresta_client::store::contact::{ContactId, ContactState};
use beresta_client::store::{Store, StoreError};
use beresta_proto::invite::InviteLink;
use beresta_proto::time::{HOUR_MS, MINUTE_MS, Timestamp};
use beresta_proto::words::Words;

use super::event::Event;
use super::{At, Sim, Who};

impl Sim {
    /// By an invite, which `again` names the contact whom the other is already, on both sides.
    pub(super) fn meet(&mut self, one: Who, other: Who, again: bool) {
        if !self.people[one.0].running {
            return;
        }
        let renews = if again { self.contact(one, other) } else { None };
        let clock = self.people[one.0].clock(self.now);
        let asked = self.wish(one, |engine, store| {
            let request = InviteRequest { hours: 24, name: Words::default(), renews };
            engine.invite_new(store, request, clock)
        });
        if let Ok(ask) = asked {
            self.model.introduces(one, other);
            self.people[one.0].invites.insert(ask, (other, again));
        }
    }

    pub(super) fn answer(&mut self, who: Who, ask: AskId, outcome: Option<Answer>) {
        match outcome {
            Some(Answer::Invited { invite: _, link }) => {
                if let Some((to, again)) = self.people[who.0].invites.remove(&ask) {
                    let handed = Event::HandOver { from: who, to, link, again };
                    self.events.at(self.now.plus(MINUTE_MS), handed);
                }
            }
            Some(Answer::Accepted { contact: _ }) => self.summary.met += 1,
            None => {}
        }
    }

    pub(super) fn accept(&mut self, from: Who, who: Who, link: Words, again: bool) {
        if !self.people[who.0].running {
            let later = Event::HandOver { from, to: who, link, again };
            return self.events.at(self.now.plus(HOUR_MS), later);
        }
        let link = InviteLink::from_link(&link).unwrap();
        let renews = if again { self.contact(who, from) } else { None };
        let clock = self.people[who.0].clock(self.now);
        let request = AcceptRequest { link, name: Words::default(), renews };
        let _ = self.wish(who, |engine, store| engine.invite_accept(store, request, clock));
    }

    /// The first invite that can be taken back is.
    pub(super) fn revoke(&mut self, who: Who) {
        if !self.people[who.0].running {
            return;
        }
        let invites = self.people[who.0].store.transaction(|tx| tx.invites()).unwrap();
        let clock = self.people[who.0].clock(self.now);
        for invite in invites {
            if self.wish(who, |engine, store| engine.invite_revoke(store, invite.id, clock)).is_ok() {
                self.model.revokes(who);
                return;
            }
        }
    }

    pub(super) fn say(&mut self, from: Who, to: Who) {
        let Some(contact) = self.contact(from, to) else { return };
        let known = self.people[from.0].store.transaction(|tx| tx.contact(contact)).unwrap();
        let clock = self.people[from.0].clock(self.now);
        let text = self.model.next_text();
        let said = self.wish(from, |engine, store| engine.send(store, contact, &text, clock));
        if let Ok(sent) = said {
            self.model.accepted(from, to, sent.row, self.now);
            if known.state == ContactState::Meeting {
                self.model.unanswered();
            }
        }
    }

    pub(super) fn set_timer(&mut self, who: Who, with: Who, seconds: Option<u32>) {
        let Some(contact) = self.contact(who, with) else { return };
        let clock = self.people[who.0].clock(self.now);
        let _ = self.wish(who, |engine, store| engine.set_timer(store, contact, seconds, clock));
    }

    pub(super) fn relocate(&mut self, who: Who, to: At) {
        if !self.people[who.0].running {
            return;
        }
        let home = self.relays[to.0].address(self.now);
        let clock = self.people[who.0].clock(self.now);
        if self.wish(who, |engine, store| engine.set_home(store, &home, clock)).is_ok() {
            self.summary.moves += 1;
            self.model.lives_at(who, to);
        }
    }

    pub(super) fn block(&mut self, who: Who, other: Who) {
        if self.about(who, other, Engine::block).is_some() {
            self.summary.parted += 1;
            self.model.parts(who, other, true);
        }
    }

    pub(super) fn remove(&mut self, who: Who, other: Who) {
        if self.about(who, other, Engine::remove).is_some() {
            self.summary.parted += 1;
            self.model.parts(who, other, false);
        }
    }

    pub(super) fn clear(&mut self, who: Who, with: Who) {
        if self.about(who, with, Engine::delete_history).is_some() {
            self.model.clears(who, with, self.now);
        }
    }

    /// A wish about a contact, if there is such a contact and it was kept.
    fn about<T>(
        &mut self,
        who: Who,
        other: Who,
        run: impl FnOnce(&mut Engine, &mut Store, ContactId, Timestamp) -> Result<T, StoreError>,
    ) -> Option<T> {
        let contact = self.contact(who, other)?;
        let clock = self.people[who.0].clock(self.now);
        self.wish(who, |engine, store| run(engine, store, contact, clock)).ok()
    }
}

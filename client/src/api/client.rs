//! The calls of [`super::Client`], each a job on the driver's desk.

use std::collections::BTreeSet;
use std::time::Duration;

use beresta_proto::address::RelayAddress;
use beresta_proto::credit::CreditCode;
use beresta_proto::invite::InviteLink;
use beresta_proto::limits::{BLOB_HOURS, TIMER_MAX_SECS};
use beresta_proto::words::Words;

use super::open::checked_name;
use super::record::{contact_id, invite_id, message_id, parse_id};
use super::{
    Chat, Client, ContactInfo, DeliveryState, Error, Event, EventKind, InviteInfo, MessageInfo, NewInvite,
};
use crate::crypto;
use crate::driver::{Closed, Desk};
use crate::engine::{AcceptRequest, Answer, InviteRequest};
use crate::store::contact::{Contact, ContactId};
use crate::store::event::{self, EventRow};
use crate::store::invite::{InviteId, InviteState};
use crate::store::message::{Message, MessageRow, MessageState};
use crate::store::{StoreError, Tx};

impl From<Closed> for Error {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

impl Client {
    /// Reads or writes in one transaction.
    pub(super) async fn rows<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.driver.on_desk(move |desk, _| desk.store.transaction(work)).await?
    }

    pub(super) async fn desk<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Desk, beresta_proto::time::Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Error>
    where
        Error: From<E>,
    {
        Ok(self.driver.on_desk(work).await??)
    }
}

pub(super) fn contact_of(id: &str) -> Result<ContactId, Error> {
    parse_id('c', id).map(ContactId).ok_or(Error::NotFound)
}

fn message_of(id: &str) -> Result<MessageRow, Error> {
    parse_id('m', id).map(MessageRow).ok_or(Error::NotFound)
}

pub(super) fn invite_of(id: &str) -> Result<InviteId, Error> {
    parse_id('i', id).map(InviteId).ok_or(Error::NotFound)
}

pub(super) async fn set_relay(client: &Client, link: &str) -> Result<(), Error> {
    let home = RelayAddress::from_link(link)?;
    client.desk(move |desk, now| desk.engine.set_home(&mut desk.store, &home, now)).await
}

pub(super) async fn set_credit(client: &Client, code: &str) -> Result<bool, Error> {
    let code = CreditCode::from_code(code)?;
    let wish = move |desk: &mut Desk, now| {
        desk.engine.set_credit(&mut desk.store, &code, now)?;
        let home = desk.store.transaction(|tx| tx.profile())?.home;
        Ok::<_, StoreError>(home.is_some_and(|home| home.relay == code.relay))
    };
    client.desk(wish).await
}

pub(super) async fn invite_new(
    client: &Client,
    hours: u16,
    name: Option<String>,
    renews: Option<super::ContactId>,
) -> Result<NewInvite, Error> {
    let hours = hours.clamp(1, BLOB_HOURS);
    let name = name.as_deref().map(checked_name).transpose()?.unwrap_or_default();
    let renews = renews.as_deref().map(contact_of).transpose()?;
    let request = InviteRequest { hours, name, renews };
    let wish = move |desk: &mut Desk, now| {
        if let Some(contact) = renews {
            desk.store.transaction(|tx| tx.contact(contact))?;
        }
        desk.engine.invite_new(&mut desk.store, request, now)
    };
    match client.driver.wish(wish).await?? {
        Answer::Invited { invite, link } => {
            let expires_ms = client.rows(move |tx| Ok(tx.invite(invite)?.expires.0)).await?;
            Ok(NewInvite { id: invite_id(invite), link, expires_ms })
        }
        Answer::Accepted { contact: _ } => Err(Error::Store),
    }
}

pub(super) async fn invite_accept(
    client: &Client,
    link: &str,
    name: Option<String>,
    renews: Option<super::ContactId>,
) -> Result<ContactInfo, Error> {
    let link = InviteLink::from_link(link)?;
    let name = name.as_deref().map(checked_name).transpose()?.unwrap_or_default();
    let renews = renews.as_deref().map(contact_of).transpose()?;
    let request = AcceptRequest { link, name, renews };
    let wish = move |desk: &mut Desk, now| {
        if let Some(contact) = renews {
            desk.store.transaction(|tx| tx.contact(contact))?;
        }
        desk.engine.invite_accept(&mut desk.store, request, now)
    };
    match client.driver.wish(wish).await?? {
        Answer::Accepted { contact } => {
            client.rows(move |tx| Ok(ContactInfo::of(tx, &tx.contact(contact)?)?)).await
        }
        Answer::Invited { invite: _, link: _ } => Err(Error::Store),
    }
}

pub(super) async fn invites(client: &Client) -> Result<Vec<InviteInfo>, Error> {
    client
        .desk(|desk, now| {
            let list = desk.store.transaction(|tx| tx.invites())?;
            let shown = list.into_iter().filter(|one| one.state != InviteState::Putting);
            Ok::<_, StoreError>(shown.map(|one| InviteInfo::at(one, now)).collect())
        })
        .await
}

pub(super) async fn invite_revoke(client: &Client, id: &str) -> Result<(), Error> {
    let id = invite_of(id)?;
    client.desk(move |desk, now| desk.engine.invite_revoke(&mut desk.store, id, now)).await
}

pub(super) async fn contacts(client: &Client) -> Result<Vec<ContactInfo>, Error> {
    client.rows(|tx| tx.contacts()?.iter().map(|one| Ok(ContactInfo::of(tx, one)?)).collect()).await
}

pub(super) async fn find_contact(client: &Client, who: &str) -> Result<ContactInfo, Error> {
    let who = who.trim().to_owned();
    client.rows(move |tx| Ok(ContactInfo::of(tx, find(&tx.contacts()?, &who)?)?)).await
}

fn find<'c>(contacts: &'c [Contact], who: &str) -> Result<&'c Contact, Error> {
    // What reads as an id is one: nobody is found by calling themselves like the id of another.
    if let Some(id) = parse_id('c', who) {
        return contacts.iter().find(|one| one.id.0 == id).ok_or(Error::NotFound);
    }
    // A whole name goes before no beginning of one: people choose their names, and whoever calls themselves “bor” must not
    // get what was always sent to Boris.
    let lower = who.to_lowercase();
    let fitting: Vec<&Contact> =
        contacts.iter().filter(|one| one.name.to_lowercase().starts_with(&lower)).collect();
    match fitting.as_slice() {
        [] => Err(Error::NotFound),
        _ if who.is_empty() => Err(Error::NotFound),
        [one] => Ok(*one),
        several => Err(Error::Ambiguous(
            several
                .iter()
                .map(|one| format!("{} ({})", one.name.as_str(), contact_id(one.id)).into())
                .collect(),
        )),
    }
}

pub(super) async fn rename(client: &Client, who: &str, name: &str) -> Result<(), Error> {
    let (who, name) = (contact_of(who)?, checked_name(name)?);
    client.desk(move |desk, now| desk.engine.rename(&mut desk.store, who, &name, now)).await
}

pub(super) async fn block(client: &Client, who: &str) -> Result<(), Error> {
    let who = contact_of(who)?;
    client.desk(move |desk, now| desk.engine.block(&mut desk.store, who, now)).await
}

pub(super) async fn seized(client: &Client, who: &str) -> Result<(), Error> {
    let who = contact_of(who)?;
    client.desk(move |desk, now| desk.engine.seized(&mut desk.store, who, now)).await
}

pub(super) async fn remove(client: &Client, who: &str) -> Result<(), Error> {
    let who = contact_of(who)?;
    client.desk(move |desk, now| desk.engine.remove(&mut desk.store, who, now)).await
}

pub(super) async fn safety_number(client: &Client, who: &str) -> Result<Vec<String>, Error> {
    let who = contact_of(who)?;
    client
        .rows(move |tx| Ok(crypto::safety_number(tx, &crate::engine::peer(&tx.contact(who)?))?.groups()))
        .await
}

pub(super) async fn confirm(client: &Client, who: &str, code: &str) -> Result<(), Error> {
    let digits: String = code.chars().filter(|one| !one.is_whitespace() && *one != '-').collect();
    let who = contact_of(who)?;
    client
        .desk(move |desk, now| {
            let compared = desk.store.transaction(|tx| {
                let contact = tx.contact(who)?;
                let ours = crypto::safety_number(tx, &crate::engine::peer(&contact))?.groups().concat();
                if digits == ours { Ok(contact.identity.account_id()) } else { Err(Error::CodeDiffers) }
            })?;
            Ok::<_, Error>(desk.engine.decide_identity(&mut desk.store, who, compared, true, now)?)
        })
        .await
}

pub(super) async fn accept_identity(client: &Client, shown: &ContactInfo) -> Result<(), Error> {
    let (who, account) = (contact_of(&shown.id)?, super::record::parse_account(&shown.account)?);
    client.desk(move |desk, now| desk.engine.decide_identity(&mut desk.store, who, account, false, now)).await
}

pub(super) async fn chats(client: &Client) -> Result<Vec<Chat>, Error> {
    client
        .rows(|tx| {
            let refused = tx.too_long_now()?;
            let chats = tx.contacts()?.into_iter().map(|contact| {
                let new_messages = tx.count_unshown(Some(contact.id))?;
                let last = tx.history(contact.id, None, 1)?.pop().map(|one| info(&refused, one));
                Ok(Chat { contact: ContactInfo::of(tx, &contact)?, new_messages, last })
            });
            chats.collect()
        })
        .await
}

pub(super) async fn history(
    client: &Client,
    with: &str,
    before: Option<&super::MessageId>,
    limit: u32,
) -> Result<Vec<MessageInfo>, Error> {
    let with = contact_of(with)?;
    let before = before.map(|id| message_of(id)).transpose()?;
    client
        .rows(move |tx| {
            tx.contact(with)?;
            let refused = tx.too_long_now()?;
            Ok(tx.history(with, before, limit)?.into_iter().map(|one| info(&refused, one)).collect())
        })
        .await
}

pub(super) async fn new_messages(
    client: &Client,
    from: Option<&super::ContactId>,
) -> Result<Vec<MessageInfo>, Error> {
    let from = from.map(|id| contact_of(id)).transpose()?;
    client.rows(move |tx| Ok(tx.unshown(from)?.into_iter().map(MessageInfo::from).collect())).await
}

pub(super) async fn mark_shown(client: &Client, ids: &[super::MessageId]) -> Result<(), Error> {
    let rows: Vec<MessageRow> = ids.iter().map(|id| message_of(id)).collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    client.desk(move |desk, now| desk.engine.shown(&mut desk.store, &rows, now)).await
}

pub(super) async fn message(client: &Client, id: &str) -> Result<Option<MessageInfo>, Error> {
    let row = message_of(id)?;
    let there = |message: &Message| !message.body.is_empty();
    client
        .rows(move |tx| {
            let refused = tx.too_long_now()?;
            Ok(tx.message(row)?.filter(there).map(|one| info(&refused, one)))
        })
        .await
}

/// A message, and why it waits: whether it is one of these, which their relay refused.
fn info(refused: &BTreeSet<MessageRow>, message: Message) -> MessageInfo {
    let too_long_now = message.state == MessageState::Queued && refused.contains(&message.id);
    MessageInfo { too_long_now, ..MessageInfo::from(message) }
}

pub(super) async fn set_timer(client: &Client, with: &str, seconds: Option<u32>) -> Result<(), Error> {
    if seconds.is_some_and(|secs| secs == 0 || secs > TIMER_MAX_SECS) {
        return Err(Error::BadTimer);
    }
    let with = contact_of(with)?;
    client.desk(move |desk, now| desk.engine.set_timer(&mut desk.store, with, seconds, now)).await
}

pub(super) async fn delete_history(client: &Client, with: &str) -> Result<u64, Error> {
    let with = contact_of(with)?;
    let deleted =
        client.desk(move |desk, now| desk.engine.delete_history(&mut desk.store, with, now)).await?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}

pub(super) async fn send(client: &Client, to: &str, text: Words) -> Result<MessageInfo, Error> {
    let to = contact_of(to)?;
    client
        .desk(move |desk, now| {
            let sent = desk.engine.send(&mut desk.store, to, &text, now)?;
            let message = desk.store.transaction(|tx| tx.message(sent.row))?;
            message.map(MessageInfo::from).ok_or(Error::NotFound)
        })
        .await
}

/// Runs `look` now and after every change until it gives something, at most `patience`.
pub(super) async fn until<T>(
    client: &Client,
    patience: Duration,
    look: impl AsyncFn() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    let mut woken = client.driver.woken();
    let waited = tokio::time::timeout(patience, async {
        loop {
            woken.mark_unchanged();
            if let Some(found) = look().await? {
                return Ok(Some(found));
            }
            woken.changed().await.map_err(|_| Error::Closed)?;
        }
    });
    match waited.await {
        Ok(outcome) => outcome,
        Err(_) => look().await,
    }
}

pub(super) async fn wait_sent(client: &Client, id: &str, patience: Duration) -> Result<DeliveryState, Error> {
    let state = async || Ok(message(client, id).await?.ok_or(Error::NotFound)?.state);
    let left = until(client, patience, async || {
        let state = state().await?;
        Ok((state != DeliveryState::Queued).then_some(state))
    });
    match left.await? {
        Some(state) => Ok(state),
        None => state().await,
    }
}

pub(super) async fn next_events(
    client: &Client,
    after: u64,
    max: u32,
    patience: Duration,
) -> Result<Vec<Event>, Error> {
    let found = until(client, patience, async || {
        let rows = client.rows(move |tx| Ok(tx.events_after(after, max)?)).await?;
        Ok((!rows.is_empty()).then_some(rows))
    });
    Ok(found.await?.unwrap_or_default().into_iter().map(Event::from).collect())
}

pub(super) async fn acknowledge_events(client: &Client, upto: u64) -> Result<(), Error> {
    client.rows(move |tx| Ok(tx.acknowledge_events(upto)?)).await
}

impl From<EventRow> for Event {
    fn from(row: EventRow) -> Self {
        let kind = match row.kind {
            event::EventKind::MessageArrived => EventKind::MessageArrived,
            event::EventKind::MessageChanged => EventKind::MessageChanged,
            event::EventKind::Met => EventKind::Met,
            event::EventKind::InviteUsedAgain => EventKind::InviteUsedAgain,
            event::EventKind::IdentityChanged => EventKind::IdentityChanged,
            event::EventKind::TimerChanged => EventKind::TimerChanged,
            event::EventKind::TakenOver => EventKind::TakenOver,
            event::EventKind::NeedsNewer => EventKind::NeedsNewer,
            event::EventKind::RelayForked => EventKind::RelayForked,
            event::EventKind::InviteEnded => EventKind::InviteEnded,
            event::EventKind::NotDelivered => EventKind::NotDelivered,
            event::EventKind::InviteNamesAnother => EventKind::InviteNamesAnother,
            event::EventKind::NotToBeMet => EventKind::NotToBeMet,
            event::EventKind::SeizedWrote => EventKind::SeizedWrote,
            event::EventKind::HomeVolatile => EventKind::HomeVolatile,
            event::EventKind::LostEachOther => EventKind::LostEachOther,
        };
        Self {
            seq: row.seq,
            time_ms: row.time.0,
            kind,
            contact: row.contact.map(contact_id),
            message: row.message.map(message_id),
            invite: row.invite.map(invite_id),
        }
    }
}

#[cfg(test)]
mod tests;

//! The alert: what is said to some contacts when the profile is destroyed.

use beresta_proto::words::Words;
use serde::Serialize;

use super::client::contact_of;
use super::record::{contact_id, plain};
use super::{Client, ContactId, Error};
use crate::engine::SendRefused;
use crate::store::StoreError;

/// Contacts that an alert may go to. What has a second must not have much to say.
pub const ALERT_CONTACTS: usize = 16;

/// The alert.
#[derive(Debug, Clone, Serialize)]
pub struct AlertInfo {
    /// What is said.
    #[serde(serialize_with = "plain")]
    pub text: Words,
    /// To whom.
    pub to: Vec<AlertContact>,
}

/// A contact that the alert goes to.
#[derive(Debug, Clone, Serialize)]
pub struct AlertContact {
    /// Which.
    pub id: ContactId,
    /// Their name.
    #[serde(serialize_with = "plain")]
    pub name: Words,
    /// Whether something can be said to them now: they were met, are not blocked, and their key is the one that was known.
    pub ready: bool,
}

impl Client {
    /// The alert, if there is one.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn alert(&self) -> Result<Option<AlertInfo>, Error> {
        self.desk(|desk, now| {
            desk.engine.ready_alert(&mut desk.store, now)?;
            let ready = desk.engine.alert_ready();
            desk.store.transaction(|tx| {
                let Some(text) = tx.alert_text()? else { return Ok(None) };
                let to = tx.alert_contacts()?.into_iter().map(|id| {
                    let name = tx.contact(id)?.name;
                    Ok(AlertContact { id: contact_id(id), name, ready: ready.contains(&id) })
                });
                Ok::<_, StoreError>(Some(AlertInfo { text, to: to.collect::<Result<_, StoreError>>()? }))
            })
        })
        .await
    }

    /// Keeps what is said to these contacts when the profile is destroyed, in place of what was kept before. A client that has
    /// the profile open and uses the network says it, at once or not at all: see `docs/decisions/0015`.
    ///
    /// # Errors
    /// [`Error::EmptyText`], [`Error::TextTooLong`], [`Error::AlertContacts`], [`Error::Blocked`], [`Error::NotFound`].
    pub async fn set_alert(&self, text: Words, to: &[ContactId]) -> Result<(), Error> {
        if to.is_empty() || to.len() > ALERT_CONTACTS {
            return Err(Error::AlertContacts);
        }
        let to = to.iter().map(|id| contact_of(id)).collect::<Result<Vec<_>, _>>()?;
        self.desk(move |desk, now| {
            desk.engine.set_alert(&mut desk.store, &text, &to, now)?;
            Ok::<_, SendRefused>(())
        })
        .await
    }

    /// Removes the alert: false if there was none.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn remove_alert(&self) -> Result<bool, Error> {
        self.desk(|desk, now| desk.engine.remove_alert(&mut desk.store, now)).await
    }
}

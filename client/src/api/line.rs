//! How the lines are by which a person is reached and reaches somebody.

use std::time::Duration;

use beresta_proto::id::RelayId;

use super::client::{contact_of, until};
use super::{Client, ContactId, Error, LinkFault};
use crate::engine::Engine;
use crate::store::contact::ContactId as ContactRow;
use crate::store::{StoreError, Tx};

/// How a line is that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineStatus {
    /// Whether the relay is linked now.
    pub linked: bool,
    /// Why it was not reached at the last try; none if it was, or is being tried for the first time.
    pub fault: Option<LinkFault>,
}

/// The lines that matter to who waits for a word, or for theirs to leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines {
    /// To the home relay; none where nothing is read or said there.
    pub home: Option<LineStatus>,
    /// To the relay of the contact, where that is another one and something waits for it.
    pub contact: Option<LineStatus>,
}

impl Client {
    /// How the lines are: to home, and to where a contact is written.
    ///
    /// # Errors
    /// [`Error::NotFound`] of the contact's id; [`Error::Store`].
    pub async fn lines(&self, contact: Option<&ContactId>) -> Result<Lines, Error> {
        let contact = contact.map(|id| contact_of(id)).transpose()?;
        self.desk(move |desk, _| {
            let engine = &desk.engine;
            desk.store.transaction(|tx| look(engine, tx, contact))
        })
        .await
    }

    /// Waits until they are otherwise than `known`, at most `patience`: how they are then.
    ///
    /// # Errors
    /// As those of [`Client::lines`]; [`Error::Closed`] once the client is closed.
    pub async fn next_lines(
        &self,
        contact: Option<&ContactId>,
        known: Lines,
        patience: Duration,
    ) -> Result<Lines, Error> {
        let other = until(self, patience, async || {
            let lines = self.lines(contact).await?;
            Ok((lines != known).then_some(lines))
        });
        Ok(other.await?.unwrap_or(known))
    }
}

fn look(engine: &Engine, tx: &Tx<'_>, contact: Option<ContactRow>) -> Result<Lines, StoreError> {
    let home = tx.profile()?.home.map(|home| home.relay);
    let written = contact.map(|contact| tx.relay_waited_for(contact)).transpose()?.flatten();
    let elsewhere = written.filter(|relay| home != Some(*relay));
    let wanted = home.map_or(Ok(false), |home| engine.is_wanted(tx, &home))?;
    Ok(Lines {
        home: home.filter(|_| wanted).map(|home| line(engine, &home)),
        contact: elsewhere.map(|relay| line(engine, &relay)),
    })
}

fn line(engine: &Engine, relay: &RelayId) -> LineStatus {
    LineStatus { linked: engine.is_linked(relay), fault: engine.standing_failure(relay).map(Into::into) }
}

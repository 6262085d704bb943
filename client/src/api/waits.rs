//! Waiting for what relays have to say first.

use std::time::Duration;

use super::client::{contact_of, invite_of, until};
use super::{Client, ContactId, Error, InviteId};
use crate::engine::Engine;
use crate::store::{Store, StoreError};

impl Client {
    /// Waits until nothing waits to be sent and every queue is subscribed, at most `patience`: whether that is so. Queues
    /// that are being left at a relay before are not waited for.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn settle(&self, patience: Duration) -> Result<bool, Error> {
        self.wait(patience, Engine::is_settled).await
    }

    /// Waits until nothing waits to be sent to a contact, at most `patience`: whether that is so. What waits for others does not
    /// count: their relay may be gone for good.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub async fn sent_to(&self, contact: &ContactId, patience: Duration) -> Result<bool, Error> {
        let contact = contact_of(contact)?;
        self.wait(patience, move |engine, store| engine.is_sent_to(store, contact)).await
    }

    /// Waits until an invite that was taken back is gone at its relay, at most `patience`: whether that is so.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub async fn is_taken_back(&self, invite: &InviteId, patience: Duration) -> Result<bool, Error> {
        let invite = invite_of(invite)?;
        self.wait(patience, move |engine, store| engine.is_gone(store, invite)).await
    }

    /// Waits until every queue is subscribed, at most `patience`: whether that is so.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn reach(&self, patience: Duration) -> Result<bool, Error> {
        self.wait(patience, Engine::is_reached).await
    }

    /// Waits until all has come that waited for us, as our relays say, at most `patience`: whether that is so.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn catch_up(&self, patience: Duration) -> Result<bool, Error> {
        self.wait(patience, Engine::has_caught_up).await
    }

    /// Waits until nothing is under way that would be left for the next run, receipts above all, at most `patience`:
    /// whether that is so.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn rest(&self, patience: Duration) -> Result<bool, Error> {
        self.wait(patience, |engine, store| Ok(!engine.is_busy(store)?)).await
    }

    /// Waits until the engine says so, at most `patience`: whether it does.
    async fn wait(
        &self,
        patience: Duration,
        says: impl Fn(&Engine, &mut Store) -> Result<bool, StoreError> + Copy + Send + 'static,
    ) -> Result<bool, Error> {
        let found = until(self, patience, async || {
            let said = self.desk(move |desk, _| says(&desk.engine, &mut desk.store)).await?;
            Ok(said.then_some(()))
        });
        Ok(found.await?.is_some())
    }
}

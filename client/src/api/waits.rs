//! Waiting for what relays have to say first.

use std::time::Duration;

use super::client::until;
use super::{Client, Error};
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
        says: fn(&Engine, &mut Store) -> Result<bool, StoreError>,
    ) -> Result<bool, Error> {
        let found = until(self, patience, async || {
            let said = self.desk(move |desk, _| says(&desk.engine, &mut desk.store)).await?;
            Ok(said.then_some(()))
        });
        Ok(found.await?.is_some())
    }
}

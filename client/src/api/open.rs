//! Making, opening and describing a profile.

use std::path::PathBuf;
use std::sync::Arc;

use beresta_proto::address::RelayAddress;
use beresta_proto::limits::NAME_BYTES;
use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use tokio::runtime::Runtime;

use super::{Client, Dropped, Error, Network, NewProfile, RelayStatus, Status};
use crate::crypto;
use crate::driver::{Desk, Driver, clock, end};
use crate::engine::Engine;
use crate::rng::Rng;
use crate::store::event::DropReason;
use crate::store::profile::Profile;
use crate::store::{Passphrase, Store, StoreError, Tx};

/// A profile that cannot be used with this build, or whose rows are not there.
fn opened<E>(error: E) -> Error
where
    Error: From<E>,
{
    let error = Error::from(error);
    if error == Error::NotFound { Error::NoProfile } else { error }
}

/// A runtime that may be dropped anywhere: whoever waits for a profile to open may be told to lock.
struct Own(Option<Runtime>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn on_own_threads(
    open: impl FnOnce() -> Result<Store, Error> + Send + 'static,
    network: Network,
) -> Result<Client, Error> {
    let runtime = Driver::runtime().map_err(|_| Error::Store)?;
    let opening = runtime.spawn_blocking(open);
    let mut own = Own(Some(runtime));
    let store = match opening.await {
        Ok(Ok(store)) => store,
        failed => {
            if let Some(runtime) = own.0.take() {
                end(runtime).await;
            }
            return Err(failed.map_or(Error::Store, |opened| opened.err().unwrap_or(Error::Store)));
        }
    };
    let engine = Engine::new(Rng::system());
    let driver = Driver::start(own.0.take().ok_or(Error::Store)?, engine, store, network == Network::Online);
    Ok(Client { driver: Arc::new(driver) })
}

pub(super) fn checked_name(name: &str) -> Result<Words, Error> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Error::BadName);
    }
    Ok(name.into())
}

pub(super) async fn create(profile: NewProfile, network: Network) -> Result<Client, Error> {
    let NewProfile { dir, passphrase, cost, name, language, relay } = profile;
    let person = Newcomer::new(&name, language, relay.as_deref())?;
    on_own_threads(
        move || {
            Store::create_with(&dir, &passphrase, cost, &mut Rng::system(), |tx, rng| {
                person.enter(tx, clock(), rng)
            })
        },
        network,
    )
    .await
}

/// Who a profile that is being made is of.
pub(super) struct Newcomer {
    name: Words,
    language: String,
    home: Option<RelayAddress>,
}

impl Newcomer {
    pub(super) fn new(name: &str, language: String, relay: Option<&str>) -> Result<Self, Error> {
        let home = relay.map(RelayAddress::from_link).transpose()?;
        Ok(Self { name: checked_name(name)?, language, home })
    }

    /// Writes the first rows of the profile, with an account of its own, as of `made`.
    pub(super) fn enter(self, tx: &Tx<'_>, made: Timestamp, rng: &mut Rng) -> Result<(), Error> {
        let Self { name, language, home } = self;
        crypto::check_backend(tx)?;
        let account = crypto::create_account(tx, rng)?;
        tx.insert_profile(&Profile { account, name, language, home }, made)?;
        Ok(())
    }
}

pub(super) async fn open(dir: PathBuf, passphrase: Passphrase, network: Network) -> Result<Client, Error> {
    on_own_threads(
        move || {
            let mut store = match Store::open(&dir, &passphrase) {
                Err(StoreError::Duress(duress)) => return Err(super::duress::obey(&dir, duress)),
                store => store.map_err(opened)?,
            };
            store.transaction(|tx| {
                crypto::check_backend(tx)?;
                tx.profile().map_err(opened)?;
                Ok::<_, Error>(())
            })?;
            Ok(store)
        },
        network,
    )
    .await
}

impl From<crypto::BackendError> for Error {
    fn from(error: crypto::BackendError) -> Self {
        match error {
            crypto::BackendError::Store(error) => error.into(),
            crypto::BackendError::NotPortable | crypto::BackendError::OtherStore => Self::Backend,
        }
    }
}

pub(super) async fn change_passphrase(
    client: &Client,
    old: Passphrase,
    new: Passphrase,
) -> Result<(), Error> {
    client.desk(move |desk, _| desk.store.change_passphrase(&old, &new, &mut Rng::system())).await
}

pub(super) async fn status(client: &Client) -> Result<Status, Error> {
    let trouble = client.trouble();
    let look = move |desk: &mut Desk, _| {
        let engine = &desk.engine;
        desk.store.transaction(|tx| {
            let profile = tx.profile()?;
            let known = profile.home.as_ref().map(|home| tx.relay(&home.relay)).transpose()?.flatten();
            let untold = tx.contacts_needing_queue()?;
            let home = profile.home.as_ref().map(|home| home.relay);
            let passed_over = home.map_or(Ok(0), |home| engine.passed_over_at(tx, &home))?;
            let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
            let relay = profile.home.map(|home| RelayStatus {
                passed_over: count(passed_over),
                linked: engine.is_linked(&home.relay),
                volatile: known.is_some_and(|known| known.volatile),
                fault: engine.dial_failure(&home.relay).map(Into::into),
                refusal: engine.queue_refusal(&home.relay, &untold).map(Into::into),
                address: home.to_link().into(),
            });
            Ok::<_, StoreError>(Status {
                name: profile.name,
                account: data_encoding::BASE32_NOPAD.encode(&profile.account.0).into(),
                language: profile.language,
                relay,
                contacts: count(tx.contacts()?.len()),
                untold: count(untold.len()),
                lost: tx.count_lost()?,
                new_messages: tx.count_unshown(None)?,
                waiting: tx.count_outgoing()?,
                clock_skew_ms: engine.told_skew(),
                trouble,
                dropped: tx
                    .dropped()?
                    .into_iter()
                    .map(|(reason, count)| Dropped { reason: reason_name(reason), count })
                    .collect(),
            })
        })
    };
    client.desk(look).await
}

const fn reason_name(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Envelope => "envelope",
        DropReason::Certificate => "certificate",
        DropReason::NotOwner => "not_owner",
        DropReason::Decryption => "decryption",
        DropReason::Budget => "budget",
        DropReason::Misdirected => "misdirected",
        DropReason::Content => "content",
        DropReason::Blocked => "blocked",
        DropReason::Repeat => "repeat",
        DropReason::Seized => "seized",
    }
}

//! What a relay is made of, and how it comes out of its folder: the identity that signs, the keys that stay, the
//! descriptor that says so. Files are [`crate::home`]'s business, texts the command line's.

mod config;
mod error;
mod identity;
mod memory;
mod reach;
mod remains;
mod renewal;
mod rotation;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use beresta_proto::address::RelayAddress;
use beresta_proto::descriptor::{Descriptor, DescriptorError, UnverifiedDescriptor, relay_id};
use beresta_proto::id::RelayId;
use beresta_proto::key::SigningKey;
use beresta_proto::limits::{DESCRIPTOR_DAYS, NAME_BYTES, ROUTES};
use beresta_proto::rng::Random;
use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, HOUR_MS, SECOND_MS, Timestamp};
use zeroize::Zeroizing;

use crate::home::{self, Home, HomeError, Name};
use crate::net::TlsKey;
use crate::queue::Namer;
use crate::queue::sqlite::SqliteEngine;

pub(crate) use config::LEAST_DISK_MIB;
pub use config::{Config, ConfigError, Key, LogLevel};
pub use error::SetupError;
pub(crate) use memory::is_more_than_there_is;
pub(crate) use reach::inside;
pub use renewal::{Due, RENEW_DAYS, Renewal};
pub use rotation::rotate;

/// What [`init`] is told.
#[derive(Clone)]
pub struct Wish {
    /// The relay's folder.
    pub dir: PathBuf,
    /// Where to listen; kept if it is not said again.
    pub listen: Option<SocketAddr>,
    /// Where clients find it, at most 4 addresses, best first; kept if none is said.
    pub public: Vec<SocketAddr>,
    /// Who runs it; kept if it is not said again.
    pub operator: Option<String>,
    /// Where the identity key lies, or is put; else in the folder.
    pub identity: Option<PathBuf>,
    /// The operator says that the clock is right, although a descriptor is there that it has not come to yet.
    pub clock_is_right: bool,
}

impl core::fmt::Debug for Wish {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { dir: _, listen: _, public: _, operator: _, identity: _, clock_is_right: _ } = self;
        f.write_str("Wish(..)")
    }
}

/// What [`init`] did.
#[derive(Debug)]
pub struct Made {
    /// What to hand out.
    pub address: RelayAddress,
    /// Whether a relay was there and only its descriptor is new.
    pub renewed: bool,
    /// Where the identity key lies now.
    pub identity: PathBuf,
    /// Whether it was there before.
    pub identity_was_there: bool,
    /// Whether queues lie in the folder. A relay that people use has some: if it was made anew here, it may be elsewhere.
    pub queues: bool,
    /// Of the addresses that people are told, those by which nobody comes from outside.
    pub inside: Vec<SocketAddr>,
}

/// A relay as it stands in its folder, ready to run. It needs no identity key.
pub struct Setup {
    /// Its settings.
    pub config: Config,
    /// The hash of its identity key.
    pub relay: RelayId,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// The same, signed, as it stands on the wire.
    pub signed: Vec<u8>,
    /// The links' key.
    pub tls: TlsKey,
    /// Signs a fresh epoch key a day.
    pub epoch_signer: SigningKey,
    /// The private epoch keys of an earlier run.
    pub epochs: Option<Zeroizing<Vec<u8>>>,
    /// Hides ids and keys in the queues' files.
    pub namer: Namer,
    /// Where the queues are.
    pub queues: PathBuf,
}

impl core::fmt::Debug for Setup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            config: _,
            relay: _,
            descriptor: _,
            signed: _,
            tls: _,
            epoch_signer: _,
            epochs: _,
            namer: _,
            queues: _,
        } = self;
        f.write_str("Setup(..)")
    }
}

/// Makes a relay, or renews the descriptor of one that is there, with a higher sequence number.
///
/// # Errors
/// [`SetupError`]; what was written before it is complete and is taken up by the next call.
pub fn init(wish: &Wish, now: Timestamp, rng: &mut impl Random) -> Result<Made, SetupError> {
    if wish.operator.as_ref().is_some_and(|name| name.len() > NAME_BYTES) {
        return Err(SetupError::LongName);
    }
    let home = Home::at(&wish.dir);
    if !home.has(Name::Descriptor) && (wish.listen.is_none() || wish.public.is_empty()) {
        return Err(SetupError::NoAddress);
    }
    let reaches_nobody =
        |at: &&SocketAddr| at.port() == 0 || at.ip().is_unspecified() || at.ip().is_multicast();
    if let Some(at) = wish.public.iter().find(reaches_nobody) {
        return Err(SetupError::BadPublic(*at));
    }
    if wish.listen.is_some_and(|at| at.port() == 0) {
        return Err(SetupError::NoPort);
    }
    let public = reach::once(wish.public.iter().copied().map(Route::Quic).collect());
    if public.len() > ROUTES {
        return Err(SetupError::ManyRoutes);
    }
    home.create()?;
    let _alone = home.alone()?;
    if whole(&home) == Err(SetupError::HalfImported) {
        return Err(SetupError::HalfImported);
    }
    rotation::finish(&home)?;
    // Under a new one none of the queues would be found.
    if home.has(Name::Queues) && !home.has(Name::QueueKey) {
        return Err(HomeError::Missing(Some(Name::QueueKey)).into());
    }
    // Not by `relay.id`, which is written anew below: the identity key says whose it is.
    let known = if home.has(Name::Descriptor) { Some(signed(&home)?) } else { None };
    let sequence = next_sequence(known.as_ref(), now, wish.clock_is_right)?;
    let routes = match &known {
        Some(old) if public.is_empty() => reach::once(old.routes.clone()),
        _ => public,
    };
    let listen = match (wish.listen, &known) {
        (Some(listen), _) => listen,
        (None, Some(_)) => Config::read(&home)?.listen,
        (None, None) => return Err(SetupError::NoAddress),
    };
    let policy = match &known {
        _ if home.has(Name::Config) => Config::read(&home)?.policy(),
        // The file was lost. People rely on what was signed, and the defaults say less.
        Some(old) => old.policy,
        None => Config::FIRST_POLICY,
    };
    if routes.is_empty() {
        return Err(SetupError::NoAddress);
    }
    let named = wish.identity.as_deref();
    let identity_at = identity::place(&home, named);
    let identity_was_there = identity_at.exists();
    let identity = match identity::read(&home, named) {
        Err(SetupError::NoIdentity) if known.is_none() => {
            remains::refuse_another(&home, None)?;
            identity::refuse_other_name(&home, named)?;
            identity::make(&home, named, rng)?
        }
        read => read?,
    };
    let relay = relay_id(&identity.verifying_key()?);
    match known.as_ref().map(|known| relay_id(&known.identity)) {
        Some(here) if here == relay => {}
        Some(here) => return Err(identity::refused(&home, named, &identity, here)),
        None if home.read_array(Name::RelayId).is_ok_and(|was| *was == relay.0) => {}
        None => {
            identity::refuse_other_file(&home, named, &identity)?;
            remains::refuse_another(&home, Some(relay))?;
        }
    }
    let tls = or_make(&home, Name::TlsKey, || Ok(Zeroizing::new(TlsKey::generate()?.pkcs8().to_vec())))?;
    let tls = TlsKey::from_pkcs8(tls)?;
    or_make(&home, Name::EpochSigner, || Ok(Zeroizing::new(SigningKey::random(rng).expose().to_vec())))?;
    or_make(&home, Name::QueueKey, || Ok(Zeroizing::new(rng.array::<32>().to_vec())))?;
    let epoch_signer = read_key(&home.path(Name::EpochSigner), Name::EpochSigner)?;

    let old = known.as_ref();
    let descriptor = Descriptor {
        identity: identity.verifying_key()?,
        sequence,
        not_before: now,
        not_after: now.plus(DESCRIPTOR_DAYS * DAY_MS),
        tls_key: tls.hash(),
        epoch_signer: epoch_signer.verifying_key()?,
        routes,
        policy,
        operator: wish.operator.clone().or_else(|| old.map(|old| old.operator.clone())).unwrap_or_default(),
    };
    Config::keep_listen(&home, listen, policy)?;
    home.replace(Name::RelayId, &relay.0)?;
    home.replace(Name::Descriptor, &descriptor.sign(&identity)?)?;
    Ok(Made {
        inside: inside(listen, &descriptor.routes),
        address: descriptor.address(),
        renewed: known.is_some(),
        identity: identity_at,
        identity_was_there,
        queues: home.has(Name::Queues),
    })
}

/// Reads a relay that is to run.
///
/// # Errors
/// [`SetupError::NoRelay`] if none was made here, [`SetupError::Ended`] if its descriptor is no longer valid,
/// [`SetupError::Home`] if a file is missing, damaged or does not fit the others.
pub fn load(dir: &Path, now: Timestamp) -> Result<Setup, SetupError> {
    let home = Home::at(dir);
    whole(&home)?;
    finish_rotation(&home)?;
    match read(&home, now) {
        // Keys may have been rotated between two files. Root, who only looks, changes nothing by looking again.
        Err(SetupError::Home(HomeError::Damaged(_))) if !home.is_of_another() => {
            let _alone = home.alone()?;
            rotation::finish(&home)?;
            read(&home, now)
        }
        read => read,
    }
}

fn read(home: &Home, now: Timestamp) -> Result<Setup, SetupError> {
    let relay = relay_id(&known(home)?.identity);
    let tls = TlsKey::from_pkcs8(home.read(Name::TlsKey)?)?;
    let signed = home.read(Name::Descriptor)?.to_vec();
    let damaged = SetupError::Home(HomeError::Damaged(Name::Descriptor));
    let descriptor = UnverifiedDescriptor::decode(&signed).map_err(|_| damaged)?;
    let descriptor = descriptor.verify(&relay, &tls.hash(), 0, now).map_err(|error| match error {
        DescriptorError::Stale => SetupError::Ended,
        DescriptorError::OtherRelay
        | DescriptorError::Forged
        | DescriptorError::OtherTlsKey
        | DescriptorError::Superseded => damaged,
    })?;
    let epoch_signer = signer_of(home, &descriptor)?;
    let epochs = match home.read(Name::EpochKeys) {
        Ok(epochs) => Some(epochs),
        Err(HomeError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Setup {
        config: Config::read(home)?,
        relay,
        descriptor,
        signed,
        tls,
        epoch_signer,
        epochs,
        namer: namer(home)?,
        queues: home.path(Name::Queues),
    })
}

/// What to hand out: the relay's address.
///
/// # Errors
/// As [`describe`].
pub fn address(dir: &Path) -> Result<RelayAddress, SetupError> {
    Ok(describe(dir)?.address())
}

/// What the relay in a folder says of itself, whether that has ended or not.
///
/// # Errors
/// [`SetupError::NoRelay`] if none was made here, [`SetupError::HalfImported`] if it is not whole, [`SetupError::Home`] if it
/// is damaged.
pub fn describe(dir: &Path) -> Result<Descriptor, SetupError> {
    let home = Home::at(dir);
    whole(&home)?;
    finish_rotation(&home)?;
    known(&home)
}

/// Whether all is there and fits together that the relay in a folder needs to run, whether its descriptor has ended or not.
pub(crate) fn complete(home: &Home) -> Result<(), SetupError> {
    Config::read(home)?;
    let descriptor = known(home)?;
    signer_of(home, &descriptor)?;
    namer(home).map(drop)
}

/// What makes the names under which the relay in a folder keeps things.
///
/// # Errors
/// [`SetupError::Home`] if its key is missing, can't be read or has another length.
pub fn namer(home: &Home) -> Result<Namer, SetupError> {
    Ok(Namer::new(&*home.read_array(Name::QueueKey)?))
}

/// Whether there is a relay: its descriptor is written last, by whoever makes one. What an import left half done never ran.
pub(crate) fn whole(home: &Home) -> Result<(), SetupError> {
    // Whoever may not look into the folder must not be told to make another relay.
    match home.path(Name::Descriptor).try_exists() {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(error) => return Err(SetupError::Home(HomeError::Io(error.kind()))),
    }
    let half = home.has(Name::Importing) && !SqliteEngine::was_opened(&home.path(Name::Queues));
    Err(if half { SetupError::HalfImported } else { SetupError::NoRelay })
}

/// Takes up what a rotation left that was cut short, unless one is at work, or root only looks.
fn finish_rotation(home: &Home) -> Result<(), SetupError> {
    if !home.has(Name::Rotation) {
        return Ok(());
    }
    if home.is_of_another() {
        return known(home).map(drop).map_err(|_| SetupError::HalfRotated);
    }
    let _alone = home.alone()?;
    rotation::finish(home)
}

/// The relay that is in the folder: its descriptor, and `relay.id` fits.
fn known(home: &Home) -> Result<Descriptor, SetupError> {
    let descriptor = signed(home)?;
    let relay = RelayId(*home.read_array(Name::RelayId)?);
    let fits = relay_id(&descriptor.identity) == relay;
    if fits { Ok(descriptor) } else { Err(HomeError::Damaged(Name::RelayId).into()) }
}

/// The descriptor that is in the folder, its signature checked by the identity key that it names, at the time of its own
/// making, and of the links' key that is there. So it is whole, and this folder's, whatever `relay.id` says.
fn signed(home: &Home) -> Result<Descriptor, SetupError> {
    let damaged = SetupError::Home(HomeError::Damaged(Name::Descriptor));
    let tls = TlsKey::from_pkcs8(home.read(Name::TlsKey)?)?;
    let signed = home.read(Name::Descriptor)?;
    let heard = UnverifiedDescriptor::decode(&signed).map_err(|_| damaged)?;
    let (relay, made) = (heard.relay(), heard.not_before());
    heard.verify(&relay, &tls.hash(), 0, made).map_err(|_| damaged)
}

/// The number of a descriptor that is made now: above that of the one before, and no less than the seconds of the clock. So a
/// relay that came out of an older backup, or out of its identity key alone, is above all that clients saw of it (rule D3).
fn next_sequence(old: Option<&Descriptor>, now: Timestamp, is_right: bool) -> Result<u64, SetupError> {
    let least = now.0 / SECOND_MS;
    let Some(old) = old else { return Ok(least) };
    if old.not_before.since(now) > HOUR_MS && !is_right {
        return Err(SetupError::ClockBehind);
    }
    Ok(old.sequence.saturating_add(1).max(least))
}

/// The key that signs epoch keys. Clients take none that another signed than the descriptor names (rule D7).
fn signer_of(home: &Home, descriptor: &Descriptor) -> Result<SigningKey, SetupError> {
    let signer = read_key(&home.path(Name::EpochSigner), Name::EpochSigner)?;
    let fits = signer.verifying_key()? == descriptor.epoch_signer;
    if fits { Ok(signer) } else { Err(HomeError::Damaged(Name::EpochSigner).into()) }
}

fn read_key(path: &Path, name: Name) -> Result<SigningKey, SetupError> {
    Ok(SigningKey::take(&mut *home::read_array_at(path, name)?))
}

fn or_make(
    home: &Home,
    name: Name,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, SetupError>,
) -> Result<Zeroizing<Vec<u8>>, SetupError> {
    if !home.has(name) {
        home.create_file(name, &make()?)?;
    }
    Ok(home.read(name)?)
}

#[cfg(test)]
mod tests;

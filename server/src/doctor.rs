//! Looks a relay over for its operator: what would keep it from running, or from running well. It changes nothing, but
//! for a change of keys that was cut short, which it finishes; and may be called while the relay runs. What to say about each finding is the command line's business.

mod disk;
mod file_system;

use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use beresta_proto::route::Route;
use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp};

use crate::admin::{Reply, Request};
use crate::home::{Home, Name, is_ours};
use crate::net::{self, Port};
use crate::queue::intake::Intake;
use crate::queue::sqlite::{OpenError, SqliteEngine};
use crate::setup::{self, Config, Key, RENEW_DAYS, SetupError};
use crate::transfer::Mark;

/// What files may say of a time that has not come, because file systems round.
const TOLERANCE_MS: u64 = HOUR_MS;
/// Where systemd says whether the clock was set from the network.
const TIMESYNC: &str = "/run/systemd/timesync";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// The relay runs, but somebody should look at it.
    Warning,
    /// The relay does not run, or people can't use it.
    Failure,
}

/// Why queues can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unopened {
    /// A newer version wrote them.
    Newer,
    /// `day.keys` is missing, damaged or another relay's.
    Keys,
    /// `queue.key` is another relay's.
    QueueKey,
    /// They are damaged, or can't be read.
    Damaged,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The settings, keys and descriptor fit together.
    Files,
    /// They don't.
    Broken(SetupError),
    /// The queues can't be opened, or not with the keys that are there.
    Queues(Unopened),
    /// Their file is gone, or empty.
    QueuesGone,
    /// Others on the machine may read this file, or the folder.
    Readable(Option<Name>),
    /// Files in the folder belong to another user than it does: made by root, they can't be read by the service.
    OtherOwner,
    /// The identity key lies with the relay and not off the machine.
    IdentityHere,
    /// The descriptor is valid for so many whole days more.
    Descriptor {
        /// None if it has ended, or not begun.
        days: Option<u64>,
        /// When it ends.
        ends: Timestamp,
    },
    /// The clock fits what the relay wrote.
    Clock,
    /// The clock stands before something that the relay wrote.
    ClockBehind,
    /// systemd keeps the clock and has not set it from the network yet.
    ClockNotSet,
    /// The relay runs, and listens.
    Running,
    /// The relay does not run.
    Stopped,
    /// Of a relay that does not run: its port is free, or why it can't be had.
    Port(Port),
    /// It listens where only this machine reaches it, and is announced elsewhere.
    OnlyHere {
        /// Where it listens.
        at: SocketAddr,
        /// Where it could, to be reached by the addresses that people are told.
        all: SocketAddr,
    },
    /// It listens by IPv4 only, and is announced by IPv6 only.
    OtherFamily(SocketAddr),
    /// People are told this address, by which nobody comes from outside.
    OnlyInside(SocketAddr),
    /// It runs and can't be asked how it is.
    Silent,
    /// Whether a socket gets the buffers that a busy relay needs.
    Buffers {
        /// It does.
        roomy: bool,
    },
    /// Everything is taken in.
    Disk {
        /// MiB that are left for the queues.
        free_mib: u64,
        /// MiB left at which each of the three steps begins (rule Q16).
        steps_mib: [u64; 3],
    },
    /// Less is taken in, for the disk fills.
    DiskStep {
        /// What still is.
        intake: Intake,
        /// MiB that are left for the queues.
        free_mib: u64,
        /// MiB left from which on everything is taken in again.
        again_mib: u64,
    },
    /// Less is taken in, for `disk_mib` is used up or nearly.
    CapStep {
        /// All of it is, and not four fifths.
        reached: bool,
    },
    /// The disk has less room than the settings allow: MiB that `disk_mib` could be.
    DiskSmall {
        /// What is taken and what is free, less a tenth.
        mib: u64,
    },
    /// There is no room for the least that may be set: MiB that have to be free for it.
    DiskTiny {
        /// With the tenth that is left over.
        least_mib: u64,
    },
    /// There is next to nothing free.
    DiskFull,
    /// The machine has less memory than the settings allow for links.
    MemorySmall,
    /// Nothing can be written to it.
    ReadOnly,
    /// The file system does not write in place, so that destroyed keys may be left.
    WritesElsewhere,
    /// The operator lets nobody new in.
    Paused,
    /// What the relay signed says otherwise than this setting.
    OtherPolicy(Key),
    /// The relay that runs has not taken up the newest descriptor.
    Outdated,
    /// The relay was exported to run elsewhere, or that was begun.
    Moved(Mark),
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Files
            | Self::Clock
            | Self::Running
            | Self::Port(Port::Free)
            | Self::Buffers { roomy: true }
            | Self::Disk { .. }
            | Self::Descriptor { days: Some(RENEW_DAYS..), .. } => Verdict::Good,
            Self::IdentityHere
            | Self::Stopped
            | Self::ClockNotSet
            | Self::Port(Port::Denied)
            | Self::Buffers { roomy: false }
            | Self::DiskSmall { .. }
            | Self::MemorySmall
            | Self::DiskStep { intake: Intake::All | Intake::NoNew | Intake::NoLarge, .. }
            | Self::CapStep { reached: false }
            | Self::WritesElsewhere
            | Self::Paused
            | Self::OnlyHere { .. }
            | Self::OtherFamily(_)
            | Self::OnlyInside(_)
            | Self::OtherPolicy(_)
            | Self::Outdated
            | Self::Descriptor { days: Some(_), .. } => Verdict::Warning,
            Self::Broken(_)
            | Self::Readable(_)
            | Self::Queues(_)
            | Self::QueuesGone
            | Self::OtherOwner
            | Self::ClockBehind
            | Self::Port(Port::Taken | Port::NotOurs)
            | Self::Silent
            | Self::ReadOnly
            | Self::DiskFull
            | Self::DiskTiny { .. }
            | Self::DiskStep { intake: Intake::Nothing, .. }
            | Self::CapStep { reached: true }
            | Self::Moved(_)
            | Self::Descriptor { days: None, .. } => Verdict::Failure,
        }
    }
}

/// Looks the relay in a folder over.
///
/// # Errors
/// [`SetupError::NoRelay`] if there is none.
pub fn examine(dir: &Path, now: Timestamp) -> Result<Vec<Finding>, SetupError> {
    let home = Home::at(dir);
    setup::whole(&home)?;
    let mut found = vec![match setup::load(dir, now) {
        Ok(_) | Err(SetupError::Ended) => Finding::Files,
        Err(error) => Finding::Broken(error),
    }];
    found.extend(readable(dir, &home));
    found.extend(has_another_owner(dir).then_some(Finding::OtherOwner));
    if home.has(Name::Identity) {
        found.push(Finding::IdentityHere);
    }
    let descriptor = setup::describe(dir).ok();
    if let Some(descriptor) = &descriptor {
        let ends = descriptor.not_after;
        let left = ends.since(now);
        // One that is to begin was made by a clock that was ahead, or this one is behind.
        let begun = descriptor.not_before.since(now) <= TOLERANCE_MS;
        found.push(Finding::Descriptor { days: (begun && left > 0).then_some(left / DAY_MS), ends });
    }
    let policy = descriptor.as_ref().map(|one| one.policy);
    found.push(clock(&home, descriptor.as_ref().map_or(Timestamp(0), |one| one.not_before), now));
    let (mut roomy, moved) = (None, Mark::of(&home));
    if let Ok(config) = Config::read(&home) {
        let status = net::ask(&home, Request::Status);
        match &status {
            Ok(_) => found.push(Finding::Running),
            Err(_) if SqliteEngine::is_in_use(&home.path(Name::Queues)) == Some(true) => {
                found.push(Finding::Silent)
            }
            // How it is started is not what its operator is to hear.
            Err(_) if moved.is_some() => {}
            Err(_) => found.extend([Finding::Stopped, Finding::Port(net::port(config.listen))]),
        }
        let running = if let Ok(Reply::Status(status)) = status { Some(status) } else { None };
        roomy = running.as_ref().map(|one| one.roomy_buffers);
        let routes = descriptor.as_ref().map_or(&[][..], |one| &one.routes);
        found.extend(unreached(config.listen, routes));
        found.extend(setup::inside(config.listen, routes).into_iter().map(Finding::OnlyInside));
        let newest = descriptor.as_ref().map_or(0, |one| one.sequence);
        if running.as_ref().is_some_and(|one| one.descriptor_sequence < newest) {
            found.push(Finding::Outdated);
        }
        found.extend(queues(&home, &config));
        found.extend(disk::look(&home.path(Name::Queues), &config, running.map(|one| one.intake)));
        found.extend(setup::is_more_than_there_is(config.memory).then_some(Finding::MemorySmall));
        found.extend(policy.and_then(|signed| config.differs(signed)).map(Finding::OtherPolicy));
    }
    if file_system::writes_elsewhere(dir) {
        found.push(Finding::WritesElsewhere);
    }
    found.push(buffers(roomy));
    found.extend(home.has(Name::Paused).then_some(Finding::Paused));
    found.extend(moved.map(Finding::Moved));
    Ok(found)
}

/// Why nobody who comes by these routes reaches who listens there.
fn unreached(listen: SocketAddr, routes: &[Route]) -> Option<Finding> {
    let by_six = |route: &Route| matches!(route, Route::Quic(at) if at.ip().to_canonical().is_ipv6());
    if is_only_here(listen, routes) {
        let any = if listen.is_ipv6() || routes.iter().any(by_six) {
            IpAddr::from(Ipv6Addr::UNSPECIFIED)
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        return Some(Finding::OnlyHere { at: listen, all: (any, listen.port()).into() });
    }
    let misses = listen.ip().to_canonical().is_ipv4() && !routes.is_empty() && routes.iter().all(by_six);
    misses.then_some(Finding::OtherFamily(listen))
}

/// Whether nobody outside this machine reaches who listens there, although these routes say so.
fn is_only_here(listen: SocketAddr, routes: &[Route]) -> bool {
    let is_here = |at: &SocketAddr| at.ip().to_canonical().is_loopback();
    let leads_here = |route: &Route| match route {
        Route::Quic(at) => is_here(at),
        Route::Other { kind: _, data: _ } => true,
    };
    is_here(&listen) && !routes.iter().all(leads_here)
}

/// The buffers of the relay that runs, if it says: what a socket would get now is another thing, if the kernel's limits were
/// changed since it started.
fn buffers(running: Option<bool>) -> Finding {
    Finding::Buffers { roomy: running.unwrap_or_else(net::buffers_are_roomy) }
}

/// What others on the machine may read.
fn readable(dir: &Path, home: &Home) -> Vec<Finding> {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
    let mut found: Vec<Finding> = open(dir).then_some(Finding::Readable(None)).into_iter().collect();
    let files = Name::SECRETS.into_iter().chain([Name::Queues]);
    // Root who closes what is a link would close what it leads to.
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink());
    let open = |path: &Path| !is_link(path) && open(path);
    found.extend(files.filter(|name| open(&home.path(*name))).map(|name| Finding::Readable(Some(name))));
    found
}

/// Whether anything in the folder was made by another than its owner, the queues' lock and log among it.
fn has_another_owner(dir: &Path) -> bool {
    let (Ok(folder), Ok(files)) = (fs::metadata(dir), fs::read_dir(dir)) else { return false };
    // What else lies there is nobody's business, and `lost+found` is root's.
    let ours = |file: &OsStr| is_ours(file) && file != "lost+found";
    let mut ours =
        files.flatten().filter(|file| ours(&file.file_name())).filter_map(|file| file.metadata().ok());
    ours.any(|file| file.uid() != folder.uid())
}

/// Why the queues that are there would not be opened.
fn queues(home: &Home, config: &Config) -> Option<Finding> {
    let queues = home.path(Name::Queues);
    if SqliteEngine::has_vanished(&queues) {
        return Some(Finding::QueuesGone);
    }
    // Without that key the files are not whole, and it is said of them.
    let proof = setup::namer(home).ok()?.proof();
    let checked = queues.exists().then(|| SqliteEngine::check(&queues, config.keeping(), proof));
    checked?.err().map(|error| {
        Finding::Queues(match error {
            OpenError::Newer => Unopened::Newer,
            OpenError::Keys => Unopened::Keys,
            OpenError::QueueKey => Unopened::QueueKey,
            OpenError::InUse | OpenError::Damaged | OpenError::Io(_) | OpenError::Sqlite => Unopened::Damaged,
        })
    })
}

fn clock(home: &Home, made: Timestamp, now: Timestamp) -> Finding {
    let written = [Name::EpochKeys, Name::Queues].into_iter().filter_map(|name| {
        let since = fs::metadata(home.path(name)).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok().map(Timestamp)
    });
    let newest = written.fold(made, Timestamp::max);
    let timesync = Path::new(TIMESYNC);
    if newest.since(now) > TOLERANCE_MS {
        Finding::ClockBehind
    } else if timesync.exists() && !timesync.join("synchronized").exists() {
        Finding::ClockNotSet
    } else {
        Finding::Clock
    }
}

#[cfg(test)]
mod tests;

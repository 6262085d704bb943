//! Looks a relay over for its operator: what would keep it from running, or from running well. It changes nothing, and
//! may be called while the relay runs. What to say about each finding is the command line's business.

mod disk;
mod file_system;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp};

use crate::admin::{Reply, Request};
use crate::home::{Home, Name};
use crate::net::{self, Port};
use crate::queue::guard::Intake;
use crate::queue::sqlite::{OpenError, SqliteEngine};
use crate::setup::{self, Config, Key, SetupError};

/// Days before its end from which on a descriptor should be renewed.
const RENEW_DAYS: u64 = 14;
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
    /// Others on the machine may read this file, or the folder.
    Readable(Option<Name>),
    /// Files in the folder belong to another user than it does: made by root, they can't be read by the service.
    OtherOwner,
    /// The identity key lies with the relay and not off the machine.
    IdentityHere,
    /// The descriptor is valid for so many whole days more.
    Descriptor {
        /// None if it has ended.
        days: Option<u64>,
    },
    /// The clock fits what the relay wrote.
    Clock,
    /// The clock stands before something that the relay wrote.
    ClockBehind,
    /// systemd keeps the clock and has not set it from the network yet.
    ClockNotSet,
    /// The relay runs, and listens.
    Running,
    /// The relay does not run; its port is free, or why it can't be had.
    Port(Port),
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
    /// There is next to nothing free.
    DiskFull,
    /// The file system does not write in place, so that destroyed keys may be left.
    WritesElsewhere,
    /// The operator lets nobody new in.
    Paused,
    /// What the relay signed says otherwise than this setting.
    OtherPolicy(Key),
    /// The relay that runs has not taken up the newest descriptor.
    Outdated,
    /// The relay was exported to run elsewhere.
    Moved,
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
            | Self::Descriptor { days: Some(RENEW_DAYS..) } => Verdict::Good,
            Self::IdentityHere
            | Self::ClockNotSet
            | Self::Port(Port::Denied)
            | Self::Buffers { roomy: false }
            | Self::DiskSmall { .. }
            | Self::DiskStep { intake: Intake::All | Intake::NoNew | Intake::NoLarge, .. }
            | Self::CapStep { reached: false }
            | Self::WritesElsewhere
            | Self::Paused
            | Self::OtherPolicy(_)
            | Self::Outdated
            | Self::Descriptor { days: Some(_) } => Verdict::Warning,
            Self::Broken(_)
            | Self::Readable(_)
            | Self::Queues(_)
            | Self::OtherOwner
            | Self::ClockBehind
            | Self::Port(Port::Taken | Port::NotOurs)
            | Self::DiskFull
            | Self::DiskStep { intake: Intake::Nothing, .. }
            | Self::CapStep { reached: true }
            | Self::Moved
            | Self::Descriptor { days: None } => Verdict::Failure,
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
        let left = descriptor.not_after.since(now);
        found.push(Finding::Descriptor { days: (left > 0).then_some(left / DAY_MS) });
    }
    let policy = descriptor.as_ref().map(|one| one.policy);
    found.push(clock(&home, descriptor.as_ref().map_or(Timestamp(0), |one| one.not_before), now));
    if let Ok(config) = Config::read(&home) {
        let status = net::ask(&home, Request::Status);
        let runs = status.is_ok();
        found.push(if runs { Finding::Running } else { Finding::Port(net::port(config.listen)) });
        let running = if let Ok(Reply::Status(status)) = status { Some(status) } else { None };
        let newest = descriptor.as_ref().map_or(0, |one| one.sequence);
        if running.as_ref().is_some_and(|one| one.descriptor_sequence < newest) {
            found.push(Finding::Outdated);
        }
        found.extend(queues(&home, &config));
        found.extend(disk::look(&home.path(Name::Queues), &config, running.map(|one| one.intake)));
        found.extend(policy.and_then(|signed| config.differs(signed)).map(Finding::OtherPolicy));
    }
    if file_system::writes_elsewhere(dir) {
        found.push(Finding::WritesElsewhere);
    }
    found.push(Finding::Buffers { roomy: net::buffers_are_roomy() });
    let marks = [(Name::Paused, Finding::Paused), (Name::Moved, Finding::Moved)];
    found.extend(marks.into_iter().filter(|(name, _)| home.has(*name)).map(|(_, finding)| finding));
    Ok(found)
}

/// What others on the machine may read.
fn readable(dir: &Path, home: &Home) -> Vec<Finding> {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
    let mut found: Vec<Finding> = open(dir).then_some(Finding::Readable(None)).into_iter().collect();
    let files = Name::SECRETS.into_iter().chain([Name::Queues]);
    found.extend(files.filter(|name| open(&home.path(*name))).map(|name| Finding::Readable(Some(name))));
    found
}

/// Whether anything in the folder was made by another than its owner, the queues' lock and log among it.
fn has_another_owner(dir: &Path) -> bool {
    let (Ok(folder), Ok(files)) = (fs::metadata(dir), fs::read_dir(dir)) else { return false };
    // What else lies there, `lost+found` say, is nobody's business.
    let passing = [Name::Queues, Name::Admin, Name::Moved, Name::Rotation, Name::Importing];
    let names = || Name::LASTING.into_iter().chain(passing).map(Name::as_str);
    let ours = |name: &OsStr| names().any(|one| name.as_bytes().starts_with(one.as_bytes()));
    let mut ours =
        files.flatten().filter(|file| ours(&file.file_name())).filter_map(|file| file.metadata().ok());
    ours.any(|file| file.uid() != folder.uid())
}

/// Why the queues that are there would not be opened.
fn queues(home: &Home, config: &Config) -> Option<Finding> {
    let queues = home.path(Name::Queues);
    let checked = queues.exists().then(|| SqliteEngine::check(&queues, config.keeping()));
    checked?.err().map(|error| {
        Finding::Queues(match error {
            OpenError::Newer => Unopened::Newer,
            OpenError::Keys => Unopened::Keys,
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
mod tests {
    use super::*;
    use crate::queue::rules::Cap;
    use crate::queue::sqlite::Keeping;
    use crate::random::SystemRandom;
    use crate::setup::{Wish, init};

    fn relay(listen: &str, now: Timestamp) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let wish = Wish {
            dir: dir.path().to_path_buf(),
            listen: Some(listen.parse().unwrap()),
            public: vec!["192.0.2.1:443".parse().unwrap()],
            operator: None,
            identity: None,
            clock_is_right: false,
        };
        init(&wish, now, &mut SystemRandom::new().unwrap()).unwrap();
        dir
    }

    fn now() -> Timestamp {
        crate::clock::now()
    }

    fn write(dir: &Path, settings: &str) {
        fs::write(dir.join("relay.toml"), settings).unwrap();
    }

    #[test]
    fn a_relay_that_is_well_is_told_so_and_only_what_is_not_is_complained_of() {
        let dir = relay("127.0.0.1:0", now());
        write(dir.path(), "listen = \"127.0.0.1:0\"\ndisk_mib = 64\n");
        let found = examine(dir.path(), now()).unwrap();
        for good in [Finding::Files, Finding::Port(Port::Free), Finding::IdentityHere] {
            assert!(found.contains(&good), "{found:?}");
        }
        assert!(found.iter().any(|one| matches!(one, Finding::Disk { free_mib: 1.., .. })), "{found:?}");
        fs::rename(dir.path().join("identity.key"), dir.path().join("elsewhere")).unwrap();
        let found = examine(dir.path(), now()).unwrap();
        let bad = found.iter().filter(|one| one.verdict() != Verdict::Good);
        let of_this_machine =
            [Finding::ClockNotSet, Finding::Buffers { roomy: false }, Finding::WritesElsewhere];
        assert_eq!(bad.filter(|one| !of_this_machine.contains(one)).count(), 0, "{found:?}");
    }

    #[test]
    fn a_descriptor_is_complained_of_two_weeks_before_its_end() {
        let dir = relay("127.0.0.1:0", now());
        let after = |days: u64| {
            let found = examine(dir.path(), now().plus(days * DAY_MS)).unwrap();
            found.into_iter().find(|one| matches!(one, Finding::Descriptor { .. })).unwrap()
        };
        assert_eq!(after(75).verdict(), Verdict::Good);
        assert_eq!(after(77), Finding::Descriptor { days: Some(12) });
        assert_eq!(after(77).verdict(), Verdict::Warning);
        assert_eq!((after(91), after(91).verdict()), (Finding::Descriptor { days: None }, Verdict::Failure));
    }

    #[test]
    fn a_relay_that_signed_another_policy_than_it_has_is_told_so() {
        let dir = relay("127.0.0.1:0", now());
        let told = || {
            examine(dir.path(), now()).unwrap().into_iter().find(|one| matches!(one, Finding::OtherPolicy(_)))
        };
        let wish = Wish {
            dir: dir.path().to_path_buf(),
            listen: None,
            public: Vec::new(),
            operator: None,
            identity: None,
            clock_is_right: false,
        };
        assert_eq!(told(), None);
        for key in [Key::Open, Key::Volatile] {
            let other = if key == Key::Open { "open = false" } else { "volatile = true" };
            write(dir.path(), &format!("listen = \"127.0.0.1:0\"\n{other}\n"));
            assert_eq!(told(), Some(Finding::OtherPolicy(key)));
            init(&wish, now(), &mut SystemRandom::new().unwrap()).unwrap();
            assert_eq!(told(), None);
            write(dir.path(), "listen = \"127.0.0.1:0\"\n");
            assert_eq!(told(), Some(Finding::OtherPolicy(key)), "and back");
            init(&wish, now(), &mut SystemRandom::new().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_file_that_root_made_in_the_services_folder_is_found() {
        let dir = relay("127.0.0.1:0", now());
        let made_by_another = || examine(dir.path(), now()).unwrap().contains(&Finding::OtherOwner);
        assert!(!made_by_another());
        let foreign = dir.path().join("lost+found");
        fs::create_dir(&foreign).unwrap();
        let _ = std::os::unix::fs::chown(foreign, Some(65_534), None);
        assert!(!made_by_another());
        // Only root may give files away.
        let lock = dir.path().join("queues.sqlite.lock");
        fs::write(&lock, "").unwrap();
        if std::os::unix::fs::chown(lock, Some(65_534), None).is_ok() {
            assert!(made_by_another());
        }
    }

    #[test]
    fn queues_that_would_not_be_opened_are_found() {
        let dir = relay("127.0.0.1:0", now());
        let told =
            || examine(dir.path(), now()).unwrap().into_iter().find(|one| matches!(one, Finding::Queues(_)));
        let queues = dir.path().join("queues.sqlite");
        drop(SqliteEngine::open(&queues, Cap { bytes: 1 << 20 }, Keeping::Durable).unwrap());
        assert_eq!(told(), None);
        fs::write(&queues, [1; 4_096]).unwrap();
        assert_eq!(told(), Some(Finding::Queues(Unopened::Damaged)));
        assert_eq!(told().unwrap().verdict(), Verdict::Failure);
    }

    #[test]
    fn what_keeps_a_relay_from_running_is_found() {
        let dir = relay("192.0.2.7:443", now());
        fs::set_permissions(dir.path().join("queue.key"), fs::Permissions::from_mode(0o644)).unwrap();
        let found = examine(dir.path(), now().minus(2 * DAY_MS)).unwrap();
        let wrong =
            [Finding::Port(Port::NotOurs), Finding::Readable(Some(Name::QueueKey)), Finding::ClockBehind];
        for wrong in wrong {
            assert!(found.contains(&wrong), "{found:?}");
            assert_eq!(wrong.verdict(), Verdict::Failure);
        }
        write(dir.path(), "listen = \"127.0.0.1:0\"\ndisk_mib = 16777216\n");
        let found = examine(dir.path(), now()).unwrap();
        assert!(found.iter().any(|one| matches!(one, Finding::DiskSmall { mib: 1.. })), "{found:?}");
        write(dir.path(), "lisen = 1\n");
        let found = examine(dir.path(), now()).unwrap();
        assert!(matches!(found[0], Finding::Broken(SetupError::Config(_))), "{found:?}");
    }
}

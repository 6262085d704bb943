//! How much memory a relay may take on this machine, where its operator does not say; and what it lets links take of it.

use std::fs;
use std::path::Path;

use super::Config;
use crate::net::Crowd;
use crate::relay::Limits;

const MIB: u64 = 1024 * 1024;
/// More than all links that there may be need.
const MOST: u64 = 4096 * MIB;
/// Less serves nobody.
const LEAST: u64 = 64 * MIB;
/// Where neither the system nor its control groups tell.
const UNKNOWN: u64 = 1024 * MIB;

impl Config {
    /// How many links a relay with these settings takes.
    #[must_use]
    pub fn crowd(&self) -> Crowd {
        Crowd::of(self.memory, self.links_per_network)
    }

    /// What it holds each of them to, and all together.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let (crowd, default) = (self.crowd(), Limits::default());
        Limits {
            asks_credit: !self.open,
            held_of_all: crowd.held,
            // As many as all links' shares once more: what a link takes is counted without them. Both together are a seventh of what
            // is for links, out of the quarter that is not; two fifths if nothing is acknowledged in any (docs/known-issues.md).
            subscriptions_of_all: default.subscriptions_share.saturating_mul(crowd.links as usize),
            ..default
        }
    }
}

/// Bytes for links: three quarters of what the relay may take here, at most 4 GiB. The rest is for the program itself, its queues
/// and the keys of its senders' sessions.
pub(super) fn for_links() -> u64 {
    (usable(Path::new("/"), total()) / 4 * 3).clamp(LEAST, MOST)
}

/// Whether the machine can't give so many bytes for links.
pub(crate) fn is_more_than_there_is(bytes: u64) -> bool {
    bytes > (usable(Path::new("/"), total()) / 4 * 3).max(LEAST)
}

/// Bytes that a relay may take: three quarters of the machine's, as its service is allowed, and no more than the control group
/// gets that it is in, or one above: of the one hierarchy, or of that of memory where there are several (cgroups(7)).
fn usable(root: &Path, total: Option<u64>) -> u64 {
    let machine = total.map_or(UNKNOWN, |total| total / 4 * 3);
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (kinds, group) = (fields.nth(1).unwrap_or_default(), fields.next().unwrap_or_default());
        let (top, file) = match kinds {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if kinds.split(',').any(|kind| kind == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let of_group = |group: &Path| {
            let most = fs::read_to_string(root.join(top).join(group).join(file)).ok()?;
            most.trim().parse::<u64>().ok()
        };
        Path::new(group.trim_start_matches('/')).ancestors().filter_map(of_group).collect()
    });
    limits.fold(machine, u64::min)
}

/// Bytes of the machine's memory.
fn total() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        let told = rustix::system::sysinfo();
        let units = u64::try_from(usize::try_from(told.totalram).ok()?).ok()?;
        units.checked_mul(u64::from(told.mem_unit))
    }
    #[cfg(not(target_os = "linux"))]
    {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system in which a program is in this control group, with these limits.
    fn system(group: &str, limits: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        let groups = format!("4:cpu,memory:/old\n1:name=old:/\n0::{group}\n");
        fs::write(root.path().join("proc/self/cgroup"), groups).unwrap();
        for (group, most) in limits {
            let file = if group.starts_with("memory") { "memory.limit_in_bytes" } else { "memory.max" };
            let group = root.path().join("sys/fs/cgroup").join(group);
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join(file), format!("{most}\n")).unwrap();
        }
        root
    }

    #[test]
    fn a_relay_takes_no_more_than_its_machine_its_service_and_its_container_give() {
        let gib = Some(1024 * MIB);
        for (group, limits, mib) in [
            ("/", &[][..], 768),
            ("/", &[("", "max")], 768),
            ("/", &[("", "268435456")], 256),
            (
                "/system.slice/beresta-relay.service",
                &[("system.slice/beresta-relay.service", "805306368")],
                768,
            ),
            (
                "/system.slice/beresta-relay.service",
                &[("system.slice/beresta-relay.service", "134217728")],
                128,
            ),
            ("/a/b", &[("a", "134217728"), ("a/b", "max")], 128),
            ("/a/b", &[("a", "max"), ("a/b", "99999999999")], 768),
            ("/a/b", &[("a", "no number"), ("other", "1")], 768),
            ("/", &[("memory", "9223372036854771712"), ("memory/old", "134217728")], 128),
            ("/", &[("memory", "134217728"), ("memory/old", "9223372036854771712")], 128),
        ] {
            let root = system(group, limits);
            assert_eq!(usable(root.path(), gib) / MIB, mib, "{group} {limits:?}");
        }
        assert_eq!(usable(Path::new("/nowhere"), None), UNKNOWN);
    }

    #[test]
    fn what_is_set_is_what_links_are_held_to() {
        let config = |lines: &str| {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join("relay.toml"), format!("listen = \"127.0.0.1:1\"\n{lines}")).unwrap();
            Config::read(&crate::home::Home::at(dir.path())).unwrap()
        };
        let set = config("memory_mib = 96\nlinks_per_network = 9\nopen = false\n");
        assert_eq!(set.crowd(), Crowd::of(96 * MIB, 9));
        assert_eq!((set.limits().held_of_all as u64, set.limits().asks_credit), (16 * MIB, true));
        assert_eq!(set.limits().subscriptions_of_all, 64 * set.crowd().links as usize);
        let default = config("");
        assert_eq!(default.crowd(), Crowd::of(for_links() / MIB * MIB, 64));
        assert!(!default.limits().asks_credit);
    }

    #[test]
    fn the_default_is_not_more_than_there_is() {
        let default = for_links();
        assert!((LEAST..=MOST).contains(&default));
        assert!(!is_more_than_there_is(default));
        assert!(is_more_than_there_is(u64::MAX));
        #[cfg(target_os = "linux")]
        assert!(total().is_some_and(|bytes| bytes > LEAST));
    }
}

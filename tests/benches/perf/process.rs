//! The processes that are measured, and what Linux says of them. Each runs by itself, so that its memory and its share
//! of the processors can be told from the load's.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use beresta_proto::id::RelayId;
use beresta_proto::key::EpochSecret;
use beresta_server::random::SystemRandom;
use beresta_server::setup::{self, Wish};
use beresta_server::{clock, home};
use data_encoding::HEXLOWER;

/// Jiffies in a second: what `/proc` counts in, the same on every Linux.
const JIFFIES: u32 = 100;
const PAGE_KIB: u64 = 4;

/// A process that serves on a port of loopback. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) at: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    fn start(mut command: Command, at: SocketAddr) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(said.any(|line| line == "listening"), "the server does not listen");
        // Whatever it says later must find a reader.
        std::thread::spawn(move || said.for_each(|line| eprintln!("{line}")));
        Self { child, at }
    }

    /// The relay as operators run it, new, in a folder of its own; and its name.
    pub(crate) fn relay(dir: &Path) -> (Self, RelayId) {
        Self::relay_with(dir, "")
    }

    /// The same, with these lines among its settings.
    pub(crate) fn relay_with(dir: &Path, settings: &str) -> (Self, RelayId) {
        let at = free_port();
        let wish = Wish {
            dir: dir.to_path_buf(),
            listen: Some(at),
            public: vec![at],
            operator: None,
            identity: None,
            clock_is_right: false,
        };
        setup::init(&wish, clock::now(), &mut SystemRandom::new().unwrap()).unwrap();
        let file = dir.join("relay.toml");
        let all = std::fs::read_to_string(&file).unwrap() + settings;
        std::fs::write(&file, all).unwrap();
        let id = RelayId(*home::Home::at(dir).read_array(home::Name::RelayId).unwrap());
        let mut command = Command::new(built("beresta-relay"));
        command.arg("run").arg("--dir").arg(dir);
        (Self::start(command, at), id)
    }

    /// The bare relay ([`crate::bare`]): this program again. With a key it opens every message's capsule.
    pub(crate) fn bare(opens: Option<&EpochSecret>) -> Self {
        let at = free_port();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(BARE).arg(at.to_string());
        command.args(opens.map(|epoch| HEXLOWER.encode(epoch.expose())));
        Self::start(command, at)
    }

    /// Time on a processor since it began, all threads together.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let mut fields = fields.split(' ').skip(11).map(|field| field.parse::<u32>().unwrap());
        let (user, system) = (fields.next().unwrap(), fields.next().unwrap());
        Duration::from_secs(1) * (user + system) / JIFFIES
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE_KIB
    }
}

/// The first argument of this program as the bare relay.
pub(crate) const BARE: &str = "bare-relay";

/// Builds the relay as operators get it. By itself, so that it links plain SQLite: features unify in a common build.
pub(crate) fn build_relay() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "--quiet", "-p", "beresta-server"]).status();
    assert!(built.unwrap().success(), "the relay does not build");
}

/// A program that was built beside this one, which is in `deps`.
fn built(name: &str) -> std::path::PathBuf {
    let here = std::env::current_exe().unwrap();
    here.parent().and_then(Path::parent).unwrap().join(name)
}

/// Datagrams that this machine dropped because a socket's buffer was full.
pub(crate) fn dropped_datagrams() -> u64 {
    let snmp = std::fs::read_to_string("/proc/net/snmp").unwrap();
    let mut lines = snmp.lines().filter(|line| line.starts_with("Udp: ")).map(|line| line.split(' '));
    let (names, mut values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.into_iter().position(|name| name == "RcvbufErrors").unwrap();
    values.nth(at).unwrap().parse().unwrap()
}

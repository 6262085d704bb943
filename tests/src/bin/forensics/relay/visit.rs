//! People who come to a relay from an address that stands nowhere else: a forwarder carries their datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use beresta_tests::process::scan::secret;
use beresta_tests::process::{Programs, Relay, free_port, output};

/// From where the relay sees them come, as this machine has all of 127/8.
const THEIRS: &str = "127.83.19.77";
/// For how long the datagrams of one side may hold up those of the other.
const PAUSE: Duration = Duration::from_millis(2);

pub(super) struct Forwarder {
    /// Where people send to.
    front: UdpSocket,
    /// Where the relay listens.
    relay: SocketAddr,
    /// The ports from which people came.
    ports: Vec<u16>,
}

impl Forwarder {
    pub(super) fn new() -> Self {
        let front = UdpSocket::bind("127.0.0.1:0").unwrap();
        front.set_read_timeout(Some(PAUSE)).unwrap();
        Self { front, relay: free_port().unwrap().parse().unwrap(), ports: Vec::new() }
    }

    /// A relay that is found here.
    pub(super) fn relay(&self, program: &Path, folder: &Path) -> Relay {
        let programs = Programs { relay: program.to_path_buf(), client: program.to_path_buf() };
        let public = self.front.local_addr().unwrap().to_string();
        Relay::make_at(&programs, folder, &self.relay.to_string(), &public).unwrap()
    }

    /// Its own address, as the descriptor has it.
    pub(super) fn public(&self) -> Vec<u8> {
        let SocketAddr::V4(at) = self.front.local_addr().unwrap() else { panic!("not IPv4") };
        [at.ip().octets().as_slice(), &at.port().to_be_bytes()].concat()
    }

    /// The forms in which an address of theirs could stand in a file. Four bytes alone are found by chance.
    pub(super) fn theirs(&self) -> Vec<Vec<u8>> {
        let ip: std::net::Ipv4Addr = THEIRS.parse().unwrap();
        let bytes = ip.octets();
        let mut forms: Vec<Vec<u8>> = secret("address", &bytes)
            .into_iter()
            .map(|needle| needle.bytes)
            .filter(|form| form.len() > 5)
            .collect();
        forms.push(THEIRS.as_bytes().to_vec());
        forms.push([[0; 10].as_slice(), &[0xff, 0xff], &bytes].concat());
        for port in &self.ports {
            let (big, little) = (port.to_be_bytes(), port.to_le_bytes());
            for port in [big, little] {
                forms.push([bytes.as_slice(), &port].concat());
                forms.push([port.as_slice(), &bytes].concat());
            }
        }
        forms
    }

    /// Has somebody use the relay as people do, who comes from there.
    pub(super) fn carry(&mut self, relay: &Relay) {
        let done = AtomicBool::new(false);
        let mut people: Vec<(SocketAddr, UdpSocket)> = Vec::new();
        let mut ask = Command::new(relay.program());
        ask.args(["selftest", "--lang", "en", "--via", &relay.address]);
        std::thread::scope(|scope| {
            let visit = scope.spawn(|| {
                let said = output(ask, "");
                done.store(true, Ordering::Relaxed);
                let said = said.unwrap();
                assert_eq!(said.code, 0, "{}{}", said.out, said.err);
            });
            let mut datagram = vec![0; 65_536];
            while !done.load(Ordering::Relaxed) {
                if let Ok((len, from)) = self.front.recv_from(&mut datagram) {
                    if !people.iter().any(|(at, _)| *at == from) {
                        let back = UdpSocket::bind((THEIRS, 0)).unwrap();
                        back.connect(self.relay).unwrap();
                        back.set_nonblocking(true).unwrap();
                        people.push((from, back));
                    }
                    let (_, back) = people.iter().find(|(at, _)| *at == from).unwrap();
                    let _ = back.send(&datagram[..len]);
                }
                for (at, back) in &people {
                    while let Ok(len) = back.recv(&mut datagram) {
                        let _ = self.front.send_to(&datagram[..len], at);
                    }
                }
            }
            visit.join().unwrap();
        });
        self.ports = people.iter().map(|(_, back)| back.local_addr().unwrap().port()).collect();
        assert!(!self.ports.is_empty(), "nobody came");
    }
}

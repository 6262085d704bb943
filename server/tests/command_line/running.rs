//! Relays that run while a test looks at them, and where they listen.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use super::program;

/// An address of loopback where nobody listens, just now. Not one of those that the system gives to who asks for any: another test's
/// relay would have it before ours.
pub(super) fn free() -> String {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() % 100 * 100;
    let ports = std::iter::repeat_with(|| {
        let next = first + u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        20_000 + u16::try_from(next % 12_000).unwrap()
    });
    let mut sockets = ports.filter_map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok());
    sockets.next().unwrap().local_addr().unwrap().to_string()
}

/// A relay that listens.
pub(super) fn start(at: &str) -> Child {
    listens(program().args(["run", "--dir", at]).stderr(Stdio::piped()))
}

fn listens(command: &mut Command) -> Child {
    let mut running = command.spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(running.stderr.take().unwrap()).lines() {
        said.push(line.unwrap());
        if said.last().is_some_and(|line| line == "listening") {
            break;
        }
    }
    assert_eq!(said.last().map(String::as_str), Some("listening"), "{said:?}");
    running
}

pub(super) fn stop(mut running: Child) {
    running.kill().unwrap();
    running.wait().unwrap();
}

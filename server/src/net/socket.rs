//! The UDP socket, with buffers large enough for a burst. With the kernel's defaults 4 to 5 % of the datagrams of a
//! busy relay are dropped, and the slowest message waits for QUIC's timers: 30 to 500 ms.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Bytes asked for, each way.
const BUFFER: usize = 8 * 1024 * 1024;

/// What a kernel says that gave them: Linux counts its own bookkeeping in, and says twice as much.
const READ_BACK: usize = if cfg!(target_os = "linux") { 2 * BUFFER } else { BUFFER };

/// A bound socket, and whether the kernel gave the buffers that were asked for.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) socket: UdpSocket,
    pub(super) roomy: bool,
    pub(super) drops: Option<Drops>,
}

/// Where the kernel says what it dropped of a socket: by the socket's number in its tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drops(u64);

/// Whether a relay could listen somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// It could.
    Free,
    /// Another program listens there.
    Taken,
    /// It is no address of this machine.
    NotOurs,
    /// Ports below 1024 need a privilege that we don't have.
    Denied,
}

/// Tries to bind an address, and lets go of it.
#[must_use]
pub fn port(at: SocketAddr) -> Port {
    match bind(at).map_err(|error| error.kind()) {
        Ok(_) => Port::Free,
        Err(io::ErrorKind::PermissionDenied) => Port::Denied,
        Err(io::ErrorKind::AddrInUse) => Port::Taken,
        Err(_) => Port::NotOurs,
    }
}

/// Whether a socket gets the buffers that a busy relay needs.
#[must_use]
pub fn buffers_are_roomy() -> bool {
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).is_ok_and(|bound| bound.roomy)
}

impl Drops {
    /// Datagrams that were dropped since the socket was made, because its buffer was full; none if the kernel does not
    /// tell.
    pub(super) fn read(self) -> Option<u64> {
        let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"];
        tables.iter().find_map(|table| drops(&std::fs::read_to_string(table).ok()?, self.0))
    }
}

/// The last column of the row with this number.
fn drops(table: &str, inode: u64) -> Option<u64> {
    const INODE: usize = 9;
    const DROPS: usize = 12;
    table.lines().find_map(|row| {
        let cells: Vec<&str> = row.split_whitespace().collect();
        let ours = cells.get(INODE)?.parse() == Ok(inode);
        if ours { cells.get(DROPS)?.parse().ok() } else { None }
    })
}

/// An address that only this machine reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loopback(SocketAddr);

/// Others could reach this address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a loopback address")]
pub struct NotLoopback;

impl TryFrom<SocketAddr> for Loopback {
    type Error = NotLoopback;

    fn try_from(at: SocketAddr) -> Result<Self, NotLoopback> {
        if at.ip().is_loopback() { Ok(Self(at)) } else { Err(NotLoopback) }
    }
}

impl Loopback {
    /// The address.
    #[must_use]
    pub const fn address(self) -> SocketAddr {
        self.0
    }
}

/// Binds `at`.
pub(super) fn bind(at: SocketAddr) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    // The kernel clamps silently instead of failing, so the answer is read back.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    let roomy = socket.recv_buffer_size()? >= READ_BACK && socket.send_buffer_size()? >= READ_BACK;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    let drops = rustix::fs::fstat(&socket).ok().map(|one| Drops(one.st_ino));
    Ok(Bound { socket: socket.into(), roomy, drops })
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_port_that_another_has_and_an_address_that_is_not_ours_are_told_apart() {
        let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let at = taken.socket.local_addr().unwrap();
        assert_eq!(port(at), Port::Taken);
        drop(taken);
        assert_eq!(port(at), Port::Free);
        assert_eq!(port("192.0.2.7:4433".parse().unwrap()), Port::NotOurs);
    }

    #[test]
    fn smaller_buffers_than_were_asked_for_are_noticed() {
        let bound = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let socket = SockRef::from(&bound.socket);
        let given = socket.recv_buffer_size().unwrap().min(socket.send_buffer_size().unwrap());
        assert_eq!(bound.roomy, given >= READ_BACK);
        assert!(socket.nonblocking().unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_kernel_drops_of_our_socket_is_known() {
        let bound = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let drops = bound.drops.unwrap();
        assert_eq!(drops.read(), Some(0));
        // A buffer that is full, for nobody reads.
        SockRef::from(&bound.socket).set_recv_buffer_size(1).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = bound.socket.local_addr().unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1_000], at).unwrap();
        }
        assert!(drops.read().unwrap() > 0);
        drop(bound);
        assert_eq!(drops.read(), None);
    }
}

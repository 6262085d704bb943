//! The UDP socket, with buffers large enough for a burst. With the kernel's defaults 4 to 5 % of the datagrams of a
//! busy relay are dropped, and the slowest message waits for QUIC's timers: 30 to 500 ms.

use std::io;
use std::net::{SocketAddr, UdpSocket};

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
    Ok(Bound { socket: socket.into(), roomy })
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn smaller_buffers_than_were_asked_for_are_noticed() {
        let bound = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let socket = SockRef::from(&bound.socket);
        let given = socket.recv_buffer_size().unwrap().min(socket.send_buffer_size().unwrap());
        assert_eq!(bound.roomy, given >= READ_BACK);
        assert!(socket.nonblocking().unwrap());
    }
}

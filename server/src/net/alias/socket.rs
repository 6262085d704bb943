//! The UDP socket as QUIC's library sees it: from aliases, to aliases. Real addresses come no higher than here, and what
//! the calls below leave of them on the stack is wiped.

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};

use super::Aliases;
use crate::net::stack::wipe_stack;

/// Bytes of stack that receiving needs, at the most: the kernel's and our own lists of a batch are 12 KiB.
const RECEIVING: usize = 24 * 1024;
/// Bytes of stack that sending needs.
const SENDING: usize = 4 * 1024;
/// From whom nothing is.
const NOBODY: SocketAddr = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));

/// The relay's socket.
#[derive(Debug)]
pub(in crate::net) struct AliasSocket {
    under: Arc<dyn AsyncUdpSocket>,
    aliases: Arc<Aliases>,
}

impl AliasSocket {
    pub(in crate::net) fn new(under: Arc<dyn AsyncUdpSocket>, aliases: Arc<Aliases>) -> Self {
        Self { under, aliases }
    }

    #[inline(never)]
    fn receive(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        // A list of our own: a place in the caller's in which a real address was would keep a part of it.
        let mut real = [RecvMeta::default(); BATCH_SIZE];
        let Some(room) = real.get_mut(..metas.len().min(BATCH_SIZE)) else {
            return Poll::Ready(Err(ErrorKind::InvalidInput.into()));
        };
        let count = ready!(self.under.poll_recv(cx, buffers, room))?;
        let mut table = self.aliases.table();
        for ((meta, real), buffer) in metas.iter_mut().zip(&real).zip(buffers).take(count) {
            let bytes = buffer.get(..real.len).unwrap_or_default();
            let alias = table.received(real.addr, bytes.len(), || begins(bytes, real.stride));
            *meta = RecvMeta {
                addr: alias.unwrap_or(NOBODY),
                // What nobody can be answered for is not read.
                len: alias.map_or(0, |_| real.len),
                stride: real.stride,
                ecn: real.ecn,
                dst_ip: real.dst_ip,
            };
        }
        Poll::Ready(Ok(count))
    }

    #[inline(never)]
    fn send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let Transmit { destination: alias, ecn, contents, segment_size, src_ip } = *transmit;
        let datagram = segment_size.unwrap_or(contents.len());
        let Some((destination, bytes)) = self.aliases.table().sending(alias, contents.len(), datagram) else {
            // As if it were lost on the way, which QUIC mends if anybody is there.
            return Ok(());
        };
        let contents = contents.get(..bytes).unwrap_or_default();
        let sent = self.under.try_send(&Transmit { destination, ecn, contents, segment_size, src_ip });
        if sent.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            self.aliases.table().unsent(alias, bytes);
        }
        sent
    }
}

/// Whether one of these datagrams may begin a handshake or go on with one: those have a long header (RFC 9000 §17.2).
fn begins(bytes: &[u8], stride: usize) -> bool {
    bytes.chunks(stride.max(1)).any(|datagram| datagram.first().is_some_and(|first| first & 0x80 != 0))
}

impl AsyncUdpSocket for AliasSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.under).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let sent = self.send(transmit);
        wipe_stack::<SENDING>();
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.receive(cx, buffers, metas);
        if received.is_ready() {
            wipe_stack::<RECEIVING>();
        }
        received
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.under.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.under.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.under.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.under.may_fragment()
    }
}

//! The UDP socket as QUIC's library sees it: from aliases, to aliases. Real addresses come no higher than here, and what
//! the calls below leave of them on the stack is wiped.
//!
//! The kernel hands over datagrams of one sender joined, as many as came. They are handed on one by one, and those that are longer
//! than we take not at all: the library keeps a fragment that came before its time with all that was handed over with it, and
//! four links could so have it keep hundreds of megabytes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use zeroize::zeroize_stack;

use super::Aliases;

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
    came: Mutex<Came>,
}

/// What the kernel handed over last.
#[derive(Debug)]
struct Came {
    /// [`BATCH_SIZE`] places of equal length.
    bytes: Vec<u8>,
    /// What is not handed on yet, by where it lies.
    left: VecDeque<Joined>,
}

/// Datagrams of one sender, all but the last of the same length.
#[derive(Debug)]
struct Joined {
    /// Where the first of them begins.
    at: usize,
    /// Bytes of all, the sender's alias, and the length of each.
    meta: RecvMeta,
}

impl Came {
    /// The next datagram.
    fn next(&mut self) -> Option<(RecvMeta, &[u8])> {
        let joined = self.left.front_mut()?;
        let (at, all) = (joined.at, joined.meta.len);
        let bytes = joined.meta.stride.clamp(1, all.max(1)).min(all);
        joined.at = at.saturating_add(bytes);
        joined.meta.len = all.saturating_sub(bytes);
        let meta = RecvMeta { len: bytes, stride: bytes, ..joined.meta };
        if joined.meta.len == 0 {
            self.left.pop_front();
        }
        self.bytes.get(at..at.saturating_add(bytes)).map(|bytes| (meta, bytes))
    }
}

impl AliasSocket {
    /// `longest`: bytes of a datagram that is taken.
    pub(in crate::net) fn new(under: Arc<dyn AsyncUdpSocket>, aliases: Arc<Aliases>, longest: usize) -> Self {
        let place = longest.saturating_mul(under.max_receive_segments());
        let bytes = vec![0; place.saturating_mul(BATCH_SIZE)];
        Self { under, aliases, came: Mutex::new(Came { bytes, left: VecDeque::with_capacity(BATCH_SIZE) }) }
    }

    /// Hands on what came, as many datagrams as there are buffers.
    fn hand_on(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        if came.left.is_empty() {
            let received = self.receive(cx, &mut came);
            if received.is_ready() {
                zeroize_stack::<RECEIVING>();
            }
            ready!(received)?;
        }
        let mut count = 0_usize;
        for (buffer, meta) in buffers.iter_mut().zip(metas) {
            *meta = RecvMeta::default();
            let Some((told, bytes)) = came.next() else { break };
            if let Some(place) = buffer.get_mut(..bytes.len()) {
                place.copy_from_slice(bytes);
                *meta = told;
            }
            count = count.saturating_add(1);
        }
        Poll::Ready(Ok(count))
    }

    #[inline(never)]
    fn receive(&self, cx: &mut Context<'_>, came: &mut Came) -> Poll<io::Result<()>> {
        // A list of our own: a place that is kept in which a real address was would keep a part of it.
        let mut real = [RecvMeta::default(); BATCH_SIZE];
        let place = came.bytes.len() / BATCH_SIZE;
        let mut places = came.bytes.chunks_mut(place.max(1));
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(places.next().unwrap_or_default()));
        let count = ready!(self.under.poll_recv(cx, &mut buffers, &mut real))?;
        let mut table = self.aliases.table();
        for ((real, buffer), number) in real.iter().zip(&buffers).zip(0_usize..).take(count) {
            let bytes = buffer.get(..real.len).unwrap_or_default();
            let alias = table.received(real.addr, bytes.len(), || begins(bytes, real.stride));
            let meta = RecvMeta {
                addr: alias.unwrap_or(NOBODY),
                // What nobody can be answered for is not read.
                len: alias.map_or(0, |_| bytes.len()),
                stride: real.stride,
                ecn: real.ecn,
                dst_ip: real.dst_ip,
            };
            came.left.push_back(Joined { at: number.saturating_mul(place), meta });
        }
        Poll::Ready(Ok(()))
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
        zeroize_stack::<SENDING>();
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.hand_on(cx, buffers, metas)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.under.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.under.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        1
    }

    fn may_fragment(&self) -> bool {
        self.under.may_fragment()
    }
}

#[cfg(test)]
mod tests;

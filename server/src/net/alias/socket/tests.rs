//! What is handed on of what the kernel joined.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::random::SystemRandom;

const LONGEST: usize = 1_472;

/// A kernel that joins all datagrams of a sender: so many of so many bytes, and a last one.
#[derive(Debug)]
struct Joins {
    senders: Vec<(u16, usize, usize, usize)>,
    asked: AtomicUsize,
}

#[derive(Debug)]
struct Never;

impl UdpPoller for Never {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncUdpSocket for Joins {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Never)
    }

    fn try_send(&self, _: &Transmit<'_>) -> io::Result<()> {
        Ok(())
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.asked.fetch_add(1, Ordering::Relaxed) > 0 {
            return Poll::Pending;
        }
        for (((port, count, stride, last), buffer), meta) in self.senders.iter().zip(buffers).zip(metas) {
            let len = count * stride + last;
            // Each datagram is filled with its number.
            let datagrams = buffer.get_mut(..len).unwrap().chunks_mut(*stride);
            datagrams.zip(0_u8..).for_each(|(datagram, number)| datagram.fill(number));
            let addr = SocketAddr::from(([192, 0, 2, 1], *port));
            *meta = RecvMeta { addr, len, stride: *stride, ..RecvMeta::default() };
        }
        Poll::Ready(Ok(self.senders.len()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(NOBODY)
    }

    fn max_receive_segments(&self) -> usize {
        64
    }
}

#[test]
fn what_the_kernel_joined_is_handed_on_one_by_one_and_what_is_too_long_is_not() {
    let senders = vec![(1, 40, LONGEST, 100), (2, 0, 60_000, 60_000), (3, 0, 50, 50)];
    let under = Arc::new(Joins { senders, asked: AtomicUsize::new(0) });
    let aliases = Aliases::new(SystemRandom::new().unwrap());
    let socket = AliasSocket::new(under, aliases, LONGEST);
    assert_eq!(socket.max_receive_segments(), 1);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut heard = Vec::new();
    loop {
        let mut bytes = vec![0xff; LONGEST * BATCH_SIZE];
        let mut buffers: Vec<_> = bytes.chunks_mut(LONGEST).map(IoSliceMut::new).collect();
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        let Poll::Ready(count) = socket.poll_recv(&mut cx, &mut buffers, &mut metas) else { break };
        for (meta, buffer) in metas.iter().zip(&buffers).take(count.unwrap()) {
            assert_eq!(meta.stride, meta.len);
            heard.push((meta.addr, buffer.get(..meta.len).unwrap().to_vec()));
        }
    }
    let (first, _) = heard[0];
    for (number, (from, datagram)) in (0_u8..).zip(heard.drain(..41)) {
        assert_eq!(from, first);
        assert_eq!(datagram, vec![number; if number < 40 { LONGEST } else { 100 }]);
    }
    // In place of the long one nothing, which QUIC passes over.
    let [(_, long), (from, short)] = heard.as_slice() else { panic!("{}", heard.len()) };
    assert!(long.is_empty() && *short == [0; 50] && *from != first);
}

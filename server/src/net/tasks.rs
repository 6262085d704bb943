//! What QUIC's library runs in the background, and what a connection there holds its place by.
//!
//! A connection that has ended is the library's for as long as its other end says that the way takes, up to a minute, and it tells
//! nobody when that is over. It takes a third of what a link does: who opened and closed connections had thousands of them. But each
//! has a task, which begins within the call that accepts it and ends when it is forgotten, and that task holds the place.

use std::cell::RefCell;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use quinn::{AsyncTimer, AsyncUdpSocket, Connecting, ConnectionError, Incoming, Runtime, TokioRuntime};

use super::admission::Pass;

thread_local! {
    /// Whose connection is being accepted on this thread.
    static ACCEPTED: RefCell<Option<Arc<Pass>>> = const { RefCell::new(None) };
}

/// Accepts a connection, which holds the pass until QUIC has forgotten it.
pub(super) fn accept(incoming: Incoming, pass: &Arc<Pass>) -> Result<Connecting, ConnectionError> {
    ACCEPTED.set(Some(Arc::clone(pass)));
    let accepted = incoming.accept();
    ACCEPTED.take();
    accepted
}

/// Tokio, as the library uses it.
#[derive(Debug)]
pub(super) struct Tasks;

impl Runtime for Tasks {
    fn new_timer(&self, until: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(until)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let pass = ACCEPTED.take();
        tokio::spawn(async move {
            task.await;
            drop(pass);
        });
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

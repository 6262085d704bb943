//! The bare relay: forwards a sender's frames to its reader and says so to the sender. It stores nothing, checks nothing
//! and knows nothing of queues; with an epoch key it opens the capsule in every frame first, and forwards it all the same.
//!
//! A link begins with a control frame that says which side of which pair it is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use beresta_proto::capsule::Capsule;
use beresta_proto::command::Command;
use beresta_proto::frame::RequestId;
use beresta_proto::id::RelayId;
use beresta_proto::key::EpochSecret;
use beresta_proto::limits::FRAME_CONTROL;
use bytes::Bytes;
use quinn::{Endpoint, Incoming};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::load::{Pair, Pushed, Wire};
use crate::quic::{self, Link};

const SENDER: u8 = 1;
const READER: u8 = 2;
/// Whom the capsules name as their relay.
pub(crate) const RELAY: RelayId = RelayId([0; 32]);

type Readers = Arc<Mutex<HashMap<Vec<u8>, UnboundedSender<Bytes>>>>;

/// Serves until it is killed.
pub(crate) fn run(at: SocketAddr, opens: Option<EpochSecret>) {
    let opens = opens.map(Arc::new);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let endpoint = quic::server(at);
        eprintln!("listening");
        let readers = Readers::default();
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(serve(incoming, Arc::clone(&readers), opens.clone()));
        }
    });
}

/// One link, until it ends.
async fn serve(incoming: Incoming, readers: Readers, opens: Option<Arc<EpochSecret>>) -> Option<()> {
    let connection = incoming.await.ok()?;
    let streams = connection.accept_bi().await.ok()?;
    let mut link = Link::new(connection, streams);
    let hello = link.frames.next().await?;
    let (role, pair) = (hello[1], hello[2..6].to_vec());
    let said = vec![0; FRAME_CONTROL];
    if role == READER {
        let (forward, mut forwarded) = unbounded_channel();
        readers.lock().unwrap().insert(pair, forward);
        link.send.write_all(&said).await.ok()?;
        let mut frames = Vec::new();
        while forwarded.recv_many(&mut frames, 64).await > 0 {
            link.send.write_all_chunks(&mut frames).await.ok()?;
            frames.clear();
        }
        return Some(());
    }
    link.send.write_all(&said).await.ok()?;
    let reader = readers.lock().unwrap().get(&pair)?.clone();
    let mut replies = Vec::new();
    while let Some(first) = link.frames.next().await {
        let mut next = Some(first);
        while let Some(frame) = next {
            if let Some(epoch) = &opens {
                open(&frame, epoch);
            }
            reader.send(frame).ok()?;
            replies.extend_from_slice(&said);
            next = link.frames.ready();
        }
        link.send.write_all(&replies).await.ok()?;
        replies.clear();
    }
    Some(())
}

fn open(frame: &[u8], epoch: &EpochSecret) {
    let Ok((_, Command::Send { capsule })) = Command::decode(frame) else { panic!("not a capsule") };
    let header = Capsule::decode(capsule).unwrap().open_header(epoch, &RELAY);
    std::hint::black_box(header.expect("our own capsule"));
}

/// A pair's way of talking to the bare relay: there is nothing to check or to acknowledge.
pub(crate) struct Bare;

impl Wire for Bare {
    fn replied(&mut self, _: &[u8]) {}

    fn pushed(&mut self, _: &[u8]) -> Pushed {
        Pushed::Done(1)
    }

    fn acknowledge(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// Lets a pair meet at the bare relay, with `count` messages, which are `frames` in turn.
pub(crate) async fn pair(at: SocketAddr, number: u32, frames: Arc<[Bytes]>, count: usize) -> Pair<Bare> {
    // The reader first: what is forwarded must find it.
    let reader = side(&quic::client(), at, READER, number).await;
    let sender = side(&quic::client(), at, SENDER, number).await;
    Pair { sender, reader, frames: frames.iter().cycle().take(count).cloned().collect(), wire: Bare }
}

/// One side of a pair.
async fn side(endpoint: &Endpoint, at: SocketAddr, role: u8, number: u32) -> Link {
    let mut hello = vec![0, role];
    hello.extend_from_slice(&number.to_be_bytes());
    hello.resize(FRAME_CONTROL, 0);
    let mut link = Link::open(endpoint, at).await;
    link.ask(&hello).await;
    link
}

/// Frames with capsules to `epoch`: each a session of its own, though the bare relay would not notice.
pub(crate) fn frames(epoch: &EpochSecret, count: usize) -> Vec<Bytes> {
    let queue = crate::beresta::Address::random();
    let mut sealer = crate::beresta::Sealer::new(RELAY, epoch.public().unwrap(), queue, false);
    (0..count).map(|_| sealer.frame(RequestId(1)).0).collect()
}

/// An idle link.
pub(crate) async fn idle(endpoint: &Endpoint, at: SocketAddr, number: u32) -> Link {
    side(endpoint, at, READER, number).await
}

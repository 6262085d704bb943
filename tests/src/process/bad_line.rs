//! A bad line: a proxy for UDP on loopback that loses, repeats, delays and so reorders datagrams, either way.
//!
//! What meets which misfortune is drawn from a seed; when a datagram comes is not ours to say, so no two runs are alike.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::Broken;

/// How long a thread waits for a datagram before it looks whether the line is still wanted.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than any datagram of QUIC.
const LONGEST: usize = 2_048;

/// How bad a line is, each way.
#[derive(Debug, Clone, Copy)]
pub struct Badness {
    /// Of a hundred datagrams, so many are lost.
    pub lost: u32,
    /// Of a hundred, so many come twice.
    pub twice: u32,
    /// Milliseconds that each is late, at the most; each has its own, so that they overtake one another.
    pub late_ms: u64,
}

/// A line that carries everything, at once and in order.
pub const GOOD: Badness = Badness { lost: 0, twice: 0, late_ms: 0 };

/// What a line did.
#[derive(Debug, Default)]
struct Counts {
    carried: AtomicU64,
    lost: AtomicU64,
    twice: AtomicU64,
    /// Where clients seem to be, as the relay sees them.
    seen_at: Mutex<Vec<SocketAddr>>,
}

/// Where the client with this number seems to be.
type Whence = fn(u8) -> Ipv4Addr;

/// A bad line. It ends when it is dropped.
#[derive(Debug)]
pub struct BadLine {
    /// Where clients reach it.
    pub address: String,
    counts: Arc<Counts>,
    ended: Arc<AtomicBool>,
}

struct Parcel {
    by: Arc<UdpSocket>,
    to: SocketAddr,
    datagram: Vec<u8>,
}

/// What every thread of a line has.
#[derive(Clone)]
struct Shared {
    badness: Badness,
    whence: Whence,
    counts: Arc<Counts>,
    ended: Arc<AtomicBool>,
    courier: Sender<(Instant, Parcel)>,
}

#[expect(clippy::disallowed_methods, reason = "real datagrams come at real times")]
fn clock() -> Instant {
    Instant::now()
}

impl BadLine {
    /// A line to `relay`.
    ///
    /// # Errors
    /// [`Broken`] if there is no socket.
    pub fn start(relay: SocketAddr, badness: Badness, seed: u64) -> Result<Self, Broken> {
        Self::start_from(|_| Ipv4Addr::LOCALHOST, relay, badness, seed)
    }

    /// A line to `relay` behind which each client has an address of its own on loopback. Linux has all of them.
    ///
    /// # Errors
    /// [`Broken`] if there is no socket.
    pub fn start_from(
        whence: Whence,
        relay: SocketAddr,
        badness: Badness,
        seed: u64,
    ) -> Result<Self, Broken> {
        let public = socket(Ipv4Addr::LOCALHOST)?;
        let address = public.local_addr()?.to_string();
        let (courier, parcels) = channel();
        let (counts, ended) = (Arc::new(Counts::default()), Arc::new(AtomicBool::new(false)));
        let (counted, over) = (Arc::clone(&counts), Arc::clone(&ended));
        let shared = Shared { badness, whence, counts: counted, ended: over, courier };
        thread::spawn(move || deliver(&parcels));
        thread::spawn(move || from_clients(&Arc::new(public), relay, &shared, seed));
        Ok(Self { address, counts, ended })
    }

    /// How many datagrams were carried, lost, and repeated.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let Counts { carried, lost, twice, seen_at: _ } = &*self.counts;
        (carried.load(Ordering::Relaxed), lost.load(Ordering::Relaxed), twice.load(Ordering::Relaxed))
    }

    /// Where the clients seemed to be so far, in the order in which they came.
    #[must_use]
    pub fn seen_at(&self) -> Vec<SocketAddr> {
        self.counts.seen_at.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn socket(at: Ipv4Addr) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((at, 0))?;
    socket.set_read_timeout(Some(LOOK))?;
    Ok(socket)
}

/// Reads datagrams as long as the line is wanted.
fn listen(at: &UdpSocket, ended: &AtomicBool, mut heard: impl FnMut(SocketAddr, &[u8])) {
    let mut buffer = [0; LONGEST];
    while !ended.load(Ordering::Relaxed) {
        match at.recv_from(&mut buffer) {
            Ok((length, from)) => heard(from, buffer.get(..length).unwrap_or_default()),
            // A relay that is down is told so by the system; it may come back.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ) => {}
            Err(_) => return,
        }
    }
}

/// Each client gets a socket of its own towards the relay, as behind a NAT.
fn from_clients(public: &Arc<UdpSocket>, relay: SocketAddr, shared: &Shared, seed: u64) {
    let mut clients: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut chance = ChaCha20Rng::seed_from_u64(seed);
    listen(public, &shared.ended, |client, datagram| {
        let towards = match clients.get(&client) {
            Some(towards) => Arc::clone(towards),
            None => {
                let at = (shared.whence)(u8::try_from(clients.len()).unwrap_or(u8::MAX));
                let Ok(towards) = socket(at).map(Arc::new) else { return };
                if let Ok(at) = towards.local_addr() {
                    shared.counts.seen_at.lock().unwrap_or_else(PoisonError::into_inner).push(at);
                }
                let (back, by, shared) = (Arc::clone(&towards), Arc::clone(public), shared.clone());
                let number = u64::try_from(clients.len()).unwrap_or(u64::MAX);
                let mut chance = ChaCha20Rng::seed_from_u64(seed.wrapping_add(1).wrapping_add(number));
                thread::spawn(move || {
                    listen(&back, &shared.ended, |_, datagram| {
                        carry(&shared, &mut chance, &by, client, datagram);
                    });
                });
                clients.insert(client, Arc::clone(&towards));
                towards
            }
        };
        carry(shared, &mut chance, &towards, relay, datagram);
    });
}

/// Decides what becomes of a datagram.
fn carry(shared: &Shared, chance: &mut ChaCha20Rng, by: &Arc<UdpSocket>, to: SocketAddr, datagram: &[u8]) {
    let Shared { badness, whence: _, counts, ended: _, courier } = shared;
    if chance.random_range(0..100) < badness.lost {
        counts.lost.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let twice = chance.random_range(0..100) < badness.twice;
    counts.carried.fetch_add(1, Ordering::Relaxed);
    counts.twice.fetch_add(u64::from(twice), Ordering::Relaxed);
    for _ in 0..=u8::from(twice) {
        let late = Duration::from_millis(chance.random_range(0..=badness.late_ms));
        let parcel = Parcel { by: Arc::clone(by), to, datagram: datagram.to_vec() };
        // The courier goes when the line ends.
        let _ = courier.send((clock() + late, parcel));
    }
}

/// Delivers each parcel at its time.
fn deliver(parcels: &Receiver<(Instant, Parcel)>) {
    let mut waiting: BTreeMap<(Instant, u64), Parcel> = BTreeMap::new();
    let mut number = 0_u64;
    loop {
        let now = clock();
        while let Some(first) = waiting.first_entry().filter(|first| first.key().0 <= now) {
            let Parcel { by, to, datagram } = first.remove();
            // One that can't be sent is one more that is lost.
            let _ = by.send_to(&datagram, to);
        }
        let patience = waiting.keys().next().map_or(LOOK, |(due, _)| due.saturating_duration_since(now));
        match parcels.recv_timeout(patience) {
            Ok((due, parcel)) => {
                waiting.insert((due, number), parcel);
                number = number.wrapping_add(1);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

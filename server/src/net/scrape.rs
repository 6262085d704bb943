//! Answers who scrapes the relay's numbers: a line of HTTP on a loopback address, one request to a connection. The
//! answer is a text that is made every five minutes ([`crate::metrics`]); a request makes nothing and changes nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::survey::Survey;
use crate::clock;
use crate::metrics::{Board, CONTENT_TYPE, EVERY_MS};
use crate::random::SystemRandom;

/// Bytes of the longest request.
const LONGEST: usize = 4 * 1024;
/// Headers of a request; Prometheus sends five.
const HEADERS: usize = 32;
/// From a connection to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at once. One more is hung up on: who floods this port must not cost the relay memory.
const AT_ONCE: usize = 8;
/// After which it is listened again when that failed.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest wait for the next five minutes, because a clock may be set.
const LOOK: Duration = Duration::from_secs(30);

/// What is shown to who scrapes.
#[derive(Debug)]
pub(super) struct Booth(Mutex<Board<SystemRandom>>);

/// What is said of a request, in the numbers of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    NotUnderstood,
    NotFound,
    NotAllowed,
    Misdirected,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::NotUnderstood => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::NotAllowed => "405 Method Not Allowed\r\nAllow: GET",
            Self::Misdirected => "421 Misdirected Request",
        }
    }
}

impl Booth {
    pub(super) fn new(rng: SystemRandom) -> Self {
        Self(Mutex::new(Board::new(rng)))
    }

    fn lock(&self) -> MutexGuard<'_, Board<SystemRandom>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows how the relay is, at each full five minutes, for ever.
    pub(super) async fn keep(self: Arc<Self>, survey: Survey) {
        loop {
            // What the queues can't tell now, they tell at the next look.
            if self.lock().is_due(clock::now())
                && let Some(figures) = survey.figures().await
            {
                self.lock().update(&figures, clock::now());
            }
            let left = EVERY_MS.saturating_sub(clock::now().0 % EVERY_MS);
            sleep(Duration::from_millis(left).min(LOOK)).await;
        }
    }

    /// Answers for ever.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(AGAIN).await;
                continue;
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let booth = Arc::clone(&self);
            tokio::spawn(async move {
                // Whoever hung up meanwhile misses nothing but the answer.
                let _ = timeout(PATIENCE, booth.answer(stream)).await;
                drop(place);
            });
        }
    }

    async fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut request = Vec::new();
        let status = loop {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
            match judge(&request) {
                Some(status) => break status,
                None if request.len() >= LONGEST => break Status::NotUnderstood,
                None => {}
            }
        };
        let text = self.lock().text();
        let body = if status == Status::Ok { &*text } else { "" };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            status.line(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.shutdown().await
    }
}

/// What to say of a request; none as long as it is not whole.
fn judge(request: &[u8]) -> Option<Status> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(request) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Status::NotUnderstood),
    }
    let host = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case("host"));
    Some(if !host.is_some_and(|host| is_here(host.value)) {
        Status::Misdirected
    } else if parsed.method != Some("GET") {
        Status::NotAllowed
    } else if parsed.path.is_none_or(|path| path.split('?').next() != Some("/metrics")) {
        Status::NotFound
    } else {
        Status::Ok
    })
}

/// Whether a request was meant for this machine. A page in the operator's browser may have a name of its own that leads
/// here; then it would read the answer (DNS rebinding).
fn is_here(host: &[u8]) -> bool {
    let Ok(host) = core::str::from_utf8(host) else { return false };
    let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
    let loopback = |name: &str| name.parse::<core::net::IpAddr>().is_ok_and(|one| one.is_loopback());
    name.eq_ignore_ascii_case("localhost") || loopback(name.trim_matches(['[', ']']))
}

/// Listens for who scrapes.
pub(super) fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    // With the option by which a restart takes the port over while old connections fade.
    let socket =
        if at.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_page_is_there_and_only_to_be_got() {
        let said = |line: &str| judge(format!("{line} HTTP/1.1\r\nHost: localhost:9464\r\n\r\n").as_bytes());
        for (line, status) in [
            ("GET /metrics", Status::Ok),
            ("GET /metrics?a=b", Status::Ok),
            ("GET /", Status::NotFound),
            ("GET /metrics/", Status::NotFound),
            ("GET /metrics/../queues.sqlite", Status::NotFound),
            ("GET http://elsewhere/metrics", Status::NotFound),
            ("POST /metrics", Status::NotAllowed),
            ("HEAD /metrics", Status::NotAllowed),
            ("DANCE", Status::NotUnderstood),
            ("\u{1}", Status::NotUnderstood),
        ] {
            assert_eq!(said(line), Some(status), "{line}");
        }
        assert_eq!(judge(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"), None, "it goes on");
        assert_eq!(judge(&[b'x'; 10]), None);
    }

    #[test]
    fn a_page_under_another_name_reads_nothing() {
        let said = |host: &str| judge(format!("GET /metrics HTTP/1.1\r\n{host}\r\n\r\n").as_bytes());
        for host in ["127.0.0.1:9464", "127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:9464", "[::1]"] {
            assert_eq!(said(&format!("Host: {host}")), Some(Status::Ok), "{host}");
        }
        for host in
            ["evil.example", "evil.example:9464", "127.0.0.1.evil.example", "192.0.2.1:9464", "", "[::2]:1"]
        {
            assert_eq!(said(&format!("Host: {host}")), Some(Status::Misdirected), "{host}");
        }
        assert_eq!(said("Accept: */*"), Some(Status::Misdirected));
    }
}

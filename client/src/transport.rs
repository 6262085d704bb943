//! Links to relays: the only door to quinn, rustls and sockets. It carries frames and knows neither queues nor contacts
//! nor why a frame is sent.
//!
//! ```text
//! Dialler::connect ─► QUIC, TLS 1.3 ─► DESCRIPTOR ─► address, signature, TLS key, clock checked ─► Link
//! ```
//! Nothing but DESCRIPTOR is said before every check passed (rule D4). A relay is pinned by the hash of its identity key,
//! so TLS certificates are self-signed and no name is looked up or sent: the server name is an IP address, for which TLS
//! sends no SNI (RFC 6066 §3). Sessions are not resumed and no token is kept, so a relay cannot link two connections.

mod dial;
mod link;
mod tls;

pub use dial::{ConnectError, Dialler};
pub use link::{Link, LinkError};

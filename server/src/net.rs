//! Moves frames between links and the relay's core, and what the core asks for to the queue engine, the workers and
//! the disk. It knows addresses while a link lives, and what a frame means never.
//!
//! ```text
//! Incoming ─ admission ─► handshake ─► link task ─ frames ─► hub (one lock around the core) ─► engine, workers
//!                                         ▲ outbox ◄───────────────────────┘ ▲──── answers, taken in batches
//! ```

mod admin;
mod admission;
mod alias;
mod counts;
mod crowd;
mod endpoint;
mod flow;
mod hub;
mod link;
mod outbox;
mod quic;
mod ready;
mod register;
mod scrape;
mod socket;
mod survey;
mod tasks;
mod tls;
mod visit;
mod waste;
mod workers;

pub use admin::{AdminError, ask};
pub use crowd::Crowd;
pub use endpoint::{Server, ServerError};
pub use ready::tell_ready;
pub use socket::{Loopback, NotLoopback, Port, buffers_are_roomy, port};
pub use tls::{BadTlsKey, TlsKey};
pub use visit::{Visit, VisitError};

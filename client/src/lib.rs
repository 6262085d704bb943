//! The messenger: a sans-IO engine over an encrypted store, the only doors to libsignal, SQLCipher and quinn,
//! and the public face that every front end uses.
//!
//! Rooms and who may lean on whom: `docs/architecture.md`.

pub mod api;
#[cfg(test)]
mod cpu_time;
pub mod crypto;
mod desktop;
mod driver;
pub mod engine;
pub mod phrase;
pub mod rng;
pub mod store;
pub mod transport;

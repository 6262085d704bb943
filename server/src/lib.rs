//! The relay: keeps queues of ciphertext for a limited time and knows nothing else.
//!
//! Rooms and who may lean on whom: `docs/architecture.md`.

pub mod admin;
pub mod clock;
pub mod doctor;
pub mod home;
pub mod metrics;
pub mod net;
pub mod queue;
pub mod random;
pub mod relay;
pub mod selftest;
pub mod setup;
pub mod transfer;

//! Exact bytes and back: ids, keys, frames, envelopes, capsules, invites, content and descriptors, as
//! `docs/protocol/` defines them. Whatever does not match exactly is refused.
//!
//! This crate has no clock, no source of randomness, no socket and no file: time and random bytes are handed in
//! ([`time::Timestamp`], [`rng::Random`]), and `no_std` keeps it so. What a frame means for queues is the relay's
//! business, what a content means for people is the client's; libsignal is not known here.
//!
//! ```text
//! content ─ pad ─► (libsignal, in the client) ─► envelope ─► capsule ─► frame ─► link
//!  what is said      ratchet, sealed sender       to K_q      to the     one of four
//!                                                             relay      sizes
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod address;
pub mod auth;
pub mod bundle;
pub mod capsule;
pub mod codec;
pub mod command;
pub mod content;
pub mod credit;
pub mod descriptor;
pub mod envelope;
pub mod frame;
pub mod hpke;
pub mod id;
pub mod invite;
pub mod key;
pub mod label;
pub mod limits;
pub mod pad;
pub mod reply;
pub mod rng;
pub mod route;
mod stack;
pub mod time;
pub mod words;

//! Looks into the engine's files as somebody does who has a copy of the disk and every key that is left: for bodies that
//! open, wherever they lie, without asking SQLite what is deleted.

use std::fs;
use std::path::Path;

use beresta_server::queue::Namer;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use memchr::memmem;

use crate::rig::{envelope, message_id, read_id, send_id};

const NONCE: usize = 24;
const TAG: usize = 16;
/// Bytes of a key in `day.keys`.
pub(crate) const SEED: usize = 32;

/// All bytes of a folder, `day.keys` left out.
pub(crate) fn files(dir: &Path) -> Vec<u8> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.file_name().unwrap() != "day.keys").collect();
    // The log before the file that it is emptied into, meanwhile perhaps.
    paths.sort_unstable();
    paths.iter().rev().flat_map(|path| fs::read(path).unwrap()).collect()
}

/// The keys that are left.
pub(crate) fn keys(dir: &Path) -> Vec<[u8; SEED]> {
    let bytes = fs::read(dir.join("day.keys")).unwrap();
    bytes.as_chunks().0.to_vec()
}

pub(crate) fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    memmem::find(bytes, wanted).is_some()
}

/// Whether the envelope that [`envelope`] makes of a message's number, put into a queue at a place, can be had from `bytes`
/// by one of the keys; or lies there as it came.
pub(crate) fn yields(
    (bytes, keys): (&[u8], &[[u8; SEED]]),
    namer: &Namer,
    (queue, message, sequence): (u8, u64, u64),
    size: usize,
) -> bool {
    let wanted = envelope(message, size);
    if holds(bytes, &wanted.as_bytes()[..32]) {
        return true;
    }
    let name = namer.message(&send_id(queue), &message_id(message)).0;
    let front = &namer.read(&read_id(queue)).0[..8];
    let identity = [&b"beresta stored message v1"[..], front, &sequence.to_be_bytes(), &name].concat();
    let ciphers: Vec<_> = keys.iter().map(|key| XChaCha20Poly1305::new(key.into())).collect();
    let places = memmem::find_iter(bytes, &name);
    // Behind the name in its row: the bucket, in no byte or one, and the body.
    let behind = places.flat_map(|at| [at + name.len(), at + name.len() + 1]);
    let sealed = behind.filter_map(|at| bytes.get(at..at + NONCE + size + TAG));
    let mut bodies = sealed.filter_map(|sealed| {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().unwrap();
        let payload = || Payload { msg: rest, aad: &identity };
        ciphers.iter().find_map(|cipher| cipher.decrypt(&XNonce::from(*nonce), payload()).ok())
    });
    bodies.any(|body| body == wanted.as_bytes())
}

//! Every domain label in one place: no key and no signature made for one purpose is valid for another.

/// The ALPN of a link over QUIC (rule L7). Anyone can read a QUIC Initial, so the name is that of HTTP/3 and not ours.
pub const LINK_ALPN: &[u8] = b"h3";
/// TLS exporter label of a link (RFC 8446 §7.5); 32 bytes of it bind a signature to one connection.
pub const LINK_EXPORTER: &[u8] = b"EXPORTER-beresta-link-v1";
/// Key of the tokens with which a relay ends links that it does not know (RFC 9000 §10.3), from that of its TLS.
pub const LINK_RESET: &[u8] = b"beresta link reset v1";
/// Hash of a relay's identity key: its address.
pub const RELAY_ID: &[u8] = b"beresta relay id v1";
/// A relay's identity key signs its descriptor.
pub const DESCRIPTOR: &[u8] = b"beresta descriptor v1";
/// A relay's epoch-signing key signs an epoch key.
pub const EPOCH_KEY: &[u8] = b"beresta epoch key v1";
/// Hash of an epoch key: its id.
pub const EPOCH_KEY_ID: &[u8] = b"beresta epoch key id v1";
/// A read key signs a subscription.
pub const SUBSCRIBE: &[u8] = b"beresta subscribe v1";
/// A read key signs the end of its queue.
pub const DELETE_QUEUE: &[u8] = b"beresta delete queue v1";
/// A claimant's key signs a claim.
pub const CLAIM_BLOB: &[u8] = b"beresta claim blob v1";
/// An owner's key signs the end of a blob.
pub const DELETE_BLOB: &[u8] = b"beresta delete blob v1";
/// HPKE `info` of a capsule.
pub const CAPSULE: &[u8] = b"beresta capsule v1";
/// Keys of the capsules of one session.
pub const CAPSULE_SESSION: &[u8] = b"beresta capsule session v1";
/// Hash of a send capability: what the relay keeps of it.
pub const SEND_CAPABILITY: &[u8] = b"beresta send capability v1";
/// Associated data of an envelope.
pub const ENVELOPE: &[u8] = b"beresta envelope v1";
/// Associated data of a message that a relay stores (rule Q15).
pub const STORED_MESSAGE: &[u8] = b"beresta stored message v1";
/// Associated data of a blob that a relay stores.
pub const STORED_BLOB: &[u8] = b"beresta stored blob v1";
/// Associated data of what shows that a relay's key is the one of a day.
pub const DAY_KEY: &[u8] = b"beresta day key v1";
/// Associated data of an invite blob.
pub const INVITE_BLOB: &[u8] = b"beresta invite blob v1";
/// Hash of an invite blob's plaintext.
pub const INVITE_HASH: &[u8] = b"beresta invite hash v1";
/// Checksum of a link, so that a damaged one is told from a wrong one.
pub const LINK_CHECKSUM: &[u8] = b"beresta link checksum v1";
/// Hash of an identity key: its account id.
pub const ACCOUNT_ID: &[u8] = b"beresta account id v1";

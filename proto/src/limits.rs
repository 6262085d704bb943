//! Every size and count of the protocol, each with its unit and where it comes from. No relay or client has limits of its own
//! in their place.

/// Bytes of the smallest frame: every command and reply that carries no capsule, envelope, list or blob.
pub const FRAME_CONTROL: usize = 256;
/// Bytes that a frame of a bucket has beyond the bucket: kind, request and length (8), capsule (1,293), room to grow.
pub const FRAME_MARGIN: usize = 1_536;
/// Bytes of an envelope of bucket S: a text of some 500 Cyrillic letters and a ratchet's overhead.
pub const BUCKET_S: usize = 2_048;
/// Bytes of an envelope of bucket M: a first message with its pre-key part.
pub const BUCKET_M: usize = 4_096;
/// Bytes of an envelope of bucket L: the longest text.
pub const BUCKET_L: usize = 16_384;

/// Bytes of an invite blob as the relay stores it.
pub const BLOB: usize = 4_096;
/// Messages that a queue holds (rule Q8). Below the 1,000 that a sender may be ahead, so a full queue stops it first.
pub const QUEUE_MESSAGES: usize = 256;
/// Bytes of envelopes that a queue holds (rule Q8).
pub const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// Ids of messages that are gone that are remembered of one queue: a message every five seconds for as long as they are.
pub const QUEUE_REMEMBERED: usize = 65_536;
/// Hours in which a new queue must be subscribed to for the first time (rule Q13).
pub const QUEUE_NEW_HOURS: u64 = 48;
/// Days that a queue lives after it was subscribed to (rule Q13).
pub const QUEUE_DAYS: u64 = 90;
/// Messages pushed on a queue and not yet acknowledged (rule Q6).
pub const WINDOW_MESSAGES: usize = 32;
/// Bytes pushed on a queue and not yet acknowledged (rule Q6); a window always holds at least one message.
pub const WINDOW_BYTES: usize = 256 * 1024;
/// Subscriptions in one frame.
pub const SUBSCRIPTIONS: usize = 32;
/// Hours that a relay keeps an invite blob at the most: 7 days.
pub const BLOB_HOURS: u16 = 7 * 24;
/// Hours that an invite lives unless its maker says otherwise.
pub const INVITE_HOURS: u16 = 24;
/// Messages that a sender encrypts past the last one delivered (rule S9). Half of what a receiver's guard admits.
pub const SENDER_AHEAD: u32 = 1_000;
/// Steps that a receiver's guard admits past the last counter seen on a ratchet key (rule S9).
pub const RECEIVER_AHEAD: u32 = 2_000;

/// Routes in an address, invite or descriptor.
pub const ROUTES: usize = 4;
/// Bytes of a route: kinds of today need at most 18.
pub const ROUTE_BYTES: usize = 64;
/// Queue addresses of one contact: two relays for each of four devices.
pub const ADDRESSES: usize = 8;
/// Bytes of a person's or operator's name in UTF-8.
pub const NAME_BYTES: usize = 64;
/// Bytes of a text in UTF-8: what fits bucket L with a first message's overhead, rounded down.
pub const TEXT_BYTES: usize = 13_000;
/// Receipts in one content.
pub const RECEIPTS: usize = 32;
/// The longest disappearing timer, in seconds: 4 weeks.
pub const TIMER_MAX_SECS: u32 = 4 * 7 * 24 * 3600;
/// Seconds of the timer of a new conversation: 1 week.
pub const TIMER_DEFAULT_SECS: u32 = 7 * 24 * 3600;
/// Days that a relay's descriptor is valid.
pub const DESCRIPTOR_DAYS: u64 = 90;
/// Hours after its start in which senders use an epoch key.
pub const EPOCH_HOURS: u64 = 24;
/// Hours after its start when a relay destroys an epoch key's private half (rule D8).
pub const EPOCH_DESTROYED_HOURS: u64 = 48;
/// Hours before its start from which on a relay hands an epoch key out (rule D8).
pub const EPOCH_AHEAD_HOURS: u64 = 6;
/// Hours that a relay remembers the ids of messages that are gone (rule Q5): as long as any epoch key opens capsules.
pub const TOMBSTONE_HOURS: u64 = EPOCH_AHEAD_HOURS + EPOCH_DESTROYED_HOURS;

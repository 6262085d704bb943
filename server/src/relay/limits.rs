//! How much one link, and all together, may ask of the relay. The protocol's own sizes are in
//! [`beresta_proto::limits`].

/// The relay's limits. The defaults are what `beresta-relay run` uses.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Whether queues and blobs are made for credits only (rule Q2).
    pub asks_credit: bool,
    /// Commands of one link that wait for an answer; at so many it is read no further (rule L6).
    pub outstanding: usize,
    /// Bytes held for one link; at so many nothing is pushed and nothing more is read.
    pub held: usize,
    /// Bytes held for all links together; at so many a link may hold only its share.
    pub held_of_all: usize,
    /// A link's share then. Half of it must not be less than what the driver reports together as written, or a link could wait
    /// for a report that does not come; and the longest envelope must fit.
    pub share: usize,
    /// Tokens that a link may spend at once; a plain command costs one.
    pub burst: u32,
    /// Tokens that come back in a second.
    pub per_second: u32,
    /// Slow openings under way, of all links together, one of each link: a tenth of a second for one core.
    pub openings: usize,
    /// Signatures under check, of all links together, one command's of each link: a fifth of a second for one core.
    pub signatures: usize,
    /// Changes that are with the engine, of all links together: three quarters of what it lets wait, so that there is room for
    /// what the relay asks by itself.
    pub changes: usize,
    /// Deletions of queues that are with the engine beside those, of all links together: each may let 256 messages of 16 KiB go,
    /// and four of them are what goes in one commit.
    pub deletions: usize,
    /// Reads of queues that are with the engine, of all links together: an eighth of what it lets wait to be read, so that look-ups find
    /// room. How much is read is bounded by the bytes that are held.
    pub fetches: usize,
    /// Capsules in a row that did not open; then the link is closed.
    pub unopenable: u32,
    /// Commands in a row over the rate; then the link is closed.
    pub over_rate: u32,
    /// Queues that one link may be subscribed to.
    pub subscriptions: usize,
    /// Subscriptions of all links together, some 300 bytes each, and 16 to 64 for each message that is not acknowledged, before each
    /// link has to be content with its share.
    pub subscriptions_of_all: usize,
    /// A link's share then.
    pub subscriptions_share: usize,
    /// So many more of its share, each by a command of its own: who has many queues could make none else.
    pub subscriptions_single: usize,
    /// Queues whose readers are still to hear that they drained.
    pub untold: usize,
    /// Capsule sessions remembered, of all queues together: some 3 KiB each.
    pub sessions: usize,
    /// Capsule sessions remembered of one queue. Its one honest sender has one per device and day.
    pub sessions_per_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            asks_credit: false,
            outstanding: 64,
            held: 512 * 1024,
            held_of_all: 1024 * 1024 * 1024,
            share: 32 * 1024,
            burst: 8_192,
            per_second: 4_096,
            openings: 512,
            signatures: 4_096,
            changes: 3_072,
            deletions: 4,
            fetches: 1_024,
            unopenable: 32,
            over_rate: 64,
            subscriptions: 1_024,
            subscriptions_of_all: 1024 * 1024,
            subscriptions_share: 64,
            subscriptions_single: 8,
            untold: 65_536,
            sessions: 16_384,
            sessions_per_queue: 4,
        }
    }
}

/// What commands cost in tokens.
pub(super) mod cost {
    /// What is answered from memory, or with one small write.
    pub(in crate::relay) const PLAIN: u32 = 1;
    /// Each signature that is checked.
    pub(in crate::relay) const SIGNATURE: u32 = 2;
    /// A header that is opened the slow way: 0.2 ms of a core.
    pub(in crate::relay) const OPENING: u32 = 8;
    /// What takes room on the disk for anybody who asks.
    pub(in crate::relay) const ROOM: u32 = 64;
    /// What a longer answer costs beyond a plain one, by its bytes: a frame of class S or M for one of 256.
    pub(in crate::relay) const DESCRIPTOR: u32 = 3_584 / 256 - PLAIN;
    pub(in crate::relay) const BLOB: u32 = 5_632 / 256 - PLAIN;
}

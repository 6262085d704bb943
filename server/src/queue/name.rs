//! The names under which a relay keeps things (rule Q11): keyed hashes of ids, so that a copied disk shows no id to who
//! lacks the relay's secret, and no two names that belong together look alike. What the names stand for is the
//! business of [`super`].

use beresta_proto::id::{BlobId, MessageId, ReadId, SendId};
use beresta_proto::key::{Credit, VerifyingKey};
use ring::hmac;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let Self(_) = self;
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

name!(
    /// A [`ReadId`] as the relay keeps it.
    ReadName, 32
);
name!(
    /// A [`SendId`] as the relay keeps it.
    SendName, 32
);
name!(
    /// A [`BlobId`] as the relay keeps it.
    BlobName, 32
);
name!(
    /// The key that a blob is locked to, as the relay keeps it: two claims of one person don't look alike.
    ClaimantName, 32
);
name!(
    /// A [`MessageId`] in one queue, as the relay keeps it (rule Q5). 8 bytes: it is compared with the few hundred
    /// others of its queue only, and nobody without the secret can aim at one.
    MessageName, 8
);

name!(
    /// A [`Credit`] as the relay keeps it (rule Q2).
    CreditName, 32
);

name!(
    /// What a [`Namer`]'s secret answers, and no other: kept beside names, it shows whether they are its own.
    KeyProof, 32
);

/// Makes names. Holds the relay's secret.
#[derive(Clone)]
pub struct Namer(hmac::Key);

impl core::fmt::Debug for Namer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self(_) = self;
        f.write_str("Namer(..)")
    }
}

impl Namer {
    /// Takes the relay's secret: 32 random bytes that never leave the relay and stay the same as long as its files.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn hash<const N: usize>(&self, label: &[u8], parts: &[&[u8]]) -> [u8; N] {
        let mut context = hmac::Context::with_key(&self.0);
        // Parts have fixed lengths and labels end with a zero, so that no two inputs are the same bytes.
        context.update(label);
        parts.iter().for_each(|part| context.update(part));
        let tag = context.sign();
        let mut out = [0; N];
        out.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        out
    }

    /// HMAC-SHA256 of nothing but a label: shows whose names are in a file, to who has the secret.
    #[must_use]
    pub fn proof(&self) -> KeyProof {
        KeyProof(self.hash(b"proof\0", &[]))
    }

    /// HMAC-SHA256 of a read id.
    #[must_use]
    pub fn read(&self, id: &ReadId) -> ReadName {
        ReadName(self.hash(b"read\0", &[&id.0]))
    }

    /// HMAC-SHA256 of a send id.
    #[must_use]
    pub fn send(&self, id: &SendId) -> SendName {
        SendName(self.hash(b"send\0", &[&id.0]))
    }

    /// HMAC-SHA256 of a blob id.
    #[must_use]
    pub fn blob(&self, id: &BlobId) -> BlobName {
        BlobName(self.hash(b"blob\0", &[&id.0]))
    }

    /// HMAC-SHA256 of a claimant's key and the blob it claims.
    #[must_use]
    pub fn claimant(&self, blob: &BlobId, key: &VerifyingKey) -> ClaimantName {
        ClaimantName(self.hash(b"claimant\0", &[&blob.0, &key.0]))
    }

    /// HMAC-SHA256 of a credit.
    #[must_use]
    pub fn credit(&self, credit: &Credit) -> CreditName {
        CreditName(self.hash(b"credit\0", &[credit.expose()]))
    }

    /// The front of the HMAC-SHA256 of a queue's send id and a message id: the same id in two queues has two names.
    #[must_use]
    pub fn message(&self, queue: &SendId, id: &MessageId) -> MessageName {
        MessageName(self.hash(b"message\0", &[&queue.0, &id.0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_show_nothing_in_common() {
        let (one, other) = (Namer::new(&[1; 32]), Namer::new(&[2; 32]));
        let (read, send) = (ReadId([5; 24]), SendId([5; 24]));
        assert_eq!(one.read(&read), one.read(&read));
        assert_ne!(one.read(&read), other.read(&read), "without the secret nobody can guess");
        assert_ne!(one.read(&read).0, one.send(&send).0);
        assert_eq!(one.proof(), Namer::new(&[1; 32]).proof());
        assert_ne!(one.proof(), other.proof());
        let id = MessageId([6; 16]);
        assert_ne!(one.message(&send, &id), one.message(&SendId([7; 24]), &id));
        let key = VerifyingKey([8; 32]);
        assert_ne!(one.claimant(&BlobId([1; 16]), &key), one.claimant(&BlobId([2; 16]), &key));
    }

    #[test]
    fn debug_shows_no_byte_of_a_name() {
        let namer = Namer::new(&[0xab; 32]);
        assert_eq!(format!("{namer:?} {:?}", namer.read(&ReadId([5; 24]))), "Namer(..) ReadName(..)");
    }
}

//! Points in time and how long a relay keeps things. Nothing here reads a clock.

use crate::codec::{DecodeError, Reader, Writer};

/// Milliseconds since 1970-01-01 00:00:00 UTC, as the clock that handed it in had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

/// One second, in the unit of [`Timestamp`].
pub const SECOND_MS: u64 = 1_000;
/// One minute, in the unit of [`Timestamp`].
pub const MINUTE_MS: u64 = 60 * SECOND_MS;
/// One hour, in the unit of [`Timestamp`].
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
/// One day, in the unit of [`Timestamp`].
pub const DAY_MS: u64 = 24 * HOUR_MS;

impl Timestamp {
    /// The same moment `ms` milliseconds later; stops at the end of time instead of wrapping.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The same moment `ms` milliseconds earlier; stops at 1970.
    #[must_use]
    pub const fn minus(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `earlier` to `self`, 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Rounded down to a multiple of `unit` milliseconds, so that what is kept says less about when.
    #[must_use]
    pub const fn floor(self, unit: u64) -> Self {
        match self.0.checked_rem(unit) {
            Some(rest) => Self(self.0 - rest),
            None => self,
        }
    }

    /// Whole days since 1970: the number of a relay's epoch (rule D7).
    #[must_use]
    pub const fn day(self) -> u64 {
        self.0 / DAY_MS
    }

    pub(crate) fn encode(self, w: &mut Writer) {
        w.u64(self.0);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.u64().map(Self)
    }
}

/// How long a relay keeps a message that nobody fetched (rule Q9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TtlClass {
    /// One hour: signals that are worthless later.
    Hour,
    /// Two days.
    TwoDays,
    /// Seven days.
    Week,
    /// Twenty-one days: what content takes unless its sender chooses less.
    ThreeWeeks,
}

impl TtlClass {
    /// Every class, shortest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::TwoDays, Self::Week, Self::ThreeWeeks];

    /// Milliseconds until a message of this class ends.
    #[must_use]
    pub const fn millis(self) -> u64 {
        match self {
            Self::Hour => HOUR_MS,
            Self::TwoDays => 2 * DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::ThreeWeeks => 21 * DAY_MS,
        }
    }

    /// The byte that stands for the class on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Hour => 0,
            Self::TwoDays => 1,
            Self::Week => 2,
            Self::ThreeWeeks => 3,
        }
    }

    /// The class of a wire byte.
    ///
    /// # Errors
    /// [`DecodeError::Unknown`] if no class has that byte.
    pub fn from_code(code: u8) -> Result<Self, DecodeError> {
        Self::ALL
            .into_iter()
            .find(|class| class.code() == code)
            .ok_or(DecodeError::Unknown { what: "ttl class", code: u32::from(code) })
    }
}

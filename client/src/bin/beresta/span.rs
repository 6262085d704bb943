//! Spans of time as people type them: `30s`, `5m`, `24h`, `7d`, `1w`; and moments as they are shown to them.

use time::OffsetDateTime;

/// Seconds of a span; none if it is not one.
pub(crate) fn seconds(typed: &str) -> Option<u64> {
    let typed = typed.trim();
    let split = typed.find(|one: char| !one.is_ascii_digit()).unwrap_or(typed.len());
    let (number, unit) = typed.split_at_checked(split)?;
    let number: u64 = number.parse().ok()?;
    let unit = match unit {
        "s" | "" | "с" => 1,
        "m" | "min" | "м" | "мин" => 60,
        "h" | "ч" => 3_600,
        "d" | "д" => 86_400,
        "w" | "н" | "нед" => 604_800,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// The date and clock of a moment in UTC: `2026-11-24 08:15`.
pub(crate) fn utc(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(|_| String::from("?"), shown)
}

/// The same of the moment that it is by the clock of this machine. The only place in the program that reads it.
pub(crate) fn utc_now() -> String {
    shown(OffsetDateTime::now_utc())
}

fn shown(moment: OffsetDateTime) -> String {
    let (date, clock) = (moment.date(), moment.time());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_both_alphabets_and_nonsense_is_refused() {
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds("24h"), Some(86_400));
        assert_eq!(seconds("2 н"), None);
        assert_eq!(seconds("2н"), Some(1_209_600));
        assert_eq!(seconds("-1h"), None);
        assert_eq!(seconds("99999999999999999999w"), None);
        assert_eq!(seconds(""), None);
    }

    #[test]
    fn a_moment_is_shown_in_utc() {
        assert_eq!(utc(1_800_000_000_000), "2027-01-15 08:00");
        assert_eq!(utc(u64::MAX), "?");
    }
}

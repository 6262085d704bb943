//! `what-i-hold`: what a seizure of this machine would give, in numbers, and what its files tell beyond them.

use beresta_proto::time::{DAY_MS, HOUR_MS, Timestamp};
use beresta_server::home::{Home, Name};
use beresta_server::queue::Stats;

use super::text::Text;

/// The files of `home` that are keys of the relay.
pub(crate) fn keys(home: &Home) -> Vec<Name> {
    Name::SECRETS.into_iter().filter(|name| home.has(*name)).collect()
}

pub(crate) fn sentences(stats: &Stats, keys: &[Name], text: &Text) -> String {
    let Stats { queues, messages, tombstones, blobs, credits, handed_credits, used, first_end } = *stats;
    let count = |key: &str, count: u64| text.say_with(key, &[("count", &count.to_string())]);
    let ends = first_end.map_or_else(
        || text.say("hold-nothing-waits"),
        |end| text.say_with("hold-first-end", &[("hour", &hour(end))]),
    );
    [
        count("hold-queues", queues),
        count("hold-messages", messages),
        ends,
        count("hold-tombstones", tombstones),
        count("hold-blobs", blobs),
        count("hold-credits", credits),
        count("hold-handed-credits", handed_credits),
        count("hold-bytes", used),
        text.say_with("hold-keys", &[("files", &names(keys, ", "))]),
        text.say("hold-each"),
        text.say("hold-explain"),
    ]
    .join("\n")
}

pub(crate) fn json(stats: &Stats, keys: &[Name]) -> String {
    let Stats { queues, messages, tombstones, blobs, credits, handed_credits, used, first_end } = *stats;
    let end = first_end.map_or_else(|| "null".to_owned(), |end| format!("\"{}\"", hour(end)));
    let keys = if keys.is_empty() { String::new() } else { format!("\"{}\"", names(keys, "\",\"")) };
    format!(
        "{{\"queues\":{queues},\"messages\":{messages},\"tombstones\":{tombstones},\"blobs\":{blobs},\"credits\":{credits},\"handed_credits\":{handed_credits},\"used\":{used},\"first_end\":{end},\"keys\":[{keys}]}}"
    )
}

fn names(keys: &[Name], between: &str) -> String {
    keys.iter().map(|key| key.as_str()).collect::<Vec<_>>().join(between)
}

/// The hour as `2026-11-24T09Z`.
fn hour(at: Timestamp) -> String {
    format!("{}T{:02}Z", day(at), at.0 % DAY_MS / HOUR_MS)
}

/// The day as `2026-11-24`, in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    let (year, month, day) = date(at.0 / DAY_MS);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date of a day since 1970: counted by hand, since nothing else here needs a calendar.
fn date(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_written_as_people_do() {
        assert_eq!(hour(Timestamp(0)), "1970-01-01T00Z");
        assert_eq!(hour(Timestamp(951_782_400_000)), "2000-02-29T00Z");
        assert_eq!(hour(Timestamp(1_795_512_000_000)), "2026-11-24T09Z");
    }

    #[test]
    fn numbers_are_given_as_json_for_programs() {
        let stats = Stats { queues: 2, first_end: Some(Timestamp(0)), ..Stats::default() };
        assert_eq!(
            json(&stats, &[Name::TlsKey, Name::DayKeys]),
            r#"{"queues":2,"messages":0,"tombstones":0,"blobs":0,"credits":0,"handed_credits":0,"used":0,"first_end":"1970-01-01T00Z","keys":["tls.key","day.keys"]}"#
        );
        assert!(json(&stats, &[]).ends_with("\"keys\":[]}"));
    }
}

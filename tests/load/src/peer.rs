//! A server that is measured, what Linux says of its process, and what was found of it.

use std::time::Duration;

use crate::link::Dialer;

/// Jiffies in a second: what `/proc` counts in, the same on every Linux.
const JIFFIES: u32 = 100;
const PAGE_KIB: f64 = 4.0;

/// A server of others, on a port of loopback.
pub(crate) struct Peer {
    pub(crate) dialer: Dialer,
    pub(crate) port: u16,
    pub(crate) process: u32,
}

impl Peer {
    /// Time on a processor since it began, all threads together.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let mut fields = fields.split(' ').skip(11).map(|field| field.parse::<u32>().unwrap());
        let (user, system) = (fields.next().unwrap(), fields.next().unwrap());
        Duration::from_secs(1) * (user + system) / JIFFIES
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> f64 {
        self.proc("statm").split(' ').nth(1).unwrap().parse::<f64>().unwrap() * PAGE_KIB
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process)).unwrap()
    }
}

/// How a load was carried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried {
    /// Messages in a second.
    pub(crate) rate: f64,
    /// Microseconds on a processor that the server took for each.
    pub(crate) cpu_us: f64,
    /// p50 and p99, in milliseconds, until the sender had the acknowledgement.
    pub(crate) acknowledged_ms: [f64; 2],
    /// And until the reader had the message.
    pub(crate) delivered_ms: [f64; 2],
}

/// p50 and p99.
pub(crate) fn percentiles(values: &mut [f64]) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [50, 99].map(|percent| values[((values.len() - 1) * percent).div_ceil(100)])
}

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The middle of what several turns gave, each figure by itself.
pub(crate) fn middle(turns: &[Carried]) -> Carried {
    let of = |figure: fn(&Carried) -> f64| median(turns.iter().map(figure));
    Carried {
        rate: of(|turn| turn.rate),
        cpu_us: of(|turn| turn.cpu_us),
        acknowledged_ms: [of(|turn| turn.acknowledged_ms[0]), of(|turn| turn.acknowledged_ms[1])],
        delivered_ms: [of(|turn| turn.delivered_ms[0]), of(|turn| turn.delivered_ms[1])],
    }
}

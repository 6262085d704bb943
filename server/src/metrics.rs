//! What a relay tells a machine that watches over it: its numbers, made so coarse that they say how the relay is and
//! nothing about anybody who uses it. How they are gathered and how a scraper asks is [`crate::net`]'s business.
//!
//! Nobody may learn more by asking more often, so there is one text, made at the full five minutes and not changed
//! before the next. Whoever keeps every text for years has no more than: so many steps in those five minutes. How numbers
//! become steps is in `coarse`; `docs/operators.md` says it to operators.

mod coarse;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use beresta_proto::rng::Random;
use beresta_proto::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::queue::intake::Intake;
use crate::queue::{COMMIT_BINS_MS, Stats};
use crate::relay::{Kind, Outcome, Tally};
use coarse::{Level, Rising, Share};

/// The `Content-Type` of [`Board::text`].
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// Between two texts.
pub const EVERY_MS: u64 = 5 * MINUTE_MS;

/// How a relay is, exactly: not to be shown to anybody as it stands.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Links that are open.
    pub links: u64,
    /// Whether the operator lets nobody new in.
    pub paused: bool,
    /// What the disk has room for.
    pub intake: Intake,
    /// Whether the kernel gave the buffers that a busy relay needs.
    pub roomy: bool,
    /// What the queues hold.
    pub held: Stats,
    /// Bytes that they may count for.
    pub cap: u64,
    /// What became of commands.
    pub commands: Tally,
    /// Connections that did not become links, by reason.
    pub refused: Vec<(&'static str, u64)>,
    /// Links that the relay closed, by reason.
    pub closed: Vec<(&'static str, u64)>,
    /// Commits by what they took ([`COMMIT_BINS_MS`]), and at the end those that took longer.
    pub commits: [u64; COMMIT_BINS_MS.len() + 1],
    /// Milliseconds since the day of the epoch key in use began; none if there is none to hand out.
    pub epoch_age: Option<u64>,
    /// Milliseconds until the descriptor ends that is in use.
    pub descriptor_left: u64,
    /// Its sequence number. Not shown.
    pub descriptor_sequence: u64,
    /// Datagrams that the kernel dropped because nobody took them in time; none if it does not tell.
    pub dropped: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Command {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

type Whole = Gauge<u64, AtomicU64>;
type Part = Gauge<f64, AtomicU64>;

/// What is registered.
#[derive(Debug)]
struct Shown {
    updated: Whole,
    links: Whole,
    refused: Family<Reason, Counter>,
    closed: Family<Reason, Counter>,
    commands: Family<Command, Counter>,
    queues: Whole,
    blobs: Whole,
    cap_used: Part,
    commits: Histogram,
    epoch_age: Part,
    descriptor_left: Whole,
    paused: Whole,
    intake: Whole,
    roomy: Whole,
    dropped: Counter,
}

/// The text that a scraper is given, and what is remembered to make the next one.
#[derive(Debug)]
pub struct Board<R> {
    rng: R,
    registry: Registry,
    shown: Shown,
    links: Level,
    queues: Level,
    blobs: Level,
    cap_used: Share,
    rising: HashMap<[&'static str; 3], Rising>,
    commits: [Rising; COMMIT_BINS_MS.len() + 1],
    /// The five minutes whose text stands.
    period: Option<u64>,
    text: Arc<str>,
}

fn seconds(millis: u64) -> f64 {
    core::time::Duration::from_millis(millis).as_secs_f64()
}

impl Shown {
    fn register(registry: &mut Registry) -> Self {
        let shown = Self {
            updated: Whole::default(),
            links: Whole::default(),
            refused: Family::default(),
            closed: Family::default(),
            commands: Family::default(),
            queues: Whole::default(),
            blobs: Whole::default(),
            cap_used: Part::default(),
            commits: Histogram::new(COMMIT_BINS_MS.map(seconds)),
            epoch_age: Part::default(),
            descriptor_left: Whole::default(),
            paused: Whole::default(),
            intake: Whole::default(),
            roomy: Whole::default(),
            dropped: Counter::default(),
        };
        let build: Family<Build, Whole> = Family::default();
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "The version that runs", build);
        let whole = [
            (
                "updated_timestamp_seconds",
                "The full five minutes at which these numbers were taken",
                &shown.updated,
            ),
            ("links", "Links that are open, as the power of two below", &shown.links),
            ("queues", "Queues, as the power of two below", &shown.queues),
            ("blobs", "Sealed invites, as the power of two below", &shown.blobs),
            ("descriptor_left_seconds", "Until the descriptor ends, in whole days", &shown.descriptor_left),
            (
                "intake_step",
                "As the disk fills: 0 all is taken in, 1 nobody new, 2 nothing large, 3 nothing",
                &shown.intake,
            ),
            ("paused", "1 while the operator lets nobody new in", &shown.paused),
            ("udp_buffers_roomy", "1 if the kernel gave the buffers that a busy relay needs", &shown.roomy),
        ];
        for (name, help, gauge) in whole {
            registry.register(name, help, gauge.clone());
        }
        let cap = "Share of disk_mib that is used, in twentieths";
        registry.register("cap_used_ratio", cap, shown.cap_used.clone());
        let age = "Since the day of the epoch key in use began, in whole hours; +Inf if there is no key to hand out";
        registry.register("epoch_key_age_seconds", age, shown.epoch_age.clone());
        let refused = "Connections that did not become links, by reason, in steps of 64";
        registry.register("links_refused", refused, shown.refused.clone());
        let closed = "Links that the relay closed, by reason, in steps of 64";
        registry.register("links_closed", closed, shown.closed.clone());
        let commands = "Commands that were answered, by kind and outcome, in steps of 64";
        registry.register("commands", commands, shown.commands.clone());
        let dropped = "Datagrams that the kernel dropped because the relay was too slow, in steps of 64";
        registry.register("udp_dropped_datagrams", dropped, shown.dropped.clone());
        let commits = "How long commits to the disk took, each bin in steps of 64";
        registry.register("commit_seconds", commits, shown.commits.clone());
        shown
    }
}

impl<R: Random> Board<R> {
    /// A board that shows nothing yet. `rng` rounds by chance.
    #[must_use]
    pub fn new(rng: R) -> Self {
        let mut registry = Registry::with_prefix("beresta_relay");
        let shown = Shown::register(&mut registry);
        Self {
            rng,
            registry,
            shown,
            links: Level::default(),
            queues: Level::default(),
            blobs: Level::default(),
            cap_used: Share::default(),
            rising: HashMap::new(),
            commits: Default::default(),
            period: None,
            text: Arc::from(""),
        }
    }

    /// What to answer a scraper with.
    #[must_use]
    pub fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Whether [`Board::update`] would change anything now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.period != Some(now.0 / EVERY_MS)
    }

    /// Makes the text of these five minutes, unless it is there.
    pub fn update(&mut self, figures: &Figures, now: Timestamp) {
        if !self.is_due(now) {
            return;
        }
        self.period = Some(now.0 / EVERY_MS);
        self.take(figures, now);
        let mut text = String::new();
        // Writing into a string does not fail.
        if prometheus_text::encode(&mut text, &self.registry).is_ok() {
            self.text = Arc::from(text);
        }
    }

    fn take(&mut self, figures: &Figures, now: Timestamp) {
        let Figures { links, paused, roomy, held, cap, .. } = figures;
        let shown = &self.shown;
        shown.updated.set(now.floor(EVERY_MS).0 / SECOND_MS);
        shown.links.set(self.links.follow(*links, &mut self.rng));
        shown.queues.set(self.queues.follow(held.queues, &mut self.rng));
        shown.blobs.set(self.blobs.follow(held.blobs, &mut self.rng));
        shown.cap_used.set(self.cap_used.follow(held.used, *cap, &mut self.rng));
        shown.paused.set(u64::from(*paused));
        shown.intake.set(figures.intake as u64);
        shown.roomy.set(u64::from(*roomy));
        let whole = |millis: u64, of: u64| millis / of * (of / SECOND_MS);
        shown.descriptor_left.set(whole(figures.descriptor_left, DAY_MS));
        let hours = |age: u64| seconds(age / HOUR_MS * HOUR_MS);
        shown.epoch_age.set(figures.epoch_age.map_or(f64::INFINITY, hours));

        for kind in Kind::ALL {
            for outcome in Outcome::ALL {
                let label = Command { kind: kind.as_str(), outcome: outcome.as_str() };
                let key = ["commands", label.kind, label.outcome];
                let grown = self
                    .rising
                    .entry(key)
                    .or_default()
                    .follow(figures.commands.of(kind, outcome), &mut self.rng);
                shown.commands.get_or_create(&label).inc_by(grown);
            }
        }
        for (name, family, counts) in
            [("refused", &shown.refused, &figures.refused), ("closed", &shown.closed, &figures.closed)]
        {
            for (reason, count) in counts {
                let grown = self.rising.entry([name, *reason, ""]).or_default().follow(*count, &mut self.rng);
                family.get_or_create(&Reason { reason }).inc_by(grown);
            }
        }
        if let Some(dropped) = figures.dropped {
            let rising = self.rising.entry(["dropped", "", ""]).or_default();
            shown.dropped.inc_by(rising.follow(dropped, &mut self.rng));
        }
        // What took longer than all bins is shown as twice the last, and the others as the end of their bin: the sum
        // is as coarse as the bins.
        let ends = COMMIT_BINS_MS.into_iter().chain(COMMIT_BINS_MS.last().map(|last| last.saturating_mul(2)));
        for ((rising, count), end) in self.commits.iter_mut().zip(figures.commits).zip(ends) {
            for _ in 0..rising.follow(count, &mut self.rng) {
                shown.commits.observe(seconds(end));
            }
        }
    }
}

#[cfg(test)]
mod tests;

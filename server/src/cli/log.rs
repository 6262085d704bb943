//! The log: our own constant texts on standard error, and nobody else's. quinn logs the addresses of clients and the
//! ids of connections, some of it as warnings.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use beresta_server::clock;
use beresta_server::setup::LogLevel;
use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::{fmt, registry};

/// Where our own log lines come from.
const OURS: &str = "beresta_";

/// The least urgent lines that the operator wants to read; until the settings were read, all.
static LEAST: OnceLock<Level> = OnceLock::new();

/// Keeps no lines that are less urgent than this from now on. Holds once.
pub(crate) fn limit(level: LogLevel) {
    let _ = LEAST.set(match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
    });
}

/// How long a complaint is not said again. What fails may fail with each thing that somebody does, on a full disk each
/// acknowledgement: the log would tell when, and fill.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// A log that lets our own lines through, complaints once an hour each.
pub(crate) fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let plain = fmt::layer().with_writer(writer).with_target(false).with_ansi(false).without_time();
    registry().with(plain.with_filter(Ours { said: Mutex::default(), now: clock::monotonic }))
}

/// Which lines are written down.
struct Ours {
    /// Complaints by their place in the code, and when they were said last.
    said: Mutex<HashMap<Identifier, Instant>>,
    now: fn() -> Instant,
}

impl Ours {
    fn is_ours(line: &Metadata<'_>) -> bool {
        line.target().starts_with(OURS) && *line.level() <= Level::INFO
    }
}

impl<S> Filter<S> for Ours {
    fn enabled(&self, line: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        Self::is_ours(line) && line.level() <= LEAST.get().unwrap_or(&Level::INFO)
    }

    /// quinn's many lines are refused once and not asked about again.
    fn callsite_enabled(&self, line: &'static Metadata<'static>) -> Interest {
        if Self::is_ours(line) { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let line = event.metadata();
        if *line.level() > Level::WARN {
            return true;
        }
        let now = (self.now)();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let before = said.get(&line.callsite());
        if before.is_some_and(|before| now.saturating_duration_since(*before) < AGAIN) {
            return false;
        }
        said.insert(line.callsite(), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        fn read(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn other_peoples_log_lines_are_not_written_down() {
        let paper = Paper::default();
        let writer = paper.clone();
        tracing::subscriber::with_default(subscriber(move || writer.clone()), || {
            let _inside = tracing::error_span!(target: "quinn", "an address").entered();
            tracing::warn!(target: "quinn_udp", "another address");
            tracing::error!(target: "quinn_proto::connection", "an id");
            tracing::error!(target: "beresta_server::net", "ours");
            tracing::debug!(target: "beresta_server::net", "too much");
        });
        assert_eq!(paper.read(), "ERROR ours\n");
    }

    thread_local! {
        static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
    }

    #[test]
    fn what_fails_again_and_again_is_said_once_an_hour() {
        let paper = Paper::default();
        let writer = paper.clone();
        let begin = clock::monotonic();
        let now = || NOW.get().unwrap();
        let log = fmt::layer()
            .with_writer(move || writer.clone())
            .with_target(false)
            .with_ansi(false)
            .without_time();
        let log = registry().with(log.with_filter(Ours { said: Mutex::default(), now }));
        tracing::subscriber::with_default(log, || {
            for second in [0, 1, 3_599, 3_600, 7_199] {
                NOW.set(begin.checked_add(Duration::from_secs(second)));
                tracing::error!(target: "beresta_server::queue", "failed");
                tracing::warn!(target: "beresta_server::queue", "full");
                tracing::info!(target: "beresta_server::net", "an hour");
            }
        });
        let once = "ERROR failed\n WARN full\n INFO an hour\n";
        assert_eq!(paper.read(), format!("{once} INFO an hour\n INFO an hour\n{once} INFO an hour\n"));
    }
}

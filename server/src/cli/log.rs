//! The log: our own constant texts on standard error, and nobody else's. quinn logs the addresses of clients and the
//! ids of connections, some of it as warnings.

use std::sync::OnceLock;

use beresta_server::setup::LogLevel;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
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
    // What was found out about lines that were met before is asked again.
    tracing::callsite::rebuild_interest_cache();
}

/// A log that lets our own lines through.
pub(crate) fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours = filter_fn(|line| {
        line.target().starts_with(OURS) && line.level() <= LEAST.get().unwrap_or(&Level::INFO)
    });
    let plain = fmt::layer().with_writer(writer).with_target(false).with_ansi(false).without_time();
    registry().with(plain.with_filter(ours))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

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
        assert_eq!(String::from_utf8(paper.0.lock().unwrap().clone()).unwrap(), "ERROR ours\n");
    }
}

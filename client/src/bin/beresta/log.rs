//! The log: our own constant texts on standard error, for whoever looks for a fault and asks for it by `RUST_LOG` with a
//! level (`error` to `trace`). Nobody else's: quinn logs addresses. What a person has to know is told to them without it.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::{fmt, registry};

use super::locale::log_level;

/// Where our own log lines come from.
const OURS: [&str; 2] = ["beresta_", "beresta::"];

/// Starts the log, if it is asked for.
pub(crate) fn start() {
    let asked = log_level().and_then(|level| level.parse::<LevelFilter>().ok());
    if let Some(level) = asked.and_then(LevelFilter::into_level) {
        let _ = tracing::subscriber::set_global_default(subscriber(level, std::io::stderr));
    }
}

/// A log that lets our own lines through, down to a level.
fn subscriber<W>(most: Level, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let ours = filter_fn(move |line| {
        OURS.iter().any(|ours| line.target().starts_with(ours)) && *line.level() <= most
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
        tracing::subscriber::with_default(subscriber(Level::INFO, move || writer.clone()), || {
            let _inside = tracing::error_span!(target: "quinn", "an address").entered();
            tracing::error!(target: "quinn_proto::connection", "an id");
            tracing::info!(target: "beresta_client::driver", "ours");
            tracing::debug!(target: "beresta_client::driver", "too much");
        });
        assert_eq!(String::from_utf8(paper.0.lock().unwrap().clone()).unwrap(), " INFO ours\n");
    }
}

//! What the cores log while a history runs: never an error, and never a value.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Stands in every text and every name.
pub(super) const SECRET: &str = "the fir tree stands by the river";

/// Runs something and listens: what it gives, and the first line that should not have been logged.
pub(super) fn listen<T>(run: impl FnOnce() -> T) -> (T, Option<String>) {
    let heard: Arc<Mutex<Option<String>>> = Arc::default();
    let value = tracing::subscriber::with_default(Listener(Arc::clone(&heard)), run);
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner).take();
    (value, heard)
}

struct Listener(Arc<Mutex<Option<String>>>);

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let bad = *event.metadata().level() == Level::ERROR || line.values || line.text.contains(SECRET);
        if bad {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(line.text);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Line {
    text: String,
    /// Whether it holds more than its constant text.
    values: bool,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.values |= field.name() != "message";
        self.text += &format!("{}={value:?} ", field.name());
    }
}

#[cfg(test)]
mod tests {
    use super::{SECRET, listen};

    #[test]
    fn errors_values_and_secrets_are_heard() {
        assert!(listen(|| tracing::error!("a constant text")).1.is_some());
        assert!(listen(|| tracing::info!(queue = 7, "a constant text")).1.is_some());
        assert!(listen(|| tracing::info!("{SECRET}")).1.is_some());
        assert!(listen(|| tracing::warn!("a constant text")).1.is_none());
    }
}

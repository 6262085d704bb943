//! What the cores log while a history runs: never an error, and never a value: no text, no name, no id, no address.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Stands in every text and every name.
pub(super) const SECRET: &str = "the fir tree stands by the river";

/// Runs something and listens: what it gives, and the first line that should not have been logged.
pub(super) fn listen<T>(run: impl FnOnce() -> T) -> (T, Option<String>) {
    let heard: Arc<Mutex<Heard>> = Arc::default();
    let value = tracing::subscriber::with_default(Listener(Arc::clone(&heard)), run);
    let bad = heard.lock().unwrap_or_else(PoisonError::into_inner).bad.take();
    (value, bad)
}

#[derive(Default)]
struct Heard {
    /// What each place in the code said first: it must say the same each time.
    said: BTreeMap<(&'static str, Option<u32>), String>,
    bad: Option<String>,
}

struct Listener(Arc<Mutex<Heard>>);

impl Listener {
    fn hear(&self, at: &'static Metadata<'static>, line: Line) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (at.file().unwrap_or_default(), at.line());
        let first = heard.said.entry(place).or_insert_with(|| line.text.clone());
        let differs = *first != line.text;
        // Whatever is written out of ids, keys, addresses and times has a digit in it.
        let value = line.values || differs || line.text.chars().any(char::is_numeric);
        if *at.level() == Level::ERROR || value || line.text.contains(SECRET) {
            heard.bad.get_or_insert(line.text);
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line::default();
        span.record(&mut line);
        self.hear(span.metadata(), line);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line::default();
        values.record(&mut line);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bad.get_or_insert(line.text);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.hear(event.metadata(), line);
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
        assert!(listen(|| tracing::info!("queue {}", "7f")).1.is_some());
        let name = |name| tracing::info!("{name}");
        assert!(listen(|| ["anna", "boris"].map(name)).1.is_some());
        assert!(listen(|| tracing::info_span!("link", relay = "a").in_scope(|| ())).1.is_some());
        assert!(listen(|| (0..2).for_each(|_| tracing::warn!("a constant text"))).1.is_none());
    }
}

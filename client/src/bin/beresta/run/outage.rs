//! What is told of a line that is lost, and when: each cause once, and not each try.

use std::time::Duration;

use beresta_client::api::{LineStatus, LinkFault};

/// So long a line may be away before that is told. Most come back by themselves: a laptop that changes its network, a relay
/// that is started anew.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to tell of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is lost, and why, as far as that is known.
    Lost(Option<LinkFault>),
    /// It is back after that was told.
    Back,
}

/// A line that is watched.
#[derive(Debug)]
pub(super) struct Outage {
    patience: Duration,
    since: Option<Duration>,
    told: Vec<Option<LinkFault>>,
}

impl Default for Outage {
    fn default() -> Self {
        Self::of_home(PATIENCE)
    }
}

impl Outage {
    /// With another patience until the first link.
    pub(super) const fn of_home(patience: Duration) -> Self {
        Self { patience, since: None, told: Vec::new() }
    }

    /// What to tell now that the line is so. `now`: since it is watched.
    pub(super) fn look(&mut self, line: Option<LineStatus>, now: Duration) -> Option<Word> {
        let Some(line) = line.filter(|line| !line.linked) else {
            self.since = None;
            let told = !std::mem::take(&mut self.told).is_empty();
            let linked = line.is_some();
            if linked {
                self.patience = PATIENCE;
            }
            return (linked && told).then_some(Word::Back);
        };
        let since = *self.since.get_or_insert(now);
        let certain = certain(line.fault);
        let new = if certain.is_some() { !self.told.contains(&certain) } else { self.told.is_empty() };
        let over = certain.is_some() || now.saturating_sub(since) >= self.patience;
        if !(new && over) {
            return None;
        }
        self.told.push(certain);
        Some(Word::Lost(line.fault))
    }

    /// When to look again without news.
    pub(super) fn due(&self) -> Option<Duration> {
        self.since.filter(|_| self.told.is_empty()).map(|since| since.saturating_add(self.patience))
    }
}

/// A fault that waiting does not mend.
const fn certain(fault: Option<LinkFault>) -> Option<LinkFault> {
    match fault {
        Some(LinkFault::NotTheRelay | LinkFault::Stale | LinkFault::NoRoute) => fault,
        Some(LinkFault::Unreachable | LinkFault::Broke) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Option<LineStatus> = Some(LineStatus { linked: true, fault: None });
    const LOST: Option<LineStatus> = Some(LineStatus { linked: false, fault: None });

    fn lost(fault: LinkFault) -> Option<LineStatus> {
        Some(LineStatus { linked: false, fault: Some(fault) })
    }

    /// What is told of a line that is looked at each second.
    fn told(outage: &mut Outage, at: &mut Duration, line: Option<LineStatus>, seconds: u64) -> Vec<Word> {
        let mut told = Vec::new();
        for _ in 0..seconds {
            *at += Duration::from_secs(1);
            told.extend(outage.look(line, *at));
        }
        told
    }

    #[test]
    fn a_line_that_stays_away_is_told_once_and_that_it_is_back() {
        let (mut outage, mut at) = (Outage::default(), Duration::ZERO);
        assert_eq!(told(&mut outage, &mut at, UP, 600), []);
        assert_eq!(told(&mut outage, &mut at, LOST, 30), []);
        let unreachable = lost(LinkFault::Unreachable);
        assert_eq!(told(&mut outage, &mut at, unreachable, 30), []);
        assert!(outage.due().is_some_and(|due| due <= at + Duration::from_secs(1)));
        assert_eq!(
            told(&mut outage, &mut at, unreachable, 86_400),
            [Word::Lost(Some(LinkFault::Unreachable))]
        );
        assert_eq!((outage.due(), told(&mut outage, &mut at, LOST, 600)), (None, vec![]));
        assert_eq!(told(&mut outage, &mut at, UP, 600), [Word::Back]);
        // One that is away for a moment is nobody's business.
        assert_eq!(told(&mut outage, &mut at, LOST, 59), []);
        assert_eq!(told(&mut outage, &mut at, UP, 600), []);
    }

    #[test]
    fn somebody_else_at_the_relays_address_and_papers_that_are_over_are_told_at_once_and_each_once() {
        let (mut outage, mut at) = (Outage::default(), Duration::ZERO);
        let (other, stale) = (lost(LinkFault::NotTheRelay), lost(LinkFault::Stale));
        assert_eq!(told(&mut outage, &mut at, UP, 1), []);
        assert_eq!(told(&mut outage, &mut at, other, 1), [Word::Lost(Some(LinkFault::NotTheRelay))]);
        assert_eq!(told(&mut outage, &mut at, lost(LinkFault::Unreachable), 600), []);
        assert_eq!(told(&mut outage, &mut at, stale, 600), [Word::Lost(Some(LinkFault::Stale))]);
        assert_eq!(told(&mut outage, &mut at, other, 600), []);
        assert_eq!(told(&mut outage, &mut at, UP, 1), [Word::Back]);
        assert_eq!(told(&mut outage, &mut at, other, 600), [Word::Lost(Some(LinkFault::NotTheRelay))]);
    }

    #[test]
    fn what_is_found_away_is_told_as_soon_as_was_said_and_a_line_that_nobody_wants_never() {
        let (mut outage, mut at) = (Outage::of_home(Duration::ZERO), Duration::ZERO);
        assert_eq!(told(&mut outage, &mut at, LOST, 600), [Word::Lost(None)]);
        assert_eq!(told(&mut outage, &mut at, UP, 1), [Word::Back]);
        assert_eq!(told(&mut outage, &mut at, LOST, 60), [], "from then on it has its time");
        assert_eq!(told(&mut outage, &mut at, LOST, 1), [Word::Lost(None)]);
        assert_eq!(told(&mut outage, &mut at, None, 600), [], "left, and not back");
        assert_eq!((outage.due(), told(&mut outage, &mut at, UP, 1)), (None, vec![]));
    }
}

//! What an older state that comes back makes of the promises.

use std::collections::{BTreeMap, BTreeSet};

use beresta_client::store::message::MessageRow;

use super::Model;
use crate::sim::{At, Who};

/// What a profile knows of what was shown to its person.
pub(in crate::sim) struct Remembered {
    seen: BTreeMap<u64, MessageRow>,
    unnoted: BTreeSet<(Who, MessageRow)>,
    newest: Vec<((Who, Who), u64)>,
    blocked: BTreeSet<Who>,
}

impl Model {
    /// What a person's profile knows now.
    pub(in crate::sim) fn remember(&self, who: Who) -> Remembered {
        let seen = self.said.iter().filter(|(_, said)| said.to == who);
        Remembered {
            seen: seen.filter_map(|(number, said)| Some((*number, said.seen?))).collect(),
            unnoted: self.unnoted.iter().filter(|(of, _)| *of == who).copied().collect(),
            newest: self.newest.iter().filter(|((_, to), _)| *to == who).map(|(k, v)| (*k, *v)).collect(),
            blocked: self.blocked.iter().filter(|(of, _)| *of == who).map(|(_, other)| *other).collect(),
        }
    }

    /// A person's profile is an older one. What it has not seen it may see, once more at the most. Its conversations may be
    /// broken from now on, as docs/known-issues.md says; those of others must not suffer.
    pub(in crate::sim) fn goes_back(&mut self, who: Who, to: Remembered) {
        self.old_people.insert(who);
        for (number, said) in self.said.iter_mut().filter(|(_, said)| said.to == who) {
            said.seen = to.seen.get(number).copied();
        }
        self.unnoted.retain(|(of, _)| *of != who);
        self.unnoted.extend(to.unnoted);
        self.newest.retain(|(_, reader), _| *reader != who);
        self.newest.extend(to.newest);
        self.blocked.retain(|(of, _)| *of != who);
        self.blocked.extend(to.blocked.into_iter().map(|other| (who, other)));
    }

    /// A relay's folder is an older one: what came since is lost, and so are queues that were made since.
    pub(in crate::sim) fn relay_goes_back(&mut self, at: At) {
        self.old_relays.insert(at);
    }
}

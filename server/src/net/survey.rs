//! Gathers how a relay that runs is: the one source of numbers for its operator's `status` and for who scrapes it. Both
//! make them coarse before anybody sees them.

use std::sync::Arc;

use beresta_proto::descriptor::UnverifiedDescriptor;

use super::hub::Hub;
use super::socket::Drops;
use crate::clock;
use crate::metrics::Figures;
use crate::queue::rules::Cap;
use crate::queue::{Answer, Health, Op};

/// Where the numbers come from.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    pub(super) hub: Arc<Hub>,
    pub(super) cap: Cap,
    pub(super) roomy: bool,
    pub(super) drops: Option<Drops>,
    pub(super) health: Arc<Health>,
}

impl Survey {
    /// How the relay is now; none if the queues don't answer.
    pub(super) async fn figures(&self) -> Option<Figures> {
        let Answer::Stats(held) = self.hub.consult(Op::Stats).await else { return None };
        let now = clock::now();
        let figures = self.hub.look(|relay| {
            let descriptor = UnverifiedDescriptor::decode(relay.descriptor_in_use()).ok();
            let (ends, sequence) = descriptor.map(|one| (one.not_after(), one.sequence())).unzip();
            Figures {
                links: relay.links() as u64,
                paused: relay.is_paused(),
                commands: relay.tally().clone(),
                epoch_age: relay.epoch_age(now),
                descriptor_left: ends.map_or(0, |ends| ends.since(now)),
                descriptor_sequence: sequence.unwrap_or_default(),
                ..Figures::default()
            }
        });
        Some(Figures {
            roomy: self.roomy,
            held,
            cap: self.cap.bytes,
            refused: self.hub.counts().refused(),
            closed: self.hub.counts().closed(),
            commits: self.health.commits(),
            intake: self.health.intake(),
            dropped: self.drops.and_then(Drops::read),
            ..figures
        })
    }
}

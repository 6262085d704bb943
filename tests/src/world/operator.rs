//! What the relay's operator does: asks for credits, and grants them (rule Q2).

use beresta_proto::credit::CreditCode;
use beresta_proto::key::Credit;
use beresta_proto::rng::Random as _;
use beresta_server::queue::{Answer, Namer, Op, QueueEngine as _, Stats};
use beresta_server::relay::Limits;

use super::World;

impl World {
    /// From now on the relay makes queues and invites for credits only.
    pub fn ask_for_credits(&mut self) {
        self.limits.asks_credit = true;
        self.restart_relay();
    }

    /// From now on it asks for none.
    pub fn serve_everybody(&mut self) {
        self.limits.asks_credit = false;
        self.restart_relay();
    }

    /// From now on it has room for so many subscriptions on each link, and for no more.
    pub fn crowd(&mut self, share: usize) {
        (self.limits.subscriptions_of_all, self.limits.subscriptions_share) = (0, share);
        self.restart_relay();
    }

    /// From now on each link may spend so many tokens at once, and so many more in a second.
    pub fn ration(&mut self, burst: u32, per_second: u32) {
        (self.limits.burst, self.limits.per_second) = (burst, per_second);
        self.restart_relay();
    }

    /// From now on it has room for everybody.
    pub fn uncrowd(&mut self) {
        self.limits = Limits { asks_credit: self.limits.asks_credit, ..Limits::default() };
        self.restart_relay();
    }

    /// Grants a credit for so many queues and invites.
    pub fn grant(&mut self, makes: u32) -> CreditCode {
        let credit = Credit::take(&mut self.rng.array());
        let name = Namer::new(&self.namer_secret).credit(&credit);
        let grant = Op::Grant { credit: name, makes, days: 100, now: self.now };
        self.queues.submit(grant, Box::new(|answer| assert_eq!(answer, Answer::Done)));
        CreditCode { relay: self.relay_address().relay, credit }
    }

    /// What the relay holds.
    #[must_use]
    pub fn held(&self) -> Stats {
        let (tell, told) = std::sync::mpsc::channel();
        self.queues.submit(Op::Stats, Box::new(move |answer| tell.send(answer).unwrap()));
        match told.recv() {
            Ok(Answer::Stats(stats)) => stats,
            other => panic!("{other:?}"),
        }
    }
}

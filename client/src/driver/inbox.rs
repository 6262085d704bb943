//! What the loop is told, in order; messages on one link that came together are one input.

use std::collections::BTreeMap;
use std::time::Duration;

use beresta_proto::id::RelayId;
use beresta_proto::reply::Push;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Input;
use crate::engine::TOGETHER;

/// Inputs that may wait. A relay that pushes faster than we can store is slowed down by it.
const INBOX: usize = 64;

/// The end of the inbox that the loop has.
pub(super) struct Inbox {
    inputs: Receiver<Input>,
    /// What came behind the messages of the last input and is none of them.
    next: Option<Input>,
    /// Messages of a step, where a step of a relay's failed. What the store can't keep is found one by one: it must not
    /// stand in the way of what came before it.
    careful: BTreeMap<RelayId, usize>,
    /// Whether time was next before.
    timed: bool,
}

/// What the loop is told next.
pub(super) enum Next {
    /// Something came.
    Input(Input),
    /// It is time for what is due.
    Time,
    /// Nobody is left who could say anything.
    Nobody,
}

/// Whether these are messages. Whatever else a relay pushes is a step of its own: it must not be undone with a message, and
/// what follows from a message is done before it.
fn are_messages(pushes: &[Push]) -> bool {
    pushes.iter().all(|push| matches!(push, Push::Deliver { .. }))
}

impl Inbox {
    /// An empty one, and where inputs go in.
    pub(super) fn new() -> (Sender<Input>, Self) {
        let (sender, inputs) = channel(INBOX);
        (sender, Self { inputs, next: None, careful: BTreeMap::new(), timed: false })
    }

    /// What comes next, for so long. What is due already comes before what waits here, each second time: a relay that
    /// pushes without end must not keep a text from disappearing in its time.
    pub(super) async fn next_within(&mut self, wait: Duration) -> Next {
        let next = if wait.is_zero() && !self.timed {
            Next::Time
        } else {
            tokio::select! {
                biased;
                input = self.next() => input.map_or(Next::Nobody, Next::Input),
                () = tokio::time::sleep(wait) => Next::Time,
            }
        };
        self.timed = matches!(next, Next::Time);
        next
    }

    /// The next input; none once nobody is left who could give one. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Option<Input> {
        let mut first = match self.next.take() {
            Some(input) => input,
            None => self.inputs.recv().await?,
        };
        if let Input::Pushed(relay, link, pushes) = &mut first
            && are_messages(pushes)
        {
            let most = self.careful.get(relay).copied().unwrap_or(TOGETHER);
            while pushes.len() < most {
                match self.inputs.try_recv() {
                    Ok(Input::Pushed(from, on, more))
                        if (from, on) == (*relay, *link) && are_messages(&more) =>
                    {
                        pushes.extend(more);
                    }
                    Ok(other) => {
                        self.next = Some(other);
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
        Some(first)
    }

    /// Notes whether a step of a relay's pushes was kept: its next takes twice as many, or one.
    pub(super) fn kept(&mut self, relay: RelayId, kept: bool) {
        if !kept {
            self.careful.insert(relay, 1);
        } else if let Some(most) = self.careful.get_mut(&relay) {
            *most = most.saturating_mul(2);
            if *most >= TOGETHER {
                self.careful.remove(&relay);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use beresta_proto::envelope::{Bucket, Envelope};
    use beresta_proto::id::ReadId;

    use super::*;

    const RELAY: RelayId = RelayId([1; 32]);
    const QUEUE: ReadId = ReadId([2; 24]);

    fn message(sequence: u64) -> Push {
        let envelope = Envelope::from_bytes(vec![0; Bucket::S.size()]).unwrap();
        Push::Deliver { queue: QUEUE, sequence, envelope }
    }

    async fn pushed(sender: &Sender<Input>, link: u64, messages: std::ops::Range<u64>) {
        for sequence in messages {
            sender.send(Input::Pushed(RELAY, link, vec![message(sequence)])).await.unwrap();
        }
    }

    /// The link of the next input, and the messages in it.
    async fn next(inbox: &mut Inbox) -> (u64, Vec<u64>) {
        let (link, pushes) = match inbox.next().await.unwrap() {
            Input::Pushed(_, link, pushes) => (link, pushes),
            Input::LinkDown(_, link) => (link, Vec::new()),
            Input::Job(_)
            | Input::LinkUp(..)
            | Input::DialFailed(..)
            | Input::Replied(..)
            | Input::Close(_) => {
                panic!("another input")
            }
        };
        let sequence = |push: &Push| match push {
            Push::Deliver { sequence, .. } => Some(*sequence),
            Push::Drained { .. } | Push::TakenOver { .. } | Push::CaughtUp { .. } | Push::GoAway { .. } => {
                None
            }
        };
        (link, pushes.iter().filter_map(sequence).collect())
    }

    #[tokio::test]
    async fn messages_of_one_link_that_came_together_are_one_input_and_nothing_overtakes_them() {
        let (sender, mut inbox) = Inbox::new();
        pushed(&sender, 1, 0..3).await;
        sender.send(Input::LinkDown(RELAY, 1)).await.unwrap();
        pushed(&sender, 1, 3..5).await;
        pushed(&sender, 2, 5..25).await;
        drop(sender);
        assert_eq!(next(&mut inbox).await, (1, vec![0, 1, 2]));
        assert_eq!(next(&mut inbox).await, (1, vec![]));
        assert_eq!(next(&mut inbox).await, (1, vec![3, 4]));
        assert_eq!(next(&mut inbox).await, (2, (5..21).collect()));
        assert_eq!(next(&mut inbox).await, (2, (21..25).collect()));
        assert!(inbox.next().await.is_none());
    }

    #[tokio::test]
    async fn what_a_relay_says_beside_messages_does_not_share_their_fate() {
        for push in [
            Push::TakenOver { queues: vec![QUEUE] },
            Push::Drained { queue: QUEUE },
            Push::CaughtUp { subscribed: 1 },
        ] {
            let (sender, mut inbox) = Inbox::new();
            pushed(&sender, 1, 0..2).await;
            sender.send(Input::Pushed(RELAY, 1, vec![push])).await.unwrap();
            pushed(&sender, 1, 2..4).await;
            for expected in [vec![0, 1], vec![], vec![2, 3]] {
                assert_eq!(next(&mut inbox).await, (1, expected));
            }
        }
    }

    #[tokio::test]
    async fn what_the_store_cannot_keep_holds_up_nothing_that_came_before_it() {
        const BAD: u64 = 13;
        let (mut first, mut link) = (0, 0);
        let mut failures = 0;
        let (sender, mut inbox) = Inbox::new();
        // Each failure ends the link, and all that was not acknowledged comes again on the next.
        while first < BAD {
            link += 1;
            pushed(&sender, link, first..20).await;
            sender.send(Input::LinkDown(RELAY, link)).await.unwrap();
            let mut up = true;
            loop {
                let (_, messages) = next(&mut inbox).await;
                let Some(last) = messages.last() else { break };
                // What is left of a link that ended is no step, and says nothing of the store.
                if up {
                    up = !messages.contains(&BAD);
                    inbox.kept(RELAY, up);
                    first = if up { last + 1 } else { first };
                    failures += u32::from(!up);
                }
            }
        }
        assert!(failures <= 4, "{failures}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_is_done_however_much_a_relay_pushes() {
        let (sender, mut inbox) = Inbox::new();
        pushed(&sender, 1, 0..INBOX as u64).await;
        let mut was_time = Vec::new();
        for _ in 0..6 {
            was_time.push(matches!(inbox.next_within(Duration::ZERO).await, Next::Time));
        }
        assert_eq!(was_time, [true, false, true, false, true, false]);
        // Where nothing is due, what came is not kept waiting.
        assert!(matches!(inbox.next_within(Duration::from_secs(1)).await, Next::Input(_)));
    }
}

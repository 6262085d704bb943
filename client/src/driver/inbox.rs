//! What the loop is told, in order; pushes of one link that came together are one input.

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Input;

/// Inputs that may wait. A relay that pushes faster than we can store is slowed down by it.
const INBOX: usize = 64;
/// Pushes that one step takes: half of what a relay lets come before it wants an acknowledgement (rule Q6), so that the
/// next ones are on their way while these are stored.
const TOGETHER: usize = 16;

/// The end of the inbox that the loop has.
pub(super) struct Inbox {
    inputs: Receiver<Input>,
    /// What came behind the pushes of the last input and is none of them.
    next: Option<Input>,
    /// Pushes of one step. What the store can't keep is found one by one: it must not stand in the way of what came
    /// before it.
    most: usize,
}

impl Inbox {
    /// An empty one, and where inputs go in.
    pub(super) fn new() -> (Sender<Input>, Self) {
        let (sender, inputs) = channel(INBOX);
        (sender, Self { inputs, next: None, most: TOGETHER })
    }

    /// The next input; none once nobody is left who could give one. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Option<Input> {
        let mut first = match self.next.take() {
            Some(input) => input,
            None => self.inputs.recv().await?,
        };
        if let Input::Pushed(relay, link, pushes) = &mut first {
            while pushes.len() < self.most {
                match self.inputs.try_recv() {
                    Ok(Input::Pushed(from, on, more)) if (from, on) == (*relay, *link) => pushes.extend(more),
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

    /// Notes whether a step of pushes was kept: the next takes twice as many, or one.
    pub(super) fn kept(&mut self, kept: bool) {
        self.most = if kept { self.most.saturating_mul(2).min(TOGETHER) } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use beresta_proto::id::{ReadId, RelayId};
    use beresta_proto::reply::Push;

    use super::*;

    const RELAY: RelayId = RelayId([1; 32]);

    async fn pushed(sender: &Sender<Input>, link: u64, queues: std::ops::Range<u8>) {
        for queue in queues {
            let push = Push::Drained { queue: ReadId([queue; 24]) };
            sender.send(Input::Pushed(RELAY, link, vec![push])).await.unwrap();
        }
    }

    /// The link of the next input, and the queues that its pushes name.
    async fn next(inbox: &mut Inbox) -> (u64, Vec<u8>) {
        match inbox.next().await.unwrap() {
            Input::Pushed(_, link, pushes) => {
                let queue = |push: &Push| match push {
                    Push::Drained { queue } => queue.0[0],
                    Push::Deliver { .. } | Push::TakenOver { .. } | Push::GoAway { .. } => {
                        panic!("another push")
                    }
                };
                (link, pushes.iter().map(queue).collect())
            }
            Input::LinkDown(_, link) => (link, Vec::new()),
            _ => panic!("another input"),
        }
    }

    #[tokio::test]
    async fn pushes_of_one_link_that_came_together_are_one_input_and_nothing_overtakes_them() {
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
    async fn what_the_store_cannot_keep_holds_up_nothing_that_came_before_it() {
        let (sender, mut inbox) = Inbox::new();
        pushed(&sender, 1, 0..20).await;
        assert_eq!(next(&mut inbox).await.1.len(), TOGETHER);
        inbox.kept(false);
        assert_eq!(next(&mut inbox).await, (1, vec![16]));
        inbox.kept(true);
        assert_eq!(next(&mut inbox).await, (1, vec![17, 18]));
        inbox.kept(true);
        assert_eq!(next(&mut inbox).await, (1, vec![19]));
    }
}

//! How long a queue lives: as long as somebody comes for it (rule Q13).

use beresta_proto::reply::{Reply, Subscribed};
use beresta_proto::time::DAY_MS;

use super::world::World;

impl World {
    fn days(&mut self, days: u64) {
        for _ in 0..days {
            self.pass(DAY_MS);
            self.settle();
        }
    }
}

#[test]
fn a_queue_lives_as_long_as_a_link_is_subscribed_to_it() {
    let mut world = World::new();
    let (queue, unread) = (world.make_queue(), world.make_queue());
    let boris = world.connect();
    world.subscribe(boris, &queue);
    world.days(400);
    world.close(boris);
    world.days(80);
    let again = world.connect();
    assert_eq!(world.subscribe(again, &queue), Reply::Subscribed(vec![Subscribed::Ok]));
    assert_eq!(world.subscribe(again, &unread), Reply::Subscribed(vec![Subscribed::Gone]));
    world.close(again);
    world.days(130);
    let late = world.connect();
    assert_eq!(world.subscribe(late, &queue), Reply::Subscribed(vec![Subscribed::Gone]));
}

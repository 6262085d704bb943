use std::cell::Cell;

use super::*;

mod memory;

#[expect(clippy::disallowed_methods, reason = "a clock that stands still unless the test waits")]
#[tokio::test(start_paused = true)]
async fn a_profile_that_nobody_touches_locks_and_a_touch_puts_it_off() {
    let idle = Idle::default();
    let minute = Duration::from_secs(60);
    let begun = tokio::time::Instant::now();
    let touching = async {
        for _ in 0..10 {
            tokio::time::sleep(minute / 2).await;
            idle.touch();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = idle.over(Some(minute)) => {}
        () = touching => {}
    }
    assert_eq!(begun.elapsed(), 6 * minute);

    tokio::select! {
        () = idle.over(None) => panic!("it was switched off"),
        () = tokio::time::sleep(1_000 * minute) => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "a clock that stands still unless the test waits")]
#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_locks_and_one_that_only_ran_does_not() {
    let asleep = Cell::new(Duration::from_secs(5_000));
    let woken = async {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        asleep.set(asleep.get() + Duration::from_secs(30));
        tokio::time::sleep(ASLEEP_LOOK).await;
        tokio::time::sleep(ASLEEP_LOOK).await;
    };
    let begun = tokio::time::Instant::now();
    tokio::select! {
        () = slept(|| asleep.get()) => {}
        () = woken => panic!("it did not notice"),
    }
    assert!(begun.elapsed() >= Duration::from_secs(3_600));
}

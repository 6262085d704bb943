//! One suite over every queue engine, what only the durable one promises, and the comparison of the two.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "clippy takes helpers of a test for code outside tests; here all that is not expected fails the test"
)]

#[path = "queue_conformance/carve.rs"]
mod carve;
#[path = "queue_conformance/crash.rs"]
mod crash;
#[path = "queue_conformance/credits.rs"]
mod credits;
#[path = "queue_conformance/days.rs"]
mod days;
#[path = "queue_conformance/disk.rs"]
mod disk;
#[path = "queue_conformance/durable.rs"]
mod durable;
#[path = "queue_conformance/intake.rs"]
mod intake;
#[path = "queue_conformance/lifetime.rs"]
mod lifetime;
#[path = "queue_conformance/older.rs"]
mod older;
#[path = "queue_conformance/passing.rs"]
mod passing;
#[path = "queue_conformance/remembered.rs"]
mod remembered;
#[path = "queue_conformance/rig.rs"]
mod rig;
#[path = "queue_conformance/same.rs"]
mod same;
#[path = "queue_conformance/strangers.rs"]
mod strangers;
#[path = "queue_conformance/suite.rs"]
mod suite;
#[path = "queue_conformance/volatile.rs"]
mod volatile;

macro_rules! suite {
    ($($test:ident $(with $cap:expr)?;)*) => {
        mod memory {
            $(#[test] fn $test() { super::$test(crate::rig::Rig::memory(crate::cap!($($cap)?))); })*
        }
        mod sqlite {
            $(#[test] fn $test() { super::$test(crate::rig::Rig::sqlite(crate::cap!($($cap)?))); })*
        }
    };
}

macro_rules! cap {
    () => {
        crate::rig::ROOMY
    };
    ($cap:expr) => {
        $cap
    };
}
use cap;
use credits::*;
use lifetime::*;
use suite::*;

suite! {
    a_queue_is_found_by_its_read_id;
    a_queue_is_found_with_the_place_of_the_last_that_waits;
    messages_come_in_order_and_again_until_acknowledged;
    a_fetch_keeps_its_limits_and_gives_one_at_least;
    a_fetch_of_nothing_says_whether_it_ended_or_the_queue_is_gone;
    a_sequence_number_is_never_used_again;
    a_repeat_of_an_acknowledged_message_is_answered_alike_and_not_delivered;
    a_wrong_id_and_a_wrong_proof_look_alike;
    a_message_ends_with_its_class_and_not_before;
    a_message_that_ended_is_remembered_as_if_it_were_acknowledged;
    expiry_keeps_its_limit_and_says_that_there_is_more;
    a_full_queue_refuses_the_newest_and_says_when_it_drained;
    a_full_queue_that_drains_by_expiry_says_so_too;
    a_deleted_queue_is_gone_with_all_that_was_in_it;
    a_cap_refuses_what_is_new_and_lets_go_of_what_is_old with crate::suite::SMALL;
    a_blob_is_put_once_and_a_repeat_is_harmless;
    the_same_claimant_may_claim_again;
    a_second_claimant_is_told_that_the_invite_was_used;
    an_expired_blob_is_gone;
    only_its_owner_deletes_a_blob;
    a_queue_that_nobody_subscribes_to_ends;
    a_relay_that_was_off_for_a_year_still_has_its_queues;
    a_relay_that_misses_a_day_in_each_month_lets_what_nobody_uses_end;
    a_relay_that_runs_every_second_day_lets_what_nobody_uses_end;
    a_queue_that_nobody_subscribed_to_yet_outlives_each_time_that_the_relay_is_off;
    a_clock_that_was_ahead_gives_no_queue_years;
    a_clock_that_was_ahead_between_two_sweeps_gives_no_queue_years;
    a_clock_that_is_back_for_a_moment_ends_no_queue;
    many_queues_end_in_small_steps;
    all_that_ends_together_ends_in_steps_of_so_many_rows;
    a_queue_that_never_was_is_gone;
    a_credit_pays_for_as_much_as_it_says_and_for_no_repeat;
    what_an_invite_hands_on_pays_for_two_queues_and_for_nothing_more;
    nobody_hands_on_a_credit_that_is_there;
    what_an_invite_hands_on_ends_a_day_behind_it_and_counts_for_no_operator;
    a_credit_that_is_over_taken_back_or_never_was_pays_for_nothing;
    a_credit_that_is_granted_under_a_clock_that_is_ahead_ends_no_other;
    there_are_as_many_credits_as_one_answer_has_room_for;
}

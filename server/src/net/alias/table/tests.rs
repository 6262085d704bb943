use super::*;

fn table() -> Table {
    Table::new(SystemRandom::new().unwrap())
}

fn peer(number: u32) -> SocketAddr {
    let [a, b, c, d] = number.to_be_bytes();
    SocketAddr::from(([10, b, c, d], 40_000 + u16::from(a)))
}

/// The first word of a handshake.
fn word(table: &mut Table, from: SocketAddr) -> SocketAddr {
    table.received(from, 1_200, || true).unwrap()
}

fn sent(table: &mut Table, alias: SocketAddr, bytes: usize) -> usize {
    table.sending(alias, bytes, 1_200).map_or(0, |(_, allowed)| allowed)
}

fn pass(table: &mut Table, ticks: u64) {
    (0..ticks).for_each(|_| table.tick());
}

#[test]
fn an_address_has_one_alias_as_long_as_it_is_known_and_gets_back_what_is_for_it() {
    let mut table = table();
    for from in [
        "192.0.2.7:5000",
        "192.0.2.7:5001",
        "[::ffff:192.0.2.7]:5000",
        "[2001:db8::7]:5000",
        "[fe80::1%3]:5000",
        "0.0.0.0:0",
    ] {
        let from: SocketAddr = from.parse().unwrap();
        let alias = word(&mut table, from);
        assert_eq!(word(&mut table, from), alias);
        assert_eq!(table.sending(alias, 100, 100), Some((from, 100)));
        assert_eq!(table.address(alias), Some(from));
        let SocketAddr::V6(v6) = alias else { panic!("not IPv6") };
        assert_eq!(v6.ip().segments()[..4], [0x100, 0, 0, 0]);
        assert_ne!(v6.port(), 0);
    }
    assert_eq!(table.known(), 6);
}

#[test]
fn two_relays_and_two_visits_give_an_address_different_aliases() {
    let (mut one, mut other) = (table(), table());
    let alias = word(&mut one, peer(1));
    assert_ne!(alias, word(&mut other, peer(1)));
    pass(&mut one, KEPT + 1);
    assert_ne!(alias, word(&mut one, peer(1)));
}

#[test]
fn an_alias_that_was_forgotten_leads_to_nobody_not_even_to_who_has_its_place_now() {
    let mut table = table();
    let alias = word(&mut table, peer(1));
    pass(&mut table, KEPT + 1);
    assert_eq!((table.known(), table.sending(alias, 100, 100)), (0, None));
    let next = word(&mut table, peer(2));
    assert_eq!(table.place(next), Some(0), "the same place");
    assert_eq!((table.address(alias), table.sending(alias, 100, 100)), (None, None));
    assert!(!table.hold(alias));
    table.release(alias);
    table.prove(alias);
    assert_eq!(sent(&mut table, next, 4_800), 3_600, "proven for another");
    for stranger in ["192.0.2.7:1", "[100::ffff:ffff:0:1]:1", "[2001:db8::1]:1"] {
        assert_eq!(table.address(stranger.parse().unwrap()), None);
    }
}

#[test]
fn who_is_no_link_is_forgotten_in_time_and_who_is_stays() {
    let mut table = table();
    let (link, other) = (word(&mut table, peer(1)), word(&mut table, peer(2)));
    assert!(table.hold(link) && table.hold(link));
    pass(&mut table, 2 * KEPT);
    assert_eq!((table.address(link), table.address(other)), (Some(peer(1)), None));
    table.release(link);
    pass(&mut table, KEPT + 1);
    assert!(table.address(link).is_some(), "held by another still");
    table.release(link);
    pass(&mut table, KEPT);
    assert!(table.address(link).is_some(), "what comes late is answered");
    pass(&mut table, 1);
    assert_eq!((table.address(link), table.known()), (None, 0));
}

#[test]
fn where_a_link_is_that_falls_silent_is_forgotten_and_who_is_heard_stays() {
    let mut table = table();
    let (silent, heard) = (word(&mut table, peer(1)), word(&mut table, peer(2)));
    assert!(table.hold(silent) && table.hold(heard));
    for _ in 0..SILENT {
        pass(&mut table, 1);
        assert_eq!(table.received(peer(2), 41, || false), Some(heard));
    }
    assert_eq!(table.address(silent), Some(peer(1)));
    pass(&mut table, LOOK);
    assert_eq!((table.address(silent), table.address(heard)), (None, Some(peer(2))));
    assert_eq!(sent(&mut table, silent, 100), 0);
    // Whoever held it lets go of nothing.
    table.release(silent);
    assert_eq!(table.known(), 1);
    assert_ne!(table.received(peer(1), 41, || false), Some(silent), "it is known anew, as another");
}

#[test]
fn a_link_that_is_heard_again_is_not_slowed_down_by_a_handshake_in_its_name() {
    let mut table = table();
    let link = word(&mut table, peer(1));
    assert!(table.hold(link));
    pass(&mut table, SILENT + LOOK);
    // Somebody says a first word in its name, and then the link is heard again, and QUIC moves it.
    let again = word(&mut table, peer(1));
    assert_eq!(table.received(peer(1), 41, || false), Some(again));
    assert!(table.hold_moved(again));
    table.release(link);
    for _ in 0..100 {
        assert_eq!(sent(&mut table, again, 1_200), 1_200);
    }
}

#[test]
fn what_goes_to_an_unproven_address_is_three_times_what_came_and_no_byte_more() {
    let mut table = table();
    let alias = word(&mut table, peer(1));
    assert_eq!(sent(&mut table, alias, 2_400), 2_400);
    assert_eq!(sent(&mut table, alias, 2_000), 1_200, "a whole datagram and not a part of the next");
    assert_eq!(sent(&mut table, alias, 1), 0);
    // Whoever is there says something, and loss recovery goes on.
    assert_eq!(table.received(peer(1), 41, || false), Some(alias));
    assert_eq!((sent(&mut table, alias, 124), sent(&mut table, alias, 123)), (0, 123));
    table.prove(alias);
    assert_eq!(sent(&mut table, alias, 60_000), 60_000);
}

#[test]
fn what_the_kernel_did_not_take_is_not_counted() {
    let mut table = table();
    let alias = word(&mut table, peer(1));
    for _ in 0..5 {
        assert_eq!(sent(&mut table, alias, 3_600), 3_600);
        table.unsent(alias, 3_600);
    }
    assert_eq!(sent(&mut table, alias, 3_601), 3_600);
}

#[test]
fn a_short_datagram_before_a_first_word_buys_nothing() {
    let mut table = table();
    let alias = table.received(peer(1), 40, || false).unwrap();
    assert_eq!(sent(&mut table, alias, 39), 39, "a reset");
    assert_eq!(word(&mut table, peer(1)), alias);
    assert_eq!(sent(&mut table, alias, 12_000), 3_600);
    assert_eq!(sent(&mut table, alias, 3 * 40 - 39), 81);
    assert_eq!(sent(&mut table, alias, 1), 0);
}

#[test]
fn a_link_that_moved_is_not_slowed_down_by_a_handshake_in_its_name() {
    let mut table = table();
    let alias = table.received(peer(1), 40, || false).unwrap();
    assert!(table.hold(alias));
    word(&mut table, peer(1));
    assert_eq!(sent(&mut table, alias, 60_000), 60_000);
}

#[test]
fn a_flood_of_forged_addresses_fills_its_share_and_pushes_out_its_like_first() {
    let mut table = table();
    let link = word(&mut table, peer(0));
    assert!(table.hold(link));
    // Asked to show that it hears: it comes back with a token for this alias.
    let asked = word(&mut table, peer(1));
    assert_eq!(sent(&mut table, asked, 100), 100);
    for number in 2..200_000 {
        table.received(peer(number), 40, || false).unwrap();
    }
    assert_eq!(table.known(), UNANSWERED + 2);
    assert_eq!((table.address(link), word(&mut table, peer(1))), (Some(peer(0)), asked));
    // A flood whose words are all answered.
    for number in 200_000..200_000 + u32::try_from(ANSWERED).unwrap() - 1 {
        let alias = word(&mut table, peer(number));
        assert_eq!(sent(&mut table, alias, 100), 100);
    }
    assert_eq!(word(&mut table, peer(1)), asked);
    for number in 300_000..400_000 {
        let alias = word(&mut table, peer(number));
        assert_eq!(sent(&mut table, alias, 100), 100);
    }
    assert_eq!((table.address(asked), table.address(link)), (None, Some(peer(0))));
    assert!(table.known() <= UNANSWERED + ANSWERED + 1);
    pass(&mut table, KEPT + 1);
    assert_eq!((table.known(), table.unanswered.capacity(), table.answered.capacity()), (1, 0, 0));
}

#[test]
fn an_entry_that_was_held_for_a_moment_is_kept_from_its_end_on() {
    let mut table = table();
    let alias = word(&mut table, peer(1));
    sent(&mut table, alias, 100);
    pass(&mut table, KEPT - 1);
    assert!(table.hold(alias));
    table.release(alias);
    pass(&mut table, KEPT);
    assert!(table.address(alias).is_some());
    pass(&mut table, 1);
    assert!(table.address(alias).is_none());
}

#[test]
fn debug_output_shows_no_address() {
    let mut table = table();
    word(&mut table, "203.0.113.77:54321".parse().unwrap());
    let shown = format!("{table:?}");
    assert!(!shown.contains("203.0.113") && !shown.contains("54321"), "{shown}");
}

//! Those who are slow, who forge, and who want what they do not get.

use beresta_proto::envelope::Bucket;
use beresta_proto::frame::Class;
use tokio::net::UdpSocket;

use super::client::beginnings;
use super::*;

const LONG: Class = Class::Bucket(Bucket::L);

/// Half of a command, and then silence: time passes by itself once nobody has anything else to do.
async fn falls_silent(client: &mut Client) -> Option<u32> {
    let frame = Command::Descriptor.encode(RequestId(2)).unwrap();
    client.write(&frame[..100]).await;
    tokio::time::pause();
    client.closed().await
}

#[tokio::test]
async fn who_says_no_whole_command_in_time_is_closed() {
    let relay = start();
    let mut client = relay.client().await;
    assert_eq!(falls_silent(&mut client).await, Some(CloseReason::Slow.code()));
}

#[tokio::test]
async fn a_frame_that_does_not_come_to_its_end_is_not_waited_for() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    assert_eq!(falls_silent(&mut client).await, Some(CloseReason::Slow.code()));
}

/// Says a command in two pieces, which the relay reads one after the other, and hears the answer.
async fn say_in_pieces(relay: &Running, client: &mut Client) {
    let frame = Command::Descriptor.encode(RequestId(2)).unwrap();
    client.write(&frame[..100]).await;
    // Meanwhile somebody else is heard, and so was the first piece.
    epoch_key(relay, &mut relay.client().await).await;
    client.write(&frame[100..]).await;
    assert!(matches!(client.hear().await, Heard::Reply(RequestId(2), Reply::Descriptor { .. })));
}

#[tokio::test]
async fn a_frame_that_came_slowly_gives_the_next_one_no_longer() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    say_in_pieces(&relay, &mut client).await;
    assert_eq!(falls_silent(&mut client).await, Some(CloseReason::Slow.code()));
}

#[tokio::test]
async fn who_is_silent_between_two_frames_stays() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    say_in_pieces(&relay, &mut client).await;
    tokio::time::pause();
    sleep(Duration::from_secs(30)).await;
    tokio::time::resume();
    epoch_key(&relay, &mut client).await;
}

/// Time passes by itself, and nobody says anything.
async fn nothing_for(seconds: u64) {
    tokio::time::pause();
    sleep(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_link_without_a_sign_of_life_ends_after_two_minutes() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    for (seconds, links) in [(100, 1), (15, 1), (8, 0)] {
        nothing_for(seconds).await;
        assert_eq!(relay.server.hub.look(Relay::links), links);
    }
}

#[tokio::test]
async fn a_long_frame_may_take_as_long_as_a_slow_line_needs() {
    let relay = start();
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    let frame = Command::Send { capsule: vec![1; LONG.size() - 64] }.encode(RequestId(2)).unwrap();
    assert_eq!(frame.len(), LONG.size());
    for (piece, seconds) in [(&frame[..100], 8), (&frame[100..10_400], 8), (&frame[10_400..17_000], 3)] {
        client.write(piece).await;
        epoch_key(&relay, &mut relay.client().await).await;
        nothing_for(seconds).await;
    }
    client.write(&frame[17_000..]).await;
    assert_eq!(client.closed().await, Some(CloseReason::Malformed.code()), "it was read to its end");
    // Less than that is nobody's line.
    let mut client = relay.client().await;
    epoch_key(&relay, &mut client).await;
    client.write(&frame[..9_000]).await;
    tokio::time::pause();
    assert_eq!(client.closed().await, Some(CloseReason::Slow.code()));
}

#[tokio::test]
async fn who_takes_its_answers_as_slowly_as_a_slow_line_does_stays() {
    let relay = start();
    let mut client = asks_and_does_not_listen(&relay, 40).await;
    let heard = async |client: &mut Client, count: u32| {
        for _ in 0..count {
            assert!(matches!(client.hear().await, Heard::Reply(_, Reply::Descriptor { .. })));
        }
        epoch_key(&relay, &mut relay.client().await).await;
    };
    for _ in 0..6 {
        heard(&mut client, 4).await;
        nothing_for(9).await;
    }
    heard(&mut client, 16).await;
}

/// A client that asks so often and takes next to nothing.
async fn asks_and_does_not_listen(relay: &Running, count: u32) -> Client {
    let at = relay.server.listens_at().unwrap();
    let mut client =
        Client::connect_with_window(at, beresta_proto::label::LINK_ALPN, 8 * 1024).await.unwrap();
    for number in 1..=count {
        client.say(RequestId(number), &Command::Descriptor).await;
    }
    client
}

#[tokio::test]
async fn who_does_not_take_what_it_asked_for_is_closed() {
    let relay = start();
    let mut client = asks_and_does_not_listen(&relay, 40).await;
    tokio::time::pause();
    assert_eq!(client.closed().await, Some(CloseReason::Slow.code()));
}

#[tokio::test]
async fn what_waits_while_a_link_is_not_read_from_is_answered_in_order_once_it_takes_its_answers() {
    let relay = start();
    // Their answers are more than the relay holds for one link, with what QUIC holds.
    let mut client = asks_and_does_not_listen(&relay, 400).await;
    // Meanwhile others are heard.
    for _ in 0..50 {
        epoch_key(&relay, &mut relay.client().await).await;
    }
    for number in 1..=400 {
        let heard = client.hear().await;
        assert!(matches!(heard, Heard::Reply(RequestId(one), Reply::Descriptor { .. }) if one == number));
    }
}

#[tokio::test]
async fn in_a_flood_of_forged_handshakes_everybody_shows_first_that_it_receives_and_is_let_in() {
    let relay = start();
    let at = relay.server.listens_at().unwrap();
    let forger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for beginning in beginnings(300).await {
        forger.send_to(&beginning, at).await.unwrap();
    }
    // A retry has a long header and the type 3 (RFC 9000, section 17.2.5). Before it come the answers to those that
    // were let in.
    let mut datagram = vec![0; 1_500];
    while datagram[0] & 0xf0 != 0xf0 {
        forger.recv(&mut datagram).await.unwrap();
    }
    let mut honest = relay.client().await;
    epoch_key(&relay, &mut honest).await;
}

#[tokio::test]
async fn nothing_is_taken_before_the_handshake_is_done() {
    let relay = start();
    let mut client = relay.client().await;
    // A ticket would have come before this answer.
    epoch_key(&relay, &mut client).await;
    assert!(!client.may_send_early());
    // Nor does it get anything by which it could be known again.
    assert_eq!(client.souvenirs(), 0);
}

/// Bytes that a relay takes of one who asks without end and takes next to nothing: the commands of the answers that it holds, and
/// what QUIC keeps that is not read. And that one.
async fn taken_of_who_takes_nothing(relay: &Running) -> (u64, Client) {
    let mut client = asks_and_does_not_listen(relay, 1).await;
    let command = Command::Descriptor;
    while timeout(Duration::from_secs(1), client.say(RequestId(2), &command)).await.is_ok() {}
    (client.sent(), client)
}

/// The 147 commands whose answers are 512 KiB, the window, and QUIC's own.
const NARROW: std::ops::Range<u64> = 60_000..100_000;
const WIDE: std::ops::Range<u64> = 160_000..210_000;

#[tokio::test]
async fn a_link_that_is_held_up_gets_wide_windows_if_there_is_a_place_for_them() {
    let relay = start_for("127.0.0.1:0", Crowd { wide: 1, ..Crowd::of(1 << 30, 64) });
    // Those who are not held up take none.
    let mut quiet = relay.client().await;
    epoch_key(&relay, &mut quiet).await;
    let (taken, first) = taken_of_who_takes_nothing(&relay).await;
    assert!(WIDE.contains(&taken), "{taken}");
    let (taken, _second) = taken_of_who_takes_nothing(&relay).await;
    assert!(NARROW.contains(&taken), "{taken}");
    drop(first);
    while relay.server.hub.look(Relay::links) > 2 {
        sleep(LOOK).await;
    }
    let (taken, _third) = taken_of_who_takes_nothing(&relay).await;
    assert!(WIDE.contains(&taken), "{taken}");
}

#[tokio::test]
async fn who_rests_gives_wide_windows_back() {
    let relay = start_for("127.0.0.1:0", Crowd { wide: 1, ..Crowd::of(1 << 30, 64) });
    let mut first = asks_and_does_not_listen(&relay, 400).await;
    for _ in 0..400 {
        first.hear().await;
    }
    tokio::time::pause();
    sleep(Duration::from_secs(40)).await;
    tokio::time::resume();
    let (taken, _second) = taken_of_who_takes_nothing(&relay).await;
    assert!(WIDE.contains(&taken), "{taken}");
    epoch_key(&relay, &mut first).await;
}

/// Bytes that QUIC takes for somebody who says that it has room and then nothing more, not even that it heard.
async fn kept_for_who_acknowledges_nothing(widened: bool) -> usize {
    let relay = start();
    let resets = relay.setup.tls.resets();
    let config = quic::server_config(relay.setup.tls.server().unwrap());
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = Endpoint::new(quic::endpoint_config(resets), Some(config), socket, Arc::new(Tasks)).unwrap();
    let to = server.local_addr().unwrap();
    let (goes, goes_on) = std::sync::mpsc::channel::<()>();
    let silent = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let mut client = Client::connect(to, beresta_proto::label::LINK_ALPN).await.unwrap();
            client.write(b"a").await;
            sleep(Duration::from_millis(200)).await;
            client
        });
        // Nobody works for it any more.
        let _ = goes_on.recv();
        drop((client, runtime));
    });
    let connection = server.accept().await.unwrap().await.unwrap();
    let (mut send, _receive) = connection.accept_bi().await.unwrap();
    sleep(Duration::from_millis(400)).await;
    if widened {
        quic::widen(&connection);
    }
    let mut kept = 0;
    while let Ok(Ok(bytes)) = timeout(Duration::from_millis(300), send.write(&[0; 8 * 1024])).await {
        kept += bytes;
    }
    drop(goes);
    silent.join().unwrap();
    kept
}

#[tokio::test]
async fn quic_keeps_no_more_for_who_acknowledges_nothing_than_its_windows() {
    assert_eq!(kept_for_who_acknowledges_nothing(false).await, 24 * 1024);
    assert_eq!(kept_for_who_acknowledges_nothing(true).await, 256 * 1024);
}

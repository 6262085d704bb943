//! Who is let in by where they come from, by a relay that runs. The machine itself is held to no limit, so this wants a network
//! namespace whose loopback has the addresses of these networks: `.ci/run test` makes one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::client::Client;
use super::*;

/// Links that a network gets here.
const NEAR: u32 = 8;

#[tokio::test]
#[ignore = "wants a network of its own: .ci/run makes one"]
async fn a_network_and_its_owner_get_so_many_links_and_nobody_else_is_kept_out() {
    let relay = start_at("0.0.0.0:0", NEAR);
    let to = SocketAddr::new([192, 0, 2, 1].into(), relay.server.listens_at().unwrap().port());
    let from = async |address: [u8; 4]| Client::connect_from(IpAddr::V4(Ipv4Addr::from(address)), to).await;
    let mut held = Vec::new();
    for net in 2..10 {
        for host in 2..10 {
            let mut client = from([192, 0, net, host]).await.unwrap();
            epoch_key(&relay, &mut client).await;
            held.push(client);
        }
        if net == 2 {
            assert!(from([192, 0, 2, 99]).await.is_err(), "the network has its links");
        }
    }
    assert!(from([192, 0, 10, 2]).await.is_err(), "whoever has these networks has theirs");
    let mut other = from([198, 51, 100, 2]).await.unwrap();
    epoch_key(&relay, &mut other).await;
    // One who hangs up makes room, once the relay has heard it.
    drop(held.remove(0));
    while from([192, 0, 2, 99]).await.is_err() {}
}

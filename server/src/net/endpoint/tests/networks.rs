//! Who is let in by where they come from, by a relay that runs: in a network of the test's own, for the machine itself is held
//! to no limit.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command as Program;

use super::client::Client;
use super::*;

/// Set where the child runs.
const CHILD: &str = "BERESTA_TEST_NETWORK";
/// Set by `.ci/run`: a test that this machine can't carry out must not look as if it had passed.
const ALL: &str = "BERESTA_TEST_ALL";
/// Links that a network gets there.
const NEAR: u32 = 8;

/// Carries a test of this file out in a network namespace, which has the addresses of some networks for its own. Root may make one,
/// others where the system lets them be root of a user namespace.
fn in_a_network_of_its_own(test: &str) {
    let networks = "ip link set lo up; for net in 192.0.2 192.0.3 192.0.4 192.0.5 192.0.6 192.0.7 192.0.8 192.0.9 192.0.10 198.51.100; do
        ip address add $net.1/24 dev lo; done; exec \"$@\"";
    let namespaces = |kinds: &[&str]| {
        let mut command = Program::new("unshare");
        command.args(kinds).args(["sh", "-e", "-c", networks, "sh"]).env(CHILD, "yes");
        command
    };
    let works =
        |kinds: &&[&str]| namespaces(kinds).arg("true").output().is_ok_and(|run| run.status.success());
    let Some(kinds) = [&["--net"][..], &["--user", "--map-root-user", "--net"]].into_iter().find(works)
    else {
        assert!(std::env::var_os(ALL).is_none(), "{test} was not carried out: a network can't be made here");
        println!("NOT TESTED: {test}, because a network can't be made here");
        return;
    };
    let mut child = namespaces(kinds);
    child.arg(std::env::current_exe().unwrap()).args(["--ignored", "--exact", "--nocapture", test]);
    let run = child.output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let passed = run.status.success() && said.contains("1 passed");
    assert!(passed, "{said}{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_network_and_its_owner_get_so_many_links_and_nobody_else_is_kept_out() {
    in_a_network_of_its_own("net::endpoint::tests::networks::child_of_many_networks");
}

/// Not a test: what [`a_network_and_its_owner_get_so_many_links_and_nobody_else_is_kept_out`] runs.
#[tokio::test]
#[ignore = "the child of another test"]
async fn child_of_many_networks() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
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

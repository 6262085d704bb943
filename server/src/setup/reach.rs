//! The addresses that people are told, as far as one sees by them whom they lead here.

use std::net::{IpAddr, SocketAddr};

use beresta_proto::route::Route;

/// Those by which nobody comes from outside. None of a relay that listens on loopback: it is tried at home, or said to be
/// reached from nowhere else.
pub(crate) fn inside(listen: SocketAddr, routes: &[Route]) -> Vec<SocketAddr> {
    if listen.ip().to_canonical().is_loopback() {
        return Vec::new();
    }
    let at = |route: &Route| match route {
        Route::Quic(at) => Some(*at),
        Route::Other { kind: _, data: _ } => None,
    };
    routes.iter().filter_map(at).filter(|at| is_inside(at.ip())).collect()
}

/// Each once, in the order in which they were said.
pub(super) fn once(routes: Vec<Route>) -> Vec<Route> {
    let mut once = Vec::with_capacity(routes.len());
    for route in routes {
        if !once.contains(&route) {
            once.push(route);
        }
    }
    once
}

/// Whether it is one of many machines: of each by itself (loopback), of a link, of a private network (RFC 1918, RFC 4193), or
/// of those behind one address of a provider (RFC 6598).
fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let behind_a_provider = matches!(ip.octets(), [100, 64..=127, _, _]);
            ip.is_loopback() || ip.is_link_local() || ip.is_private() || behind_a_provider
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_one_network_is_told_from_one_that_leads_here_from_everywhere() {
        let all = "0.0.0.0:443".parse().unwrap();
        let is_inside = |at: &str| {
            let at: SocketAddr = at.parse().unwrap();
            for listen in ["127.0.0.1:443", "[::1]:443", "[::ffff:127.0.0.1]:443"] {
                assert!(inside(listen.parse().unwrap(), &[Route::Quic(at)]).is_empty(), "tried at home");
            }
            inside(all, &[Route::Quic(at)]) == [at]
        };
        for within in [
            "127.0.0.1:443",
            "10.0.0.1:443",
            "172.16.0.1:443",
            "172.31.255.255:443",
            "192.168.1.2:443",
            "169.254.1.1:443",
            "100.64.0.1:443",
            "100.127.255.255:443",
            "[::1]:443",
            "[fe80::1]:443",
            "[fd00::1]:443",
            "[::ffff:192.168.1.2]:443",
        ] {
            assert!(is_inside(within), "{within}");
        }
        for outside in [
            "203.0.113.5:443",
            "11.0.0.1:443",
            "172.32.0.1:443",
            "192.169.0.1:443",
            "100.63.255.255:443",
            "100.128.0.1:443",
            "[2001:db8::1]:443",
            "[::ffff:203.0.113.5]:443",
        ] {
            assert!(!is_inside(outside), "{outside}");
        }
    }
}

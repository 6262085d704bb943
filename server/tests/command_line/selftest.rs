//! `selftest`, where one of a relay's routes leads to another relay.

use beresta_proto::address::RelayAddress;

use super::*;

#[test]
fn a_route_at_which_another_relay_answers_is_named_and_the_others_are_tried() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| {
        let (dir, at) = (folder.path().join(name), free());
        let made = relay(&["init", "--dir", dir.to_str().unwrap(), "--listen", &at, "--public", &at]);
        (start(dir.to_str().unwrap()), RelayAddress::from_link(out(&made).trim()).unwrap(), at)
    });
    let test = |routes: &[&RelayAddress]| {
        let mut address = ours.1.clone();
        address.routes = routes.iter().flat_map(|relay| relay.routes.clone()).collect();
        let tested = relay(&["selftest", "--lang", "en", "--via", &address.to_link()]);
        let said = out(&tested);
        let failed: Vec<String> =
            said.lines().filter(|line| line.starts_with("FAIL")).map(str::to_owned).collect();
        (tested.status.code(), said.matches("ok  ").count(), failed)
    };
    assert_eq!(test(&[&ours.1]), (Some(0), 6, vec![]));
    for routes in [[&ours.1, &theirs.1], [&theirs.1, &ours.1]] {
        let (code, good, failed) = test(&routes);
        assert_eq!((code, good, failed.len()), (Some(4), 6, 1), "{failed:?}");
        let at = format!("FAIL Route {}: another relay answers", theirs.2);
        assert!(failed[0].starts_with(&at), "{failed:?}");
    }
    let (code, good, failed) = test(&[&theirs.1]);
    assert_eq!((code, good, failed.len()), (Some(5), 0, 1), "{failed:?}");
    stop(ours.0);
    stop(theirs.0);
}

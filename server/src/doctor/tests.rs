use std::sync::atomic::{AtomicU16, Ordering};

use super::*;
use crate::queue::rules::Cap;
use crate::queue::sqlite::Keeping;
use crate::random::SystemRandom;
use crate::setup::{Wish, init};

fn opened(dir: &Path) -> SqliteEngine {
    let home = Home::at(dir);
    let proof = setup::namer(&home).unwrap().proof();
    SqliteEngine::open(&home.path(Name::Queues), Cap { bytes: 1 << 20 }, Keeping::Durable, proof).unwrap()
}

fn relay(listen: &str, now: Timestamp) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let wish = Wish {
        dir: dir.path().to_path_buf(),
        listen: Some(listen.parse().unwrap()),
        public: vec![listen.parse().unwrap()],
        operator: None,
        identity: None,
        clock_is_right: false,
    };
    init(&wish, now, &mut SystemRandom::new().unwrap()).unwrap();
    dir
}

/// Where nobody listens, and no other of these tests looks.
fn free() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    loop {
        let at = SocketAddr::from(([127, 0, 0, 1], NEXT.fetch_add(1, Ordering::Relaxed)));
        if net::port(at) == Port::Free {
            return at.to_string();
        }
    }
}

fn now() -> Timestamp {
    crate::clock::now()
}

fn write(dir: &Path, settings: &str) {
    fs::write(dir.join("relay.toml"), settings).unwrap();
}

#[test]
fn a_relay_that_is_well_is_told_so_and_only_what_is_not_is_complained_of() {
    let free = free();
    let dir = relay(&free, now());
    write(dir.path(), &format!("listen = \"{free}\"\ndisk_mib = 64\n"));
    let found = examine(dir.path(), now()).unwrap();
    for good in [Finding::Files, Finding::Stopped, Finding::Port(Port::Free), Finding::IdentityHere] {
        assert!(found.contains(&good), "{found:?}");
    }
    assert!(found.iter().any(|one| matches!(one, Finding::Disk { free_mib: 1.., .. })), "{found:?}");
    fs::rename(dir.path().join("identity.key"), dir.path().join("elsewhere")).unwrap();
    let found = examine(dir.path(), now()).unwrap();
    let bad = found.iter().filter(|one| one.verdict() != Verdict::Good);
    let of_this_machine =
        [Finding::ClockNotSet, Finding::Buffers { roomy: false }, Finding::WritesElsewhere, Finding::Stopped];
    assert_eq!(bad.filter(|one| !of_this_machine.contains(one)).count(), 0, "{found:?}");
}

#[test]
fn a_descriptor_is_complained_of_five_weeks_before_its_end() {
    let dir = relay(&free(), now());
    let after = |days: u64| {
        let found = examine(dir.path(), now().plus(days * DAY_MS)).unwrap();
        found.into_iter().find(|one| matches!(one, Finding::Descriptor { .. })).unwrap()
    };
    assert_eq!(after(54).verdict(), Verdict::Good);
    assert!(matches!(after(56), Finding::Descriptor { days: Some(33), .. }), "{:?}", after(56));
    assert_eq!(after(56).verdict(), Verdict::Warning);
    assert!(matches!(after(91), Finding::Descriptor { days: None, .. }), "{:?}", after(91));
    assert_eq!(after(91).verdict(), Verdict::Failure);
}

#[test]
fn a_descriptor_that_has_not_begun_is_not_called_valid() {
    let dir = relay(&free(), now());
    let found = examine(dir.path(), now().minus(3 * HOUR_MS)).unwrap();
    assert!(found.iter().any(|one| matches!(one, Finding::Descriptor { days: None, .. })), "{found:?}");
}

#[test]
fn a_relay_that_signed_another_policy_than_it_has_is_told_so() {
    let dir = relay(&free(), now());
    let told =
        || examine(dir.path(), now()).unwrap().into_iter().find(|one| matches!(one, Finding::OtherPolicy(_)));
    let wish = Wish {
        dir: dir.path().to_path_buf(),
        listen: None,
        public: Vec::new(),
        operator: None,
        identity: None,
        clock_is_right: false,
    };
    assert_eq!(told(), None);
    for key in [Key::Open, Key::Volatile] {
        let other = if key == Key::Open { "open = false" } else { "volatile = true" };
        write(dir.path(), &format!("listen = \"127.0.0.1:1\"\n{other}\n"));
        assert_eq!(told(), Some(Finding::OtherPolicy(key)));
        init(&wish, now(), &mut SystemRandom::new().unwrap()).unwrap();
        assert_eq!(told(), None);
        write(dir.path(), "listen = \"127.0.0.1:1\"\n");
        assert_eq!(told(), Some(Finding::OtherPolicy(key)), "and back");
        init(&wish, now(), &mut SystemRandom::new().unwrap()).unwrap();
    }
}

#[test]
fn a_file_that_root_made_in_the_services_folder_is_found() {
    let dir = relay(&free(), now());
    let made_by_another = || examine(dir.path(), now()).unwrap().contains(&Finding::OtherOwner);
    assert!(!made_by_another());
    let foreign = dir.path().join("lost+found");
    fs::create_dir(&foreign).unwrap();
    let _ = std::os::unix::fs::chown(foreign, Some(65_534), None);
    assert!(!made_by_another());
    // Only root may give files away.
    let lock = dir.path().join("queues.sqlite.lock");
    fs::write(&lock, "").unwrap();
    if std::os::unix::fs::chown(lock, Some(65_534), None).is_ok() {
        assert!(made_by_another());
    }
}

#[test]
fn queues_that_would_not_be_opened_are_found() {
    let dir = relay(&free(), now());
    let told =
        || examine(dir.path(), now()).unwrap().into_iter().find(|one| matches!(one, Finding::Queues(_)));
    let queues = dir.path().join("queues.sqlite");
    drop(opened(dir.path()));
    assert_eq!(told(), None);
    let key = dir.path().join("queue.key");
    let right = fs::read(&key).unwrap();
    fs::write(&key, [8; 32]).unwrap();
    assert_eq!(told(), Some(Finding::Queues(Unopened::QueueKey)), "none of them would be found");
    fs::write(&key, right).unwrap();
    assert_eq!(told(), None);
    fs::write(&queues, [1; 4_096]).unwrap();
    assert_eq!(told(), Some(Finding::Queues(Unopened::Damaged)));
    assert_eq!(told().unwrap().verdict(), Verdict::Failure);
}

#[test]
fn what_keeps_a_relay_from_running_is_found() {
    let dir = relay("192.0.2.7:443", now());
    fs::set_permissions(dir.path().join("queue.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let found = examine(dir.path(), now().minus(2 * DAY_MS)).unwrap();
    let wrong = [Finding::Port(Port::NotOurs), Finding::Readable(Some(Name::QueueKey)), Finding::ClockBehind];
    for wrong in wrong {
        assert!(found.contains(&wrong), "{found:?}");
        assert_eq!(wrong.verdict(), Verdict::Failure);
    }
    write(dir.path(), "listen = \"127.0.0.1:1\"\ndisk_mib = 16777216\n");
    let found = examine(dir.path(), now()).unwrap();
    assert!(found.iter().any(|one| matches!(one, Finding::DiskSmall { mib: 1.. })), "{found:?}");
    write(dir.path(), "lisen = 1\n");
    let found = examine(dir.path(), now()).unwrap();
    assert!(matches!(found[0], Finding::Broken(SetupError::Config(_))), "{found:?}");
}

#[test]
fn a_relay_that_only_its_own_machine_reaches_is_told_so_if_others_are_sent_to_it() {
    let at = |at: &str| at.parse::<SocketAddr>().unwrap();
    let [here, six, mapped] = ["127.0.0.1:443", "[::1]:443", "[::ffff:127.0.0.1]:443"].map(at);
    let [all, outside] = ["0.0.0.0:443", "192.0.2.1:443"].map(at);
    let only_here = |listen, routes: &[SocketAddr]| {
        is_only_here(listen, &routes.iter().copied().map(Route::Quic).collect::<Vec<_>>())
    };
    for listen in [here, six, mapped] {
        assert!(only_here(listen, &[outside]) && only_here(listen, &[here, outside]), "{listen}");
        assert!(!only_here(listen, &[here]), "a relay to try it");
    }
    assert!(!only_here(all, &[outside]) && !only_here(outside, &[outside]));

    let dir = relay("192.0.2.7:443", now());
    write(dir.path(), "listen = \"127.0.0.1:1\"\n");
    let found = examine(dir.path(), now()).unwrap();
    let warned = Finding::OnlyHere { at: at("127.0.0.1:1"), all: at("0.0.0.0:1") };
    assert!(found.contains(&warned), "{found:?}");
    assert_eq!(warned.verdict(), Verdict::Warning);
}

#[test]
fn a_relay_that_does_not_answer_is_not_taken_for_another_program() {
    let dir = relay(&free(), now());
    assert!(examine(dir.path(), now()).unwrap().contains(&Finding::Stopped));
    let engine = opened(dir.path());
    let found = examine(dir.path(), now()).unwrap();
    assert!(found.contains(&Finding::Silent), "{found:?}");
    assert!(!found.iter().any(|one| matches!(one, Finding::Stopped | Finding::Port(_))), "{found:?}");
    drop(engine);
    assert!(examine(dir.path(), now()).unwrap().contains(&Finding::Stopped));
}

#[test]
fn a_relay_that_runs_is_believed_about_its_own_buffers() {
    for roomy in [false, true] {
        assert_eq!(buffers(Some(roomy)), Finding::Buffers { roomy });
    }
}

#[test]
fn nobody_is_told_to_close_a_file_that_is_a_link_to_another() {
    let dir = relay(&free(), now());
    let (key, other) = (dir.path().join("tls.key"), dir.path().join("other"));
    fs::rename(&key, &other).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&other, &key).unwrap();
    let is_open =
        || readable(dir.path(), &Home::at(dir.path())).contains(&Finding::Readable(Some(Name::TlsKey)));
    assert!(!is_open());
    fs::rename(&other, &key).unwrap();
    assert!(is_open());
}

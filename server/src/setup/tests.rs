use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::*;

struct Seeded(ChaCha20Rng);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

const NOW: Timestamp = Timestamp(1_795_512_000_000);

fn rng() -> Seeded {
    Seeded(ChaCha20Rng::seed_from_u64(1))
}

fn wish(dir: &Path) -> Wish {
    Wish {
        dir: dir.join("relay"),
        listen: Some("127.0.0.1:1".parse().unwrap()),
        public: vec!["192.0.2.1:443".parse().unwrap()],
        operator: Some("Anna".to_owned()),
        identity: None,
        clock_is_right: false,
    }
}

fn renewal(dir: &Path) -> Wish {
    Wish { listen: None, public: Vec::new(), operator: None, ..wish(dir) }
}

#[test]
fn a_relay_runs_without_its_identity_key() {
    let dir = tempfile::tempdir().unwrap();
    let made = init(&wish(dir.path()), NOW, &mut rng()).unwrap();
    std::fs::remove_file(&made.identity).unwrap();
    let setup = load(&wish(dir.path()).dir, NOW).unwrap();
    assert_eq!(setup.descriptor.address(), made.address);
    assert_eq!(setup.descriptor.sequence, NOW.0 / SECOND_MS);
    assert_eq!(made.address.routes, [Route::Quic("192.0.2.1:443".parse().unwrap())]);
}

#[test]
fn a_renewed_descriptor_has_the_next_number_and_the_same_address_and_keys() {
    let dir = tempfile::tempdir().unwrap();
    let made = init(&wish(dir.path()), NOW, &mut rng()).unwrap();
    let before = load(&wish(dir.path()).dir, NOW).unwrap();
    let elsewhere = dir.path().join("safe.key");
    std::fs::rename(&made.identity, &elsewhere).unwrap();
    let late = NOW.plus(200 * DAY_MS);
    assert_eq!(load(&wish(dir.path()).dir, late).unwrap_err(), SetupError::Ended);
    assert_eq!(init(&renewal(dir.path()), late, &mut rng()).unwrap_err(), SetupError::NoIdentity);

    let again = Wish { identity: Some(elsewhere), ..renewal(dir.path()) };
    let renewed = init(&again, late, &mut rng()).unwrap();
    assert!(renewed.renewed && !made.renewed);
    assert_eq!(renewed.address, made.address);
    let after = load(&wish(dir.path()).dir, late).unwrap();
    assert_eq!((after.descriptor.sequence, after.descriptor.operator.as_str()), (late.0 / SECOND_MS, "Anna"));
    assert_eq!((after.descriptor.tls_key, after.config), (before.descriptor.tls_key, before.config));
    assert_eq!(after.descriptor.epoch_signer, before.descriptor.epoch_signer);
}

#[test]
fn another_relays_identity_key_signs_nothing_here() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    init(&wish(dir.path()), NOW, &mut rng()).unwrap();
    let mut theirs = Seeded(ChaCha20Rng::seed_from_u64(2));
    let theirs = init(&wish(other.path()), NOW, &mut theirs).unwrap().identity;
    let wrong = Wish { identity: Some(theirs), ..renewal(dir.path()) };
    let here = load(&wish(dir.path()).dir, NOW).unwrap().relay;
    assert_eq!(init(&wrong, NOW, &mut rng()).unwrap_err(), SetupError::OtherIdentity(here));
    assert_eq!(load(&wish(dir.path()).dir, NOW).unwrap().descriptor.sequence, NOW.0 / SECOND_MS);
}

#[test]
fn a_descriptor_is_above_all_before_it_also_at_a_relay_that_came_out_of_its_identity_key_alone() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sequence = |dir: &Path| load(&wish(dir).dir, NOW).unwrap().descriptor.sequence;
    let identity = init(&wish(dir.path()), NOW, &mut rng()).unwrap().identity;
    let first = sequence(dir.path());
    // No two in one second, or by a clock that is a little behind, have one number.
    for at in [NOW, NOW.minus(SECOND_MS)] {
        let before = sequence(dir.path());
        init(&renewal(dir.path()), at, &mut rng()).unwrap();
        assert_eq!(sequence(dir.path()), before + 1);
    }
    let late = NOW.plus(10 * SECOND_MS);
    init(&Wish { identity: Some(identity), ..wish(other.path()) }, late, &mut rng()).unwrap();
    assert_eq!(load(&other.path().join("relay"), late).unwrap().descriptor.sequence, first + 10);
}

#[test]
fn a_clock_that_is_behind_does_not_replace_a_descriptor_by_one_that_is_over() {
    let dir = tempfile::tempdir().unwrap();
    init(&wish(dir.path()), NOW, &mut rng()).unwrap();
    let before = std::fs::read(dir.path().join("relay/descriptor")).unwrap();
    let past = NOW.minus(DAY_MS);
    assert_eq!(init(&renewal(dir.path()), past, &mut rng()).unwrap_err(), SetupError::ClockBehind);
    assert_eq!(
        rotate(&dir.path().join("relay"), None, past, &mut rng()).unwrap_err(),
        SetupError::ClockBehind
    );
    assert_eq!(std::fs::read(dir.path().join("relay/descriptor")).unwrap(), before);
    // It was ahead when that was made, and its operator says so.
    let first = load(&dir.path().join("relay"), NOW).unwrap().descriptor.sequence;
    init(&Wish { clock_is_right: true, ..renewal(dir.path()) }, past, &mut rng()).unwrap();
    assert_eq!(load(&dir.path().join("relay"), past).unwrap().descriptor.sequence, first + 1);
    assert_eq!(rotate(&dir.path().join("relay"), None, past, &mut rng()), Ok(()));
}

#[test]
fn a_relay_that_moves_is_found_at_its_old_and_its_new_place() {
    let dir = tempfile::tempdir().unwrap();
    let routes = |made: Made| made.address.routes;
    let made = init(&wish(dir.path()), NOW, &mut rng()).unwrap();
    let two = ["192.0.2.1:443", "[2001:db8::1]:443"].map(|at| at.parse().unwrap());
    let both = Wish { public: two.to_vec(), ..renewal(dir.path()) };
    let both = init(&both, NOW, &mut rng()).unwrap();
    assert_eq!(both.address.relay, made.address.relay);
    assert_eq!(routes(both), two.map(Route::Quic));
    assert_eq!(routes(init(&renewal(dir.path()), NOW, &mut rng()).unwrap()), two.map(Route::Quic));
    // Said twice, it is one.
    let twice = Wish { public: [two, two, two].concat(), ..renewal(dir.path()) };
    assert_eq!(routes(init(&twice, NOW, &mut rng()).unwrap()), two.map(Route::Quic));
    let five = [1, 2, 3, 4, 5].map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
    let five = Wish { public: five.to_vec(), ..renewal(dir.path()) };
    assert_eq!(init(&five, NOW, &mut rng()).unwrap_err(), SetupError::ManyRoutes);
}

#[test]
fn an_address_that_nobody_can_reach_is_not_handed_out() {
    let dir = tempfile::tempdir().unwrap();
    for bad in ["0.0.0.0:443", "[::]:443", "192.0.2.1:0", "224.0.0.1:443"] {
        let bad = bad.parse().unwrap();
        let wish = Wish { public: vec!["192.0.2.1:443".parse().unwrap(), bad], ..wish(dir.path()) };
        assert_eq!(init(&wish, NOW, &mut rng()).unwrap_err(), SetupError::BadPublic(bad));
        assert!(!wish.dir.exists(), "nothing was made");
    }
}

#[test]
fn what_was_not_said_is_asked_for_and_what_is_damaged_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(init(&renewal(dir.path()), NOW, &mut rng()).unwrap_err(), SetupError::NoAddress);
    let long = Wish { operator: Some("a".repeat(65)), ..wish(dir.path()) };
    assert_eq!(init(&long, NOW, &mut rng()).unwrap_err(), SetupError::LongName);
    assert_eq!(load(&wish(dir.path()).dir, NOW).unwrap_err(), SetupError::NoRelay);

    init(&wish(dir.path()), NOW, &mut rng()).unwrap();
    let home = Home::at(&wish(dir.path()).dir);
    home.replace(Name::Config, b"listen = \"127.0.0.1:1\"\nlisten_too = 1\n").unwrap();
    let damaged = |name| SetupError::Home(HomeError::Damaged(name));
    let unknown = SetupError::Config(ConfigError { line: Some(2), key: None });
    assert_eq!(load(&wish(dir.path()).dir, NOW).unwrap_err(), unknown);
    home.replace(Name::Descriptor, b"no").unwrap();
    assert_eq!(load(&wish(dir.path()).dir, NOW).unwrap_err(), damaged(Name::Descriptor));
}

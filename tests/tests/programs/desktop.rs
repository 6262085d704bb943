//! The desktop is locked, as logind says: a bus of its own, with the stand-in for logind of python3-dbusmock.

use std::process::{Command, Stdio};

use beresta_tests::process::apart::not_tested;
use beresta_tests::process::{Person, Process, output};

use super::World;

/// Debian's, for which the package is.
const PYTHON: &str = "/usr/bin/python3";
const MANAGER: &str = "/org/freedesktop/login1";
const SESSION: &str = "/org/freedesktop/login1/session/auto";
/// How often is asked for what takes a moment.
const TRIES: usize = 2_000;

/// A system bus with a logind on it that knows one session.
struct Desktop {
    address: String,
    _bus: Process,
    _logind: Process,
}

impl Desktop {
    /// None where it is not tested.
    fn start() -> Option<Self> {
        let mut look = Command::new(PYTHON);
        look.args(["-c", "import dbusmock"]).stdout(Stdio::null()).stderr(Stdio::null());
        if !look.status().is_ok_and(|status| status.success()) {
            not_tested("the lock of the desktop", "it takes python3-dbusmock");
            return None;
        }
        let mut command = Command::new("dbus-daemon");
        command.args(["--session", "--nofork", "--print-address=1"]);
        let mut bus = Process::start(command).unwrap();
        let address = bus.expect("unix:").unwrap();
        let mut command = Command::new(PYTHON);
        command.args(["-m", "dbusmock", "--template", "logind"]).env("DBUS_SYSTEM_BUS_ADDRESS", &address);
        let logind = Process::start(command).unwrap();
        let desktop = Self { address, _bus: bus, _logind: logind };
        let add = ["string:auto", "string:seat0", "uint32:0", "string:anna", "boolean:true"];
        let added = (0..TRIES).any(|_| desktop.call(MANAGER, "org.freedesktop.DBus.Mock.AddSession", &add));
        assert!(added, "logind's stand-in does not come up");
        Some(desktop)
    }

    fn call(&self, path: &str, method: &str, arguments: &[&str]) -> bool {
        let mut send = Command::new("dbus-send");
        send.arg(format!("--bus={}", self.address)).args(["--print-reply", "--dest=org.freedesktop.login1"]);
        send.arg(path).arg(method).args(arguments);
        output(send, "").unwrap().code == 0
    }

    /// As `loginctl lock-session` does.
    fn lock(&self) {
        assert!(self.call(SESSION, "org.freedesktop.login1.Session.Lock", &[]));
    }

    /// As a desktop says that its screen is locked, or not any more.
    fn say(&self, locked: bool) {
        let hint = format!("boolean:{locked}");
        assert!(self.call(SESSION, "org.freedesktop.login1.Session.SetLockedHint", &[&hint]));
    }

    fn of(&self, mut person: Person) -> Person {
        person.set("DBUS_SYSTEM_BUS_ADDRESS", &self.address);
        person
    }
}

/// Does something to the desktop until the program has ended; it may not have asked for its session yet.
fn until_locked(mut process: Process, mut act: impl FnMut()) {
    let ended = (0..TRIES).any(|_| {
        act();
        process.has_ended().unwrap().is_some()
    });
    assert!(ended, "it did not lock");
    let (code, lines) = process.finish().unwrap();
    assert_eq!(code, Some(6), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("The profile was locked: your desktop"), "{lines:?}");
}

#[test]
fn a_profile_locks_when_the_desktop_is_locked_unless_that_is_switched_off() {
    let world = World::new();
    let Some(desktop) = Desktop::start() else { return };
    let (anna, boris) = (desktop.of(world.anna.clone()), &world.boris);
    let set = |what: &str, args: &[&str]| anna.json(&[&["lock", what], args].concat()).unwrap()[0].clone();
    assert_eq!((&set("session", &[])["session"], &set("session", &[])["seen"]), (&true.into(), &true.into()));

    // A desktop that was locked already locks nothing: the person may work from elsewhere.
    desktop.say(true);
    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    chat.type_line("the screen at home is locked").unwrap();
    chat.expect("at the relay: the screen").unwrap();
    until_locked(chat, || desktop.lock());

    let mut follow = anna.start(&["receive", "--follow"]).unwrap();
    follow.expect("Waiting for messages").unwrap();
    until_locked(follow, || {
        desktop.say(false);
        desktop.say(true);
    });

    assert_eq!(set("session", &["off"])["session"], false);
    let mut chat = anna.chat(boris).unwrap();
    chat.expect("Conversation with").unwrap();
    for number in 0..5 {
        desktop.lock();
        desktop.say(false);
        desktop.say(true);
        chat.type_line(&format!("still here {number}")).unwrap();
        chat.expect(&format!("at the relay: still here {number}")).unwrap();
    }
    assert_eq!(chat.finish().unwrap().0, Some(0));
    assert_eq!(set("sleep", &[])["sleep"], true);
    assert_eq!(
        (&set("sleep", &["off"])["sleep"], &set("sleep", &[])["sleep"]),
        (&false.into(), &false.into())
    );
    assert_eq!(set("session", &["on"])["session"], true);
    assert_eq!(anna.try_run(&["lock", "session", "maybe"], "").unwrap().code, 2);
}

#[test]
fn where_nobody_says_that_the_desktop_is_locked_that_is_told_and_everything_else_works() {
    let mut world = World::new();
    let anna = &mut world.anna;
    anna.set("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus");
    assert_eq!(anna.json(&["lock", "session"]).unwrap()[0]["seen"], false);
    let said = anna.run(&["lock", "session"], "").unwrap();
    assert!(said.contains("NOBODY SAYS WHEN THAT IS"), "{said}");
    anna.run(&["send", "Boris"], "sent all the same").unwrap();
}

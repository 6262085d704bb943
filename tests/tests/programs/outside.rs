//! What the messenger writes outside of its profile: nothing. There are no attachments, exports, temporary files, notifications
//! and no clipboard in this version; whoever builds one of them meets this test.

use std::fs;
use std::path::Path;
use std::process::Command;

use beresta_tests::process::{Person, output};

use super::{BORIS, World};

/// Where the system's bus listens.
const BUS: [&str; 2] = ["/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"];

/// Runs a command under strace: every call that makes, writes, renames or removes by name, or connects, in full.
fn traced(person: &Person, args: &[&str], input: &str, trace: &Path) -> Option<Vec<String>> {
    let command = person.command(args);
    let mut traced = Command::new("strace");
    let calls = "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,\
                 truncate,unlink,unlinkat,mknod,mknodat,connect,memfd_create";
    traced.args(["-f", "-qq", "-s", "256", "-e", calls, "-o"]).arg(trace);
    traced.arg(command.get_program()).args(command.get_args());
    let done = output(traced, input).ok()?;
    assert_eq!(done.code, 0, "{args:?}: {done:?}");
    let lines = fs::read_to_string(trace).unwrap();
    Some(lines.lines().map(ToOwned::to_owned).collect())
}

/// What of it leaves something outside of the profile.
fn outside<'c>(calls: &'c [String], profile: &str) -> Vec<&'c str> {
    let harmless = |call: &&str| {
        let reads =
            call.contains("open") && !["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|how| call.contains(how));
        // The whole of the path is in the profile; a rename has two.
        let paths: Vec<&str> = call.split('"').skip(1).step_by(2).collect();
        let inside = !paths.is_empty() && paths.iter().all(|path| path.starts_with(profile));
        let device = paths.iter().all(|path| ["/dev/null", "/dev/tty"].contains(path)) && !paths.is_empty();
        let network = call.contains("connect(") && call.contains("AF_INET");
        // logind is asked whether the desktop is locked.
        let bus = call.contains("connect(") && BUS.iter().any(|at| paths == [*at]);
        reads || inside || device || network || bus || call.contains("resumed>") || call.contains("= -1 E")
    };
    calls.iter().map(String::as_str).filter(|call| !harmless(call)).collect()
}

#[test]
fn nothing_is_written_outside_of_the_profile() {
    let world = World::new();
    let (anna, boris) = (&world.anna, &world.boris);
    let trace = anna.dir.parent().unwrap().join("trace");
    let profile = anna.dir.to_str().unwrap();
    let long = "a long text, of many words, so that it fills pages. ".repeat(60);
    boris.run(&["send", "Anna"], &long).unwrap();
    let commands: [(&[&str], &str); 7] = [
        (&["receive"], ""),
        (&["send", BORIS.name, "-"], &long),
        (&["chat", "history", BORIS.name], ""),
        (&["invite", "new"], ""),
        (&["verify", "show", BORIS.name], ""),
        (&["status"], ""),
        (&["chat", "delete", BORIS.name, "--yes"], ""),
    ];
    let mut seen = 0;
    for (args, input) in commands {
        let Some(calls) = traced(anna, args, input, &trace) else {
            #[expect(clippy::disallowed_methods, reason = "whoever runs every test says so")]
            let all = std::env::var("BERESTA_TEST_ALL").is_ok();
            assert!(!all, "strace is needed, and the right to trace");
            println!("NOT TRIED: there is no strace, or no right to trace");
            return;
        };
        assert_eq!(outside(&calls, profile), Vec::<&str>::new(), "{args:?}");
        seen += calls.iter().filter(|call| call.contains(profile) && call.contains("O_RDWR")).count();
    }
    assert!(seen >= 7, "the trace shows nothing: {seen}");
    // The look finds what is elsewhere.
    let elsewhere =
        [String::from("7 openat(AT_FDCWD, \"/tmp/export.txt\", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 9")];
    assert_eq!(outside(&elsewhere, profile).len(), 1);
    let clipboard =
        [String::from("7 connect(9, {sa_family=AF_UNIX, sun_path=\"/run/user/0/wayland-0\"}, 110) = 0")];
    assert_eq!(outside(&clipboard, profile).len(), 1);
}

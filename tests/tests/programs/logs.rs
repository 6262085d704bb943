//! What the programs write down about a full run, asked to write down everything.

use std::fs;
use std::process::Command;

use beresta_client::store::{Passphrase, Store};
use beresta_proto::invite::InviteLink;
use beresta_tests::process::scan::{Needle, found, secret, text};
use beresta_tests::process::{Output, Person, Programs, Relay, both, output};

use super::{ANNA, BORIS, World};

const SAID: [&str; 2] = ["The ledger is under the seventh stair", "Сожгите список до четверга"];

/// Local UDP ports that a process has, from its open descriptors.
fn ports(process: u32) -> Vec<u16> {
    let descriptors = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let sockets: Vec<String> = descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    let table = fs::read_to_string("/proc/net/udp").unwrap();
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, inode) = (fields.get(1)?, fields.get(9)?);
        let ours = sockets.iter().any(|socket| socket == inode);
        ours.then(|| u16::from_str_radix(local.split(':').nth(1)?, 16).ok())?
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// An address as it would be written.
fn address(port: u16) -> Vec<Needle> {
    let mut needles = text(&format!("127.0.0.1:{port}"));
    needles.extend(text(&port.to_string()));
    needles.extend(text("127.0.0.1"));
    needles
}

/// The ids and keys of a profile's queues and the ids of its contacts' accounts, taken out of its store.
fn ids(person: &Person) -> Vec<Needle> {
    let passphrase = Passphrase::new(person.who.passphrase.to_owned());
    let mut store = Store::open(&person.dir, &passphrase).unwrap();
    let (queues, profile) = store
        .transaction(|tx| Ok::<_, beresta_client::store::StoreError>((tx.own_queues()?, tx.profile()?)))
        .unwrap();
    assert!(!queues.is_empty());
    let mut needles = secret("an account id", &profile.account.0);
    needles.extend(text(&person.account));
    for queue in queues {
        needles.extend(secret("a queue's id for reading", &queue.read_id.0));
        needles.extend(secret("a queue's id for sending", &queue.send_id.0));
        needles.extend(secret("a queue's relay", &queue.relay.0));
    }
    needles
}

/// Runs a quiet command well: what it wrote on standard error.
fn quietly(person: &Person, args: &[&str], input: &str) -> String {
    let Output { code, out, err } = person.try_run(&[&["-q"], args].concat(), input).unwrap();
    assert_eq!(code, 0, "{args:?} {out} {err}");
    // What is told to a person, even to one who wants quiet, is no log.
    err.lines().filter(|line| !line.ends_with("is there: you can talk.")).collect()
}

/// Rule S11: addresses and keys that libsignal would log are not logged; and ours are constant texts.
#[test]
fn no_log_line_carries_a_planted_secret() {
    let programs = Programs::for_tests().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut relay = Relay::make(&programs, &folder.path().join("relay")).unwrap();
    relay.stop().unwrap();
    relay.set("RUST_LOG", "trace");
    relay.start().unwrap();
    let mut world = World::at(&programs, relay, folder);
    world.anna.set("RUST_LOG", "trace");
    world.boris.set("RUST_LOG", "trace");
    let (anna, boris) = (&world.anna, &world.boris);

    // What people are shown goes to standard output; all else that a quiet program writes is a log.
    let made = anna.try_run(&["-q", "invite", "new", "--no-qr"], "").unwrap();
    let link = made.out.trim().to_owned();
    let mut logs = vec![made.err];
    logs.push(quietly(boris, &["invite", "accept", "-"], &format!("{link}\n")));
    let (hers, his) =
        both(|| Ok(quietly(anna, &["receive"], "")), || Ok(quietly(boris, &["receive"], ""))).unwrap();
    logs.extend([hers, his]);
    logs.push(quietly(anna, &["send", BORIS.name], SAID[0]));
    logs.push(quietly(boris, &["receive", "--brief", "--max", "1"], ""));
    logs.push(quietly(boris, &["chat", "open", ANNA.name], SAID[1]));
    logs.push(quietly(anna, &["receive", "--brief", "--max", "1"], ""));
    logs.push(quietly(anna, &["verify", "show", BORIS.name], ""));

    // One that stays, for its port; and a relay that goes away under it.
    let mut follows = anna.start(&["-q", "receive", "--follow"]).unwrap();
    logs.push(quietly(boris, &["send", ANNA.name], SAID[0]));
    follows.expect(SAID[0]).unwrap();
    let client_ports = ports(follows.id());
    assert_eq!(client_ports.len(), 1, "a client has one socket");
    let relay_ports = ports(world.relay.id().unwrap());
    let mut relay_lines = world.relay.kill().unwrap();
    world.relay.start().unwrap();
    relay_lines.extend(world.relay.stop().unwrap());
    let followed: Vec<String> = follows.kill().unwrap();
    // Its standard output is in there, too: what it showed is no log.
    logs.extend(followed.into_iter().filter(|line| !line.contains(SAID[0])));
    // A command line that is not understood, and a relay that is not there.
    logs.push(anna.try_run(&["-q", "send", BORIS.name, "--wait", "1s"], SAID[1]).unwrap().err);
    let mut wrong = Command::new(&programs.relay);
    wrong.env("RUST_LOG", "trace").args(["run", "--dir"]).arg(world.relay.dir.join("nowhere"));
    relay_lines.push(output(wrong, "").unwrap().err);

    let blob = InviteLink::from_link(&link).unwrap();
    let mut needles = [ANNA, BORIS].map(|who| [text(who.name), text(who.passphrase)].concat()).concat();
    needles.extend(SAID.iter().flat_map(|said| text(said)));
    needles.extend(text(&link));
    needles.extend(text(&world.relay.address));
    needles.extend(secret("the invite's blob", &blob.blob.0));
    needles.extend([ids(anna), ids(boris)].concat());
    needles.extend(client_ports.into_iter().chain(relay_ports).flat_map(address));
    assert!(relay_lines.iter().any(|line| line == "listening"), "{relay_lines:?}");
    // So does the client: what is searched is there.
    assert!(logs.iter().any(|lines| lines.contains("a relay was reached")), "{logs:?}");
    let written = [relay_lines.join("\n"), logs.join("\n")].join("\n");
    assert_eq!(found(written.as_bytes(), &needles), Vec::<String>::new(), "{written}");
    // What is searched for is found where it is.
    assert_eq!(found(link.as_bytes(), &text(&link)).len(), 1);
}

//! What the operator asks of a relay that runs, and what a person reads of the answer.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use beresta_proto::time::DAY_MS;
use beresta_server::admin::{QUEUE_ID, Reply, Request, Status};
use beresta_server::clock;
use beresta_server::home::{Home, Name};
use beresta_server::net;
use beresta_server::queue::intake::Intake;
use beresta_server::queue::sqlite::SqliteEngine;
use beresta_server::setup::{self, RENEW_DAYS};
use clap::ArgMatches;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};

use super::args::value;
use super::ask::line;
use super::fault::{Fault, harmless};
use super::text::{Text, pasted};
use super::{put, tell};

/// In which a relay ends that was told to, whatever its `drain_seconds`.
const ENDS_IN: Duration = Duration::from_secs(640);
/// Between two looks meanwhile.
const LOOK: Duration = Duration::from_millis(200);

/// Has something done, and says that it was.
pub(crate) fn order(dir: &Path, request: Request, done: &str, text: &Text) -> Result<(), Fault> {
    match ask(dir, request)? {
        Reply::Done => {
            tell(&text.say(done));
            Ok(())
        }
        Reply::Gone => Err(Fault::NoQueue),
        Reply::Enough
        | Reply::NoRoom
        | Reply::Failed
        | Reply::NotUnderstood
        | Reply::Status(_)
        | Reply::Credits(_) => Err(Fault::Refused),
    }
}

/// Deletes the queue whose id comes as a line of standard input.
pub(crate) fn delete(found: &ArgMatches, dir: &Path, text: &Text) -> Result<(), Fault> {
    // The relay keeps its ids hashed. On the command line one would tell everybody here, and later whoever has the shell's
    // history, which queue it was.
    if value::<String>(found, "id").ok_or(Fault::Internal)? != "-" {
        return Err(Fault::IdInSight);
    }
    let typed = line().map_err(|_| Fault::BadId)?;
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(Fault::NothingTyped);
    }
    let id = queue_id(typed).ok_or(Fault::BadId)?;
    order(dir, Request::DeleteQueue(id), "deleted", text)
}

/// Has the relay send everybody away and stop, and waits until it has: what is done next may need its queues.
pub(crate) fn drain(dir: &Path, text: &Text) -> Result<(), Fault> {
    order(dir, Request::Drain, "draining", text)?;
    let home = Home::at(dir);
    let began = clock::monotonic();
    loop {
        match SqliteEngine::is_in_use(&home.path(Name::Queues)) {
            Some(false) => break,
            Some(true) if began.elapsed() < ENDS_IN => sleep(LOOK),
            // What a script does next must not be done.
            Some(true) | None => return Err(Fault::StillDraining),
        }
    }
    tell(&text.say("drained"));
    Ok(())
}

/// Says how the relay is.
pub(crate) fn status(dir: &Path, json: bool, text: &Text) -> Result<(), Fault> {
    let Reply::Status(status) = ask(dir, Request::Status)? else { return Err(Fault::Refused) };
    let status = tamed(status);
    if json {
        put(&serde_json::to_string(&status).map_err(|_| Fault::Internal)?)
    } else {
        let signed = setup::describe(dir)?;
        let newest = Newest { sequence: signed.sequence, left: signed.not_after.since(clock::now()) };
        put(&sentences(&status, newest, dir, text))
    }
}

/// Whoever has taken the relay over would have the operator's terminal obey them, by what JSON lets through, too.
fn tamed(mut status: Status) -> Status {
    let Status { version, links, queues, messages, blobs, .. } = &mut status;
    for said in [version, links, queues, messages, blobs] {
        *said = harmless(said);
    }
    status
}

fn ask(dir: &Path, request: Request) -> Result<Reply, Fault> {
    setup::describe(dir)?;
    Ok(net::ask(&Home::at(dir), request)?)
}

/// The descriptor in the folder.
#[derive(Clone, Copy)]
struct Newest {
    sequence: u64,
    /// Milliseconds until it ends.
    left: u64,
}

fn sentences(status: &Status, newest: Newest, dir: &Path, text: &Text) -> String {
    let Status {
        version,
        running_hours,
        paused,
        intake,
        roomy_buffers,
        links,
        queues,
        messages,
        blobs,
        disk_percent,
        descriptor_days,
        descriptor_sequence,
    } = status;
    let running = [("version", version.as_str()), ("hours", &running_hours.to_string())];
    let mut lines = vec![
        text.say_with("status-running", &running),
        text.say_with("status-links", &[("count", links)]),
        text.say_with("hold-queues", &[("count", queues)]),
        text.say_with("hold-messages", &[("count", messages)]),
        text.say_with("hold-blobs", &[("count", blobs)]),
        text.say_with("status-disk", &[("percent", &disk_percent.to_string())]),
    ];
    if let Some(days) = descriptor_days {
        lines.push(text.say_with("status-descriptor", &[("days", &days.to_string())]));
    }
    if *descriptor_sequence < newest.sequence {
        lines.push(text.say("outdated"));
    } else if newest.left == 0 {
        lines.push(text.say("error-ended"));
    } else if newest.left < RENEW_DAYS * DAY_MS {
        lines.push(text.say_with("run-ending-soon", &[("dir", &pasted(dir))]));
    }
    match intake {
        Intake::All => {}
        Intake::NoNew => lines.push(text.say("status-no-new")),
        Intake::NoLarge => lines.push(text.say("status-no-large")),
        Intake::Nothing => lines.push(text.say("status-nothing")),
    }
    if *paused {
        lines.push(text.say("status-paused"));
    }
    if !roomy_buffers {
        lines.push(text.say("run-small-buffers"));
    }
    lines.join("\n")
}

/// An id of a queue, as hex or as base64url.
fn queue_id(typed: &str) -> Option<[u8; QUEUE_ID]> {
    let hex = HEXLOWER_PERMISSIVE.decode(typed.as_bytes());
    let bytes = hex.or_else(|_| BASE64URL_NOPAD.decode(typed.as_bytes())).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::super::locale::Language;
    use super::*;

    #[test]
    fn a_relay_of_an_older_version_is_understood_and_told_to_be_restarted() {
        let said = r#"{"version":"0.0.9","running_hours":1,"paused":false,"intake":"all","roomy_buffers":true,
            "links":"0-9","queues":"0-9","messages":"0-9","blobs":"0-9","disk_percent":5}"#;
        let status: Status = serde_json::from_str(said).unwrap();
        let told = words(&status, Newest { sequence: 1, left: 0 });
        assert!(told.contains("restart the relay") && !told.contains("Days until"), "{told}");
    }

    fn words(status: &Status, newest: Newest) -> String {
        sentences(status, newest, Path::new("relay"), &Text::new(Language::English))
    }

    #[test]
    fn a_descriptor_that_ends_soon_or_has_ended_is_told_with_what_to_do() {
        let answer = r#"{"version":"1.0.0","running_hours":1,"paused":false,"intake":"all","roomy_buffers":true,
            "links":"0-9","queues":"0-9","messages":"0-9","blobs":"0-9","disk_percent":5,
            "descriptor_days":0,"descriptor_sequence":7}"#;
        let status: Status = serde_json::from_str(answer).unwrap();
        let left = |left: u64| words(&status, Newest { sequence: 7, left });
        assert!(!left(36 * DAY_MS).contains("init"), "{}", left(36 * DAY_MS));
        for (left, says) in [(left(DAY_MS), "less than five weeks"), (left(0), "not valid now")] {
            assert!(left.contains(says) && left.contains("init --dir"), "{left}");
        }
    }

    #[test]
    fn a_relay_that_was_taken_over_tells_the_operators_terminal_nothing_to_do() {
        let answer = r#"{"version":"1.0.0\u001b]0;mine\u0007","running_hours":1,"paused":false,"intake":"all","roomy_buffers":true,
            "links":"\u001b[2J","queues":"\u009b2J","messages":"\u001b[2J","blobs":"\u001b[2J","disk_percent":5,
            "descriptor_days":5,"descriptor_sequence":7}"#;
        let status = tamed(serde_json::from_str(answer).unwrap());
        let told = words(&status, Newest { sequence: 7, left: 90 * DAY_MS });
        for told in [told, serde_json::to_string(&status).unwrap()] {
            assert!(told.contains("1.0.0"), "{told}");
            assert!(!told.chars().any(|one| one.is_control() && one != '\n'), "{told:?}");
        }
    }

    #[test]
    fn an_id_of_a_queue_is_read_in_both_ways_in_which_it_is_written() {
        let id = [0xfb; QUEUE_ID];
        assert_eq!(queue_id(&"fb".repeat(QUEUE_ID)), Some(id));
        assert_eq!(queue_id(&"FB".repeat(QUEUE_ID)), Some(id));
        assert_eq!(queue_id(&BASE64URL_NOPAD.encode(&id)), Some(id));
        assert!(
            ["", "fb", &"fb".repeat(QUEUE_ID + 1), "$"].into_iter().all(|typed| queue_id(typed).is_none())
        );
    }
}

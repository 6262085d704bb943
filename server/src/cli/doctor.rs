//! `doctor`: one line for each thing that was looked at, with what to do. Exit codes: 0 all is well, 4 something should
//! be looked at, 5 something is wrong.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use beresta_server::clock;
use beresta_server::doctor::{Finding, Unopened, Verdict, examine};
use beresta_server::net::Port;
use beresta_server::queue::intake::Intake;
use beresta_server::setup::Key;

use super::fault::{Fault, LOOK, WRONG};
use super::hold::day;
use super::put;
use super::text::{Text, pasted};

pub(crate) fn doctor(dir: &Path, text: &Text) -> Result<ExitCode, Fault> {
    let found = examine(dir, clock::now())?;
    for finding in &found {
        put(&format!("{} {}", mark(finding.verdict()), words(finding, dir, text)))?;
    }
    Ok(match found.iter().map(Finding::verdict).max() {
        None | Some(Verdict::Good) => ExitCode::SUCCESS,
        Some(Verdict::Warning) => ExitCode::from(LOOK),
        Some(Verdict::Failure) => ExitCode::from(WRONG),
    })
}

/// In no language, so that programs can look for it.
const fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "ok  ",
        Verdict::Warning => "warn",
        Verdict::Failure => "FAIL",
    }
}

fn words(finding: &Finding, dir: &Path, text: &Text) -> String {
    let folder = dir;
    let dir = pasted(dir);
    let here = |key: &str| text.say_with(key, &[("dir", &dir)]);
    match finding {
        Finding::Files => text.say("doctor-files"),
        Finding::Broken(error) => Fault::from(*error).words(text),
        Finding::Readable(None) => here("doctor-folder-readable"),
        Finding::Readable(Some(name)) => {
            text.say_with("doctor-file-readable", &[("dir", &dir), ("file", name.as_str())])
        }
        Finding::Queues(Unopened::Newer) => text.say("error-queues-newer"),
        Finding::Queues(Unopened::Keys) => text.say("error-day-keys"),
        Finding::Queues(Unopened::QueueKey) => text.say("error-queue-key"),
        Finding::Queues(Unopened::Damaged) => text.say("error-queues"),
        Finding::QueuesGone => here("queues-gone"),
        Finding::OtherOwner => here("doctor-other-owner"),
        Finding::IdentityHere => here("doctor-identity-here"),
        Finding::Descriptor { days: Some(days), ends } if finding.verdict() == Verdict::Good => {
            text.say_with("doctor-descriptor", &[("days", &days.to_string()), ("date", &day(*ends))])
        }
        Finding::Descriptor { days: Some(_), .. } => here("run-ending-soon"),
        Finding::Descriptor { days: None, .. } => text.say("error-ended"),
        Finding::Clock => text.say("doctor-clock"),
        Finding::ClockBehind => text.say("doctor-clock-behind"),
        Finding::ClockNotSet => text.say("doctor-clock-not-set"),
        Finding::Running => text.say("doctor-running"),
        Finding::Stopped => text.say("doctor-stopped"),
        Finding::Silent => text.say("doctor-silent"),
        Finding::Port(Port::Free) => text.say("doctor-port-free"),
        Finding::Port(Port::Taken) => text.say("doctor-port-taken"),
        Finding::Port(Port::NotOurs) => text.say("doctor-port-not-ours"),
        Finding::Port(Port::Denied) => text.say("doctor-port-denied"),
        Finding::OnlyHere { at, all } => {
            let (at, all) = (at.to_string(), all.to_string());
            text.say_with("doctor-only-here", &[("at", &at), ("all", &all)])
        }
        Finding::OtherFamily(at) => {
            let (at, all) = (at.to_string(), format!("[::]:{}", at.port()));
            text.say_with("doctor-other-family", &[("at", &at), ("all", &all)])
        }
        Finding::OnlyInside(at) => only_inside(*at, folder, text),
        Finding::Buffers { roomy: true } => text.say("doctor-buffers"),
        Finding::Buffers { roomy: false } => text.say("run-small-buffers"),
        Finding::Disk { free_mib, steps_mib: [new, large, all] } => {
            let mib = [("free", free_mib), ("new", new), ("large", large), ("all", all)];
            numbers("doctor-disk", &mib, text)
        }
        Finding::DiskStep { intake, free_mib, again_mib } => {
            let key = match intake {
                Intake::All | Intake::NoNew => "doctor-step-no-new",
                Intake::NoLarge => "doctor-step-no-large",
                Intake::Nothing => "doctor-step-nothing",
            };
            numbers(key, &[("free", free_mib), ("again", again_mib)], text)
        }
        Finding::CapStep { reached: false } => text.say("doctor-cap-no-new"),
        Finding::CapStep { reached: true } => text.say("doctor-cap-nothing"),
        Finding::DiskSmall { mib } => text.say_with("doctor-disk-small", &[("mib", &mib.to_string())]),
        Finding::DiskTiny { least_mib } => numbers("doctor-disk-tiny", &[("mib", least_mib)], text),
        Finding::MemorySmall => text.say("doctor-memory-small"),
        Finding::DiskFull => text.say("doctor-disk-full"),
        Finding::ReadOnly => text.say("doctor-read-only"),
        Finding::WritesElsewhere => here("doctor-writes-elsewhere"),
        Finding::OtherPolicy(key) => other_policy(*key, folder, text),
        Finding::Outdated => text.say("outdated"),
        Finding::Paused => text.say("status-paused"),
        Finding::Moved(mark) => Fault::Moved(*mark).words(text),
    }
}

/// People are told an address by which nobody comes from outside.
pub(crate) fn only_inside(at: SocketAddr, dir: &Path, text: &Text) -> String {
    text.say_with("only-inside", &[("at", &at.to_string()), ("dir", &pasted(dir))])
}

/// What the relay signed says otherwise than this setting.
pub(crate) fn other_policy(key: Key, dir: &Path, text: &Text) -> String {
    text.say_with("doctor-other-policy", &[("dir", &pasted(dir)), ("key", key.as_str())])
}

fn numbers(key: &str, numbers: &[(&str, &u64)], text: &Text) -> String {
    let written: Vec<(&str, String)> =
        numbers.iter().map(|(name, number)| (*name, number.to_string())).collect();
    let written: Vec<(&str, &str)> = written.iter().map(|(name, number)| (*name, number.as_str())).collect();
    text.say_with(key, &written)
}

//! `selftest`: one line for each thing that was tried, with what to do. Exit codes as of `doctor`: 0 all is well, 4 a
//! route failed or the clocks differ, 5 people can't use the relay.

use std::cell::Cell;
use std::process::ExitCode;
use std::time::Duration;

use beresta_proto::address::RelayAddress;
use beresta_proto::key::Credit;
use beresta_server::net::VisitError;
use beresta_server::selftest::{Step, Tried, Trouble, run};
use clap::ArgMatches;

use super::args::value;
use super::fault::{Fault, LOOK, WRONG};
use super::invite::read_code;
use super::put;
use super::text::Text;

pub(crate) fn selftest(found: &ArgMatches, text: &Text) -> Result<ExitCode, Fault> {
    let address: String = value(found, "via").ok_or(Fault::Internal)?;
    let relay = RelayAddress::from_link(&address).map_err(|_| Fault::BadAddress)?;
    let credit = match value::<String>(found, "code").as_deref() {
        None => None,
        Some("-") => Some(code(&relay)?),
        // What stands on a command line is seen by all users of the machine, and kept by the shell.
        Some(_) => return Err(Fault::CreditInSight),
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|_| Fault::Internal)?;
    let (look, heard) = (Cell::new(false), Cell::new(true));
    let say = |line: &str| heard.set(put(line).is_ok() && heard.get());
    let tell = |tried: Tried| {
        let mark = if tried.outcome.is_ok() { "ok  " } else { "FAIL" };
        look.set(look.get() || tried.outcome.is_err());
        say(&format!("{mark} {}", words(tried, text)));
    };
    let off = |minutes: u64| {
        look.set(true);
        say(&format!("warn {}", text.say_with("selftest-clock", &[("minutes", &minutes.to_string())])));
    };
    let works = runtime.block_on(run(&relay, credit.as_ref(), tell, off));
    if !heard.get() {
        return Err(Fault::Output);
    }
    Ok(match (works, look.get()) {
        (true, false) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(LOOK),
        (false, _) => ExitCode::from(WRONG),
    })
}

/// A code of this relay, from standard input.
fn code(relay: &RelayAddress) -> Result<Credit, Fault> {
    let code = read_code()?;
    // A credit goes to the relay that takes it and to no other.
    if code.relay == relay.relay { Ok(code.credit) } else { Err(Fault::OtherCreditToTry) }
}

fn words(tried: Tried, text: &Text) -> String {
    let what = match tried.step {
        Step::Answers(at) => text.say_with("selftest-answers", &[("at", &at.to_string())]),
        Step::IsTheOne => text.say("selftest-is-the-one"),
        Step::Queue => text.say("selftest-queue"),
        Step::Message => text.say("selftest-message"),
        Step::Invite => text.say("selftest-invite"),
        Step::Leaves => text.say("selftest-leaves"),
    };
    match tried.outcome {
        Ok(took) => text.say_with("selftest-took", &[("what", &what), ("ms", &millis(took))]),
        Err(trouble) => format!("{what}: {}", text.say(key(trouble))),
    }
}

fn millis(took: Duration) -> String {
    took.as_millis().to_string()
}

const fn key(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::NoRoute => "selftest-no-route",
        Trouble::Link(VisitError::Unreachable) => "selftest-unreachable",
        Trouble::OtherRelay => "selftest-other-relay",
        Trouble::Stale => "selftest-stale",
        Trouble::NoKey => "selftest-no-key",
        Trouble::Closed => "selftest-closed",
        Trouble::AsksCredit => "selftest-asks-credit",
        Trouble::BadCredit => "selftest-bad-credit",
        Trouble::Busy => "selftest-busy",
        Trouble::Link(VisitError::Ended) => "selftest-ended",
        Trouble::Link(VisitError::Silent) => "selftest-silent",
        Trouble::Link(VisitError::Wrong) => "selftest-wrong",
        Trouble::Link(VisitError::Internal) => "error-internal",
    }
}

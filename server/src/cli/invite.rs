//! `invite`: codes for a relay that serves only people whom its operator knows. A code is seen by its operator and by whom they
//! give it to: the relay gets its name only, which is made here.

use std::path::Path;

use beresta_proto::credit::CreditCode;
use beresta_proto::key::Credit;
use beresta_server::admin::{self, Reply, Request};
use beresta_server::home::Home;
use beresta_server::net::{self, AdminError};
use beresta_server::queue::{CreditId, CreditName};
use beresta_server::random::SystemRandom;
use beresta_server::setup::{self, Config};
use clap::ArgMatches;
use serde::Serialize;

use super::args::value;
use super::ask::line;
use super::doctor::other_policy;
use super::fault::Fault;
use super::text::{Text, pasted};
use super::{put, tell};

/// Queues and invites that a person needs in some years.
const MAKES: u32 = 500;
const DAYS: u32 = 365;

/// Makes a code and prints it.
pub(crate) fn create(found: &ArgMatches, dir: &Path, text: &Text) -> Result<(), Fault> {
    let makes = value(found, "makes").unwrap_or(MAKES);
    let days = u16::try_from(value(found, "days").unwrap_or(DAYS)).map_err(|_| Fault::Internal)?;
    let mut rng = SystemRandom::new().map_err(|_| Fault::Internal)?;
    let credit = Credit::random(&mut rng);
    let name = name(dir, &credit)?;
    let home = Home::at(dir);
    // Before there is a code: once it is out nothing may make the call look as if there were none.
    let relay = setup::address(dir)?.relay;
    let (config, signed) = (Config::read(&home)?, setup::describe(dir)?);
    let answer = net::ask(&home, Request::Grant { name: name.0, makes, days });
    if matches!(answer, Err(AdminError::NoAnswer)) {
        let id = hex(CreditId::of(&name).0);
        tell(&text.say_with("invite-unsure", &[("id", &id), ("dir", &pasted(dir))]));
    }
    match answer? {
        Reply::Done => {}
        Reply::Enough => return Err(Fault::ManyCredits),
        Reply::NoRoom => return Err(Fault::NoRoom),
        Reply::Gone | Reply::Failed | Reply::NotUnderstood | Reply::Status(_) | Reply::Credits(_) => {
            return Err(Fault::Refused);
        }
    }
    let told = [("makes", makes.to_string()), ("days", days.to_string()), ("id", hex(CreditId::of(&name).0))];
    let told: Vec<(&str, &str)> = told.iter().map(|(key, value)| (*key, value.as_str())).collect();
    if let Err(fault) = put(CreditCode { relay, credit }.to_code().as_str()) {
        // Nobody saw it, so nobody should be able to use it.
        let taken_back = take_back(dir, CreditId::of(&name).0).is_ok();
        tell(&if taken_back { text.say("invite-taken-back") } else { text.say_with("invite-made", &told) });
        return Err(fault);
    }
    tell(&text.say_with("invite-made", &told));
    if config.open {
        tell(&text.say("invite-open"));
    }
    if let Some(key) = config.differs(signed.policy) {
        tell(&other_policy(key, dir, text));
    }
    // It may be open still, or ask for codes still, whatever the settings say.
    if let Ok(Reply::Status(status)) = net::ask(&home, Request::Status)
        && status.descriptor_sequence < signed.sequence
    {
        tell(&text.say("outdated"));
    }
    Ok(())
}

/// Lists codes by their ids.
pub(crate) fn list(dir: &Path, json: bool, text: &Text) -> Result<(), Fault> {
    setup::describe(dir)?;
    let Reply::Credits(credits) = net::ask(&Home::at(dir), Request::Credits)? else {
        return Err(Fault::Refused);
    };
    if json {
        let shown: Vec<Shown> = credits
            .into_iter()
            .map(|one| Shown { id: hex(one.id), left: one.left, days: one.days })
            .collect();
        put(&serde_json::to_string(&shown).map_err(|_| Fault::Internal)?)?;
    } else if credits.is_empty() {
        tell(&text.say("invite-none"));
    } else {
        for admin::Credit { id, left, days } in credits {
            let told = [("id", &*hex(id)), ("left", &*left.to_string()), ("days", &*days.to_string())];
            put(&text.say_with("invite-one", &told))?;
        }
    }
    Ok(())
}

/// A code for programs. Its id is written as `revoke` takes it.
#[derive(Serialize)]
struct Shown {
    id: String,
    left: u32,
    days: u64,
}

/// Takes a code back, by its id or by itself: one that stands on the command line is out, and all the more to be taken back.
pub(crate) fn revoke(found: &ArgMatches, dir: &Path, text: &Text) -> Result<(), Fault> {
    let typed: String = value(found, "id").ok_or(Fault::Internal)?;
    let of = |code: CreditCode| {
        // A name is made of any, and nothing would be found under it: it would seem to be over, and is good elsewhere.
        if setup::address(dir)?.relay != code.relay {
            return Err(Fault::OtherCreditToRevoke);
        }
        Ok(CreditId::of(&name(dir, &code.credit)?).0)
    };
    let id = if typed == "-" {
        of(read_code()?)?
    } else if let Ok(code) = CreditCode::from_code(&typed) {
        of(code)?
    } else {
        setup::describe(dir)?;
        u64::from_str_radix(&typed, 16).map_err(|_| Fault::BadCredit)?
    };
    take_back(dir, id)?;
    tell(&text.say("invite-revoked"));
    Ok(())
}

fn take_back(dir: &Path, id: u64) -> Result<(), Fault> {
    match net::ask(&Home::at(dir), Request::Revoke(id))? {
        Reply::Done => Ok(()),
        Reply::Gone => Err(Fault::NoCredit),
        Reply::Enough
        | Reply::NoRoom
        | Reply::Failed
        | Reply::NotUnderstood
        | Reply::Status(_)
        | Reply::Credits(_) => Err(Fault::Refused),
    }
}

/// A code, from a line of standard input.
pub(super) fn read_code() -> Result<CreditCode, Fault> {
    let typed = line().map_err(|_| Fault::BadCredit)?;
    if typed.trim().is_empty() {
        return Err(Fault::NothingTyped);
    }
    CreditCode::from_code(&typed).map_err(|_| Fault::BadCredit)
}

/// The name under which the relay in this folder keeps a credit.
fn name(dir: &Path, credit: &Credit) -> Result<CreditName, Fault> {
    setup::describe(dir)?;
    Ok(setup::namer(&Home::at(dir))?.credit(credit))
}

fn hex(id: u64) -> String {
    format!("{id:016x}")
}

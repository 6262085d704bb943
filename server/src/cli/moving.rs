//! `export` and `import`: asks for the passphrase, and says what to do next. It is typed, or comes as a line of standard
//! input; never as an argument, which others on the machine can read.

use std::io::{IsTerminal as _, stdin};
use std::path::{Path, PathBuf};

use beresta_server::home::{Home, Name};
use beresta_server::queue::sqlite::SqliteEngine;
use beresta_server::random::SystemRandom;
use beresta_server::setup::Config;
use beresta_server::transfer::{self, Cost, Mark, What};
use clap::ArgMatches;

use super::args::value;
use super::ask::{self, LINE};
use super::fault::Fault;
use super::text::{Text, pasted};
use super::{put, tell, tell_how_to_start};

/// Characters that a passphrase has at the least: who takes the file may guess for years.
const SHORTEST: usize = 16;
/// Different ones among them: one that is held down is the first that is tried.
const DIFFERENT: usize = 8;

pub(crate) fn export(found: &ArgMatches, dir: &Path, text: &Text) -> Result<(), Fault> {
    let file: PathBuf = value(found, "file").ok_or(Fault::Internal)?;
    let what = if found.get_flag("backup") { What::Backup } else { What::Move };
    transfer::check_export(dir, &file, what)?;
    refuse_without_queues(dir, what)?;
    let passphrase = ask::passphrase(&text.say("ask-new-passphrase"))?;
    // A part of it would open what the whole should.
    if passphrase.len() as u64 >= LINE {
        return Err(Fault::LongPassphrase);
    }
    if passphrase.chars().count() < SHORTEST || different(&passphrase) < DIFFERENT {
        return Err(Fault::ShortPassphrase);
    }
    if stdin().is_terminal() && *passphrase != *ask::passphrase(&text.say("ask-again"))? {
        return Err(Fault::PassphrasesDiffer);
    }
    // Somebody may have thought for long about their passphrase.
    refuse_without_queues(dir, what)?;
    let mut rng = SystemRandom::new().map_err(|_| Fault::Internal)?;
    transfer::export(dir, &file, what, &passphrase, Cost::DEFAULT, &mut rng)?;
    let file = pasted(&file);
    tell(&match what {
        What::Move => text.say_with("exported", &[("file", &file), ("dir", &pasted(dir))]),
        What::Backup => text.say_with("backed-up", &[("file", &file)]),
    });
    if what == What::Move && Config::read(&Home::at(dir))?.volatile {
        tell(&text.say("exported-volatile"));
    }
    Ok(())
}

/// A move opens the queues, which destroys the keys of what waited where they are gone: whoever knows where their file is puts it
/// back first.
fn refuse_without_queues(dir: &Path, what: What) -> Result<(), Fault> {
    let gone = what == What::Move && SqliteEngine::has_vanished(&Home::at(dir).path(Name::Queues));
    if gone { Err(Fault::QueuesGone(dir.to_owned())) } else { Ok(()) }
}

/// Lets a relay run again that was exported.
pub(crate) fn take_back(dir: &Path, text: &Text) -> Result<(), Fault> {
    tell(&text.say(match transfer::take_back(dir)? {
        Some(Mark::Done) => "taken-back",
        Some(Mark::Begun) => "taken-back-half",
        None => "not-exported",
    }));
    Ok(())
}

pub(crate) fn import(found: &ArgMatches, dir: &Path, text: &Text) -> Result<(), Fault> {
    let file: PathBuf = value(found, "file").ok_or(Fault::Internal)?;
    transfer::check_import(dir, &file)?;
    let passphrase = ask::passphrase(&text.say("ask-passphrase"))?;
    transfer::import(dir, &file, &passphrase)?;
    let shown = pasted(dir);
    tell(&text.say_with("imported", &[("dir", &shown)]));
    put(&beresta_server::setup::address(dir)?.to_link())?;
    // A backup has no queues. Since it was made, clients may have seen what is newer.
    if !Home::at(dir).has(Name::Queues) {
        tell(&text.say_with("imported-backup", &[("dir", &shown)]));
    }
    tell_how_to_start(dir, text);
    Ok(())
}

/// How many different characters are in it.
fn different(passphrase: &str) -> usize {
    let first = |(at, one): &(usize, char)| passphrase.find(*one) == Some(*at);
    passphrase.char_indices().filter(first).count()
}

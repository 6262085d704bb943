//! What each command does.

mod alert;
mod beside;
mod chat;
mod contact;
mod duress;
mod invite;
mod lines;
mod lock;
mod outage;
mod profile;
mod said;
mod talk;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use beresta_client::api::{
    self, Client, ContactInfo, KeyFile, LockCauses, LockReason, LockWord, Network, Passphrase,
};
use clap::ArgMatches;
use clap::error::ErrorKind;

use super::args;
use super::fault::{Fault, code};
use super::locale::{Language, default_dir};
use super::passphrase::Source;
use super::print::{Printer, put, tell};
use super::text::Text;
pub(crate) use outage::Word;

/// How long a word to lock may come after the profile was destroyed under a command.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How a command ended well.
pub(crate) enum Done {
    Fully,
    /// Kept, but not yet where it should be.
    Partly,
}

/// What every command has at hand.
pub(crate) struct Shell {
    pub(crate) print: Printer,
    pub(crate) language: Language,
    dir: Option<PathBuf>,
    key_file: Option<PathBuf>,
    source: Source,
    opened: Option<Client>,
    causes: LockCauses,
}

impl Shell {
    pub(crate) fn dir(&self) -> Result<PathBuf, Fault> {
        self.dir.clone().or_else(default_dir).ok_or(Fault::NoHome)
    }

    /// A new passphrase, without a key file. `known` is what somebody who guesses tries first.
    pub(crate) fn new_passphrase(&mut self, known: &[&str]) -> Result<Passphrase, Fault> {
        self.source.ask_new(&self.print, self.language.words(), known)
    }

    /// The passphrase of the profile, with the key file that the command line names.
    pub(crate) fn passphrase(&mut self) -> Result<Passphrase, Fault> {
        let key_file = self.key_file()?;
        Ok(self.source.ask(&self.print)?.with_key_file(key_file))
    }

    /// The key file that the command line names.
    pub(crate) fn key_file(&self) -> Result<Option<KeyFile>, Fault> {
        Ok(self.key_file.as_deref().map(api::read_key_file).transpose()?)
    }

    /// Asks for the passphrase and opens the profile.
    pub(crate) async fn open(&mut self, network: Network) -> Result<Client, Fault> {
        let dir = self.dir()?;
        if !dir.exists() {
            return Err(api::Error::NoProfile.into());
        }
        let passphrase = self.passphrase()?;
        self.open_with(passphrase, network).await
    }

    /// Opens the profile with what was asked for before.
    pub(crate) async fn open_with(
        &mut self,
        passphrase: Passphrase,
        network: Network,
    ) -> Result<Client, Fault> {
        let dir = self.dir()?;
        self.print.talk("opening", []);
        let client = self.holding(Client::open(&dir, passphrase, network).await?);
        self.causes.obey(client.lock_on().await?);
        Ok(client)
    }

    /// Has a client closed before the process ends, however the command does: threads of one that is only dropped are
    /// still at work while OpenSSL takes itself apart, and that can end the process by a signal.
    pub(crate) fn holding(&mut self, client: Client) -> Client {
        self.opened = Some(client.clone());
        client
    }
}

/// The contact that the command line names.
pub(crate) async fn contact_of(client: &Client, found: &ArgMatches) -> Result<ContactInfo, Fault> {
    let who = args::string(found, "contact").ok_or(Fault::Internal)?;
    Ok(client.find_contact(&who).await?)
}

/// Runs the command line.
pub(crate) fn run(typed: Vec<OsString>) -> ExitCode {
    let language = Language::choose(&typed);
    let text = Text::new(language);
    let json = typed.iter().any(|one| one == "--json");
    let found = match args::command(&text).try_get_matches_from(typed) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let _ = put(error.to_string().trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error) => return told(&Fault::Usage(Box::new(error)), &text, json),
    };
    let print = Printer { text, json, quiet: args::is_set(&found, "quiet") };
    // What waits for a person, or for who takes its output, sees no clock.
    let causes = LockCauses::default();
    api::end_after_sleep(causes.clone(), move || {
        let print = Printer { text: Text::new(language), json, quiet: false };
        print.clear();
        tell(&Fault::Locked(LockReason::Slept).words(&print.text));
    });
    let outcome = Source::new(args::value(&found, "passphrase-fd")).and_then(|source| {
        let dir = args::value(&found, "dir");
        let key_file = args::value(&found, "key-file");
        let mut shell = Shell { print, language, dir, key_file, source, opened: None, causes };
        // The client has a runtime of its own; this one only waits for it and for the terminal.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|_| Fault::Internal)?;
        let done = runtime.block_on(async {
            let mut word = LockWord::listen(shell.causes.clone());
            let done = tokio::select! {
                done = command(&mut shell, &found) => match done {
                    // The profile may have been destroyed under it: then whoever did so is about to say it.
                    Err(fault) if fault.is_of_the_files() => {
                        let word = tokio::time::timeout(ON_ITS_WAY, word.spoken()).await;
                        Err(word.map_or(fault, Fault::Locked))
                    }
                    done => done,
                },
                reason = word.spoken() => Err(Fault::Locked(reason)),
            };
            let locked = matches!(done, Err(Fault::Locked(_)));
            if locked {
                api::lock_in_time();
            }
            // However it ended: a client that is dropped open fails inside when its runtime goes, and tells no relay.
            let mut closing = None;
            if let Err(Fault::Locked(LockReason::Told)) = done
                && let (Some(client), Ok(dir)) = (&shell.opened, shell.dir())
            {
                closing = Some(client.clone().begin_close(&dir).await);
            }
            if locked {
                // A terminal that was stopped holds this up, and what is said to others goes on.
                shell.print.clear();
            }
            match (closing, shell.opened.take()) {
                (Some(closing), _) => closing.end().await,
                (None, Some(client)) => client.close().await,
                (None, None) => {}
            }
            done
        });
        // A read of the terminal may still wait for a line that nobody types.
        runtime.shutdown_background();
        done
    });
    match outcome {
        Ok(Done::Fully) => ExitCode::SUCCESS,
        Ok(Done::Partly) => ExitCode::from(code::PARTLY),
        Err(fault) => told(&fault, &Text::new(language), json),
    }
}

fn told(fault: &Fault, text: &Text, json: bool) -> ExitCode {
    if json {
        let _ = put(&serde_json::json!({ "error": { "kind": fault.kind() } }).to_string());
    }
    tell(&fault.words(text));
    fault.code()
}

async fn command(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let (noun, found) = found.subcommand().ok_or(Fault::Internal)?;
    let verb = found.subcommand();
    match (noun, verb) {
        ("init", _) => profile::init(shell, found).await,
        ("status", _) => profile::status(shell).await,
        ("relay", Some(("set", found))) => profile::set_relay(shell, found).await,
        ("relay", Some(("credit", found))) => profile::set_credit(shell, found).await,
        ("duress", Some(("set", found))) => duress::set(shell, found).await,
        ("duress", Some(("remove", found))) => duress::remove(shell, found).await,
        ("duress", Some(("status", _))) => duress::status(shell).await,
        ("alert", Some(("set", found))) => alert::set(shell, found).await,
        ("alert", Some(("remove", _))) => alert::remove(shell).await,
        ("alert", Some(("status", _))) => alert::status(shell).await,
        ("lock", Some(("idle", found))) => lock::idle(shell, found).await,
        ("lock", Some(("sleep", found))) => lock::sleep(shell, found).await,
        ("lock", Some(("session", found))) => lock::session(shell, found).await,
        ("lock", _) => lock::now(shell),
        ("panic", _) => lock::panic(shell, found),
        ("passwd", _) => profile::passwd(shell, found).await,
        ("completions", _) => profile::completions(shell, found),
        ("invite", Some(("new", found))) => invite::new(shell, found).await,
        ("invite", Some(("inspect", found))) => invite::inspect(shell, found),
        ("invite", Some(("accept", found))) => invite::accept(shell, found).await,
        ("invite", Some(("list", _))) => invite::list(shell).await,
        ("invite", Some(("revoke", found))) => invite::revoke(shell, found).await,
        ("contact", Some(("list", _))) => contact::list(shell).await,
        ("contact", Some(("show", found))) => contact::show(shell, found).await,
        ("contact", Some(("rename", found))) => contact::rename(shell, found).await,
        ("contact", Some(("block", found))) => contact::block(shell, found).await,
        ("contact", Some(("seized", found))) => contact::seized(shell, found).await,
        ("contact", Some(("remove", found))) => contact::remove(shell, found).await,
        ("verify", Some(("show", found))) => contact::verify_show(shell, found).await,
        ("verify", Some(("confirm", found))) => contact::verify_confirm(shell, found).await,
        ("chat", Some(("list", _))) => talk::chats(shell).await,
        ("chat", Some(("open", found))) => chat::open(shell, found).await,
        ("chat", Some(("history", found))) => talk::history(shell, found).await,
        ("chat", Some(("timer", found))) => talk::timer(shell, found).await,
        ("chat", Some(("delete", found))) => talk::delete(shell, found).await,
        ("send", _) => talk::send(shell, found).await,
        ("receive", _) => talk::receive(shell, found).await,
        _ => Err(Fault::Internal),
    }
}

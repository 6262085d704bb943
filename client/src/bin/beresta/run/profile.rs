//! The profile itself: making, describing, its passphrase; and completions for shells.

use std::io::{BufRead as _, IsTerminal as _, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use beresta_client::api::{
    Client, KdfCost, Network, NewProfile, Status, StoreTrouble, Surroundings, make_key_file, parse_relay,
};
use clap::ArgMatches;

use super::super::args::{self, PROGRAM};
use super::super::fault::Fault;
use super::super::sanitize::harmless_line;
use super::contact::sure;
use super::invite::typed_or_read;
use super::{Done, Shell};

/// How long `status` waits for the line before it says how it is.
const LOOK: Duration = Duration::from_secs(4);

/// How long `relay set` waits for contacts to be told before it looks whether that goes on.
const MOVE: Duration = Duration::from_secs(15);

pub(super) async fn init(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let dir = shell.dir()?;
    let relay = args::string(found, "relay");
    if let Some(relay) = &relay {
        parse_relay(relay)?;
    }
    let name = match args::string(found, "name") {
        Some(name) => name,
        None => ask_name(shell)?,
    };
    let cost = match args::value::<u32>(found, "kdf-memory-mib") {
        None => KdfCost::DEFAULT,
        Some(mib) => KdfCost::with_memory(mib.saturating_mul(1_024)).map_err(|_| Fault::Internal)?,
    };
    if cost.is_cheap() {
        shell.print.warn("init-cheap", []);
    }
    shell.print.talk("init-advice", []);
    let key_file = shell.key_file()?;
    let passphrase = shell.new_passphrase(&[&name])?.with_key_file(key_file);
    shell.print.talk("making", []);
    let language = shell.language.name().to_owned();
    let without_relay = relay.is_none();
    let profile = NewProfile {
        dir: dir.clone(),
        passphrase,
        cost,
        name: name.into(),
        language,
        relay: relay.map(Into::into),
    };
    let client = shell.holding(Client::create(profile, Network::Offline).await?);
    let status = client.status().await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&status);
    }
    shell.print.talk("init-made", [("dir", dir.display().to_string().into())]);
    shell.print.surroundings(Surroundings::of(&dir));
    shell.print.talk(if without_relay { "init-next-accept" } else { "init-next-invite" }, []);
    Ok(Done::Fully)
}

pub(super) fn ask_name(shell: &Shell) -> Result<String, Fault> {
    if !stdin().is_terminal() {
        return Err(beresta_client::api::Error::BadName.into());
    }
    shell.print.warn("ask-name", []);
    let mut name = String::new();
    stdin().lock().read_line(&mut name).map_err(|_| Fault::Input)?;
    Ok(name)
}

pub(super) async fn status(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Online).await?;
    client.settle(LOOK).await?;
    let status = client.status().await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&status);
        shell.print.volatile_home(&status);
        let partly = shell.print.untold(&status) | shell.print.crowded(&status);
        shell.print.surroundings(Surroundings::of(&shell.dir()?));
        return Ok(if partly { Done::Partly } else { Done::Fully });
    }
    let say = |key: &str, value: String| {
        shell.print.line(&shell.print.text.say_with(key, [("value", value.into())]));
    };
    say("status-name", harmless_line(&status.name));
    match &status.relay {
        None => shell.print.line(&shell.print.text.say("status-no-relay")),
        Some(relay) => {
            let key = if relay.linked { "status-linked" } else { "status-not-linked" };
            shell.print.line(&shell.print.text.say(key));
        }
    }
    shell.print.fault(&status);
    let partly = shell.print.untold(&status) | shell.print.crowded(&status);
    shell.print.volatile_home(&status);
    let count = |key: &str, n: u64| {
        shell.print.line(&shell.print.text.say_with(key, [("n", n.into())]));
    };
    count("status-contacts", status.contacts);
    if status.lost > 0 {
        shell.print.warn("status-lost", [("n", status.lost.into())]);
    }
    count("status-new", status.new_messages);
    count("status-waiting", status.waiting);
    let dropped: u64 = status.dropped.iter().filter(|one| one.reason != "repeat").map(|one| one.count).sum();
    if dropped > 0 {
        count("status-dropped", dropped);
    }
    shell.print.skew(status.clock_skew_ms);
    shell.print.trouble(status.trouble, StoreTrouble::default());
    shell.print.surroundings(Surroundings::of(&shell.dir()?));
    Ok(if partly { Done::Partly } else { Done::Fully })
}

pub(super) async fn set_relay(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let relay = args::string(found, "relay").ok_or(Fault::Internal)?;
    parse_relay(&relay)?;
    let client = shell.open(Network::Online).await?;
    client.set_relay(&relay).await?;
    shell.print.talk("reaching", []);
    tell_contacts(shell, &client).await?;
    let status = client.status().await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&status);
    }
    let told = status.untold == 0;
    if told {
        shell.print.talk("relay-set", []);
    } else if !shell.print.untold(&status) {
        // It is under way still: nobody was told, either.
        shell.print.warn("relay-untold", [("n", status.untold.into())]);
    }
    shell.print.volatile_home(&status);
    // Without contacts there is nothing to say to it yet.
    let linked = status.contacts == 0 || status.relay.is_some_and(|relay| relay.linked);
    if !linked {
        shell.print.warn("status-not-linked", []);
    }
    Ok(if told && linked { Done::Fully } else { Done::Partly })
}

/// What contacts are told should leave now. The relay before may be gone, so not everything will settle; but hundreds of contacts
/// take a while, and are waited for as long as ever fewer are left, and then what they are told. A relay that refused one may make
/// the next.
async fn tell_contacts(shell: &Shell, client: &Client) -> Result<(), Fault> {
    let left = |status: &Status| (status.untold, status.waiting);
    let mut before = left(&client.status().await?);
    while !client.settle(MOVE).await? {
        let status = client.status().await?;
        let left = left(&status);
        if !status.relay.as_ref().is_some_and(|relay| relay.linked) || left >= before {
            break;
        }
        before = left;
        let said = if status.untold > 0 {
            ("relay-telling", status.untold)
        } else {
            ("relay-leaving", status.waiting)
        };
        shell.print.talk(said.0, [("n", said.1.into())]);
    }
    Ok(())
}

pub(super) async fn set_credit(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let code = typed_or_read(found, "code")?;
    let client = shell.open(Network::Offline).await?;
    let at_home = client.set_credit(&code).await?;
    client.close().await;
    shell.print.talk(if at_home { "credit-set" } else { "credit-set-elsewhere" }, []);
    Ok(Done::Fully)
}

pub(super) async fn passwd(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let made: Option<PathBuf> = args::value(found, "make-key-file");
    let dir = shell.dir()?;
    if made.as_ref().is_some_and(|made| lies_in(made, &dir)) {
        return Err(Fault::KeyFileInside);
    }
    let old = shell.passphrase()?;
    // Opened first, so that a wrong passphrase is told before a new one is thought of.
    let again = old.clone();
    let client = shell.open_with(old, Network::Offline).await?;
    if made.is_some() {
        shell.print.warn("key-file-advice", []);
        sure(shell, found, "sure-key-file", "")?;
    }
    let name = client.status().await?.name;
    shell.print.talk("passwd-advice", []);
    let new = shell.new_passphrase(&[&name])?;
    let key_file = match &made {
        // On the disk before the profile needs it.
        Some(path) => Some(make_key_file(path)?),
        None if args::is_set(found, "drop-key-file") => None,
        None => shell.key_file()?,
    };
    let changed = client.change_passphrase(again, new.with_key_file(key_file)).await;
    if changed.is_err() && made.is_some() {
        // How far the change came is not known: the profile may hang on it already.
        shell.print.warn("key-file-stays", []);
    }
    changed?;
    client.close().await;
    shell.print.talk("passwd-done", []);
    Ok(Done::Fully)
}

/// Whether a file that is not there yet would lie in the folder of the profile, beside what it is to protect.
fn lies_in(file: &Path, dir: &Path) -> bool {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), dir.canonicalize()) {
        (Ok(folder), Ok(dir)) => folder.starts_with(dir),
        _ => false,
    }
}

pub(super) fn completions(shell: &Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let kind: clap_complete::Shell = args::value(found, "shell").ok_or(Fault::Internal)?;
    let mut command = args::command(&shell.print.text);
    clap_complete::generate(kind, &mut command, PROGRAM, &mut std::io::stdout());
    Ok(Done::Fully)
}

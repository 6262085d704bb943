//! The duress passphrase, and the decoy. What they can't do is said at the moment of choosing.

use beresta_client::api::{Client, Duress, Network, parse_relay};
use clap::ArgMatches;

use super::super::args;
use super::super::fault::Fault;
use super::contact::sure;
use super::profile::ask_name;
use super::{Done, Shell};

const fn name(what: Option<Duress>) -> (&'static str, &'static str) {
    match what {
        None => ("none", "duress-none"),
        Some(Duress::Cold) => ("cold", "duress-cold"),
        Some(Duress::Wipe) => ("wipe", "duress-wipe"),
    }
}

/// Says what there is, and closes the profile.
async fn say(shell: &Shell, client: Client) -> Result<Done, Fault> {
    let (what, decoy) = (client.duress().await?, client.has_decoy().await?);
    client.close().await;
    let (name, key) = name(what);
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "duress": name, "decoy": decoy }));
    } else {
        shell.print.line(&shell.print.text.say(key));
        shell.print.line(&shell.print.text.say(if decoy { "decoy-there" } else { "decoy-none" }));
    }
    Ok(Done::Fully)
}

pub(super) async fn status(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    say(shell, client).await
}

pub(super) async fn set(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let (what, limits) = match args::string(found, "what").as_deref() {
        Some("cold") => (Some(Duress::Cold), "duress-limits-cold"),
        Some("wipe") => (Some(Duress::Wipe), "duress-limits-wipe"),
        Some("decoy") => (None, "duress-limits-decoy"),
        _ => return Err(Fault::Internal),
    };
    let relay = args::string(found, "relay");
    if let Some(relay) = &relay {
        parse_relay(relay)?;
    }
    let client = shell.open(Network::Offline).await?;
    // Also with --quiet: nobody chooses this without having been told.
    shell.print.warn(limits, []);
    shell.print.warn("duress-limits", []);
    sure(shell, found, if what.is_some() { "sure-duress" } else { "sure-decoy" }, "")?;
    let decoy = match (what, args::string(found, "name")) {
        (Some(_), _) => None,
        (None, Some(name)) => Some(name),
        (None, None) => Some(ask_name(shell)?),
    };
    shell.print.talk("duress-choose", []);
    // With the key file that the profile needs: it will be typed where that one would be.
    let key_file = shell.key_file()?;
    let own = client.status().await?.name;
    let known: Vec<&str> = [&*own].into_iter().chain(decoy.as_deref()).collect();
    let passphrase = shell.new_passphrase(&known)?.with_key_file(key_file);
    match (what, decoy) {
        (Some(what), _) => client.set_duress(passphrase, what).await?,
        (None, Some(name)) => client.set_decoy(passphrase, &name, relay.as_deref()).await?,
        (None, None) => return Err(Fault::Internal),
    }
    say(shell, client).await
}

pub(super) async fn remove(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    if args::string(found, "what").as_deref() == Some("decoy") {
        sure(shell, found, "sure-remove-decoy", "")?;
        client.remove_decoy().await?;
    } else {
        client.remove_duress().await?;
    }
    say(shell, client).await
}

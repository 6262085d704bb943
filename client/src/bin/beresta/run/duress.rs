//! The duress passphrase. What it can't do is said at the moment of choosing.

use beresta_client::api::{Duress, Network};
use clap::ArgMatches;

use super::super::args;
use super::super::fault::Fault;
use super::contact::sure;
use super::{Done, Shell};

const fn name(what: Option<Duress>) -> (&'static str, &'static str) {
    match what {
        None => ("none", "duress-none"),
        Some(Duress::Cold) => ("cold", "duress-cold"),
        Some(Duress::Wipe) => ("wipe", "duress-wipe"),
    }
}

fn say(shell: &Shell, what: Option<Duress>) {
    let (name, key) = name(what);
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "duress": name }));
    } else {
        shell.print.line(&shell.print.text.say(key));
    }
}

pub(super) async fn status(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let what = client.duress().await?;
    client.close().await;
    say(shell, what);
    Ok(Done::Fully)
}

pub(super) async fn set(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let (what, limits) = match args::string(found, "what").as_deref() {
        Some("cold") => (Duress::Cold, "duress-limits-cold"),
        Some("wipe") => (Duress::Wipe, "duress-limits-wipe"),
        _ => return Err(Fault::Internal),
    };
    let client = shell.open(Network::Offline).await?;
    // Also with --quiet: nobody chooses this without having been told.
    shell.print.warn(limits, []);
    shell.print.warn("duress-limits", []);
    sure(shell, found, "sure-duress", "")?;
    shell.print.talk("duress-choose", []);
    // With the key file that the profile needs: it will be typed where that one would be.
    let key_file = shell.key_file()?;
    let name = client.status().await?.name;
    let passphrase = shell.new_passphrase(&[&name])?.with_key_file(key_file);
    client.set_duress(passphrase, what).await?;
    let what = client.duress().await?;
    client.close().await;
    say(shell, what);
    Ok(Done::Fully)
}

pub(super) async fn remove(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    client.remove_duress().await?;
    let what = client.duress().await?;
    client.close().await;
    say(shell, what);
    Ok(Done::Fully)
}

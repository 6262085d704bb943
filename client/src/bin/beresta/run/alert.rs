//! The alert: what is said to some contacts when the profile is destroyed. What it can't do is said at the moment of choosing.

use std::io::{BufRead as _, IsTerminal as _, stdin};

use beresta_client::api::{AlertInfo, Client, Network};
use clap::ArgMatches;
use zeroize::Zeroizing;

use super::super::args;
use super::super::fault::Fault;
use super::super::sanitize::{harmless, harmless_line};
use super::contact::sure;
use super::lines::is_cut;
use super::talk::read_text;
use super::{Done, Shell};

/// The text: a line at a terminal, everything from a program. Never of the command line, which others see.
fn text(shell: &Shell) -> Result<Zeroizing<String>, Fault> {
    if !stdin().is_terminal() {
        return read_text();
    }
    shell.print.warn("ask-alert", []);
    let mut line = Zeroizing::new(String::new());
    stdin().lock().read_line(&mut line).map_err(|_| Fault::Input)?;
    if is_cut(line.trim_end_matches('\n').as_bytes()) {
        return Err(Fault::LineCut);
    }
    Ok(Zeroizing::new(line.trim().to_owned()))
}

/// Says what there is, and closes the profile.
async fn say(shell: &Shell, client: Client) -> Result<Done, Fault> {
    let alert = client.alert().await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "alert": alert }));
        return Ok(Done::Fully);
    }
    let Some(AlertInfo { text, to }) = alert else {
        shell.print.line(&shell.print.text.say("alert-none"));
        return Ok(Done::Fully);
    };
    shell.print.line(&shell.print.text.say_with("alert-text", [("text", harmless(&text).into())]));
    for contact in &to {
        let key = if contact.ready { "alert-to" } else { "alert-not-to" };
        shell.print.line(&shell.print.text.say_with(key, [("name", harmless_line(&contact.name).into())]));
    }
    Ok(Done::Fully)
}

pub(super) async fn status(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    say(shell, client).await
}

pub(super) async fn set(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let mut to = Vec::new();
    for name in args::strings(found, "to") {
        to.push(client.find_contact(&name).await?.id);
    }
    // Also with --quiet: nobody chooses this without having been told.
    shell.print.warn("alert-limits", []);
    let text = text(shell)?;
    sure(shell, found, "sure-alert", "")?;
    client.set_alert(text.into(), &to).await?;
    say(shell, client).await
}

pub(super) async fn remove(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    client.remove_alert().await?;
    say(shell, client).await
}

//! Invites.

use std::io::{BufRead as _, stdin};

use beresta_client::api::{Client, InviteStatus, Network, inspect_invite};
use clap::ArgMatches;

use super::super::args;
use super::super::fault::Fault;
use super::super::sanitize::harmless_line;
use super::super::span::{seconds, utc};
use super::{Done, Shell};

/// Hours of the longest invite.
const LONGEST_HOURS: u64 = 7 * 24;
/// Bytes of a line with a link: more is none.
const LINE: u64 = 4_096;

/// A link or code on the command line, or from standard input if it is `-`: what stands on a command line is visible to other
/// users of the machine.
pub(super) fn typed_or_read(found: &ArgMatches, name: &str) -> Result<String, Fault> {
    let typed = args::string(found, name).ok_or(Fault::Internal)?;
    if typed != "-" {
        return Ok(typed);
    }
    let mut line = String::new();
    std::io::Read::take(stdin().lock(), LINE).read_line(&mut line).map_err(|_| Fault::Input)?;
    Ok(line)
}

async fn renews(client: &Client, found: &ArgMatches) -> Result<Option<String>, Fault> {
    match args::string(found, "for") {
        None => Ok(None),
        Some(who) => Ok(Some(client.find_contact(&who).await?.id)),
    }
}

pub(super) async fn new(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let span = args::string(found, "expires").map_or(Some(24 * 3_600), |typed| seconds(&typed));
    let hours = span.map(|secs| secs.div_ceil(3_600)).filter(|hours| (1..=LONGEST_HOURS).contains(hours));
    let hours = hours.and_then(|hours| u16::try_from(hours).ok()).ok_or(Fault::BadSpan)?;
    let client = shell.open(Network::Online).await?;
    let renews = renews(&client, found).await?;
    shell.print.talk("reaching", []);
    let invite = client.invite_new(hours, args::string(found, "name"), renews).await?;
    let status = client.status().await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&invite);
    } else {
        shell.print.talk("invite-made", [("until", utc(invite.expires_ms).into())]);
        shell.print.line(&invite.link);
        if !args::is_set(found, "no-qr") {
            shell.print.qr(&invite.link);
        }
        shell.print.talk("invite-advice", []);
    }
    shell.print.volatile_home(&status);
    shell.print.skew(status.clock_skew_ms);
    Ok(Done::Fully)
}

pub(super) fn inspect(shell: &Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let preview = inspect_invite(&typed_or_read(found, "link")?)?;
    if shell.print.json {
        shell.print.object(&preview);
        return Ok(Done::Fully);
    }
    let say = |key: &str, value: String| {
        shell.print.line(&shell.print.text.say_with(key, [("value", value.into())]));
    };
    say("inspect-until", utc(preview.expires_ms));
    say("inspect-relay", preview.relay.as_str().to_owned());
    shell.print.talk("inspect-advice", []);
    Ok(Done::Fully)
}

pub(super) async fn accept(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let link = typed_or_read(found, "link")?;
    inspect_invite(&link)?;
    let client = shell.open(Network::Online).await?;
    let renews = renews(&client, found).await?;
    shell.print.talk("reaching", []);
    let contact = client.invite_accept(&link, args::string(found, "name"), renews).await?;
    // Our first message tells them where to write to us.
    let sent = client.sent_to(&contact.id, std::time::Duration::from_secs(15)).await?;
    let status = client.status().await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&contact);
    } else {
        shell.print.line(&shell.print.contact(&contact));
    }
    let name = harmless_line(&contact.name);
    shell.print.talk("accepted", [("name", name.into())]);
    shell.print.volatile(&contact);
    shell.print.volatile_home(&status);
    shell.print.skew(status.clock_skew_ms);
    if sent {
        Ok(Done::Fully)
    } else {
        shell.print.warn("kept-not-sent", []);
        Ok(Done::Partly)
    }
}

pub(super) async fn list(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let invites = client.invites().await?;
    client.close().await;
    if invites.is_empty() {
        shell.print.talk("no-invites", []);
    }
    for invite in &invites {
        if shell.print.json {
            shell.print.object(invite);
            continue;
        }
        let status = shell.print.text.say(match invite.status {
            InviteStatus::Open => "invite-open",
            InviteStatus::Used => "invite-used",
            InviteStatus::Ended => "invite-ended",
        });
        let name = invite.name.as_deref().map(harmless_line).unwrap_or_default();
        shell.print.line(&format!("{}  {status}  {}  {name}", invite.id, utc(invite.expires_ms)));
        if let Some(link) = &invite.link {
            shell.print.line(&format!("    {}", link.as_str()));
        }
    }
    Ok(Done::Fully)
}

pub(super) async fn revoke(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let id = args::string(found, "id").ok_or(Fault::Internal)?;
    let client = shell.open(Network::Online).await?;
    client.invite_revoke(&id).await?;
    let gone = client.is_taken_back(&id, std::time::Duration::from_secs(8)).await?;
    client.close().await;
    shell.print.talk(if gone { "revoked" } else { "revoked-later" }, []);
    Ok(if gone { Done::Fully } else { Done::Partly })
}

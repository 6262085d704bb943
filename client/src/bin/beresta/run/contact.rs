//! Contacts, and how sure we are of them.

use std::io::{BufRead as _, IsTerminal as _, stdin};

use beresta_client::api::Network;
use clap::ArgMatches;

use super::super::args;
use super::super::fault::Fault;
use super::super::sanitize::harmless_line;
use super::{Done, Shell, contact_of};

pub(super) async fn list(shell: &mut Shell) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let contacts = client.contacts().await?;
    client.close().await;
    if contacts.is_empty() {
        shell.print.talk("no-contacts", []);
    }
    for contact in &contacts {
        if shell.print.json {
            shell.print.object(contact);
        } else {
            shell.print.line(&shell.print.contact(contact));
        }
    }
    Ok(Done::Fully)
}

pub(super) async fn show(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let contact = contact_of(&client, found).await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&contact);
    } else {
        shell.print.line(&shell.print.contact(&contact));
        if !contact.met {
            shell.print.talk("not-met-yet", []);
        }
    }
    shell.print.volatile(&contact);
    shell.print.lost(&contact);
    Ok(Done::Fully)
}

pub(super) async fn rename(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let contact = contact_of(&client, found).await?;
    let name = args::string(found, "name").ok_or(Fault::Internal)?;
    client.rename(&contact.id, &name).await?;
    client.close().await;
    shell.print.talk("renamed", [("name", harmless_line(&name).into())]);
    Ok(Done::Fully)
}

pub(super) async fn block(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Online).await?;
    let contact = contact_of(&client, found).await?;
    client.block(&contact.id).await?;
    // Their queue is deleted at the relay, now or at the next start.
    client.settle(std::time::Duration::from_secs(8)).await?;
    client.close().await;
    shell.print.talk("blocked", [("name", harmless_line(&contact.name).into())]);
    Ok(Done::Fully)
}

pub(super) async fn seized(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Online).await?;
    let contact = contact_of(&client, found).await?;
    sure(shell, found, "sure-seized", &contact.name)?;
    client.seized(&contact.id).await?;
    let contact = client.find_contact(&contact.id).await?;
    // Their queues are deleted at the relay, now or at the next start.
    client.settle(std::time::Duration::from_secs(8)).await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&contact);
    }
    shell.print.talk("seized", [("name", harmless_line(&contact.name).into())]);
    Ok(Done::Fully)
}

/// Asks at the terminal before something is lost. Without a terminal, `--yes` must have said it.
pub(super) fn sure(shell: &Shell, found: &ArgMatches, question: &str, name: &str) -> Result<(), Fault> {
    if args::is_set(found, "yes") {
        return Ok(());
    }
    if !stdin().is_terminal() {
        return Err(Fault::Unconfirmed);
    }
    shell.print.warn(question, [("name", harmless_line(name).into())]);
    let mut line = String::new();
    stdin().lock().read_line(&mut line).map_err(|_| Fault::Input)?;
    match line.trim().to_lowercase().as_str() {
        "yes" | "y" | "да" | "д" => Ok(()),
        _ => Err(Fault::Unconfirmed),
    }
}

pub(super) async fn remove(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Online).await?;
    let contact = contact_of(&client, found).await?;
    sure(shell, found, "sure-remove", &contact.name)?;
    client.remove(&contact.id).await?;
    client.settle(std::time::Duration::from_secs(8)).await?;
    client.close().await;
    shell.print.talk("removed", [("name", harmless_line(&contact.name).into())]);
    Ok(Done::Fully)
}

pub(super) async fn verify_show(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let contact = contact_of(&client, found).await?;
    let groups = client.safety_number(&contact.id).await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "contact": contact, "safety_number": groups.concat() }));
        return Ok(Done::Fully);
    }
    for row in groups.chunks(4) {
        shell.print.line(&row.join(" "));
    }
    shell.print.talk("verify-advice", [("name", harmless_line(&contact.name).into())]);
    Ok(Done::Fully)
}

pub(super) async fn verify_confirm(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let client = shell.open(Network::Offline).await?;
    let contact = contact_of(&client, found).await?;
    let code = match args::string(found, "code") {
        Some(code) => code,
        None => {
            shell.print.warn("ask-code", [("name", harmless_line(&contact.name).into())]);
            let mut line = String::new();
            stdin().lock().read_line(&mut line).map_err(|_| Fault::Input)?;
            line
        }
    };
    client.confirm(&contact.id, &code).await?;
    client.close().await;
    shell.print.talk("verified", [("name", harmless_line(&contact.name).into())]);
    Ok(Done::Fully)
}

//! Locking and destroying the profile, also while another process has it open.

use std::time::Duration;

use beresta_client::api::{self, Ended, LockOn, Network};
use clap::ArgMatches;

use super::super::args;
use super::super::fault::Fault;
use super::contact::sure;
use super::talk::span;
use super::{Done, Shell};

/// Has every other process close the profile.
pub(super) fn now(shell: &Shell) -> Result<Done, Fault> {
    let (ended, key) = match api::lock_others(&shell.dir()?)? {
        Ended::Nobody => ("nobody", "lock-nobody"),
        Ended::InOrder => ("locked", "lock-done"),
        Ended::Killed => ("killed", "lock-killed"),
    };
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "lock": ended }));
    }
    shell.print.talk(key, []);
    Ok(Done::Fully)
}

/// Shows or sets after how long an idle profile locks.
pub(super) async fn idle(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let typed = args::string(found, "span");
    let after = typed.as_deref().map(span).transpose()?;
    let client = shell.open(Network::Offline).await?;
    if let Some(after) = after {
        let after = after.map(|seconds| Duration::from_secs(u64::from(seconds)));
        let set = client.set_idle_lock(after).await;
        set.map_err(|error| if error == api::Error::BadTimer { Fault::BadIdle } else { error.into() })?;
    }
    let after = client.idle_lock().await?;
    client.close().await;
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "idle_secs": after.map(|after| after.as_secs()) }));
        return Ok(Done::Fully);
    }
    match after {
        None => shell.print.line(&shell.print.text.say("lock-idle-off")),
        Some(after) => {
            let by = shell.print.span("span", after.as_secs());
            shell.print.line(&shell.print.text.say_with("lock-idle", [("by", by.into())]));
        }
    }
    Ok(Done::Fully)
}

/// Shows what else locks the profile, or switches one of it.
async fn on(shell: &mut Shell, found: &ArgMatches, set: impl Fn(&mut LockOn, bool)) -> Result<LockOn, Fault> {
    let client = shell.open(Network::Offline).await?;
    let mut on = client.lock_on().await?;
    if let Some(state) = args::string(found, "state") {
        set(&mut on, state == "on");
        client.set_lock_on(on).await?;
    }
    client.close().await;
    Ok(on)
}

/// Shows or sets whether a sleep of the machine locks.
pub(super) async fn sleep(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let LockOn { sleep, session: _ } = on(shell, found, |on, is| on.sleep = is).await?;
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "sleep": sleep }));
    } else {
        shell.print.line(&shell.print.text.say(if sleep { "lock-sleep-on" } else { "lock-sleep-off" }));
    }
    Ok(Done::Fully)
}

/// Shows or sets whether a lock of the desktop locks; and whether it could be seen here.
pub(super) async fn session(shell: &mut Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let LockOn { sleep: _, session } = on(shell, found, |on, is| on.session = is).await?;
    let seen = api::has_session().await;
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "session": session, "seen": seen }));
        return Ok(Done::Fully);
    }
    shell.print.line(&shell.print.text.say(if session { "lock-session-on" } else { "lock-session-off" }));
    if session && !seen {
        shell.print.line(&shell.print.text.say("lock-session-unseen"));
    }
    Ok(Done::Fully)
}

/// Destroys the profile. Says as little as it can: somebody may be looking.
pub(super) fn panic(shell: &Shell, found: &ArgMatches) -> Result<Done, Fault> {
    let dir = shell.dir()?;
    sure(shell, found, "sure-panic", "")?;
    // Nothing is said before it is done: a terminal that was stopped would hold it up.
    let done = api::panic(&dir);
    shell.print.clear();
    done?;
    if shell.print.json {
        shell.print.object(&serde_json::json!({ "done": true }));
    }
    shell.print.talk("panic-done", []);
    Ok(Done::Fully)
}

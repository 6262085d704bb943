//! What happens in the demo, in order.

use std::path::Path;
use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;

use super::Broken;
use super::person::Person;
use super::process::build;
use super::relay::{OPERATOR, Relay};
use super::scan::{Needle, search, secret, text};

const HELLO: &str = "Здравствуйте, Борис. Обыск был утром, документы у меня";
const REPLY: &str = "Anna, I am safe abroad, writing from a borrowed laptop";
const ANSWER: &str = "Хорошо. Никому не говорите, где вы";
const AWAY: &str = "Пока вас не было: суд перенесли на четверг";
const GONE: &str = "Код от сейфа 4417, запомните и сотрите";
const SURVIVES: &str = "Это письмо переживёт гибель узла";
const LATER: &str = "А это написано, пока узел лежал";
const SAID: [&str; 7] = [HELLO, REPLY, ANSWER, AWAY, GONE, SURVIVES, LATER];

fn step(told: &str) {
    println!("· {told}");
}

#[expect(clippy::disallowed_methods, reason = "how long the demo takes is told at its end")]
fn clock() -> Instant {
    Instant::now()
}

/// Tells the story; with `keep`, the relay and the profiles stay for a person to go on.
pub(crate) fn tell(keep: bool) -> Result<(), Broken> {
    println!("Building the two programs…");
    build()?;
    let begun = clock();
    let folder = tempfile::Builder::new().prefix("beresta-demo-").tempdir()?;
    let (mut relay, anna, boris) = play(folder.path())?;
    println!("\nEverything held, in {} s.", begun.elapsed().as_secs());
    if keep {
        goodbye(&relay, &anna, &boris)?;
        relay.leave_running();
        let _kept = folder.keep();
    }
    Ok(())
}

fn play(folder: &Path) -> Result<(Relay, Person, Person), Broken> {
    let mut relay = Relay::make(folder.join("relay"))?;
    step("A relay runs on loopback, with its queues in SQLite.");
    let (anna, boris) = people(folder, &relay.address)?;
    let link = meet(&anna, &boris)?;
    compare(&anna, &boris)?;
    talk(&anna, &boris)?;
    relay_dies(&mut relay, &anna, &boris)?;
    seize(&relay, &anna, &boris, &link)?;
    Ok((relay, anna, boris))
}

fn people(folder: &Path, relay: &str) -> Result<(Person, Person), Broken> {
    let make = |name, language, passphrase, at: &str| {
        Person::make(folder.join(at), name, language, passphrase, relay)
    };
    let anna = make("Анна-адвокат", "ru", "снег лампа якорь весна", "anna")?;
    let boris = make("Boris-abroad", "en", "harbour violet engine moss", "boris")?;
    step("Anna, a lawyer, and Boris, an activist abroad, have profiles under passphrases.");
    Ok((anna, boris))
}

fn meet(anna: &Person, boris: &Person) -> Result<String, Broken> {
    let link = anna.run(&["-q", "invite", "new", "--no-qr"], "")?.trim().to_owned();
    boris.run(&["invite", "accept", "-"], &format!("{link}\n"))?;
    anna.run(&["receive"], "")?;
    boris.run(&["receive"], "")?;
    step("Anna made a one-time invite, Boris accepted it, and both moved to fresh queues.");
    Ok(link)
}

fn compare(anna: &Person, boris: &Person) -> Result<(), Broken> {
    let hers = anna.run(&["-q", "verify", "show", boris.name], "")?;
    let his = boris.run(&["-q", "verify", "show", anna.name], "")?;
    if hers != his || hers.trim().is_empty() {
        return Err(Broken(String::from("both see the same safety number")));
    }
    step("Both see the same safety number:");
    hers.lines().for_each(|row| println!("      {row}"));
    Ok(())
}

fn talk(anna: &Person, boris: &Person) -> Result<(), Broken> {
    let mut hers = anna.chat(boris.name)?;
    let mut his = boris.chat(anna.name)?;
    hers.type_line(HELLO)?;
    his.expect(HELLO)?;
    his.type_line(REPLY)?;
    hers.expect(REPLY)?;
    hers.type_line(ANSWER)?;
    his.expect(ANSWER)?;
    step("They talked in Russian and English, both ways:");
    for line in [HELLO, REPLY, ANSWER] {
        println!("      {line}");
    }

    // One that disappears: Boris reads it at once, so that his timer runs too.
    hers.type_line("/timer 4s")?;
    hers.type_line(GONE)?;
    his.expect(GONE)?;
    hers.type_line("/timer 1w")?;
    if his.finish()? != Some(0) {
        return Err(Broken(String::from("Boris's conversation ended in order")));
    }
    hers.type_line(AWAY)?;
    hers.expect(&first(AWAY))?;
    hers.finish()?;
    std::thread::sleep(Duration::from_secs(4));
    for (person, other) in [(anna, boris), (boris, anna)] {
        if person.run(&["chat", "history", other.name], "")?.contains(GONE) {
            return Err(Broken(format!("the message disappeared for {}", person.name)));
        }
    }
    step("One message disappeared on both sides, four seconds after it was sent and read.");
    let got = boris.run(&["receive"], "")?;
    let history = boris.run(&["chat", "history", anna.name], "")?;
    if !got.contains(AWAY) && !history.contains(AWAY) {
        return Err(Broken(String::from("what Anna sent while Boris was away arrived")));
    }
    step("What Anna sent while Boris was away waited at the relay and arrived.");
    Ok(())
}

/// What a state's line quotes of a text.
fn first(text: &str) -> String {
    text.chars().take(24).collect()
}

fn relay_dies(relay: &mut Relay, anna: &Person, boris: &Person) -> Result<(), Broken> {
    anna.run(&["send", boris.name], SURVIVES)?;
    relay.kill()?;
    let mut hers = anna.chat(boris.name)?;
    hers.type_line(LATER)?;
    relay.start()?;
    hers.expect(&first(LATER))?;
    hers.finish()?;
    let got = boris.run(&["receive", "--timeout", "4"], "")?;
    for text in [SURVIVES, LATER] {
        if got.matches(text).count() != 1 {
            return Err(Broken(format!("“{text}” arrived once, although the relay was killed: {got}")));
        }
    }
    step("The relay was killed with SIGKILL and started again: nothing was lost, nothing came twice.");
    Ok(())
}

fn seize(relay: &Relay, anna: &Person, boris: &Person, link: &str) -> Result<(), Broken> {
    anna.run(&["send", boris.name], AWAY)?;
    let mut needles: Vec<Needle> = Vec::new();
    for said in SAID {
        needles.extend(text(said));
        for word in said.split(|one: char| !one.is_alphanumeric()).filter(|word| word.chars().count() > 4) {
            needles.extend(text(word));
        }
    }
    for person in [anna, boris] {
        needles.extend(text(person.name));
        needles.extend(text(person.passphrase));
        let status = person.run(&["--json", "status"], "")?;
        let status: serde_json::Value =
            serde_json::from_str(&status).map_err(|error| Broken(error.to_string()))?;
        needles.extend(text(status.get("account").and_then(|one| one.as_str()).unwrap_or("no account")));
        let number = person.run(&["-q", "verify", "show", other(person, anna, boris).name], "")?;
        needles.extend(number.split_whitespace().take(2).map(|group| Needle {
            what: String::from("the safety number"),
            bytes: group.as_bytes().to_vec(),
        }));
    }
    needles.extend(text(link));
    needles.extend(invite_secrets(link)?);
    let looked_for = needles.len();
    let seizure = search(&relay.dir, &needles)?;
    if !seizure.found.is_empty() {
        return Err(Broken(format!("the relay's files hold nothing of it; they hold {:?}", seizure.found)));
    }
    if search(&relay.dir, &text(OPERATOR))?.found.is_empty() {
        return Err(Broken(String::from("the search finds what is there")));
    }
    step(&format!(
        "The relay was seized: {} files, {} KiB, searched for {looked_for} words, names and keys of the conversation \
         in several forms. None is there; the operator's public name, which is there, was found.",
        seizure.files,
        seizure.bytes / 1024
    ));
    println!("  This is all that a seizure gives:");
    relay.what_it_holds()?.lines().for_each(|line| println!("      {line}"));
    Ok(())
}

fn other<'p>(person: &Person, anna: &'p Person, boris: &'p Person) -> &'p Person {
    if person.name == anna.name { boris } else { anna }
}

/// The blob's id, key and hash, from the end of the link (docs/protocol/5-invite.md).
fn invite_secrets(link: &str) -> Result<Vec<Needle>, Broken> {
    let bytes = link.strip_prefix("beresta:").map(|text| BASE64URL_NOPAD.decode(text.as_bytes()));
    let Some(Ok(bytes)) = bytes else { return Err(Broken(String::from("the invite is a link"))) };
    let from_end = |skip: usize, len: usize| -> Vec<u8> {
        let end = bytes.len().saturating_sub(skip);
        bytes.get(end.saturating_sub(len)..end).unwrap_or_default().to_vec()
    };
    let mut needles = secret("the invite's hash", &from_end(12, 16));
    needles.extend(secret("the invite's key", &from_end(28, 32)));
    needles.extend(secret("the invite blob's id", &from_end(60, 16)));
    Ok(needles)
}

fn goodbye(relay: &Relay, anna: &Person, boris: &Person) -> Result<(), Broken> {
    let program = super::process::program("beresta")?;
    println!("\nThe relay runs on (process {}). Go on by hand, in two terminals:", relay.id().unwrap_or(0));
    for (person, other) in [(anna, boris), (boris, anna)] {
        println!(
            "\n  {} --dir {} chat open {}\n      passphrase: {}",
            program.display(),
            person.dir.display(),
            other.name,
            person.passphrase
        );
    }
    println!("\nEnd it with: kill {}; rm -r {}", relay.id().unwrap_or(0), folder(relay).display());
    Ok(())
}

fn folder(relay: &Relay) -> &Path {
    relay.dir.parent().unwrap_or(&relay.dir)
}

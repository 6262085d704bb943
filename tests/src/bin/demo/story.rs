//! What happens in the demo, in order.

use std::path::Path;
use std::time::{Duration, Instant};

use beresta_tests::process::scan::{Needle, search, secret, text};
use beresta_tests::process::{Broken, OPERATOR, Person, Programs, Relay, Who, both};
use data_encoding::BASE64URL_NOPAD;

const ANNA: Who = Who {
    name: "Анна-адвокат", language: "ru", passphrase: "снег лампа якорь весна чайник"
};
const BORIS: Who =
    Who { name: "Boris-abroad", language: "en", passphrase: "harbour violet engine moss kettle" };

const HELLO: &str = "Здравствуйте, Борис. Обыск был утром, документы у меня";
const REPLY: &str = "Anna, I am safe abroad, writing from a borrowed laptop";
const ANSWER: &str = "Хорошо. Никому не говорите, где вы";
const AWAY: &str = "Пока вас не было: суд перенесли на четверг";
const GONE: &str = "Код от сейфа 4417, запомните и сотрите";
const SURVIVES: &str = "Это письмо переживёт гибель узла";
const LATER: &str = "А это написано, пока узел лежал";
const WAITS: &str = "Это письмо ждёт на узле, когда за ним приходят";
const SAID: [&str; 8] = [HELLO, REPLY, ANSWER, AWAY, GONE, SURVIVES, LATER, WAITS];

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
    let programs = Programs::build()?;
    let begun = clock();
    let folder = tempfile::Builder::new().prefix("beresta-demo-").tempdir()?;
    let (mut relay, anna, boris) = play(&programs, folder.path())?;
    println!("\nEverything held, in {} s.", begun.elapsed().as_secs());
    if keep {
        goodbye(&programs, &relay, &anna, &boris)?;
        relay.leave_running();
        let _kept = folder.keep();
    }
    Ok(())
}

fn play(programs: &Programs, folder: &Path) -> Result<(Relay, Person, Person), Broken> {
    let mut relay = Relay::make(programs, &folder.join("relay"))?;
    step("A relay runs on loopback, with its queues in SQLite.");
    let make = |at, who| Person::make(programs, &folder.join(at), who, &relay.address);
    let (anna, boris) = both(|| make("anna", ANNA), || make("boris", BORIS))?;
    step("Anna, a lawyer, and Boris, an activist abroad, have profiles under passphrases.");
    let link = anna.meet(&boris)?;
    step("Anna made a one-time invite, Boris accepted it, and both moved to fresh queues.");
    let mut needles = compare(&anna, &boris)?;
    needles.extend(invite_secrets(&link)?);
    talk(&anna, &boris)?;
    relay_dies(&mut relay, &anna, &boris)?;
    seize(&relay, &anna, &boris, needles)?;
    Ok((relay, anna, boris))
}

/// Both compare the safety number: what a search may not find of it.
fn compare(anna: &Person, boris: &Person) -> Result<Vec<Needle>, Broken> {
    let show = |who: &Person, with: Who| who.run(&["-q", "verify", "show", with.name], "");
    let (hers, his) = both(|| show(anna, BORIS), || show(boris, ANNA))?;
    if hers != his || hers.trim().is_empty() {
        return Err(Broken(String::from("both see the same safety number")));
    }
    step("Both see the same safety number:");
    hers.lines().for_each(|row| println!("      {row}"));
    // Row by row: a search for five digits would find some by chance.
    Ok(hers.lines().flat_map(|row| [text(row), text(&row.replace(' ', ""))]).flatten().collect())
}

fn talk(anna: &Person, boris: &Person) -> Result<(), Broken> {
    let mut hers = anna.chat(boris)?;
    let mut his = boris.chat(anna)?;
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
    let read = clock();
    hers.type_line("/timer 1w")?;
    if his.finish()?.0 != Some(0) {
        return Err(Broken(String::from("Boris's conversation ended in order")));
    }
    hers.type_line(AWAY)?;
    hers.expect(&first(AWAY))?;
    hers.finish()?;
    std::thread::sleep(Duration::from_secs(4).saturating_sub(read.elapsed()));
    let history = |who: &Person, with: Who| who.run(&["chat", "history", with.name], "");
    let (hers, his) = both(|| history(anna, BORIS), || history(boris, ANNA))?;
    if hers.contains(GONE) || his.contains(GONE) {
        return Err(Broken(String::from("the message disappeared on both sides")));
    }
    step("One message disappeared on both sides, four seconds after it was sent and read.");
    let got = boris.run(&["receive", "--brief", "--max", "1"], "")?;
    if !got.contains(AWAY) {
        return Err(Broken(format!("what Anna sent while Boris was away arrived: {got}")));
    }
    step("What Anna sent while Boris was away waited at the relay and arrived.");
    Ok(())
}

/// What a state's line quotes of a text.
fn first(text: &str) -> String {
    text.chars().take(24).collect()
}

fn relay_dies(relay: &mut Relay, anna: &Person, boris: &Person) -> Result<(), Broken> {
    anna.run(&["send", boris.who.name], SURVIVES)?;
    relay.kill()?;
    let mut hers = anna.chat(boris)?;
    hers.type_line(LATER)?;
    relay.start()?;
    hers.expect(&first(LATER))?;
    hers.finish()?;
    // Longer than it needs for two: a third would come, too.
    let got = boris.run(&["receive", "--brief"], "")?;
    for text in [SURVIVES, LATER] {
        if got.matches(text).count() != 1 {
            return Err(Broken(format!("“{text}” arrived once, although the relay was killed: {got}")));
        }
    }
    step("The relay was killed with SIGKILL and started again: nothing was lost, nothing came twice.");
    Ok(())
}

fn seize(relay: &Relay, anna: &Person, boris: &Person, mut needles: Vec<Needle>) -> Result<(), Broken> {
    for said in SAID {
        needles.extend(text(said));
        for word in said.split(|one: char| !one.is_alphanumeric()).filter(|word| word.chars().count() > 4) {
            needles.extend(text(word));
        }
    }
    for person in [anna, boris] {
        for of_theirs in [person.who.name, person.who.passphrase, &person.account] {
            needles.extend(text(of_theirs));
        }
    }
    // The last thing that happens, so that something waits for Boris when they come.
    anna.run(&["send", boris.who.name], WAITS)?;
    let looked_for = needles.len();
    let seizure = search(&relay.dir, &needles)?;
    if !seizure.found.is_empty() {
        return Err(Broken(format!("the relay's files hold nothing of it; they hold {:?}", seizure.found)));
    }
    if search(&relay.dir, &text(OPERATOR))?.found.is_empty() {
        return Err(Broken(String::from("the search finds what is there")));
    }
    if relay.waiting()? == 0 {
        return Err(Broken(String::from("a message waited at the relay when it was seized")));
    }
    step(&format!(
        "The relay was seized while a message waited there: {} files, {} KiB, searched for {looked_for} forms of the \
         words, names and keys of the conversation. None is there; the operator's public name, which is there, was \
         found.",
        seizure.files,
        seizure.bytes / 1024
    ));
    println!("  This is all that a seizure gives:");
    relay.what_it_holds(&["--lang", "en"])?.lines().for_each(|line| println!("      {line}"));
    Ok(())
}

/// The blob's id, key and hash, from the end of the link (docs/protocol/5-invite.md).
fn invite_secrets(link: &str) -> Result<Vec<Needle>, Broken> {
    let bytes = link.strip_prefix("beresta:").map(|text| BASE64URL_NOPAD.decode(text.as_bytes()));
    let Some(Ok(bytes)) = bytes else { return Err(Broken(String::from("the invite is a link"))) };
    let from_end = |skip: usize, len: usize| -> Vec<u8> {
        let end = bytes.len().saturating_sub(skip);
        bytes.get(end.saturating_sub(len)..end).unwrap_or_default().to_vec()
    };
    let mut needles = text(link);
    needles.extend(secret("the invite's hash", &from_end(12, 16)));
    needles.extend(secret("the invite's key", &from_end(28, 32)));
    needles.extend(secret("the invite blob's id", &from_end(60, 16)));
    Ok(needles)
}

fn goodbye(programs: &Programs, relay: &Relay, anna: &Person, boris: &Person) -> Result<(), Broken> {
    let process = relay.id().unwrap_or(0);
    println!("\nThe relay runs on (process {process}). Go on by hand, in two terminals:");
    for (person, other) in [(anna, boris), (boris, anna)] {
        println!(
            "\n  {} --dir {} chat open {}\n      passphrase: {}",
            programs.client.display(),
            person.dir.display(),
            other.who.name,
            person.who.passphrase
        );
    }
    let folder = relay.dir.parent().unwrap_or(&relay.dir);
    println!("\nEnd it with: kill {process}; rm -r {}", folder.display());
    Ok(())
}

//! What the memory of a process holds once it has locked. A child holds the profile; we look into its memory.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use beresta_proto::id::ContentId;
use beresta_proto::time::Timestamp;
use beresta_proto::words::Words;
use zeroize::Zeroizing;

use crate::api::{Client, Error, KdfCost, Network, NewProfile, Passphrase};
use crate::store::Store;
use crate::store::contact::{Contact, ContactId};
use crate::store::message::{Message, MessageRow, MessageState};

const PHRASE: &str = "phrase";
const TEXT: &str = "text";
const SAY: &str = "said: ";

fn told() -> Option<PathBuf> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let dir = line.trim_end();
    (!dir.is_empty()).then(|| dir.into())
}

/// Says something, and waits until it was heard.
fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{SAY}{what}").unwrap();
    out.flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A file's text, in memory that is wiped and did not grow.
fn read(dir: &std::path::Path, name: &str) -> Zeroizing<String> {
    let mut file = std::fs::File::open(dir.join(name)).unwrap();
    let mut text = Zeroizing::new(String::with_capacity(256));
    file.read_to_string(&mut text).unwrap();
    text
}

fn message(contact: ContactId, body: Words) -> Message {
    Message {
        id: MessageRow(0),
        contact,
        content: ContentId([4; 16]),
        outgoing: false,
        body,
        sent: Timestamp(1),
        arrived: Timestamp(1),
        state: MessageState::New,
        timer: None,
        expires: None,
        fails: None,
    }
}

#[tokio::test]
#[ignore = "a child of the test below"]
async fn child_opens_shows_and_locks() {
    let Some(dir) = told() else { return };
    let profile = NewProfile {
        dir: dir.join("profile"),
        passphrase: Passphrase::new(std::mem::take(&mut read(&dir, PHRASE))),
        cost: KdfCost::FOR_TESTS,
        name: "Anna".into(),
        language: String::from("en"),
        relay: None,
    };
    Client::create(profile, Network::Offline).await.unwrap().close().await;
    let passphrase = Passphrase::new(std::mem::take(&mut read(&dir, PHRASE)));
    let client = Client::open(&dir.join("profile"), passphrase, Network::Offline).await.unwrap();
    let text: Words = std::mem::take(&mut *read(&dir, TEXT)).into();
    let kept = client.rows(move |tx| {
        let contact = tx.insert_contact(&Contact::boris(), Timestamp(1))?;
        tx.insert_message(&message(contact, text))?;
        Ok::<_, Error>(())
    });
    kept.await.unwrap();
    let shown = client.new_messages(None).await.unwrap();
    assert_eq!(shown.len(), 1);
    say("open");
    drop(shown);
    client.close().await;
    say("locked");
}

struct Watched {
    child: Child,
    input: ChildStdin,
    out: BufReader<ChildStdout>,
}

impl Watched {
    fn start(dir: &std::path::Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "api::lock::tests::memory::child_opens_shows_and_locks"])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut watched = Self { child, input, out };
        writeln!(watched.input, "{}", dir.display()).unwrap();
        watched
    }

    fn expect(&mut self, what: &str) {
        let mut line = String::new();
        while self.out.read_line(&mut line).unwrap() > 0 {
            if line.trim_end().ends_with(&format!("{SAY}{what}")) {
                return;
            }
            line.clear();
        }
        panic!("the child did not say {what}");
    }

    /// Everything in its memory that it may write to.
    fn memory(&self) -> Vec<u8> {
        let proc = PathBuf::from("/proc").join(self.child.id().to_string());
        let maps = std::fs::read_to_string(proc.join("maps")).unwrap();
        let mut memory = std::fs::File::open(proc.join("mem")).unwrap();
        let mut all = Vec::new();
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let [from, to] = [from, to].map(|bound| u64::from_str_radix(bound, 16).unwrap());
            let mut part = vec![0; usize::try_from(to - from).unwrap()];
            if memory.seek(SeekFrom::Start(from)).is_ok() && memory.read_exact(&mut part).is_ok() {
                all.extend(part);
            }
        }
        all
    }
}

fn count(memory: &[u8], needle: &[u8]) -> usize {
    memchr::memmem::find_iter(memory, needle).count()
}

#[test]
#[cfg(target_os = "linux")]
fn after_a_lock_the_memory_holds_no_key_no_passphrase_and_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let (phrase, text) = ("snow lamp anchor spring", "The ledger is under the seventh stair");
    std::fs::write(dir.path().join(PHRASE), phrase).unwrap();
    std::fs::write(dir.path().join(TEXT), text).unwrap();
    let mut child = Watched::start(dir.path());
    child.expect("open");
    let open = child.memory();
    writeln!(child.input).unwrap();
    child.expect("locked");
    let locked = child.memory();

    // Its keys, which only a profile that is closed gives us.
    let secrets = Store::secrets(&dir.path().join("profile"), phrase);
    writeln!(child.input).unwrap();
    child.child.wait().unwrap();
    assert!(open.len() > 1 << 20, "{}", open.len());
    let named = [("passphrase", phrase.as_bytes().to_vec()), ("text", text.as_bytes().to_vec())];
    let found: Vec<_> = named
        .into_iter()
        .chain(secrets)
        .map(|(name, needle)| (name, count(&open, &needle), count(&locked, &needle)))
        .collect();
    for (name, before, after) in found {
        match name {
            // The look finds what is there.
            "text" | "texts" => assert!(before > 0, "{name} is not found while open"),
            // SQLCipher keeps its own masked, and the passphrase is gone once it was tried.
            // libsignal wipes none of its copies (docs/known-issues.md): how many are left is not ours.
            "identity" => continue,
            _ => {}
        }
        assert_eq!(after, 0, "{name}");
    }
}

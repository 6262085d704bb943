//! What the commands do, seen from a terminal: data on standard output, talk on standard error.

mod args;
mod ask;
mod control;
mod doctor;
mod fault;
mod harden;
mod hold;
mod invite;
mod locale;
mod log;
mod moving;
mod selftest;
mod text;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use beresta_server::admin::Request;
use beresta_server::clock;
use beresta_server::home::{Home, HomeError, Name};
use beresta_server::net::{Server, tell_ready};
use beresta_server::queue::QueueEngine;
use beresta_server::queue::sqlite::{Keeping, OpenError, Salvaged, SqliteEngine, Standing};
use beresta_server::random::SystemRandom;
use beresta_server::relay::{Identity, Relay};
use beresta_server::setup::{self, Config, Due, Renewal, Setup, SetupError, Wish};
use beresta_server::transfer::Mark;
use clap::ArgMatches;
use clap::error::ErrorKind;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use tokio::signal::unix::{SignalKind, signal};

use args::value;
use fault::Fault;
pub(crate) use harden::harden;
use locale::Language;
use text::{Text, pasted};

/// Between two looks at whether the descriptor was renewed.
const LOOK: Duration = Duration::from_secs(60);
/// Said on standard error once the relay can be reached. For programs that start it, so it is in no language.
const LISTENING: &str = "listening";

/// Writes log lines to standard error from now on.
pub(crate) fn keep_log() {
    // There is one log, set once; a second one would be refused and change nothing.
    let _ = tracing::subscriber::set_global_default(log::subscriber(std::io::stderr));
}

/// Commands that write files of the relay.
const WRITES: [&str; 7] = ["init", "run", "export", "take-back", "import", "repair", "rotate"];
/// Those that are of use only where the relay runs.
const WHERE_IT_RUNS: [&str; 3] = ["init", "rotate", "repair"];
/// The folder of the service that the package brings.
const SERVICE: &str = "/var/lib/beresta-relay";

/// Runs the command line.
pub(crate) fn run(args: Vec<OsString>) -> ExitCode {
    let text = Text::new(Language::choose(&args));
    let done = match args::command(&text).try_get_matches_from(args) {
        Ok(found) => command(&found, &text),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            put(error.to_string().trim_end()).map(|()| ExitCode::SUCCESS)
        }
        Err(error) => Err(Fault::Usage(Box::new(error))),
    };
    match done {
        Ok(code) => code,
        Err(fault) => {
            tell(&fault.words(&text));
            fault.code()
        }
    }
}

fn command(found: &ArgMatches, text: &Text) -> Result<ExitCode, Fault> {
    let (mut name, mut found) = found.subcommand().ok_or(Fault::Internal)?;
    if matches!(name, "config" | "keys" | "invite") {
        (name, found) = found.subcommand().ok_or(Fault::Internal)?;
    }
    if name == "selftest" {
        return selftest::selftest(found, text);
    }
    let dir: PathBuf = value(found, "dir").ok_or(Fault::Internal)?;
    if name == "doctor" {
        return doctor::doctor(&dir, text).map_err(|fault| fault.at(&dir));
    }
    if WRITES.contains(&name) && Home::at(&dir).is_of_another() {
        return Err(Fault::OfAnother(dir));
    }
    // The relay ends by day 90 for who believes that it was renewed.
    if WHERE_IT_RUNS.contains(&name) {
        let home = Home::at(&dir);
        // Whoever may not look is not to hear that it is so.
        home.path(Name::Moved).try_exists().map_err(|error| SetupError::Home(HomeError::Io(error.kind())))?;
        if let Some(mark) = Mark::of(&home) {
            return Err(Fault::Moved(mark));
        }
    }
    let done = match name {
        "init" => init(found, dir.clone(), text),
        "run" => relay(&dir, text),
        "export" => moving::export(found, &dir, text),
        "take-back" => moving::take_back(&dir, text),
        "import" => moving::import(found, &dir, text),
        "repair" => repair(&dir, text),
        "address" => address(found, &dir),
        "rotate" => rotate(found, &dir, text),
        "check" => check(&dir, text),
        "status" => control::status(&dir, found.get_flag("json"), text),
        "pause-new" => control::order(&dir, Request::PauseNew, "paused", text),
        "resume" => control::order(&dir, Request::Resume, "resumed", text),
        "drain" => control::drain(&dir, text),
        "delete-queue" => control::delete(found, &dir, text),
        "create" => invite::create(found, &dir, text),
        "list" => invite::list(&dir, found.get_flag("json"), text),
        "revoke" => invite::revoke(found, &dir, text),
        "what-i-hold" => what_i_hold(found, &dir, text),
        _ => Err(Fault::Internal),
    };
    done.map(|()| ExitCode::SUCCESS).map_err(|fault| fault.at(&dir))
}

/// Prints a line of data.
fn put(line: &str) -> Result<(), Fault> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|_| Fault::Output)
}

/// Says how a relay is started that was just made.
fn tell_how_to_start(dir: &Path, text: &Text) {
    // Where systemd is at work (sd_booted(3)).
    let as_service = dir == Path::new(SERVICE) && Path::new("/run/systemd/system").exists();
    tell(&if as_service {
        text.say("start-service")
    } else {
        text.say_with("start-program", &[("dir", &pasted(dir))])
    });
}

fn init(found: &ArgMatches, dir: PathBuf, text: &Text) -> Result<(), Fault> {
    let wish = Wish {
        listen: value(found, "listen"),
        public: found.get_many("public").map(|all| all.copied().collect()).unwrap_or_default(),
        operator: value(found, "operator"),
        identity: value(found, "identity"),
        clock_is_right: found.get_flag("clock-is-right"),
        dir,
    };
    let mut rng = SystemRandom::new().map_err(|_| Fault::Internal)?;
    let made = setup::init(&wish, clock::now(), &mut rng)?;
    tell(&text.say(if made.renewed { "init-renewed" } else { "init-made" }));
    put(&made.address.to_link())?;
    let at_home = made.identity == Home::at(&wish.dir).path(Name::Identity);
    let key = if made.identity_was_there && !at_home { "init-identity-found" } else { "init-identity" };
    let file = made.identity.display().to_string();
    tell(&text.say_with(key, &[("file", &file)]));
    if wish.identity.is_some() && !made.identity_was_there {
        tell(&text.say_with("init-identity-made", &[("file", &file)]));
    }
    for at in made.inside {
        tell(&doctor::only_inside(at, &wish.dir, text));
    }
    if !made.renewed && made.identity_was_there && !made.queues {
        tell(&text.say_with("init-made-anew", &[("dir", &pasted(&wish.dir))]));
    }
    if !made.renewed {
        tell_how_to_start(&wish.dir, text);
    }
    Ok(())
}

fn address(found: &ArgMatches, dir: &Path) -> Result<(), Fault> {
    let link = setup::address(dir)?.to_link();
    if found.get_flag("qr") {
        let code = QrCode::new(link.as_bytes()).map_err(|_| Fault::Internal)?;
        // Light on dark, as terminals are; the quiet zone makes it readable on the others too.
        let drawn = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
        put(&drawn)?;
    }
    put(&link)
}

fn rotate(found: &ArgMatches, dir: &Path, text: &Text) -> Result<(), Fault> {
    let identity: Option<PathBuf> = value(found, "identity");
    let mut rng = SystemRandom::new().map_err(|_| Fault::Internal)?;
    setup::rotate(dir, identity.as_deref(), clock::now(), &mut rng)?;
    tell(&text.say("keys-rotated"));
    Ok(())
}

fn check(dir: &Path, text: &Text) -> Result<(), Fault> {
    setup::address(dir)?;
    let home = Home::at(dir);
    let config = Config::read(&home)?;
    tell(&text.say("config-good"));
    put(&config.to_lines())?;
    let queues = home.path(Name::Queues);
    if SqliteEngine::has_vanished(&queues) {
        // An update asks here first: the relay that runs has them open still, and the next one would not start.
        refuse_gone(dir, &config)?;
        tell(&text.say_with("queues-gone", &[("dir", &pasted(dir))]));
    } else if queues.exists() {
        let proof = setup::namer(&home)?.proof();
        let said = match SqliteEngine::check(&queues, config.keeping(), proof)? {
            Standing::Current => "check-queues",
            Standing::Older => "check-queues-older",
        };
        tell(&text.say(said));
    }
    Ok(())
}

/// Refuses to go on without the queues' file where its keys are there: other queues would begin with other keys in their place,
/// and what waited could not be read if the file came back.
fn refuse_gone(dir: &Path, config: &Config) -> Result<(), Fault> {
    let lost = config.keeping() == Keeping::Durable && Home::at(dir).has(Name::DayKeys);
    if lost { Err(Fault::QueuesGone(dir.to_owned())) } else { Ok(()) }
}

/// Goes on with what can be read of damaged queues.
fn repair(dir: &Path, text: &Text) -> Result<(), Fault> {
    setup::address(dir)?;
    let home = Home::at(dir);
    let queues = home.path(Name::Queues);
    if SqliteEngine::has_vanished(&queues) {
        return Err(Fault::QueuesGone(dir.to_owned()));
    }
    if !queues.exists() {
        tell(&text.say("repair-none"));
        return Ok(());
    }
    let (keeping, proof) = (Config::read(&home)?.keeping(), setup::namer(&home)?.proof());
    tell(&text.say("repair-begins"));
    let Salvaged { queues, messages, whole } = SqliteEngine::salvage(&queues, keeping, proof, clock::now())
        .map_err(|error| match error {
        OpenError::Damaged => Fault::BeyondRepair,
        error @ (OpenError::InUse
        | OpenError::Newer
        | OpenError::Keys
        | OpenError::QueueKey
        | OpenError::Io(_)
        | OpenError::Sqlite) => Fault::Queues(error),
    })?;
    let counts = [("queues", &*queues.to_string()), ("messages", &*messages.to_string())];
    tell(&text.say_with(if whole { "repair-whole" } else { "repair-lost" }, &counts));
    tell_how_to_start(dir, text);
    Ok(())
}

fn what_i_hold(found: &ArgMatches, dir: &Path, text: &Text) -> Result<(), Fault> {
    let home = Home::at(dir);
    setup::address(dir)?;
    let queues = home.path(Name::Queues);
    if SqliteEngine::has_vanished(&queues) {
        return Err(Fault::QueuesGone(dir.to_owned()));
    }
    let stats = if queues.exists() { SqliteEngine::peek(&queues)? } else { Default::default() };
    let keys = hold::keys(&home);
    put(&if found.get_flag("json") {
        hold::json(&stats, &keys)
    } else {
        hold::sentences(&stats, &keys, text)
    })
}

/// Says something to a person. Where nobody can hear it, on a full disk say, what was begun goes on all the same.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn relay(dir: &Path, text: &Text) -> Result<(), Fault> {
    let now = clock::now();
    let Setup { config, queues, namer, .. } = setup::load(dir, now)?;
    log::limit(config.log);
    let cap = config.cap();
    let gone = SqliteEngine::has_vanished(&queues);
    if gone {
        refuse_gone(dir, &config)?;
    }
    let engine = Arc::new(SqliteEngine::open(&queues, cap, config.keeping(), namer.proof())?);
    // Once more now that the queues, and with them the folder, are ours: another relay or a rotation may have written
    // keys meanwhile.
    let setup = setup::load(dir, now)?;
    if gone {
        tell(&text.say("run-queues-gone"));
    }
    if let Some(key) = setup.config.differs(setup.descriptor.policy) {
        tell(&doctor::other_policy(key, dir, text));
    }
    let mut renewal = Renewal::new(dir, setup.descriptor, setup.config);
    match renewal.due(now) {
        Some(Due::Soon) => tell(&text.say_with("run-ending-soon", &[("dir", &pasted(dir))])),
        Some(Due::Over) => tell(&text.say("error-ended")),
        None => {}
    }
    let home = Home::at(dir);
    // Once the queues are ours: an export has them, or has left its mark.
    if let Some(mark) = Mark::of(&home) {
        return Err(Fault::Moved(mark));
    }
    // If it can't be taken away, the next start tries again.
    let _ = home.settle_import();
    let identity = Identity {
        relay: setup.relay,
        descriptor: setup.signed,
        epoch_signer: setup.epoch_signer,
        epochs: setup.epochs,
        namer,
    };
    let rng = SystemRandom::new().map_err(|_| Fault::Internal)?;
    let Config { listen, .. } = setup.config;
    let (crowd, limits) = (setup.config.crowd(), setup.config.limits());
    let mut relay = Relay::new(identity, limits, now, rng).map_err(|_| Fault::Setup(SetupError::Key))?;
    relay.handle_paused(home.has(Name::Paused));
    let runtime = tokio::runtime::Runtime::new().map_err(|_| Fault::Internal)?;
    let ended = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|_| Fault::Internal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|_| Fault::Internal)?;
        let queues = Arc::clone(&engine) as Arc<dyn QueueEngine>;
        let mut server = Server::start(listen, crowd, &setup.tls, relay, queues, &home)?;
        if let Err(error) = server.administer(&home, cap, engine.health()) {
            // People can still write; only their operator has to look after it.
            tell(&Fault::from(error).words(text));
        }
        if let Some(at) = setup.config.metrics
            && let Err(error) = server.publish(at, cap, engine.health())
        {
            tell(&Fault::from(error).words(text));
        }
        if !server.has_roomy_buffers() {
            tell(&text.say("run-small-buffers"));
        }
        tell(LISTENING);
        if let Some(socket) = locale::service_manager() {
            tell_ready(&socket);
        }
        let drain = server.drain_order();
        tokio::pin!(drain);
        let mut patience = Duration::ZERO;
        let mut looks = tokio::time::interval(LOOK);
        let ended = loop {
            tokio::select! {
                _ = terminate.recv() => break Ok(()),
                _ = interrupt.recv() => break Ok(()),
                () = &mut drain => {
                    patience = Duration::from_secs(setup.config.drain_seconds);
                    break Ok(());
                }
                () = server.fails() => break Err(Fault::Internal),
                _ = looks.tick() => {
                    look(&mut renewal, &server);
                    if !engine.is_alive() {
                        tracing::error!("a thread of the queues has ended, and so the relay stops");
                        // A panic or a full disk may be why: the next start tells files that no start mends.
                        break Err(Fault::Queues(OpenError::Sqlite));
                    }
                }
            }
        };
        // Whoever asked for patience may lose it, and so may the system.
        let hurry = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        server.stop(patience, hurry).await;
        ended
    });
    // The tasks first, then the engine: its end empties the write-ahead log of what was deleted.
    drop(runtime);
    drop(engine);
    ended
}

/// Takes up a descriptor that was renewed, and reminds of one that was not.
fn look(renewal: &mut Renewal, server: &Server) {
    let now = clock::now();
    if let Some(descriptor) = renewal.look(now) {
        server.renew(descriptor);
        tracing::info!("the descriptor was renewed");
    }
    match renewal.due(now) {
        Some(Due::Soon) => tracing::warn!(
            "the descriptor in use ends in less than five weeks: renew it by init, with the identity key, or restart the relay if that was done"
        ),
        Some(Due::Over) => tracing::error!(
            "the descriptor in use has ended, and people's programs refuse the relay: renew it by init, with the identity key, or restart the relay if that was done"
        ),
        None => {}
    }
}

//! Holds the doors between the rooms of the house: a file that names what its room must never know fails here.
//!
//! The doors between packages are held by `cargo tree` in `.ci/run`. Scanned are the packages' own sources, tests in
//! them included; the package `tests` may lean on everything.

#![expect(clippy::unwrap_used, clippy::panic, reason = "outside the test functions stand only their helpers")]

mod rules;
mod scan;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use rules::{DOORS, Door, ENVIRONMENT, LOGGING, LOGGING_REFUSED, LONGER, MAX_LINES, PRINTING, PROGRAMS};
use scan::{Named, Scan, scan};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The `.rs` files under `folders`, as paths from the root with `/`, in order.
fn sources(folders: &[&str]) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().is_none_or(|name| name != "target") {
                    walk(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut found);
    }
    let mut names: Vec<String> = found
        .iter()
        .map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/"))
        .collect();
    names.sort();
    names
}

/// Whether the file (or module) `file` is the room `room` or lies inside it.
fn inside(file: &str, room: &str) -> bool {
    let file = file.strip_suffix(".rs").unwrap_or(file);
    file.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The module that a file is: `client/src/engine/send.rs` is `crate::engine::send`.
fn module(file: &str) -> String {
    let inner = file.split_once("/src/").map_or(file, |(_, inner)| inner);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    // A program's own folder is a crate of its own: client/src/bin/beresta/print.rs is crate::print.
    let inner = match inner.strip_prefix("bin/") {
        Some(program) => program.split_once('/').map_or("main", |(_, rest)| rest),
        None => inner,
    };
    match inner {
        "lib" | "main" => "crate".to_owned(),
        _ => format!("crate::{}", inner.replace('/', "::")),
    }
}

/// Whether `named` is `name` or something in it. `core` is read as `std`; a glob import names all that it may bring.
fn names(named: &Named, name: &str) -> bool {
    let path = match named.path.strip_prefix("core::") {
        Some(rest) => format!("std::{rest}"),
        None => named.path.clone(),
    };
    if let Some(module) = path.strip_suffix("::*")
        && name.strip_prefix(module).is_some_and(|rest| rest.starts_with("::"))
    {
        return true;
    }
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn through_door(door: &Door, file: &str, scan: &Scan) -> Vec<String> {
    if !door.watched.iter().any(|room| inside(file, room)) {
        return Vec::new();
    }
    let own = door.rooms.iter().any(|room| inside(file, room));
    scan.paths
        .iter()
        // The room behind the door may use the names, but not hand them on to others.
        .filter(|named| !own || named.handed_on)
        .filter(|named| door.names.iter().any(|name| names(named, name)))
        .filter(|named| !door.save.iter().any(|name| names(named, name) && !named.path.ends_with("::*")))
        // `use std::net;` gives only a name: what is reached through it is judged where it is used.
        .filter(|named| !(named.import && door.save.iter().any(|name| leads_to(&named.path, name))))
        .map(|named| format!("{file}:{}: {} ({})", named.line, named.path, door.id))
        .collect()
}

fn leads_to(path: &str, name: &str) -> bool {
    let path = path.strip_prefix("core::").map_or(path.to_owned(), |rest| format!("std::{rest}"));
    name.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with("::"))
}

fn printing(file: &str, scan: &Scan) -> Vec<String> {
    if PROGRAMS.iter().any(|room| inside(file, room)) {
        return Vec::new();
    }
    scan.calls
        .iter()
        .filter(|call| PRINTING.contains(&call.name.as_str()))
        .map(|call| format!("{file}:{}: {}! (only programs talk on a terminal)", call.line, call.name))
        .collect()
}

/// A text without fields and without anything put into it: `"text"`, or `target: "name", "text"`.
fn is_constant_text(body: TokenStream) -> bool {
    let mut trees: Vec<TokenTree> = body.into_iter().collect();
    let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(comma) if comma.as_char() == ',');
    if trees.last().is_some_and(is_comma) {
        trees.pop();
    }
    match trees.as_slice() {
        [text] => is_plain(text),
        [TokenTree::Ident(target), TokenTree::Punct(_), name, comma, text] => {
            target == "target" && is_plain(name) && is_comma(comma) && is_plain(text)
        }
        _ => false,
    }
}

fn is_plain(tree: &TokenTree) -> bool {
    let text = tree.to_string();
    matches!(tree, TokenTree::Literal(_)) && text.starts_with('"') && !text.contains('{')
}

fn logging(file: &str, scan: &Scan) -> Vec<String> {
    let constant = scan
        .calls
        .iter()
        .filter(|call| LOGGING.contains(&call.name.as_str()) && !is_constant_text(call.body.clone()))
        .map(|call| format!("{file}:{}: {}! (a log line is a constant text)", call.line, call.name));
    let refused = scan
        .calls
        .iter()
        .filter(|call| LOGGING_REFUSED.contains(&call.name.as_str()))
        .map(|call| format!("{file}:{}: {}! (its fields can't be watched)", call.line, call.name));
    let attributes = scan
        .attributes
        .iter()
        .filter(|(name, _)| {
            LOGGING_REFUSED.iter().any(|word| name.rsplit("::").next().is_some_and(|last| last == *word))
        })
        .map(|(name, line)| format!("{file}:{line}: #[{name}] (it logs the arguments)"));
    constant.chain(refused).chain(attributes).collect()
}

/// A file that is read from elsewhere would be judged as if it stood there.
fn misplaced(file: &str, scan: &Scan) -> Vec<String> {
    let paths = scan.attributes.iter().filter(|(name, _)| name.starts_with("path="));
    let includes = scan.calls.iter().filter(|call| call.name == "include");
    paths
        .map(|(_, line)| line)
        .chain(includes.map(|call| &call.line))
        .map(|line| format!("{file}:{line}: a module stands where its name says"))
        .collect()
}

fn scanned() -> BTreeMap<String, Scan> {
    sources(&["proto/src", "server/src", "client/src"])
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(root().join(&file)).unwrap();
            let scan = scan(&text, &module(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            (file, scan)
        })
        .collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_keeps_to_its_doors() {
    let found: Vec<String> = scanned()
        .iter()
        .flat_map(|(file, scan)| DOORS.iter().flat_map(|door| through_door(door, file, scan)))
        .collect();
    assert_none(&found);
}

#[test]
fn a_module_stands_where_its_name_says() {
    assert_none(&scanned().iter().flat_map(|(file, scan)| misplaced(file, scan)).collect::<Vec<_>>());
}

#[test]
fn only_programs_talk_on_a_terminal() {
    assert_none(&scanned().iter().flat_map(|(file, scan)| printing(file, scan)).collect::<Vec<_>>());
}

#[test]
fn a_log_line_is_a_constant_text() {
    assert_none(&scanned().iter().flat_map(|(file, scan)| logging(file, scan)).collect::<Vec<_>>());
}

#[test]
fn a_program_reads_the_environment_in_one_file_at_most() {
    let scans = scanned();
    for package in ["client/src", "server/src"] {
        let readers: Vec<&String> = scans
            .iter()
            .filter(|(file, _)| inside(file, package))
            .filter(|(_, scan)| {
                scan.paths.iter().any(|named| ENVIRONMENT.iter().any(|name| names(named, name)))
            })
            .map(|(file, _)| file)
            .collect();
        assert!(readers.len() <= 1, "{package}: {readers:?}");
    }
}

#[test]
fn proto_has_no_standard_library() {
    let text = fs::read_to_string(root().join("proto/src/lib.rs")).unwrap();
    let declared = text.contains("#![no_std]") || text.contains("#![cfg_attr(not(test), no_std)]");
    assert!(
        declared,
        "proto/src/lib.rs says no_std, so that it can't open a socket or read a clock by mistake"
    );
}

#[test]
fn a_program_is_the_same_however_it_is_built() {
    // Tests and the demo run what is not optimised, people what is.
    let by_build = ["debug_assert", "overflow_checks"];
    let of_tests = |file: &str| file.contains("/tests/") || file.ends_with("/tests.rs");
    for file in sources(&["proto/src", "server/src", "client/src"]).iter().filter(|file| !of_tests(file)) {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let found = by_build.iter().find(|words| text.contains(**words));
        assert_eq!(found, None, "{file}");
    }
}

#[test]
fn no_source_file_is_longer_than_four_hundred_lines() {
    let mut long = Vec::new();
    for file in sources(&["proto", "server", "client", "tests"]) {
        let lines = fs::read_to_string(root().join(&file)).unwrap().lines().count();
        if lines > MAX_LINES && !LONGER.contains(&file.as_str()) {
            long.push(format!("{file}: {lines} lines"));
        }
    }
    assert_none(&long);
    for file in LONGER {
        let lines = fs::read_to_string(root().join(file)).map_or(0, |text| text.lines().count());
        assert!(lines > MAX_LINES, "{file} needs no exception any more");
    }
}

/// What the doors say about `text`, if it stood in `file`.
fn judged(file: &str, text: &str) -> Vec<String> {
    let scan = scan(text, &module(file)).unwrap();
    let mut found: Vec<String> = DOORS.iter().flat_map(|door| through_door(door, file, &scan)).collect();
    found.extend(printing(file, &scan));
    found.extend(logging(file, &scan));
    found.extend(misplaced(file, &scan));
    found
}

#[test]
fn a_planted_violation_is_found() {
    let planted = [
        ("client/src/engine/send.rs", "use libsignal_protocol::SessionRecord;"),
        ("client/src/engine/send.rs", "fn f() { let _ = spqr::initial_state(); }"),
        ("client/src/store/signal.rs", "use {std::fmt, libsignal_core as core};"),
        ("client/src/engine.rs", "use rusqlite::{self as sql};"),
        ("client/src/api.rs", "extern crate rusqlite;"),
        ("server/src/relay/dispatch.rs", "use std::{collections::BTreeMap, net::{IpAddr, Ipv4Addr}};"),
        ("server/src/relay.rs", "use core::net::*;"),
        ("server/src/relay.rs", "fn f(peer: std::net::SocketAddr) {}"),
        ("server/src/relay.rs", "use std as s; fn f(peer: s::net::SocketAddr) {}"),
        ("server/src/queue/sqlite.rs", "use super::super::net::Link;"),
        ("client/src/driver.rs", "use std::net; fn f() { net::UdpSocket::bind(0); }"),
        ("client/src/driver.rs", "use tokio::net::*;"),
        ("client/src/driver.rs", "macro_rules! m { () => { ::quinn::Endpoint::client() } }"),
        ("client/src/engine.rs", "mod tests { use super::super::transport::Link; }"),
        ("client/src/crypto.rs", "pub use libsignal_protocol::SessionRecord;"),
        ("client/src/store.rs", "pub(crate) use {std::fmt, rusqlite::Transaction};"),
        ("client/src/engine.rs", "#[path = \"crypto/guard.rs\"] mod guard;"),
        ("client/src/engine.rs", "include!(\"crypto/guard.rs\");"),
        ("client/src/engine/send.rs", "use tokio::sync::mpsc;"),
        ("client/src/engine/send.rs", "fn f() { let _ = std::time::Instant::now(); }"),
        ("client/src/bin/beresta/main.rs", "use beresta_client::engine::Engine;"),
        ("client/src/bin/beresta/print.rs", "use beresta_client::*;"),
        ("client/src/store/open.rs", "use std::env; fn f() { env::var(\"HOME\"); }"),
        ("client/src/store/open.rs", "use std::env::*;"),
        ("client/src/store/open.rs", "fn f() { println!(\"key\"); }"),
        ("proto/src/frame.rs", "fn f() { std::eprintln!(\"key\"); }"),
        ("server/src/net/link.rs", "fn f() { tracing::info!(%peer, \"a link opened\"); }"),
        ("server/src/net/link.rs", "fn f() { warn!(\"{peer} misbehaved\"); }"),
        ("server/src/net/link.rs", "fn f() { info!(\"a link from {}\", peer); }"),
        ("server/src/net/link.rs", "fn f() { debug!(target: \"net\", size, \"sent\"); }"),
        ("server/src/net/link.rs", "fn f() { error!(message); }"),
        ("server/src/net/link.rs", "fn f() { tracing::event!(Level::INFO, \"text\"); }"),
        ("server/src/net/link.rs", "#[tracing::instrument(skip_all)] fn f() {}"),
    ];
    for (file, text) in planted {
        assert!(!judged(file, text).is_empty(), "not found in {file}: {text}");
    }
}

#[test]
fn what_a_room_may_name_is_let_through() {
    let allowed = [
        ("client/src/crypto.rs", "use libsignal_protocol::SessionRecord;"),
        ("client/src/crypto/guard.rs", "use {spqr::Foo, crate::store::Tx};"),
        ("client/src/store/tx.rs", "use rusqlite::{Connection, OptionalExtension};"),
        ("client/src/store/tx.rs", "pub(super) use rusqlite::Row; pub(in crate::store) use rusqlite::Rows;"),
        ("server/src/queue/sqlite.rs", "use rusqlite::Connection; use super::rules;"),
        ("server/src/net/listener.rs", "use std::net::SocketAddr; use quinn::Endpoint;"),
        ("server/src/main.rs", "use std::net; fn f(listen: net::SocketAddr) { println!(\"ready\"); }"),
        ("client/src/engine/send.rs", "// use rusqlite::Connection;\nconst S: &str = \"quinn::Endpoint\";"),
        ("client/src/engine/send.rs", "fn f(spqr: u8) -> u8 { spqr }"),
        ("client/src/engine/send.rs", "mod tests { use super::*; use super::super::store::Tx; }"),
        ("client/src/bin/beresta/main.rs", "use beresta_client::api::{Client, Event}; use clap::Parser;"),
        ("server/src/net/link.rs", "fn f() { tracing::info!(\"a link closed\"); }"),
        ("server/src/net/link.rs", "fn f() { warn!(target: \"net\", \"a frame was too long\",); }"),
    ];
    for (file, text) in allowed {
        assert_eq!(judged(file, text), Vec::<String>::new(), "{text}");
    }
}

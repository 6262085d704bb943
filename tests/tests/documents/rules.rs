//! Holds the protocol's text and the code together: rules are numbered without gaps, code names only rules that
//! exist, and each rule of a finished package has a test that runs and is named in code. Whether code obeys is the tests' business.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::shown::tests_that_run;
use super::{assert_none, root};

/// Packages whose rules must all have a test and be named in code. A package joins when it is written.
const FINISHED: &[&str] = &["proto", "client", "server", "tests"];

/// The letters of the pages in `docs/protocol`.
const LETTERS: &str = "LQBCEISD";

#[derive(Debug)]
struct Rule {
    id: String,
    /// The name of the test that states the promise, and the package it is in.
    test: Option<(String, String)>,
}

/// The texts of all files under `folder` whose names end in `.extension`.
fn texts(folder: &Path, extension: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() && path.file_name().unwrap() != "target" {
            found.append(&mut texts(&path, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.insert(path.clone(), fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// A rule's id at the start of `text`, as `Q12`.
fn id_at(text: &str) -> Option<&str> {
    let digits = text.get(1..)?.bytes().take_while(u8::is_ascii_digit).count();
    let known = text.chars().next().is_some_and(|letter| LETTERS.contains(letter));
    (known && digits > 0).then(|| text.get(..=digits)).flatten()
}

/// The rules of one page, in order.
fn rules(page: &str) -> Vec<Rule> {
    let starts = page.split("\n- **").skip(1).filter_map(|text| id_at(text).map(|id| (id, text)));
    starts
        .map(|(id, text)| {
            let text = text.split("\n\n").next().unwrap_or_default();
            let test = text.split_once("*Test:*").and_then(|(_, test)| {
                let (name, rest) = test.trim().strip_prefix('`')?.split_once('`')?;
                let (package, _) = rest.trim().strip_prefix('(')?.split_once(')')?;
                Some((name.to_owned(), package.to_owned()))
            });
            Rule { id: id.to_owned(), test }
        })
        .collect()
}

fn number(id: &str) -> u32 {
    id.get(1..).unwrap_or_default().parse().unwrap()
}

/// The rules that `text` names: `rule Q5`, `rules L6, Q1 to Q12 and B1`.
fn named(text: &str) -> BTreeSet<String> {
    // A comment may break a line between the word and the id.
    let words: Vec<&str> =
        text.split_whitespace().filter(|word| !["//", "///", "//!"].contains(word)).collect();
    let mut found = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        if !matches!(word.trim_start_matches(['(', '`']), "rule" | "rules" | "Rule" | "Rules") {
            continue;
        }
        let mut from: Option<&str> = None;
        let mut last = None;
        for word in words.iter().skip(at + 1) {
            if *word == "to" {
                from = last;
            } else if let Some(id) = id_at(word) {
                let first = from.take().map_or(number(id), number);
                let letter = id.get(..1).unwrap_or_default();
                found.extend((first..=number(id)).map(|number| format!("{letter}{number}")));
                last = Some(id);
                if !word.ends_with(',') && word.len() > id.len() {
                    break;
                }
            } else if *word != "and" {
                break;
            }
        }
    }
    found
}

fn protocol() -> Vec<(PathBuf, Vec<Rule>)> {
    let pages = texts(&root().join("docs/protocol"), "md");
    pages
        .into_iter()
        .map(|(path, text)| (path, rules(&text)))
        .filter(|(_, rules)| !rules.is_empty())
        .collect()
}

fn sources(package: &str) -> BTreeMap<PathBuf, String> {
    let mut found = texts(&root().join(package).join("src"), "rs");
    found.append(&mut texts(&root().join(package).join("tests"), "rs"));
    found
}

#[test]
fn rules_are_numbered_without_gaps() {
    let mut counted: BTreeMap<String, u32> = BTreeMap::new();
    for (path, rules) in protocol() {
        for Rule { id, .. } in rules {
            let last = counted.entry(id.chars().take(1).collect()).or_default();
            assert_eq!(number(&id), *last + 1, "{}: {id}", path.display());
            *last += 1;
        }
    }
    let letters: String = counted.into_keys().collect();
    assert_eq!(letters.len(), LETTERS.len(), "pages for {letters}");
}

#[test]
fn code_and_documents_name_only_rules_that_exist() {
    let known: BTreeSet<String> =
        protocol().into_iter().flat_map(|(_, rules)| rules).map(|rule| rule.id).collect();
    let mut unknown = Vec::new();
    let packages = ["proto", "server", "client", "tests"].map(sources).into_iter().flatten();
    // This file plants some.
    let packages = packages.filter(|(path, _)| !path.ends_with("tests/tests/documents/rules.rs"));
    for (path, text) in packages.chain(texts(&root().join("docs"), "md")) {
        unknown.extend(named(&text).difference(&known).map(|id| format!("{}: {id}", path.display())));
    }
    assert_none(&unknown);
}

#[test]
fn every_rule_says_which_test_states_it() {
    let all = protocol().into_iter().flat_map(|(_, rules)| rules);
    assert_none(&all.filter(|rule| rule.test.is_none()).map(|rule| rule.id).collect::<Vec<_>>());
}

#[test]
fn every_rule_of_a_finished_package_has_its_test_and_is_named_in_code() {
    let mut missing = Vec::new();
    let rules: Vec<Rule> = protocol().into_iter().flat_map(|(_, rules)| rules).collect();
    let script = fs::read_to_string(root().join(".ci/run")).unwrap();
    for package in FINISHED {
        let sources = sources(package);
        let tests = tests_that_run(sources.values().map(String::as_str), &script);
        let text: String = sources.into_values().collect();
        let in_code = named(&text);
        for Rule { id, test } in &rules {
            let Some((name, _)) = test.as_ref().filter(|(_, home)| home == package) else { continue };
            if !tests.contains(name) {
                missing.push(format!("{id}: no test {name} that runs in {package}"));
            }
            if !in_code.contains(id) {
                missing.push(format!("{id}: not named in the code of {package}"));
            }
        }
    }
    assert_none(&missing);
}

#[test]
fn what_a_text_names_is_found() {
    let text = "//! Blobs (rules L6, Q1 to Q3 and B1).\n/// See rule\n/// D4. Not E9; a ruler C1, and rule of thumb.";
    let expected: BTreeSet<String> =
        ["L6", "Q1", "Q2", "Q3", "B1", "D4"].into_iter().map(str::to_owned).collect();
    assert_eq!(named(text), expected);
    let page = "Text\n\n- **Q1** One\n  line. *Test:*\n  `a_test` (server).\n- **Q2** Two, no test.\n\n*Test:* `x` (y)";
    let rules = rules(page);
    let [first, second] = rules.as_slice() else { unreachable!("two rules: {rules:?}") };
    assert_eq!(first.test, Some(("a_test".to_owned(), "server".to_owned())));
    assert_eq!((second.id.as_str(), second.test.is_none()), ("Q2", true));
}

//! Reads the documents, so that they can't drift: links lead somewhere, promises name tests that run, weaknesses
//! are told in full. What the documents say in prose nobody checks here.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

mod rules;
mod shown;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| format!("{file}: {error}"))
}

/// Files of the project whose name ends in `.extension`, as paths from the root.
fn files(extension: &str) -> Vec<String> {
    fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && (!name.starts_with('.') || name == ".cargo") {
                walk(&path, extension, found);
            } else if path.is_file() && path.extension().is_some_and(|ending| ending == extension) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), extension, &mut found);
    found.iter().map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The targets of `[text](target)` that are not on the web.
fn links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.starts_with("http") && !target.starts_with('#'))
        .map(|target| target.split_once('#').map_or(target, |(file, _)| file))
        .collect()
}

#[test]
fn every_link_in_a_document_leads_to_a_file() {
    let mut broken = Vec::new();
    for file in files("md") {
        let text = read(&file);
        let folder = root().join(&file).parent().unwrap().to_path_buf();
        for target in links(&text).into_iter().filter(|target| !folder.join(target).exists()) {
            broken.push(format!("{file}: {target}"));
        }
    }
    assert_none(&broken);
}

/// The texts between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// What is wrong with one row of a table of promises.
fn judge(row: &str, tests: &BTreeSet<String>, steps: &[&str]) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [promise, shown] = cells.as_slice() else { return Some(format!("not two cells: {row}")) };
    let named = quoted(shown);
    if named.is_empty() && *shown != "not yet shown" {
        return Some(format!("names no test: {promise}"));
    }
    named.into_iter().find_map(|name| match name.strip_prefix(".ci/run ") {
        Some(step) => (!steps.contains(&step)).then(|| format!("no step {step}: {promise}")),
        None => (!tests.contains(name)).then(|| format!("no test {name} that runs: {promise}")),
    })
}

fn promises(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect()
}

#[test]
fn every_promise_names_a_test_that_runs() {
    // Workspaces of their own and benches are run by nobody as tests.
    let apart = ["tests/fuzz/", "tests/load/", "tests/benches/"];
    let sources = files("rs").into_iter().filter(|file| !apart.iter().any(|folder| file.starts_with(folder)));
    let sources: Vec<String> = sources.map(|file| read(&file)).collect();
    let script = read(".ci/run");
    let steps: Vec<&str> = script
        .lines()
        .filter_map(|line| line.strip_prefix("step_"))
        .filter_map(|line| line.split_once('(').map(|(step, _)| step))
        .collect();
    let tests = shown::tests_that_run(sources.iter().map(String::as_str), &script);
    let security = read("SECURITY.md");
    let rows = promises(&security);
    assert!(rows.len() > 10 && steps.len() > 3);
    assert_none(&rows.iter().filter_map(|row| judge(row, &tests, &steps)).collect::<Vec<_>>());
}

#[test]
fn a_promise_without_its_test_is_found() {
    let tests = &BTreeSet::from(["a_real_test".to_owned()]);
    assert_eq!(judge("| it holds | `a_real_test` |", tests, &[]), None);
    assert_eq!(judge("| it holds | not yet shown |", tests, &[]), None);
    assert_eq!(judge("| it holds | `.ci/run doors` |", tests, &["doors"]), None);
    for row in [
        "| it holds | `a_lost_test` |",
        "| it holds | surely |",
        "| it holds | `.ci/run nothing` |",
        "| it |",
    ] {
        assert!(judge(row, tests, &["doors"]).is_some(), "{row}");
    }
}

#[test]
fn every_known_issue_tells_its_effect_and_what_is_planned() {
    let text = read("docs/known-issues.md");
    let issues: Vec<&str> = text.split("\n### ").skip(1).collect();
    assert!(!issues.is_empty());
    let mut found = Vec::new();
    for issue in issues {
        for part in ["- **Effect.**", "- **Why.**", "- **Meanwhile.**", "- **Planned.**"] {
            if !issue.contains(part) {
                found.push(format!("{}: no {part}", issue.lines().next().unwrap_or_default()));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn decisions_are_numbered_without_gaps_and_those_named_exist() {
    let mut numbers: Vec<String> = fs::read_dir(root().join("docs/decisions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().chars().take(4).collect())
        .collect();
    numbers.sort();
    let expected: Vec<String> = (1..=numbers.len()).map(|number| format!("{number:04}")).collect();
    assert_eq!(numbers, expected);
    let mut lost = Vec::new();
    for file in files("rs").into_iter().chain(files("toml")).chain(files("md")) {
        let text = read(&file);
        let named = text.split("decisions/").skip(1).map(|rest| rest.chars().take(4).collect::<String>());
        for number in named.filter(|number| number.chars().all(|digit| digit.is_ascii_digit())) {
            if number.len() == 4 && !numbers.contains(&number) {
                lost.push(format!("{file}: decision {number}"));
            }
        }
    }
    assert_none(&lost);
}

/// What one may be exposed to by the relay's service, in tenths: `systemd-analyze security`.
const EXPOSURE: &str = "--threshold=15";

#[test]
fn the_relays_service_may_do_little_else() {
    let mut ask = std::process::Command::new("systemd-analyze");
    ask.args(["security", "--offline=true", "--no-pager", EXPOSURE, "packaging/beresta-relay.service"]);
    match ask.current_dir(root()).output() {
        Ok(told) => assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout)),
        Err(error) if std::env::var_os("BERESTA_TEST_ALL").is_some() => assert_none(&[error.to_string()]),
        Err(_) => println!("there is no systemd-analyze here: not tried"),
    }
}

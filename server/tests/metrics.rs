//! What is said about a relay's numbers: by the operators' guides, by the dashboard, and by Prometheus itself.

#![expect(clippy::unwrap_used, reason = "outside the test functions stand only their helpers")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use beresta_proto::time::Timestamp;
use beresta_server::metrics::{Board, Figures};
use beresta_server::random::SystemRandom;

const EN: &str = include_str!("../../docs/operators.md");
const RU: &str = include_str!("../../docs/operators.ru.md");
const DASHBOARD: &str = include_str!("../../packaging/beresta-relay.grafana.json");

/// What a relay shows on which a little of everything happened.
fn exposition() -> String {
    let mut board = Board::new(SystemRandom::new().unwrap());
    let figures = Figures {
        links: 100,
        refused: ["full", "crowded", "handshake"].map(|reason| (reason, 1_000)).to_vec(),
        closed: ["malformed", "over_rate", "unopenable", "slow"].map(|reason| (reason, 1_000)).to_vec(),
        commits: [1_000; 9],
        cap: 1 << 30,
        epoch_age: Some(3_600_000),
        dropped: Some(1_000),
        ..Figures::default()
    };
    board.update(&figures, Timestamp(1_800_000_000_000));
    board.text().to_string()
}

/// Names of all samples in a text, without their labels.
fn samples(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

/// Names of all metrics, as the text says them.
fn names(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// Names of metrics in a text that is not only of them.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|one: char| !one.is_ascii_alphanumeric() && one != '_');
    words.filter(|word| word.starts_with("beresta_relay_")).collect()
}

#[test]
fn every_metric_is_documented_in_both_languages_and_nothing_else_is() {
    let text = exposition();
    for guide in [EN, RU] {
        assert_eq!(named(guide), names(&text));
    }
}

#[test]
fn what_the_dashboard_asks_for_exists_and_it_shows_every_metric() {
    let text = exposition();
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries: Vec<&str> = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(queries.len() > 10);
    // A histogram is asked for by its parts.
    let known = samples(&text);
    let asked: BTreeSet<&str> = queries.iter().flat_map(|query| named(query)).collect();
    assert!(asked.is_subset(&known), "{:?}", asked.difference(&known));
    let family = |name: &str| name.trim_end_matches("_bucket").trim_end_matches("_sum").to_owned();
    let shown: BTreeSet<String> = asked.iter().map(|name| family(name)).collect();
    for name in names(&text) {
        assert!(shown.contains(name), "{name} is on no panel");
    }
    // Labels and their values are those that exist.
    for query in queries {
        for (label, value) in query.split(['{', ',', '}']).filter_map(|part| part.split_once("=\"")) {
            let pair = format!("{}=\"{value}", label.trim_end_matches('!'));
            assert!(text.contains(&pair), "{pair} in {query}");
        }
    }
}

#[test]
fn the_dashboard_is_imported_without_edits() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["id"].is_null() && dashboard["title"].is_string() && dashboard["uid"].is_string());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let source = variables.iter().find(|one| one["type"] == "datasource").unwrap();
    assert_eq!((&source["name"], &source["query"]), (&"datasource".into(), &"prometheus".into()));
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()));
        assert!(panel["gridPos"]["w"].as_u64().unwrap() + panel["gridPos"]["x"].as_u64().unwrap() <= 24);
        // What a range query saw last stays green for as long as the range is, whatever became of the relay.
        let at_once = |target: &serde_json::Value| target["instant"] == true;
        assert!(
            panel["type"] != "stat" || panel["targets"].as_array().unwrap().iter().all(at_once),
            "{panel}"
        );
        let own = |value: &serde_json::Value| value["datasource"]["uid"] == "${datasource}";
        assert!(panel["type"] == "row" || own(panel), "{panel}");
        assert!(panel["targets"].as_array().is_none_or(|all| all.iter().all(own)), "{panel}");
    }
}

#[test]
fn all_relays_are_those_that_are_there_and_no_other_target() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    // `up{job=~".*"}` is every program that Prometheus asks.
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        assert!(variable["allValue"].is_null(), "{variable}");
    }
}

/// What `promtool check` says of a text, and whether it was content; nothing where there is none.
fn promtool(what: &[&str], text: &str) -> Option<(bool, String)> {
    let mut promtool = Command::new("promtool");
    promtool.arg("check").args(what).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let spawned = promtool.spawn();
    assert!(spawned.is_ok() || std::env::var_os("BERESTA_TEST_ALL").is_none(), "no promtool: {spawned:?}");
    let Ok(mut asked) = spawned else {
        println!("there is no promtool here: not tried");
        return None;
    };
    asked.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let told = asked.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[told.stdout, told.stderr].concat()).into_owned();
    Some((told.status.success(), said))
}

/// Prometheus's own reader of the format judges: `promtool check metrics`.
#[test]
fn prometheus_reads_the_text_and_has_nothing_to_say_about_it() {
    let Some((content, said)) = promtool(&["metrics"], &exposition()) else { return };
    assert!(content && said.is_empty(), "{said}");
}

/// Each question of the dashboard as a rule: `promtool check rules` reads it as Prometheus does.
#[test]
fn prometheus_understands_what_the_dashboard_asks() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let targets =
        dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules: Vec<serde_json::Value> = targets
        .enumerate()
        .map(|(at, target)| serde_json::json!({ "record": format!("asked:{at}"), "expr": target["expr"] }))
        .collect();
    let many = rules.len();
    // JSON is YAML.
    let file = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    let Some((content, said)) = promtool(&["rules", "/dev/stdin"], &file) else { return };
    assert!(content && said.contains(&format!("{many} rules found")), "{said}");
}

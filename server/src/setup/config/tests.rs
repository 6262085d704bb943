use super::*;

fn error(text: &str) -> (Option<usize>, Option<Key>) {
    let ConfigError { line, key } = Config::parse(text).unwrap_err();
    (line, key)
}

#[test]
fn a_mistake_in_the_settings_is_told_by_line_and_key() {
    let good = "listen = \"127.0.0.1:1\"\n";
    for (bad, key) in [
        ("lisen = 1", None),
        ("[net]", None),
        ("what is this", None),
        ("listen = \"127.0.0.1:2\"", Some(Key::Listen)),
        ("disk_mib = 0", Some(Key::DiskMib)),
        ("disk_mib = -1", Some(Key::DiskMib)),
        ("memory_mib = \"much\"", Some(Key::MemoryMib)),
        ("links_per_network = 0", Some(Key::LinksPerNetwork)),
        ("drain_seconds = 601", Some(Key::DrainSeconds)),
        ("log = \"trace\"", Some(Key::Log)),
        ("volatile = \"yes\"", Some(Key::Volatile)),
        ("open = \"no\"", Some(Key::Open)),
        ("metrics = 9464", Some(Key::Metrics)),
        ("metrics = \"127.0.0.1:0\"", Some(Key::Metrics)),
        ("metrics = \"localhost:9464\"", Some(Key::Metrics)),
    ] {
        assert_eq!(error(&format!("# first\n{good}{bad}\n# last\n")), (Some(3), key), "{bad}");
    }
    assert_eq!(error("\nlisten = \"somewhere\"\n"), (Some(2), Some(Key::Listen)));
    assert_eq!(error("\nlisten = \"0.0.0.0:0\"\n"), (Some(2), Some(Key::Listen)), "another at each start");
    assert_eq!(error("disk_mib = 1024\n"), (None, Some(Key::Listen)));
    assert_eq!(error(""), (None, Some(Key::Listen)));
}

#[test]
fn the_template_explains_every_setting_and_its_default() {
    let plain = Config::parse(TEMPLATE).unwrap();
    let spelt_out: String = TEMPLATE.lines().map(|line| format!("{}\n", uncommented(line))).collect();
    let all = Config::parse(&spelt_out).unwrap();
    assert!(all.metrics.is_some() && plain.metrics.is_none(), "off unless set");
    // The default of this follows the machine.
    assert_eq!(Config { metrics: None, memory: plain.memory, ..all }, plain);
    assert_eq!(Config::parse(&all.to_lines()).unwrap(), all);
    assert!(Key::ALL.iter().all(|key| spelt_out.contains(&format!("\n{} = ", key.as_str()))));
    assert_eq!(Config::parse(&plain.to_lines()).unwrap(), plain);
}

#[test]
fn a_file_that_is_made_anew_says_what_was_signed() {
    for policy in [
        Policy::MAILBOX,
        Config::FIRST_POLICY,
        Policy::MAILBOX.and(Policy::VOLATILE),
        Config::FIRST_POLICY.and(Policy::VOLATILE),
    ] {
        assert_eq!(Config::parse(&template(policy)).unwrap().policy(), policy);
    }
}

#[test]
fn there_are_few_settings() {
    assert!(Key::ALL.len() <= 25, "an operator reads them all");
}

#[test]
fn metrics_are_for_this_machine_alone() {
    let line = |at: &str| format!("listen = \"0.0.0.0:1\"\nmetrics = \"{at}\"\n");
    for at in ["127.0.0.1:9464", "127.8.9.1:1", "[::1]:9464"] {
        let read = Config::parse(&line(at)).unwrap();
        assert_eq!(read.metrics.unwrap().address(), at.parse().unwrap());
    }
    for at in
        ["0.0.0.0:9464", "[::]:9464", "192.0.2.1:9464", "10.0.0.1:1", "[::ffff:127.0.0.1]:1", "[fe80::1]:1"]
    {
        assert_eq!(error(&line(at)), (Some(2), Some(Key::Metrics)), "{at}");
    }
}

/// A line whose comment is a setting, as the setting.
fn uncommented(line: &str) -> &str {
    let setting = line.strip_prefix('#').filter(|rest| rest.contains(" = "));
    setting.unwrap_or(line)
}

#[test]
fn where_to_listen_is_changed_and_the_operators_own_lines_stay() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::at(dir.path());
    let keep = |at: &str| Config::keep_listen(&home, at.parse().unwrap(), Config::FIRST_POLICY);
    keep("127.0.0.1:1").unwrap();
    let mine = format!("{}\n# Anna's\nlog = \"warn\"\n", text(&home).unwrap());
    home.replace(Name::Config, mine.as_bytes()).unwrap();
    keep("[::1]:2").unwrap();
    assert_eq!(text(&home).unwrap(), mine.replace("127.0.0.1:1", "[::1]:2"));
    let read = Config::read(&home).unwrap();
    assert_eq!((read.listen.port(), read.log), (2, LogLevel::Warn));

    home.replace(Name::Config, b"listen = \"127.0.0.1:1\"\nwrong = 1\n").unwrap();
    assert!(keep("127.0.0.1:3").is_err());
}

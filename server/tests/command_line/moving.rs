//! What `export` and `import` say where something is in their way.

use std::fs;

use super::*;

const PASSPHRASE: &str = "five words that nobody guesses";
const LANGUAGES: [&str; 2] = ["en", "ru"];

/// Calls it in both languages, and finds these words in what it says.
fn says(args: &[&str], code: i32, words: [&str; 2]) {
    for (language, words) in LANGUAGES.into_iter().zip(words) {
        let refused = told(&[args, &["--lang", language]].concat(), PASSPHRASE);
        assert_eq!(refused.status.code(), Some(code), "{args:?}: {}", err(&refused));
        assert!(err(&refused).contains(words), "{args:?}: {}", err(&refused));
    }
}

fn place<const N: usize>(names: [&str; N]) -> (tempfile::TempDir, [String; N]) {
    let folder = tempfile::tempdir().unwrap();
    let paths = names.map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    (folder, paths)
}

#[test]
fn an_export_that_was_killed_is_not_called_a_move() {
    let (_folder, [old, file, other]) = place(["old", "file", "other"]);
    init(Path::new(&old));
    once(&old);
    let export = ["export", "--dir", &old, "--file", &file];
    // The kernel kills who writes so much into a file: the mark, and what SQLite needs to look at the queues, is shorter.
    let mut killed = Command::new("sh");
    killed.args(["-c", "ulimit -f 64; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_beresta-relay")]).args(export);
    let mut killed = killed.stdin(Stdio::piped()).spawn().unwrap();
    killed.stdin.take().unwrap().write_all(format!("{PASSPHRASE}\n").as_bytes()).unwrap();
    assert_eq!(killed.wait().unwrap().code(), None);
    assert!(Path::new(&file).exists());

    let cut = ["did not come to its end", "начат, но не закончен"];
    for command in [&["run"][..], &["init"], &["keys", "rotate"], &["repair"]] {
        says(&[command, &["--dir", &old]].concat(), 6, cut);
    }
    for (language, words) in LANGUAGES.into_iter().zip(cut) {
        let looked = relay(&["doctor", "--dir", &old, "--lang", language]);
        assert_eq!(looked.status.code(), Some(5));
        let says = |line: &str| line.starts_with("FAIL") && line.contains(words);
        assert!(out(&looked).lines().any(says), "{}", out(&looked));
    }
    says(&export, 1, ["this is half of one", "это лишь его половина"]);
    let taken = relay(&["take-back", "--dir", &old]);
    assert!(err(&taken).contains("had not come to its end"), "{}", err(&taken));
    once(&old);

    let exported = told(&["export", "--dir", &old, "--file", &other], PASSPHRASE);
    assert_eq!(exported.status.code(), Some(0), "{}", err(&exported));
    says(&["run", "--dir", &old], 6, ["was exported to run elsewhere", "Этот узел перенесён"]);
    let taken = relay(&["take-back", "--dir", &old]);
    assert!(err(&taken).contains("it can't start anywhere else"), "{}", err(&taken));
}

#[test]
fn the_mark_of_an_export_is_taken_back_also_where_a_file_of_the_relay_was_lost() {
    let (_folder, [old]) = place(["old"]);
    init(Path::new(&old));
    for (mark, file) in [("begun\n", "relay.id"), ("done\n", "descriptor"), ("", "tls.key")] {
        fs::write(Path::new(&old).join("moved"), mark).unwrap();
        fs::remove_file(Path::new(&old).join(file)).unwrap();
        let again = ["init", "--dir", &old, "--listen", "127.0.0.1:1", "--public", "192.0.2.1:443"];
        assert_eq!(relay(&again).status.code(), Some(6));
        let taken = relay(&["take-back", "--dir", &old]);
        assert_eq!(taken.status.code(), Some(0), "{}", err(&taken));
        let made = relay(&[&again[..], &["--identity", &format!("{old}/identity.key")]].concat());
        assert!(made.status.success() || file == "tls.key", "{}", err(&made));
    }
}

#[test]
fn a_file_of_somebody_else_is_not_taken_for_the_mark_of_an_export() {
    let (folder, [file]) = place(["moved"]);
    fs::write(&file, "done\n").unwrap();
    let refused = relay(&["take-back", "--dir", folder.path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(7), "{}", err(&refused));
    assert!(Path::new(&file).exists());
}

#[test]
fn who_cannot_look_into_a_folder_is_not_told_that_a_relay_was_exported() {
    let (_folder, [file]) = place(["file"]);
    fs::write(&file, "no folder").unwrap();
    for command in [&["init"][..], &["keys", "rotate"], &["repair"]] {
        let refused = relay(&[command, &["--dir", &file]].concat());
        assert_eq!(refused.status.code(), Some(1), "{}", err(&refused));
        assert!(!err(&refused).contains("exported"), "{}", err(&refused));
    }
}

#[test]
fn a_relay_that_an_earlier_version_moved_does_not_run() {
    let (_folder, [old]) = place(["old"]);
    init(Path::new(&old));
    fs::write(Path::new(&old).join("moved"), "").unwrap();
    says(&["run", "--dir", &old], 6, ["was exported to run elsewhere", "Этот узел перенесён"]);
}

#[test]
fn nobody_is_told_to_delete_a_folder_or_a_whole_export() {
    let (folder, [old, file]) = place(["old", "file"]);
    init(Path::new(&old));
    let [onto, nowhere] = ["", "nowhere/file"].map(|name| folder.path().join(name));
    let export = |file: &str, more: &[&'static str], words| {
        says(&[&["export", "--dir", &old, "--file", file], more].concat(), 1, words);
    };
    for more in [&["--backup"][..], &[]] {
        export(onto.to_str().unwrap(), more, ["is a folder", "указана папка"]);
        export(nowhere.to_str().unwrap(), more, ["is not there. Make it", "Создайте её"]);
    }
    assert_eq!(told(&["export", "--dir", &old, "--file", &file], PASSPHRASE).status.code(), Some(0));
    export(&file, &[], ["what to import on the other machine", "нужно импортировать на другой машине"]);
    export(&file, &["--backup"], ["your last good backup", "последняя целая резервная копия"]);
}

#[test]
fn an_import_says_whether_the_file_or_the_folder_is_in_its_way() {
    let (folder, [old, new, file]) = place(["old", "new", "file"]);
    init(Path::new(&old));
    assert_eq!(told(&["export", "--dir", &old, "--file", &file], PASSPHRASE).status.code(), Some(0));
    let import = |dir: &str, file: &str, words| says(&["import", "--dir", dir, "--file", file], 1, words);
    import(&new, "/nowhere", ["There is no such file", "Такого файла нет"]);
    import(&new, folder.path().to_str().unwrap(), ["is a folder", "указана папка"]);
    import(&old, &file, ["Import into an empty folder", "в пустую папку"]);
    import(&new, &format!("{old}/descriptor"), ["is not an export", "не файл переноса"]);
    assert!(!Path::new(&new).exists());
}

#[test]
fn nobody_types_a_passphrase_for_what_would_be_refused_whatever_it_is() {
    let (folder, [old, new, file]) = place(["old", "new", "file"]);
    let [onto, nowhere, other] = ["", "nowhere/file", "other"].map(|name| folder.path().join(name));
    let [onto, nowhere, other] = [&onto, &nowhere, &other].map(|path| path.to_str().unwrap());
    // Nothing comes on standard input.
    let refused = |command: &str, dir: &str, file: &str, words: &str| {
        let refused = relay(&[command, "--dir", dir, "--file", file]);
        assert!(err(&refused).contains(words), "{command} {dir} {file}: {}", err(&refused));
        assert!(!refused.status.success());
    };
    refused("export", &old, &file, "is not there");
    init(Path::new(&old));
    refused("export", &old, onto, "is a folder");
    refused("export", &old, nowhere, "is not there. Make it");
    refused("export", &old, &format!("{old}/descriptor/file"), "is not there. Make it");
    let running = start(&old);
    refused("export", &old, &file, "Stop it first");
    stop(running);
    refused("export", &old, &file, "No passphrase was given");
    refused("import", &new, &file, "There is no such file");
    assert_eq!(told(&["export", "--dir", &old, "--file", &file], PASSPHRASE).status.code(), Some(0));
    refused("export", &old, &file, "what to import");
    refused("import", &old, &file, "empty folder");
    refused("import", &new, onto, "is a folder");
    refused("import", &new, &format!("{old}/descriptor"), "is not an export");
    refused("import", &new, &file, "No passphrase was given");
    fs::remove_file(format!("{old}/queues.sqlite")).unwrap();
    refused("export", &old, other, "put it back");
    assert!(!Path::new(&new).exists() && !Path::new(other).exists());
}

#[test]
fn an_import_out_of_a_pipe_misses_none_of_it() {
    let (_folder, [old, new, file]) = place(["old", "new", "file"]);
    let address = out(&init(Path::new(&old)));
    assert_eq!(told(&["export", "--dir", &old, "--file", &file], PASSPHRASE).status.code(), Some(0));
    let piped =
        "cat \"$2\" | { exec 3<&0; printf '%s\\n' \"$3\" | \"$0\" import --dir \"$1\" --file /dev/fd/3; }";
    let program = env!("CARGO_BIN_EXE_beresta-relay");
    let imported = Command::new("sh").args(["-c", piped, program, &new, &file, PASSPHRASE]).output().unwrap();
    assert_eq!((imported.status.code(), out(&imported)), (Some(0), address), "{}", err(&imported));
}

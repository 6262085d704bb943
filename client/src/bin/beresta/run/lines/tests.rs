use std::collections::VecDeque;

use super::*;

/// What comes, piece by piece; an empty piece is a pause.
struct Pieces(VecDeque<&'static [u8]>);

impl Source for Pieces {
    fn read(&mut self, into: &mut [u8]) -> usize {
        let Some(piece) = std::iter::from_fn(|| self.0.pop_front()).find(|piece| !piece.is_empty()) else {
            return 0;
        };
        into[..piece.len()].copy_from_slice(piece);
        piece.len()
    }

    fn comes(&mut self) -> bool {
        self.0.front() != Some(&&b""[..])
    }

    /// As at a terminal.
    fn cuts(&self, line: &[u8]) -> bool {
        line.len() > SURE && line.len() < LINE
    }
}

fn lines(pieces: &[&'static [u8]]) -> Vec<Line> {
    let mut lines = Lines::new(Pieces(pieces.iter().copied().collect()));
    std::iter::from_fn(|| lines.next()).collect()
}

/// Each line that says something, and whether it stands alone.
fn read(pieces: &[&'static str]) -> Vec<(String, bool)> {
    let pieces: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    lines(&pieces)
        .into_iter()
        .map(|line| (line.text.to_string(), line.alone))
        .filter(|(text, _)| !text.is_empty())
        .collect()
}

fn commands(pieces: &[&'static str]) -> Vec<bool> {
    read(pieces).into_iter().filter(|(text, _)| text == "/x").map(|(_, alone)| alone).collect()
}

#[test]
fn a_line_that_is_typed_stands_alone_wherever_it_comes() {
    for pieces in [
        &["/x\n", ""][..],
        &["/x\n"],
        &["/x"],
        &["", "/", "x", "\r\n", ""],
        &["before\n", "", "/x\n", "", "after\n"],
        // Enter was pressed more than once.
        &["/x\n", "\n", "\n \n", "", "after\n"],
        &["before\n", "", "\n", "/x\n", ""],
    ] {
        assert_eq!(commands(pieces), [true], "{pieces:?}");
    }
    assert_eq!(commands(&["/x\n", "", "/x\n", ""]), [true, true]);
}

#[test]
fn a_line_that_comes_with_others_does_not_stand_alone() {
    for pieces in [
        &["before\n/x\nafter\n"][..],
        &["before\n", "/x\n", ""],
        &["before\n", "\n", "\n", "/x\n", ""],
        &["/x\n", "after\n", ""],
        &["/x\n\n\nafter"],
        &["/x\n", "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "after\n"],
    ] {
        assert_eq!(commands(pieces), [false], "{pieces:?}");
    }
    assert_eq!(commands(&["/x\n/x\n", ""]), [false, false]);
}

#[test]
fn what_is_marked_as_pasted_does_not_stand_alone_and_is_read_without_the_marks() {
    for pieces in [
        &["\u{1b}[200~/x\u{1b}[201~\n", ""][..],
        &["\u{1b}[200~/x\n", "", "\u{1b}[201~\n", ""],
        // Over a slow line.
        &["\u{1b}[200~before\n", "", "/x\n", "", "after\u{1b}[201~\n", ""],
        // It says itself that it is over.
        &["\u{1b}[200~before\n\u{1b}[201~\n/x\n", ""],
        &["\u{1b}[200~before\u{1b}[201~\n", "/x\n", ""],
        &["/\u{1b}[200~x\u{1b}[201~\n", ""],
    ] {
        assert_eq!(commands(pieces), [false], "{pieces:?}");
    }
    let pasted = read(&["so \u{1b}[200~it\nis\u{1b}[201~ said\n", "", "/x\n", ""]);
    let expected = [("so it", false), ("is said", false), ("/x", true)];
    assert_eq!(pasted, expected.map(|(text, alone)| (text.to_owned(), alone)));
}

#[test]
fn a_mark_that_was_deleted_keeps_a_command_from_being_taken_once_only() {
    let pieces = ["\u{1b}[200~pasted\n", "", "/x\n", "", "/x\n", ""];
    assert_eq!(commands(&pieces), [false, true]);
}

#[test]
fn the_rest_of_a_line_that_is_too_long_is_neither_command_nor_text() {
    let long: &'static str = "я".repeat(PIECE / 2).leak();
    let mut pieces = vec!["a"];
    pieces.extend(vec![long; 2 * LINE / PIECE]);
    pieces.extend(["/x\n", "", "after\n"]);
    let read = read(&pieces);
    assert_eq!((read.len(), &read[1]), (2, &(String::from("after"), false)));
    assert!(read[0].0.len() > 13_000, "more than a text may have");
}

#[test]
fn a_line_that_is_no_text_ends_nothing_and_is_no_command() {
    let cut: &'static [u8] = "я".repeat(PASSED_ON.div_ceil(2)).leak().as_bytes().split_at(PASSED_ON).0;
    // Half a letter was deleted; another alphabet; what a terminal leaves of a long line.
    let pieces: [&[u8]; 11] =
        [b"\xd1\x82\xd1\n", b"", b"/x\xd1\n", b"", b"\xcf\xd2\n", b"", cut, b"\n", b"", b"/x\n", b""];
    let read: Vec<_> = lines(&pieces).into_iter().map(|line| (line.broken, line.alone)).collect();
    let not_text = (Some(Broken::NotText), false);
    assert_eq!(read, [not_text, not_text, not_text, (Some(Broken::Cut), false), (None, true)]);
}

#[test]
fn marks_are_seen_on_broken_lines_too_and_one_that_was_cut_off_is_not_waited_for() {
    let pasted: &'static str = format!("\u{1b}[200~{}", "a".repeat(PASSED_ON - 6)).leak();
    assert_eq!(commands(&[pasted, "\n", "", "/x\n", ""]), [true]);
    assert_eq!(commands(&[pasted, "\n", "/x\n", ""]), [false], "it goes on");
    let alone = |pieces: &[&'static [u8]]| lines(pieces).last().unwrap().alone;
    assert!(alone(&[b"\xd1 \x1b[200~pasted\x1b[201~\n", b"", b"/x\n", b""]));
    assert!(!alone(&[b"\xd1 \x1b[200~pasted\n", b"", b"/x\n", b""]));
}

#[test]
fn a_line_that_is_too_long_and_no_text_is_no_text() {
    let long: &'static [u8] = "a".repeat(PIECE).leak().as_bytes();
    let mut pieces: Vec<&[u8]> = vec![b"hi\xff"];
    pieces.extend(vec![long; LINE / PIECE]);
    pieces.push(b"\n");
    assert_eq!(lines(&pieces)[0].broken, Some(Broken::NotText));
}

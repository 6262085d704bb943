//! Makes text from others harmless before it reaches a terminal: nothing in it may move the cursor, colour, hide, or
//! turn the direction of what stands beside it.

/// Whether a character could steer a terminal or mislead the eye: controls (escape sequences begin with one), the
/// marks that turn the writing direction (Unicode UAX #9), and characters without width.
const fn is_dangerous(one: char) -> bool {
    matches!(one,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{061c}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text of several lines: line ends stay, tabs become spaces, dangerous characters a sign that something stood there.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|one| match one {
            '\n' => '\n',
            '\t' => ' ',
            one if one.is_control() || is_dangerous(one) => '\u{fffd}',
            one => one,
        })
        .collect()
}

/// A name or another single line.
pub(crate) fn harmless_line(text: &str) -> String {
    harmless(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_reach_the_terminal() {
        assert_eq!(harmless("\u{1b}[2Jhi\u{7}"), "\u{fffd}[2Jhi\u{fffd}");
        assert_eq!(harmless("\u{9b}31mred"), "\u{fffd}31mred");
    }

    #[test]
    fn a_text_cannot_turn_the_direction_of_its_neighbours() {
        assert_eq!(harmless("a\u{202e}b\u{2066}c"), "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn a_name_stays_on_its_line_and_ordinary_text_stays_as_it_is() {
        assert_eq!(harmless_line("Анна\nБорис"), "Анна Борис");
        assert_eq!(harmless("Ёлка 🌲 été\nдве строки"), "Ёлка 🌲 été\nдве строки");
    }
}

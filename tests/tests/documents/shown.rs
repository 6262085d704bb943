//! Which tests run: told by the tokens of the sources, so that a name in a comment or a text, a function that is no test, and a test
//! that nobody runs pass for none.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::FromStr as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The names of the tests in `sources` that run: all but those that are ignored and that `script` does not name.
pub(crate) fn tests_that_run<'s>(
    sources: impl IntoIterator<Item = &'s str>,
    script: &str,
) -> BTreeSet<String> {
    let commands = script.lines().filter(|line| !line.trim_start().starts_with('#'));
    let named = |test: &str| {
        let mut words =
            commands.clone().flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        words.any(|word| word == test)
    };
    let mut found = Found::default();
    for source in sources {
        found.defining.clear();
        // What can't be read has no tests: a promise that names one then says so.
        if let Ok(tokens) = TokenStream::from_str(source) {
            found.walk(tokens);
        }
    }
    let Found { mut run, ignored, defining: _ } = found;
    run.extend(ignored.into_iter().filter(|test| named(test)));
    run
}

#[derive(Default)]
struct Found {
    run: BTreeSet<String>,
    ignored: BTreeSet<String>,
    /// The macros of this file that make a test of each name that they are called with.
    defining: BTreeSet<String>,
}

/// What the attributes of an item make of it.
#[derive(Default, Clone, Copy)]
struct Marks {
    test: bool,
    ignored: bool,
}

impl Found {
    /// Whether a test is made whose name a macro is called with.
    fn walk(&mut self, tokens: TokenStream) -> bool {
        let mut defines = false;
        let mut marks = Marks::default();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    tokens.next_if(|next| is(next, '!'));
                    if let Some(attribute) = group(&mut tokens) {
                        marks.read(attribute);
                    }
                }
                TokenTree::Ident(word) if word == "fn" => {
                    let Marks { test, ignored } = std::mem::take(&mut marks);
                    match tokens.peek() {
                        Some(TokenTree::Ident(name)) if test => {
                            let kind = if ignored { &mut self.ignored } else { &mut self.run };
                            kind.insert(name.to_string());
                        }
                        Some(dollar) if test && !ignored && is(dollar, '$') => defines = true,
                        Some(_) | None => {}
                    }
                }
                // Between the attributes and the name.
                TokenTree::Ident(word)
                    if ["pub", "crate", "async", "const", "unsafe"].iter().any(|one| word == one) => {}
                TokenTree::Ident(word) => {
                    marks = Marks::default();
                    if tokens.next_if(|next| is(next, '!')).is_some() {
                        defines |= self.call(&word.to_string(), &mut tokens);
                    }
                }
                TokenTree::Group(group) => {
                    let inner = self.walk(group.stream());
                    defines |= inner;
                    if group.delimiter() != Delimiter::Parenthesis {
                        marks = Marks::default();
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => marks = Marks::default(),
            }
        }
        defines
    }

    /// A macro is called, or made.
    fn call(&mut self, called: &str, tokens: &mut Peekable<impl Iterator<Item = TokenTree>>) -> bool {
        if called == "macro_rules" {
            let Some(TokenTree::Ident(name)) = tokens.next() else { return false };
            if group(tokens).is_some_and(|body| self.walk(body)) {
                self.defining.insert(name.to_string());
            }
            return false;
        }
        let Some(body) = group(tokens) else { return false };
        if self.defining.contains(called) {
            let mut first = true;
            for token in body.clone() {
                if let (true, TokenTree::Ident(name)) = (first, &token) {
                    self.run.insert(name.to_string());
                }
                first = is(&token, ';');
            }
        }
        self.walk(body)
    }
}

impl Marks {
    fn read(&mut self, attribute: TokenStream) {
        let path: Vec<String> = attribute
            .clone()
            .into_iter()
            .take_while(|token| !matches!(token, TokenTree::Group(_)) && !is(token, '='))
            .map(|token| token.to_string())
            .collect();
        let path = path.concat();
        // By a condition, too: whether it holds is not known here.
        let may_ignore = path == "cfg_attr" && attribute.to_string().contains("ignore");
        self.test |= path == "test" || path == "tokio::test";
        self.ignored |= path == "ignore" || may_ignore;
    }
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// What is between the delimiters that come next, if some do.
fn group(tokens: &mut Peekable<impl Iterator<Item = TokenTree>>) -> Option<TokenStream> {
    match tokens.next_if(|next| matches!(next, TokenTree::Group(_)))? {
        TokenTree::Group(group) => Some(group.stream()),
        TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => None,
    }
}

#[test]
fn a_test_that_runs_is_told_from_what_only_has_its_name() {
    let runs = |source: &str| tests_that_run([source], "# one_by_a_comment\ncargo test -- named::one\n");
    for source in [
        "#[test] fn one() {}",
        "mod tests { #[tokio::test(start_paused = true)] pub(crate) async fn one() {} }",
        "#[cfg(unix)] #[test] #[should_panic] /// Why.\n fn one() {}",
        "#[ignore = \"the script runs it\"] #[test] fn one() {}",
        "proptest! { #[test] fn one(n in 0..9) {} }",
        "macro_rules! all { ($($t:ident $(with $c:expr)?;)*) => { $(#[test] fn $t() {})* }; } all! { two with 3; one; }",
    ] {
        assert!(runs(source).contains("one"), "{source}");
    }
    for source in [
        "fn one() {}",
        "// #[test]\n// fn one() {}\n",
        "#[test] fn two() { let one = \"#[test] fn one() {}\"; }",
        "#[test] fn two() { fn one() {} }",
        "#[test] const TWO: u8 = 2; fn one() {}",
        "#[cfg(test)] fn one() {}",
        "macro_rules! all { ($($t:ident;)*) => { $(fn $t() {})* }; } all! { one; }",
        "macro_rules! all { ($($t:ident;)*) => { $(#[test] fn $t() {})* }; } all! { two with one; }",
        "#[test] #[cfg_attr(not(unix), ignore)] fn one_by_a_condition() {}",
        "#[test] #[ignore] fn one_by_a_comment() {}",
    ] {
        let runs = runs(source);
        assert!(!runs.iter().any(|test| test.starts_with("one")), "{source}: {runs:?}");
    }
}

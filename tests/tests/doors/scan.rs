//! Reads a source file as tokens and lists what it names: paths with their aliases resolved, and macro calls.
//!
//! Tokens, not text: comments and strings can't confuse it, and what stands inside a macro call is seen too. It is not
//! a compiler: a path that only a macro's expansion makes, or a name that a glob import of our own brings, escapes it.

use std::collections::BTreeMap;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path that a file names, in full: `super`, `self` and local aliases are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) path: String,
    pub(crate) line: usize,
    /// `use path;`, which names a module without yet naming what is in it.
    pub(crate) import: bool,
    /// `pub use` or `pub(crate) use`: others may go on to use it without naming where it comes from.
    pub(crate) handed_on: bool,
}

/// A macro call: its last name, and what is between its delimiters.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) body: TokenStream,
}

/// What one file names.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) paths: Vec<Named>,
    pub(crate) calls: Vec<Call>,
    /// Names of attributes, `tracing::instrument` as well as `instrument`.
    pub(crate) attributes: Vec<(String, usize)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Tok {
    Ident(String),
    Colons,
    Punct(char),
    Open(char),
    Close(char),
    Literal,
}

struct Leaf {
    path: Vec<String>,
    alias: Option<String>,
    line: usize,
}

/// Reads `text`, the source of the module `module` (`crate::engine::send`).
///
/// # Errors
/// Text that is not Rust.
pub(crate) fn scan(text: &str, module: &str) -> Result<Scan, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let stream = TokenStream::from_str(text).map_err(|error| error.to_string())?;
    let mut calls = Vec::new();
    let mut attributes = Vec::new();
    collect(stream.clone(), &mut calls, &mut attributes);
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Ok(Scan { paths: paths(&tokens, module), calls, attributes })
}

fn collect(stream: TokenStream, calls: &mut Vec<Call>, attributes: &mut Vec<(String, usize)>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        let TokenTree::Group(group) = tree else { continue };
        let line = group.span().start().line;
        let before = |back: usize| at.checked_sub(back).and_then(|i| trees.get(i));
        if let (Some(TokenTree::Ident(name)), Some(TokenTree::Punct(bang))) = (before(2), before(1))
            && bang.as_char() == '!'
        {
            calls.push(Call { name: name.to_string(), line, body: group.stream() });
        }
        if let Some(TokenTree::Punct(hash)) = before(1)
            && matches!(hash.as_char(), '#' | '!')
            && group.delimiter() == Delimiter::Bracket
        {
            let name: String = group
                .stream()
                .into_iter()
                .take_while(|tree| !matches!(tree, TokenTree::Group(_)))
                .map(|tree| tree.to_string())
                .collect();
            attributes.push((name, line));
        }
        collect(group.stream(), calls, attributes);
    }
}

fn flatten(stream: TokenStream, out: &mut Vec<(Tok, usize)>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                out.push((Tok::Open(open), line));
                flatten(group.stream(), out);
                out.push((Tok::Close(close), group.span_close().start().line));
            }
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                out.push((Tok::Ident(name.strip_prefix("r#").unwrap_or(&name).to_owned()), line));
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                let pair = matches!(trees.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
                if pair {
                    trees.next();
                    out.push((Tok::Colons, line));
                } else {
                    out.push((Tok::Punct(':'), line));
                }
            }
            TokenTree::Punct(punct) => out.push((Tok::Punct(punct.as_char()), line)),
            TokenTree::Literal(_) => out.push((Tok::Literal, line)),
        }
    }
}

fn paths(tokens: &[(Tok, usize)], module: &str) -> Vec<Named> {
    let mut named = Vec::new();
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut plain = Vec::new();
    // The inline modules that we are inside of, each with the depth of braces at which it opened.
    let mut modules: Vec<(String, usize)> = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while let Some((tok, line)) = tokens.get(at) {
        match tok {
            Tok::Open('{') => depth += 1,
            Tok::Close('}') => {
                modules.retain(|(_, opened)| *opened != depth);
                depth = depth.saturating_sub(1);
            }
            Tok::Ident(word) if word == "mod" => {
                if let (Some((Tok::Ident(name), _)), Some((Tok::Open('{'), _))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    modules.push((name.clone(), depth + 1));
                }
            }
            Tok::Ident(word) if word == "extern" => {
                let name = tokens.get(at + 1).zip(tokens.get(at + 2));
                if let Some(((Tok::Ident(krate), _), (Tok::Ident(name), _))) = name
                    && krate == "crate"
                {
                    named.push(Named { path: name.clone(), line: *line, import: true, handed_on: false });
                    at += 2;
                }
            }
            Tok::Ident(word) if word == "use" => {
                let here = here(module, &modules);
                let handed_on = is_handed_on(tokens, at);
                let mut leaves = Vec::new();
                at = tree(tokens, at + 1, &[], &mut leaves);
                for leaf in leaves {
                    let full = resolve(leaf.path, &here);
                    let name = leaf.alias.or_else(|| full.last().cloned());
                    if let Some(name) = name.filter(|name| name != "*" && name != "_") {
                        aliases.insert(name, full.clone());
                    }
                    named.push(Named { path: full.join("::"), line: leaf.line, import: true, handed_on });
                }
                continue;
            }
            Tok::Ident(_) => {
                let (path, next) = plain_path(tokens, at);
                if path.len() > 1 {
                    plain.push((path, here(module, &modules), *line));
                }
                at = next;
                continue;
            }
            Tok::Colons | Tok::Punct(_) | Tok::Open(_) | Tok::Close(_) | Tok::Literal => {}
        }
        at += 1;
    }
    for (path, here, line) in plain {
        let full = match path.first().and_then(|first| aliases.get(first)) {
            Some(known) => known.iter().cloned().chain(path.into_iter().skip(1)).collect(),
            None => resolve(path, &here),
        };
        named.push(Named { path: full.join("::"), line, import: false, handed_on: false });
    }
    named
}

/// Whether the `use` at `at` is public to the whole package: `pub use`, `pub(crate) use`, but not `pub(super) use`.
fn is_handed_on(tokens: &[(Tok, usize)], at: usize) -> bool {
    let back = |steps: usize| at.checked_sub(steps).and_then(|i| tokens.get(i)).map(|(tok, _)| tok);
    let word = |steps: usize| match back(steps) {
        Some(Tok::Ident(name)) => name.as_str(),
        _ => "",
    };
    word(1) == "pub" || (back(1) == Some(&Tok::Close(')')) && word(2) == "crate" && word(4) == "pub")
}

fn here(module: &str, inline: &[(String, usize)]) -> Vec<String> {
    module.split("::").map(str::to_owned).chain(inline.iter().map(|(name, _)| name.clone())).collect()
}

fn resolve(path: Vec<String>, here: &[String]) -> Vec<String> {
    let mut base = here.to_vec();
    let mut rest = path.as_slice();
    match rest.first().map(String::as_str) {
        Some("self") => rest = rest.get(1..).unwrap_or_default(),
        Some("super") => {
            while rest.first().is_some_and(|first| first == "super") {
                base.pop();
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        _ => return path,
    }
    base.extend_from_slice(rest);
    base
}

/// A path outside a `use`, from `at`: its names, and where to read on.
fn plain_path(tokens: &[(Tok, usize)], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some((Tok::Ident(name), _)) = tokens.get(at) {
        path.push(name.clone());
        at += 1;
        if !matches!(tokens.get(at), Some((Tok::Colons, _))) {
            return (path, at);
        }
        at += 1;
    }
    (path, at)
}

/// One branch of a `use` tree, from `at`: its leaves, and where to read on.
fn tree(tokens: &[(Tok, usize)], mut at: usize, prefix: &[String], leaves: &mut Vec<Leaf>) -> usize {
    let mut path = prefix.to_vec();
    let mut alias = None;
    let mut line = tokens.get(at).map_or(0, |(_, line)| *line);
    while let Some((tok, here)) = tokens.get(at) {
        match tok {
            Tok::Ident(word) if word == "as" => {
                if let Some((Tok::Ident(name), _)) = tokens.get(at + 1) {
                    alias = Some(name.clone());
                }
                at += 1;
            }
            // `{self}` stands for the prefix itself.
            Tok::Ident(word) if word == "self" && !prefix.is_empty() && path.len() == prefix.len() => {}
            Tok::Ident(word) => {
                line = *here;
                path.push(word.clone());
            }
            Tok::Punct('*') => path.push("*".to_owned()),
            Tok::Colons => {}
            Tok::Open('{') => {
                at += 1;
                while !matches!(tokens.get(at), None | Some((Tok::Close(_), _))) {
                    at = tree(tokens, at, &path, leaves);
                    if matches!(tokens.get(at), Some((Tok::Punct(','), _))) {
                        at += 1;
                    }
                }
                return at + 1;
            }
            // `;`, `,`, `}` end a branch; anything else (`use<'a>` in a bound) is not an import.
            Tok::Punct(_) | Tok::Open(_) | Tok::Close(_) | Tok::Literal => break,
        }
        at += 1;
    }
    if path.len() > prefix.len() || alias.is_some() || !prefix.is_empty() {
        leaves.push(Leaf { path, alias, line });
    }
    at
}

//! Searching files and lines for what must not be there.

use std::net::SocketAddrV4;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD};

use super::Broken;

/// Something that is looked for.
#[derive(Debug, Clone)]
pub struct Needle {
    /// What it is, for who is told that it was found.
    pub what: String,
    /// One of its forms.
    pub bytes: Vec<u8>,
}

/// A text in the forms in which a file or a line could hold it.
#[must_use]
pub fn text(what: &str) -> Vec<Needle> {
    let wide: Vec<u8> = what.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut needles = secret(what, what.as_bytes());
    needles.push(Needle { what: what.to_owned(), bytes: wide });
    needles
}

/// Bytes as they are, in hexadecimal, in base64 at each of the three places where they may begin in it, and as Rust
/// prints a list.
#[must_use]
pub fn secret(what: &str, bytes: &[u8]) -> Vec<Needle> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![bytes.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    let listed: Vec<String> = bytes.iter().map(u8::to_string).collect();
    forms.push(listed.join(", ").into_bytes());
    forms.push(BASE32_NOPAD.encode(bytes).into_bytes());
    for skip in 0..3_usize {
        // Whole groups of three bytes: what stands before and after is not known.
        let rest = bytes.get(skip..).unwrap_or_default();
        let whole = rest.get(..rest.len() / 3 * 3).unwrap_or_default();
        if whole.len() >= 6 {
            forms.push(BASE64.encode(whole).into_bytes());
            forms.push(BASE64URL_NOPAD.encode(whole).into_bytes());
        }
    }
    forms.retain(|form| form.len() >= 4);
    forms.sort();
    forms.dedup();
    forms.into_iter().map(|bytes| Needle { what: what.to_owned(), bytes }).collect()
}

/// A network address in the forms in which a program has it: as the kernel, the standard library and a table of IPv6
/// addresses would, and as text. Four bytes alone are anything.
#[must_use]
pub fn address(at: SocketAddrV4) -> Vec<Needle> {
    let ip = at.ip().octets();
    let forms = [
        [&at.port().to_be_bytes(), ip.as_slice()].concat(),
        [ip.as_slice(), &at.port().to_be_bytes()].concat(),
        [ip.as_slice(), &at.port().to_le_bytes()].concat(),
        [&[0xff, 0xff], ip.as_slice()].concat(),
    ];
    let named = |bytes| Needle { what: at.to_string(), bytes };
    let texts = text(&at.ip().to_string()).into_iter().map(|one| named(one.bytes));
    forms.into_iter().map(named).chain(texts).collect()
}

/// Which needles are in `content`.
#[must_use]
pub fn found(content: &[u8], needles: &[Needle]) -> Vec<String> {
    // By first byte: one pass for all needles.
    let mut by_first: Vec<Vec<&Needle>> = vec![Vec::new(); 256];
    for needle in needles {
        if let Some(slot) = needle.bytes.first().and_then(|first| by_first.get_mut(usize::from(*first))) {
            slot.push(needle);
        }
    }
    let mut found = Vec::new();
    let mut rest = content;
    while let Some((first, after)) = rest.split_first() {
        for needle in by_first.get(usize::from(*first)).into_iter().flatten() {
            if rest.starts_with(&needle.bytes) {
                found.push(needle.what.clone());
            }
        }
        rest = after;
    }
    found.sort();
    found.dedup();
    found
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Broken> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = std::fs::metadata(&path)?.file_type();
        if kind.is_dir() {
            found.append(&mut files(&path)?);
        } else if !kind.is_socket() {
            // A socket that was left holds nothing.
            found.push(path);
        }
    }
    Ok(found)
}

/// What was searched, and which needles were in it.
#[derive(Debug)]
pub struct Seizure {
    /// How many files.
    pub files: usize,
    /// Their bytes.
    pub bytes: usize,
    /// What was in them.
    pub found: Vec<String>,
}

/// Searches every file below a folder.
///
/// # Errors
/// [`Broken`] if a file can't be read.
pub fn search(folder: &Path, needles: &[Needle]) -> Result<Seizure, Broken> {
    let mut seizure = Seizure { files: 0, bytes: 0, found: Vec::new() };
    for file in files(folder)? {
        let content = std::fs::read(&file)?;
        seizure.files += 1;
        seizure.bytes += content.len();
        seizure.found.extend(found(&content, needles));
    }
    Ok(seizure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_each_of_its_forms() {
        let needles = secret("it", b"sixteen secret b");
        for form in [
            String::from("- sixteen secret b -"),
            format!("x{}", BASE64.encode(b"sixteen secret b")),
            BASE64.encode(b"1sixteen secret b and more"),
            BASE64URL_NOPAD.encode(b"12sixteen secret b and more"),
            format!("{:?}", b"sixteen secret b"),
            String::from("7369787465656e207365637265742062"),
        ] {
            assert_eq!(found(form.as_bytes(), &needles), ["it"], "{form}");
        }
        assert!(found(b"sixteen secrets", &needles).is_empty());
    }
}

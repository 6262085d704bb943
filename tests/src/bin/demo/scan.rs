//! The seizure: every file of the relay, searched for what must not be there.

use std::path::{Path, PathBuf};

use super::Broken;

/// Something that is looked for.
pub(crate) struct Needle {
    pub(crate) what: String,
    pub(crate) bytes: Vec<u8>,
}

/// A text in the forms in which a file could hold it.
pub(crate) fn text(what: &str) -> Vec<Needle> {
    let wide: Vec<u8> = what.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hex: String = what.bytes().map(|byte| format!("{byte:02x}")).collect();
    let forms = [what.as_bytes().to_vec(), wide, hex.into_bytes()];
    forms.into_iter().map(|bytes| Needle { what: what.to_owned(), bytes }).collect()
}

/// A secret in its raw form and in hexadecimal.
pub(crate) fn secret(what: &str, bytes: &[u8]) -> Vec<Needle> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let forms = [bytes.to_vec(), hex.into_bytes()];
    forms.into_iter().map(|bytes| Needle { what: what.to_owned(), bytes }).collect()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Broken> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { found.append(&mut files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

/// What was searched, and which needles were in it.
pub(crate) struct Seizure {
    pub(crate) files: usize,
    pub(crate) bytes: usize,
    pub(crate) found: Vec<String>,
}

/// Searches every file below a folder.
pub(crate) fn search(folder: &Path, needles: &[Needle]) -> Result<Seizure, Broken> {
    let mut seizure = Seizure { files: 0, bytes: 0, found: Vec::new() };
    for file in files(folder)? {
        let content = std::fs::read(&file)?;
        seizure.files += 1;
        seizure.bytes += content.len();
        for needle in needles {
            if content.windows(needle.bytes.len().max(1)).any(|part| part == needle.bytes) {
                seizure.found.push(needle.what.clone());
            }
        }
    }
    Ok(seizure)
}

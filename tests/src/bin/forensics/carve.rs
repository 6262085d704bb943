//! The search. SQLCipher encrypts pages with AES-256 in CBC mode: who has the key decrypts every 16 bytes with the 16
//! before them, wherever they lie, whatever page they were of. So the whole image is decrypted as if it were one page, at
//! each offset at which pages of the database and records of its journal can lie, and searched: no header, no checksum and no
//! list of blocks has to be left for a text to be found.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use aes::Aes256;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt as _, KeyInit as _};

use super::keys::{Keys, Truth};

const BLOCK: usize = 4_096;
/// At the end of each page: 16 bytes of IV and 64 of authentication.
const RESERVED: usize = 80;
/// So many bytes of a sealed text tell it from any other: the nonce and what follows.
const FRONT: usize = 40;

/// Where the needles of a search begin, and which they are.
pub(crate) struct Search<'n> {
    needles: &'n [Vec<u8>],
    begin: HashMap<[u8; 4], Vec<usize>>,
    maybe: Vec<bool>,
}

impl<'n> Search<'n> {
    pub(crate) fn new(needles: &'n [Vec<u8>]) -> Self {
        let mut search = Self { needles, begin: HashMap::new(), maybe: vec![false; 1 << 16] };
        for (which, needle) in needles.iter().enumerate() {
            search.maybe[usize::from(u16::from_le_bytes([needle[0], needle[1]]))] = true;
            search.begin.entry(needle[..4].try_into().unwrap()).or_default().push(which);
        }
        search
    }

    /// Which of the needles are somewhere in the hay.
    pub(crate) fn found(&self, hay: &[u8]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for at in 0..hay.len().saturating_sub(3) {
            if !self.maybe[usize::from(u16::from_le_bytes([hay[at], hay[at + 1]]))] {
                continue;
            }
            for &which in self.begin.get(&hay[at..at + 4]).into_iter().flatten() {
                if hay[at..].starts_with(&self.needles[which]) {
                    found.insert(which);
                }
            }
        }
        found
    }
}

/// The image decrypted: each page with the IV at its end; and as one stream, at each offset at which a journal's records (4
/// bytes, a page and 4 bytes, after a sector) can lie.
fn decrypted(image: &[u8], key: &[u8]) -> Vec<Vec<u8>> {
    let cipher = Aes256::new(GenericArray::from_slice(key));
    let stream = |from: usize| {
        let mut out = vec![0; image.len()];
        for at in (from + 16..image.len() - 15).step_by(16) {
            let (before, block) = (&image[at - 16..at], &image[at..at + 16]);
            if block.iter().all(|byte| *byte == 0) {
                continue; // nothing was ever there
            }
            let mut plain = *GenericArray::from_slice(block);
            cipher.decrypt_block(&mut plain);
            for (n, byte) in plain.iter().enumerate() {
                out[at + n] = byte ^ before[n];
            }
        }
        out
    };
    let mut pages = stream(0);
    for at in (0..image.len() / BLOCK).map(|block| block * BLOCK) {
        let iv = &image[at + BLOCK - RESERVED..at + BLOCK - RESERVED + 16];
        let mut first = *GenericArray::from_slice(&image[at..at + 16]);
        cipher.decrypt_block(&mut first);
        for (n, byte) in first.iter().enumerate() {
            pages[at + n] = byte ^ iv[n];
        }
    }
    vec![pages, stream(0), stream(4), stream(12)]
}

/// Every 32 bytes that stand where a seed may have stood: in blocks that share a seed with a file of seeds that there was.
pub(crate) fn seeds_of_old_copies(image: &[u8], known: &[Vec<u8>]) -> BTreeSet<Vec<u8>> {
    let known: BTreeSet<&[u8]> = known.iter().flat_map(|file| file.chunks_exact(32)).collect();
    let mut seeds = BTreeSet::new();
    for block in image.chunks_exact(BLOCK) {
        if block.chunks_exact(32).any(|chunk| known.contains(chunk)) {
            seeds.extend(block.chunks_exact(32).map(<[u8]>::to_vec));
        }
    }
    seeds
}

/// What a look at one image found of the texts of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// All that there ever were.
    texts: usize,
    /// Sealed forms, in decrypted pages: noise without their keys.
    sealed: usize,
    /// Their keys, anywhere.
    seeds: usize,
    /// Sealed forms that a key which is left opens.
    opened: usize,
    /// Their words, anywhere in the image or in a decrypted page.
    words: usize,
}

struct Look<'i> {
    keys: &'i Keys,
    image: &'i [u8],
    pages: Vec<Vec<u8>>,
    seeds: BTreeSet<Vec<u8>>,
}

impl<'i> Look<'i> {
    fn new(keys: &'i Keys, image: &'i [u8], files: &[Vec<u8>]) -> Self {
        let pages = decrypted(image, &keys.database[..32]);
        Self { keys, image, pages, seeds: seeds_of_old_copies(image, files) }
    }

    fn anywhere(&self, needles: &[Vec<u8>]) -> BTreeSet<usize> {
        let search = Search::new(needles);
        let pages = self.pages.iter().flat_map(|page| search.found(page));
        search.found(self.image).into_iter().chain(pages).collect()
    }

    fn of(&self, truths: &[&Truth]) -> Found {
        let all = |part: &dyn Fn(&Truth) -> Vec<u8>| truths.iter().map(|one| part(one)).collect::<Vec<_>>();
        let sealed = self.anywhere(&all(&|one| one.sealed[..FRONT].to_vec()));
        let opens = |one: &Truth| self.seeds.iter().any(|seed| self.keys.unseal(seed, &one.sealed).is_some());
        Found {
            texts: truths.len(),
            seeds: self.anywhere(&all(&|one| one.seed.clone())).len(),
            opened: sealed.iter().filter(|which| opens(truths[**which])).count(),
            // The first word names the text.
            words: self.anywhere(&all(&|one| one.text.split_inclusive(' ').next().unwrap().into())).len(),
            sealed: sealed.len(),
        }
    }
}

/// Looks for what a destroyed profile could be opened with: the slot of the header that opened, in pieces as small as a
/// cipher's block, and the keys of texts.
pub(crate) fn destroyed(image: &Path, work: &Path) {
    let after = work.join("after");
    let keys = Keys::open(&after);
    let image = std::fs::read(image).unwrap();
    let slot: Vec<Vec<u8>> = keys.slot.chunks_exact(16).map(<[u8]>::to_vec).collect();
    let seeds: Vec<Vec<u8>> = keys.truths(&after).into_iter().map(|one| one.seed).collect();
    assert!(!seeds.is_empty());
    let left = [&slot, &seeds].map(|needles| Search::new(needles).found(&image).len());
    println!("destroyed, of the slot and of the keys of {} texts: {left:?}", seeds.len());
    assert_eq!(left, [0, 0], "SOMETHING IS LEFT");
}

pub(crate) fn carve(image: &Path, work: &Path) {
    let after = work.join("after");
    let keys = Keys::open(&after);
    let mut before: Vec<_> = std::fs::read_dir(work).unwrap().map(|entry| entry.unwrap().path()).collect();
    before.retain(|path| path.is_dir() && *path != after);
    before.sort();
    let read = |path: &Path| std::fs::read(path).unwrap();
    let files: Vec<Vec<u8>> = before.iter().chain([&after]).map(|copy| keys.seeds(copy)).collect();
    let stay = keys.truths(&after);
    let stay: Vec<&Truth> = stay.iter().collect();
    let rounds: Vec<Vec<Truth>> = before.iter().map(|copy| keys.truths(copy)).collect();
    let goes = |round: &'_ [Truth]| -> Vec<usize> {
        (0..round.len()).filter(|n| round[*n].text.starts_with("GOES")).collect()
    };
    let gone: Vec<&Truth> =
        rounds.iter().flat_map(|round| goes(round).into_iter().map(|n| &round[n])).collect();
    assert!(stay.iter().all(|one| one.text.starts_with("STAYS")) && stay.len() >= 100, "{}", stay.len());
    assert!(gone.len() >= 100, "{}", gone.len());

    // The look finds what is to be found: before they ended, the texts of the last round could be read.
    let last = rounds.last().unwrap();
    let last: Vec<&Truth> = goes(last).into_iter().map(|n| &last[n]).collect();
    let whole = read(&work.join("before.img"));
    let look = Look::new(&keys, &whole, &files);
    let found = look.of(&last);
    println!("before the last ones ended, of those: {found:?}");
    let schema = [b"CREATE TABLE message".to_vec()];
    assert_eq!(look.anywhere(&schema).len(), 1, "no decrypted page is read");
    assert_eq!((found.opened, found.seeds), (last.len(), last.len()), "the look is blind");
    drop(look);

    let image = read(image);
    assert!(
        Search::new(std::slice::from_ref(&keys.slot)).found(&image).len() == 1,
        "no header in this image"
    );
    let look = Look::new(&keys, &image, &files);
    let (stay, gone) = (look.of(&stay), look.of(&gone));
    println!("after, of what stays: {stay:?}");
    println!("after, of what has disappeared: {gone:?}");
    println!("keys in old and new copies of the seeds: {}", look.seeds.len());
    assert_eq!((stay.opened, stay.seeds), (stay.texts, stay.texts), "the look is blind");
    assert_eq!((gone.seeds, gone.opened, gone.words), (0, 0, 0), "SOMETHING IS LEFT");
}

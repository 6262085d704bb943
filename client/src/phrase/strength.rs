//! How many guesses a passphrase takes that a person thought of: the least over what zxcvbn says of each form in which
//! it may be a common one.
//!
//! zxcvbn knows English and the passwords that people were robbed of, in Latin letters. A Russian one stands there as it
//! is typed on an English keyboard (`ghbdtn`) or as it is spelled in Latin letters (`privet`); Cyrillic it takes for noise,
//! and «спартакчемпион» for strong. Of several words it also thinks too well: that each of them is common is seen only
//! when they are looked at one by one.

use zeroize::Zeroizing;
use zxcvbn::zxcvbn;

use super::composed;
use super::list::WordList;

/// Guesses that a passphrase has to stand, as a power of ten. At a million a second, which takes a thousand of the best
/// cards ([`super`]), these are three years. Five random words stand them, four do not.
const ENOUGH: f64 = 14.0;

/// What one of 32 marks between words adds.
const MARK: f64 = 1.5;

/// Latin keys and the Cyrillic letters on them, on a Russian keyboard.
const LATIN_KEYS: &str = "`qwertyuiop[]asdfghjkl;'zxcvbnm,.";
const CYRILLIC_KEYS: &str = "ёйцукенгшщзхъфывапролджэячсмитьбю";
/// The same keys with Shift, where they are no letters in Latin.
const SHIFTED: &[(char, char)] =
    &[('~', 'ё'), ('{', 'х'), ('}', 'ъ'), (':', 'ж'), ('"', 'э'), ('<', 'б'), ('>', 'ю')];

/// Whether a passphrase falls to who has the files. `known` is what an attacker tries first: names.
#[must_use]
pub fn is_weak(typed: &str, known: &[&str]) -> bool {
    log_guesses(typed, known) < ENOUGH
}

/// The logarithm to base 10 of how many guesses it takes.
pub(super) fn log_guesses(typed: &str, known: &[&str]) -> f64 {
    let (typed, known) = (small(typed), known.iter().map(|one| small(one)));
    let mut tried: Vec<Zeroizing<String>> = known.flat_map(|one| forms(&one)).collect();
    tried.extend(["beresta", "береста"].into_iter().flat_map(forms));
    // Words that are common enough to be drawn are common enough to be thought of.
    tried.extend(WordList::Russian.words().iter().map(|word| latin(word)));
    let tried: Vec<&str> = tried.iter().map(|one| one.as_str()).collect();
    forms(&typed)
        .iter()
        .flat_map(|form| [whole(form, &tried), one_by_one(form, &tried)])
        .fold(f64::MAX, f64::min)
}

fn whole(form: &str, tried: &[&str]) -> f64 {
    zxcvbn(form, tried).guesses_log10().max(0.0)
}

/// As words that an attacker puts together, and of which none tells anything of the next. What stands between them is
/// guessed at once where it is always the same.
fn one_by_one(form: &str, tried: &[&str]) -> f64 {
    let between = || form.chars().filter(|one| !one.is_alphanumeric());
    let first = between().next();
    let marks = if between().all(|one| Some(one) == first) { 0 } else { between().count() };
    let words = form.split(|one: char| !one.is_alphanumeric()).filter(|word| !word.is_empty());
    f64::from(u32::try_from(marks).unwrap_or(u32::MAX)) * MARK
        + words.map(|word| whole(word, tried)).sum::<f64>()
}

/// A text as it is, with the letters that stand on the same keys in the other script, and in Latin letters.
fn forms(small: &str) -> Vec<Zeroizing<String>> {
    let keys = |one: char, from: &str, to: &str| {
        from.chars().zip(to.chars()).find_map(|(key, other)| (key == one).then_some(other))
    };
    let mapped = |map: &dyn Fn(char) -> char| Zeroizing::new(small.chars().map(map).collect::<String>());
    let as_latin = mapped(&|one| keys(one, CYRILLIC_KEYS, LATIN_KEYS).unwrap_or(one));
    let as_cyrillic = mapped(&|one| {
        let shifted = SHIFTED.iter().find_map(|&(key, other)| (key == one).then_some(other));
        shifted.or_else(|| keys(one, LATIN_KEYS, CYRILLIC_KEYS)).unwrap_or(one)
    });
    let mut forms = vec![Zeroizing::new(small.to_owned()), as_latin, latin(&as_cyrillic), latin(small)];
    forms.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    forms.dedup();
    forms
}

/// How people spell Cyrillic in Latin letters, mostly.
fn latin(small: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(small.len().saturating_mul(2)));
    for one in small.chars() {
        let spelled = match one {
            'а' => "a",
            'б' => "b",
            'в' => "v",
            'г' => "g",
            'д' => "d",
            'е' | 'ё' | 'э' => "e",
            'ж' => "zh",
            'з' => "z",
            'и' => "i",
            'й' | 'ы' => "y",
            'к' => "k",
            'л' => "l",
            'м' => "m",
            'н' => "n",
            'о' => "o",
            'п' => "p",
            'р' => "r",
            'с' => "s",
            'т' => "t",
            'у' => "u",
            'ф' => "f",
            'х' => "h",
            'ц' => "ts",
            'ч' => "ch",
            'ш' => "sh",
            'щ' => "sch",
            'ъ' | 'ь' => "",
            'ю' => "yu",
            'я' => "ya",
            other => {
                out.push(other);
                continue;
            }
        };
        out.push_str(spelled);
    }
    out
}

/// In small letters, composed: what case adds is little, and zxcvbn would think it more in Cyrillic.
fn small(text: &str) -> Zeroizing<String> {
    let bytes = Zeroizing::new(composed(text));
    Zeroizing::new(String::from_utf8_lossy(&bytes).to_lowercase())
}

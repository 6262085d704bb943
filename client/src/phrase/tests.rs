use std::collections::BTreeSet;

use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;

use super::list::WordList;
use super::strength::log_guesses;
use super::*;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(5)
}

/// Whether two words differ in one letter: another, one more or one less.
fn one_letter_apart(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    match long.len() - short.len() {
        0 => short.iter().zip(&long).filter(|(one, other)| one != other).count() == 1,
        1 => (0..long.len()).any(|at| {
            let without = long.iter().enumerate().filter(|(n, _)| *n != at);
            without.map(|(_, one)| one).eq(&short)
        }),
        _ => false,
    }
}

#[test]
fn the_lists_are_what_their_rules_say() {
    let russian = WordList::Russian.words();
    assert_eq!(russian.len(), 2_048);
    assert!(russian.is_sorted_by(|one, next| one < next));
    let beginnings: BTreeSet<String> = russian.iter().map(|word| word.chars().take(4).collect()).collect();
    assert_eq!(beginnings.len(), russian.len(), "four letters tell each word from all others");
    for (n, word) in russian.iter().enumerate() {
        assert!((4..=8).contains(&word.chars().count()), "{word}");
        assert!(word.chars().all(|one| ('а'..='я').contains(&one)), "{word}");
        let near = russian[n + 1..].iter().find(|other| one_letter_apart(word, other));
        assert_eq!(near, None, "{word}");
    }
    for painful in ["тюрьма", "смерть", "война", "полиция", "обыск", "арест", "допрос"]
    {
        assert!(!WordList::Russian.has(painful), "{painful}");
    }
    let english = WordList::English.words();
    assert_eq!(english.len(), 7_776);
    assert!(english.is_sorted_by(|one, next| one < next));
    assert!(english.iter().all(|word| word.len() >= 3 && word.len() <= 16 && word.is_ascii()));
}

#[test]
fn a_made_passphrase_has_77_bits() {
    for list in WordList::ALL {
        let bits = f64::from(u32::try_from(list.words().len()).unwrap()).log2()
            * f64::from(u32::try_from(list.drawn()).unwrap());
        assert!((77.0..78.0).contains(&bits), "{bits}");
        let mut rng = rng();
        let mut seen = BTreeSet::new();
        for _ in 0..2_000 {
            let made = MadePhrase::draw(list, &mut rng);
            assert_eq!(made.words().split(' ').count(), list.drawn());
            assert!(made.words().split(' ').all(|word| list.has(word)), "{}", made.words());
            assert!(made.0.capacity() >= made.words().len());
            seen.extend(made.words().split(' ').map(str::to_owned));
        }
        // All of a list is drawn from: of 12,000 or 14,000 draws, at least these.
        assert!(seen.len() > list.words().len() * 3 / 4, "{}", seen.len());
    }
}

#[test]
fn words_are_the_same_in_any_case_with_any_spaces_and_with_or_without_the_dots_of_yo() {
    let same = |a: &str, b: &str| Passphrase::new(a.to_owned()).same(&Passphrase::new(b.to_owned()));
    let made = MadePhrase::draw(WordList::Russian, &mut rng());
    let loud = format!("  {}\t", made.words().to_uppercase().replace(' ', "   "));
    let dotted = made.words().replace('е', "ё");
    let apart = made.words().replace('е', "е\u{308}").replace('й', "и\u{306}");
    for typed in [&loud, &dotted, &apart] {
        assert!(made.is_typed(typed) && same(typed, made.words()), "{typed}");
    }
    let made = MadePhrase::draw(WordList::English, &mut rng());
    assert!(same(&made.words().to_uppercase(), made.words()));
    // Another word, one word less, and words that no list has, are something else.
    let other = MadePhrase::draw(WordList::English, &mut ChaCha20Rng::seed_from_u64(6));
    assert!(!made.is_typed(other.words()) && !made.is_typed(made.words().rsplit_once(' ').unwrap().0));
    for (own, alike) in [
        ("My own Passphrase 7", "my own passphrase 7"),
        ("xyzzy plugh  quux frobnicate", "xyzzy plugh quux frobnicate"),
        ("Ёж ёлка", "Еж елка"),
    ] {
        assert!(!same(own, alike), "{own} is not of a list, and is taken as it was typed");
    }
}

#[test]
fn what_people_think_of_is_weak_on_every_keyboard_and_in_every_script() {
    for weak in [
        "",
        "password1",
        "Tr0ub4dor&3",
        "qwertyuiop[]",
        "привет123",
        "Привет, Андрей!",
        "ghbdtn123",
        "Ghbdtn? Fylhtq!",
        "зфыыцщкв1",
        "Москва2024",
        "Vjcrdf2024",
        "спартакчемпион",
        "Йцукен123йцукен",
        "20.04.1985 Anna",
        "beresta beresta",
        "correct horse battery",
        "снег лампа весна рука",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ] {
        assert!(is_weak(weak, &["Anna"]), "{weak}: {}", log_guesses(weak, &[]));
    }
    for strong in [
        "harbour violet engine moss teapot",
        "снег лампа якорь весна чайник",
        "cytu kfvgf zrjhm dtcyf xfqybr",
        "sneg lampa yakor vesna chaynik",
        "kj5J#k2!pQ0zR;vW",
    ] {
        assert!(!is_weak(strong, &["Anna"]), "{strong}: {}", log_guesses(strong, &[]));
    }
    for list in WordList::ALL {
        for seed in 0..5 {
            let made = MadePhrase::draw(list, &mut ChaCha20Rng::seed_from_u64(seed));
            assert!(!is_weak(made.words(), &[]), "{}", made.words());
        }
    }
}

#[test]
fn a_name_that_is_known_adds_nothing() {
    let phrase = "kovalchuk wq7x kovalchuk 9dfz";
    let [unknown, known] = [&[][..], &["Ковальчук"]].map(|known| log_guesses(phrase, known));
    assert!(known + 2.0 < unknown, "{known} {unknown}");
}

//! The texts for people, from the Fluent catalogues. Nothing else speaks to them.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::locale::Language;

pub(crate) const ENGLISH: &str = include_str!("../../../locales/en/beresta.ftl");
pub(crate) const RUSSIAN: &str = include_str!("../../../locales/ru/beresta.ftl");

/// The catalogue of one language.
pub(crate) struct Text(FluentBundle<FluentResource>);

/// Something that is put into a text: a number takes its plural form.
#[derive(Debug, Clone)]
pub(crate) enum Put {
    Word(String),
    Count(u64),
}

impl From<&str> for Put {
    fn from(word: &str) -> Self {
        Self::Word(word.to_owned())
    }
}

impl From<String> for Put {
    fn from(word: String) -> Self {
        Self::Word(word)
    }
}

impl From<&String> for Put {
    fn from(word: &String) -> Self {
        Self::Word(word.clone())
    }
}

impl From<u64> for Put {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl Text {
    pub(crate) fn new(language: Language) -> Self {
        let source = match language {
            Language::English => ENGLISH,
            Language::Russian => RUSSIAN,
        };
        let language = language.name().parse::<LanguageIdentifier>().unwrap_or_default();
        let mut bundle = FluentBundle::new(vec![language]);
        // Marks around what is put in would be copied with it.
        bundle.set_use_isolating(false);
        // The tests read both catalogues: there is no error to be had here.
        let (Ok(resource) | Err((resource, _))) = FluentResource::try_new(source.to_owned());
        bundle.add_resource_overriding(resource);
        Self(bundle)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.get_message(key).is_some_and(|message| message.value().is_some())
    }

    pub(crate) fn say(&self, key: &str) -> String {
        self.say_with(key, [])
    }

    pub(crate) fn say_with<const N: usize>(&self, key: &str, values: [(&str, Put); N]) -> String {
        let Some(pattern) = self.0.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        let mut args = FluentArgs::new();
        for (name, value) in values {
            match value {
                Put::Word(word) => args.set(name.to_owned(), word),
                // Fluent counts in floats; what is counted here is small.
                Put::Count(count) => {
                    args.set(name.to_owned(), FluentValue::from(u32::try_from(count).unwrap_or(u32::MAX)));
                }
            }
        }
        let mut errors = Vec::new();
        self.0.format_pattern(pattern, Some(&args), &mut errors).into_owned()
    }
}

#[cfg(test)]
mod tests;

//! The texts for people, from the Fluent catalogues. Nothing else speaks to them.

use std::path::Path;

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};
use unic_langid::LanguageIdentifier;

use super::locale::Language;

const ENGLISH: &str = include_str!("../../locales/en/relay.ftl");
const RUSSIAN: &str = include_str!("../../locales/ru/relay.ftl");

/// The catalogue of one language.
pub(crate) struct Text(FluentBundle<FluentResource>);

impl Text {
    pub(crate) fn new(language: Language) -> Self {
        let (name, source) = match language {
            Language::English => ("en", ENGLISH),
            Language::Russian => ("ru", RUSSIAN),
        };
        let language = name.parse::<LanguageIdentifier>().unwrap_or_default();
        let mut bundle = FluentBundle::new(vec![language]);
        // Marks around what is put in would be copied with it.
        bundle.set_use_isolating(false);
        // The tests read both catalogues: there is no error to be had here.
        let (Ok(resource) | Err((resource, _))) = FluentResource::try_new(source.to_owned());
        bundle.add_resource_overriding(resource);
        Self(bundle)
    }

    pub(crate) fn say(&self, key: &str) -> String {
        self.say_with(key, &[])
    }

    pub(crate) fn say_with(&self, key: &str, values: &[(&str, &str)]) -> String {
        let Some(pattern) = self.0.get_message(key).and_then(|message| message.value()) else {
            return key.to_owned();
        };
        let mut args = FluentArgs::new();
        for (name, value) in values {
            args.set(*name, (*value).to_owned());
        }
        let mut errors = Vec::new();
        self.0.format_pattern(pattern, Some(&args), &mut errors).into_owned()
    }
}

/// A path as it stands in a command that somebody pastes: in quotes where a shell would not take it as it is.
pub(crate) fn pasted(path: &Path) -> String {
    let mut path = path.display().to_string();
    // Or it would be taken for an option.
    if path.starts_with('-') {
        path.insert_str(0, "./");
    }
    let taken = |one: char| one.is_ascii_alphanumeric() || matches!(one, '/' | '.' | '_' | '-');
    if !path.is_empty() && path.chars().all(taken) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;

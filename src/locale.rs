//! Which language the user reads.
//!
//! Owns the rule by which the environment chooses a language. Pure: it asks its caller for each
//! variable. `main` does that once, and hands the [`Language`] as a value to whoever has words in
//! both languages.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// The variables that choose the language of messages, the first that is set first, as in POSIX.
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];

/// A language that this program has words in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Everybody else's.
    #[default]
    English,
    /// For every locale whose name begins with `zh`; the characters are the simplified ones.
    Chinese,
}

impl Language {
    /// The language of an environment; `lookup` gives the value of a variable, `None` if it is not
    /// set. An empty value counts as not set.
    pub fn of(lookup: impl Fn(&str) -> Option<OsString>) -> Language {
        let mut values = VARIABLES.iter().filter_map(|name| lookup(name));
        match values.find(|value| !value.is_empty()) {
            Some(locale) if locale.as_bytes().starts_with(b"zh") => Language::Chinese,
            Some(_) | None => Language::English,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Chinese, English};

    #[test]
    fn the_first_variable_that_is_set_chooses_the_language() {
        let cases: [(&[(&str, &str)], Language); 10] = [
            (&[], English),
            (&[("LANG", "C")], English),
            (&[("LANG", "en_US.UTF-8")], English),
            (&[("LANG", "zh_CN.UTF-8")], Chinese),
            (&[("LANG", "zh")], Chinese),
            (&[("LC_MESSAGES", "zh_TW.UTF-8"), ("LANG", "en_US.UTF-8")], Chinese),
            (&[("LC_MESSAGES", "C"), ("LANG", "zh_CN.UTF-8")], English),
            (&[("LC_ALL", "C"), ("LC_MESSAGES", "zh_CN.UTF-8")], English),
            (&[("LC_ALL", ""), ("LC_MESSAGES", "zh_CN.UTF-8")], Chinese),
            (&[("LC_CTYPE", "zh_CN.UTF-8"), ("LANGUAGE", "zh_CN")], English),
        ];
        for (environment, expected) in cases {
            let lookup = |name: &str| {
                let set = environment.iter().find(|(variable, _)| *variable == name);
                set.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(Language::of(lookup), expected, "{environment:?}");
        }
    }
}

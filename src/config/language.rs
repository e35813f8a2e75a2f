//! In which language people are spoken to: English, or Chinese where the locale is Chinese.
//!
//! Owns how the locale is found. Help and the faults of the command line come in both languages, the
//! log in English alone, since it is read by programs too. Pure; `main` hands the environment in.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// A language that the program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Wherever the locale is not Chinese.
    #[default]
    English,
    /// Chinese, simplified.
    Chinese,
}

impl Language {
    /// The language of messages by the rules of POSIX: the first of `LC_ALL`, `LC_MESSAGES` and
    /// `LANG` that is set and not empty counts.
    pub fn of(variable: impl Fn(&str) -> Option<OsString>) -> Language {
        let values = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable);
        let locale = values.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
        if is_chinese_in_utf_8(&locale.as_bytes().to_ascii_lowercase()) {
            Language::Chinese
        } else {
            Language::English
        }
    }
}

/// `zh`, `zh_CN`, `zh_CN.UTF-8`, `zh_TW.utf8@stroke`. A terminal in another encoding (`zh_CN.GBK`) would
/// show Chinese in UTF-8 as rubbish, so it gets English.
fn is_chinese_in_utf_8(locale: &[u8]) -> bool {
    let locale = locale.split(|&byte| byte == b'@').next().unwrap_or_default();
    let (place, encoding) = match locale.iter().position(|&byte| byte == b'.') {
        Some(dot) => (&locale[..dot], &locale[dot + 1..]),
        None => (locale, b"utf-8".as_slice()),
    };
    place.starts_with(b"zh") && matches!(encoding, b"utf-8" | b"utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_says_something_counts() {
        use Language::{Chinese, English};
        let cases: [(&[(&str, &str)], Language); 14] = [
            (&[], English),
            (&[("LANG", "zh_CN.UTF-8")], Chinese),
            (&[("LANG", "zh_CN.utf8")], Chinese),
            (&[("LANG", "zh_TW.UTF-8@stroke")], Chinese),
            (&[("LANG", "zh")], Chinese),
            (&[("LANG", "zh_CN.GBK")], English),
            (&[("LANG", "zh_CN.GB18030")], English),
            (&[("LANG", "en_US.UTF-8")], English),
            (&[("LANG", "C")], English),
            (&[("LC_MESSAGES", "zh_CN.UTF-8"), ("LANG", "en_US.UTF-8")], Chinese),
            (&[("LC_MESSAGES", "C"), ("LANG", "zh_CN.UTF-8")], English),
            (&[("LC_ALL", "C"), ("LC_MESSAGES", "zh_CN.UTF-8"), ("LANG", "zh_CN.UTF-8")], English),
            (&[("LC_ALL", ""), ("LC_MESSAGES", ""), ("LANG", "zh_CN.UTF-8")], Chinese),
            (&[("LC_CTYPE", "zh_CN.UTF-8"), ("LANGUAGE", "zh_CN")], English),
        ];
        for (variables, expected) in cases {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            assert_eq!(Language::of(variable), expected, "{variables:?}");
        }
    }
}

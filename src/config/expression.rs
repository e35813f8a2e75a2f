//! Regular expressions of `filter` and the plugins.
//!
//! Owns how an expression of the configuration becomes a matcher; does not know what a path is.
//! The configuration compiles each once to check it, the engine's filter to use it.

use super::diagnosis::hint::Hint;
use regex_lite::Regex;

/// Compiles an expression so that it matches only the whole of a text.
///
/// COMPAT: the original matches with boost's `regex_match`: the whole path, and a dot stands for
/// a newline too.
///
/// # Errors
/// What is wrong with the expression, as the end of a sentence: "the expression is not valid: ...".
pub fn compile(expression: &str) -> Result<Regex, String> {
    // By itself first: `a)|(b` is an error, but within the group below it would be valid.
    Regex::new(expression).map_err(|error| explain(&error))?;
    Regex::new(&format!(r"\A(?s:{expression})\z")).map_err(|error| explain(&error))
}

/// The regular expressions here are matched in linear time, and therefore lack two things that Perl's have.
/// The message names them, so that nobody looks for a typing mistake.
fn explain(error: &regex_lite::Error) -> String {
    let text = error.to_string();
    let lacking = if text.contains("look-around") {
        "look-around such as (?=...) or (?!...)"
    } else if text.contains("backreference") {
        r"a back reference such as \1"
    } else {
        return text;
    };
    format!("it uses {lacking}, {LACKING}")
}

/// The end of the messages about these two things.
const LACKING: &str = "which Perl has and this program has not";

/// What to do about an expression with this error of [`compile`].
pub(super) fn hint(error: &str) -> Hint {
    if error.ends_with(LACKING) {
        Hint::OTHER_EXPRESSION
    } else {
        Hint::CORRECT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_text_matches() {
        let cases = [
            (r"(.*)\.svn", "a.svn", true),
            (r"(.*)\.svn", "a/b.svn", true),
            (r"(.*)\.svn", "a.svn/b", false),
            (r"^info/*", "info/", true),
            (r"^info/*", "info", true),
            (r"^info/*", "info/a", false),
            (r"a|b", "a", true),
            (r"a|b", "b", true),
            (r"a|b", "ab", false),
            (r"a|ab", "ab", true),
            (r".*", "a\nb", true),
            (r"a$", "a", true),
            (r"a$", "a\n", false),
            (r"(?i)a", "A", true),
            (r"[[:digit:]]+", "12", true),
            (r"a\/b", "a/b", true),
            (r"数.*", "数据", true),
        ];
        for (expression, text, expected) in cases {
            let regex = compile(expression).unwrap();
            assert_eq!(regex.is_match(text), expected, "{expression:?} on {text:?}");
        }
    }

    #[test]
    fn a_bad_expression_is_an_error() {
        for expression in ["*.php", "(a", "a)", "a)|(b", "[a", r"a\", "a{2,1}", "(?P<n", "(?x)a#b"]
        {
            assert!(compile(expression).is_err(), "{expression:?}");
        }
    }

    #[test]
    fn what_perl_has_and_this_engine_lacks_is_named() {
        let cases = [
            ("(?=a)b", "look-around"),
            ("(?!a)b", "look-around"),
            ("(?<=a)b", "look-around"),
            ("(?<!a)b", "look-around"),
            (r"(a)\1", "back reference"),
        ];
        for (expression, name) in cases {
            let error = compile(expression).unwrap_err();
            assert!(error.contains(name) && error.contains("Perl"), "{expression:?}: {error}");
        }
    }
}

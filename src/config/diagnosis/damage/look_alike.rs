//! Characters that look like XML's own and are others.
//!
//! Owns the tables: what input methods, word processors and web pages put where XML wants an ASCII
//! quote, equals sign or blank. They have it in Unicode, in GBK whose bytes were read one by one, and as the
//! escapes of web pages.

/// The ASCII character that was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    Quote,
    Equals,
    Blank,
}

impl Plain {
    pub(super) const ALL: [Plain; 3] = [Plain::Equals, Plain::Blank, Plain::Quote];

    pub(super) fn character(self) -> &'static str {
        match self {
            Plain::Quote => "\"",
            Plain::Equals => "=",
            Plain::Blank => " ",
        }
    }

    fn table(self) -> &'static [&'static str] {
        match self {
            Plain::Quote => &[
                "“",
                "”",
                "„",
                "‘",
                "’",
                "″",
                "＂",
                "＇",
                "「",
                "」",
                "&quot;",
                "&#34;",
                "&ldquo;",
                "&rdquo;",
                "\u{a1}\u{b0}",
                "\u{a1}\u{b1}",
                "\u{a1}\u{ae}",
                "\u{a1}\u{af}",
                "\u{a3}\u{a2}",
                "\u{a3}\u{a7}",
            ],
            Plain::Equals => &["＝", "\u{a3}\u{bd}"],
            Plain::Blank => &[
                "\u{3000}",
                "\u{a1}\u{a1}",
                "\u{a0}",
                "\u{2002}",
                "\u{2003}",
                "\u{2009}",
                "\u{200b}",
                "\u{202f}",
                "\u{feff}",
                "&nbsp;",
            ],
        }
    }

    /// The look-alike that `text` starts with.
    pub(super) fn starting(self, text: &str) -> Option<&'static str> {
        self.table().iter().find(|look_alike| text.starts_with(**look_alike)).copied()
    }

    /// Where the first look-alike in `text` is.
    pub(super) fn find(self, text: &str) -> Option<usize> {
        self.table().iter().filter_map(|look_alike| text.find(look_alike)).min()
    }

    /// How a message speaks of a look-alike.
    pub(super) fn named(self, look_alike: &str) -> String {
        let of_bytes = look_alike.chars().all(|c| ('\u{80}'..='\u{ff}').contains(&c));
        match self {
            Plain::Quote | Plain::Equals if of_bytes => {
                format!("a full-width character in place of a plain {}", self.character())
            }
            Plain::Quote | Plain::Equals => {
                format!("{look_alike} in place of a plain {}", self.character())
            }
            Plain::Blank if look_alike.is_ascii() => format!("{look_alike} in place of a blank"),
            Plain::Blank if of_bytes && look_alike.chars().count() > 1 => {
                "a full-width blank in place of a plain one".into()
            }
            // Nobody can see it, so it is called by its number.
            Plain::Blank => {
                let number = look_alike.chars().next().map_or(0, u32::from);
                format!("the character U+{number:04X} in place of a blank")
            }
        }
    }
}

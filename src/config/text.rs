//! Bytes to characters and back.
//!
//! People's configuration files claim to be ISO-8859-1 and are ASCII, UTF-8 or GBK. So what the file
//! claims is ignored. A file that is valid UTF-8 is read as that; in any other, each byte becomes one
//! character, so that a path gets back exactly the bytes that were written. `diagnosis::source` calls
//! this for the file. The engine's filter calls [`decode`] for a path: an expression and a path that were
//! written with the same bytes have the same characters.

use std::borrow::Cow;

/// How the characters of a text stand for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The bytes are valid UTF-8.
    Utf8,
    /// Each character up to U+00FF is one byte.
    Bytes,
}

/// The characters of `bytes`: UTF-8 if that is what they are, else one character for each byte.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    decode_with_encoding(bytes).0
}

/// Like [`decode`], with what [`Encoding::bytes`] needs to get the bytes back.
pub(super) fn decode_with_encoding(bytes: &[u8]) -> (Cow<'_, str>, Encoding) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), Encoding::Utf8),
        Err(_) => (bytes.iter().map(|&byte| char::from(byte)).collect(), Encoding::Bytes),
    }
}

impl Encoding {
    /// The bytes that `text` stands for.
    pub(super) fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Bytes => text.chars().flat_map(bytes_of_char).collect(),
        }
    }
}

/// A character beyond U+00FF cannot come from a byte; `&#x4e2d;` in the file makes one, and then
/// UTF-8 is the best guess.
fn bytes_of_char(c: char) -> Vec<u8> {
    match u8::try_from(c) {
        Ok(byte) => vec![byte],
        Err(_) => c.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_string_comes_back_as_it_was() {
        let all: Vec<u8> = (0..=255).collect();
        let cases: [&[u8]; 5] =
            [b"/data", "/数据/é".as_bytes(), b"/\xca\xfd\xbe\xdd", b"\xff\xfe", &all];
        for bytes in cases {
            let (text, encoding) = decode_with_encoding(bytes);
            assert_eq!(encoding.bytes(&text), bytes, "{bytes:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_become_one_character_each() {
        assert_eq!(decode(b"\xca\xfd"), "\u{ca}\u{fd}");
        assert_eq!(decode("数".as_bytes()), "数");
    }

    #[test]
    fn a_character_that_is_no_byte_becomes_utf8() {
        assert_eq!(Encoding::Bytes.bytes("\u{e9}\u{4e2d}"), b"\xe9\xe4\xb8\xad");
    }
}

//! The file as characters, before anything is read from them.
//!
//! Tells what is no XML text at all. Takes away what claims how the characters are encoded: the byte
//! order mark, and the XML declaration, which is wrong more often than right. `Config::parse` begins
//! here.

use super::hint::Hint;
use super::problem::Problem;
use crate::config::text::{self, Encoding};

/// The largest configuration file that is read, in bytes. The official template has 3 KB; a file
/// beyond this is something else that was named by mistake.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

const MARK_UTF8: &[u8] = b"\xef\xbb\xbf";
/// How a file in UTF-16 begins: with a byte order mark, or with a `<` of two bytes.
const STARTS_UTF16: [&[u8]; 4] = [b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<"];

/// The characters of a configuration file.
#[derive(Debug)]
pub struct Source {
    /// Everything that was written, without a byte order mark.
    pub text: String,
    /// How the characters stand for bytes.
    pub encoding: Encoding,
}

impl Source {
    pub fn new(bytes: &[u8]) -> Result<Source, Problem> {
        if bytes.len() > FILE_BYTES_MAX {
            let text = format!("found more than {FILE_BYTES_MAX} bytes, expected a configuration");
            return Err(Problem::whole_file(text).hint(Hint::NAME_FILE));
        }
        if STARTS_UTF16.iter().any(|start| bytes.starts_with(start)) {
            let problem = Problem::whole_file("found UTF-16, expected UTF-8");
            return Err(problem.hint(Hint::SAVE_UTF8));
        }
        if bytes.contains(&0) {
            let problem = Problem::whole_file("found a binary file, expected an XML text");
            return Err(problem.hint(Hint::NAME_FILE));
        }
        let (text, encoding) =
            text::decode_with_encoding(bytes.strip_prefix(MARK_UTF8).unwrap_or(bytes));
        let source = Source { text: text.into_owned(), encoding };
        match source.no_xml() {
            Some(problem) => Err(problem),
            None => Ok(source),
        }
    }

    /// What the file is instead, if it is not even an attempt at XML.
    fn no_xml(&self) -> Option<Problem> {
        let text = self.text.trim();
        let start = text.get(..MARKUP_START_BYTES.min(text.len())).unwrap_or(text);
        let start = start.to_ascii_lowercase();
        if text.is_empty() {
            let problem = Problem::whole_file("found an empty file, expected <head>");
            Some(problem.hint(Hint::TEMPLATE))
        } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
            let problem = Problem::whole_file("found a web page, expected <head>");
            Some(problem.hint(Hint::DOWNLOAD))
        } else if text.contains('<') {
            None
        } else if text.contains("&lt;head") {
            let problem = Problem::whole_file("found &lt; in place of every <");
            Some(problem.hint(Hint::COPY_TEXT))
        } else {
            let problem = Problem::whole_file("found a text without any element, expected <head>");
            Some(problem.hint(Hint::NAME_FILE))
        }
    }

    /// A line by its number from 1, without its end.
    pub fn line(&self, number: u32) -> Option<&str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.text.split('\n').nth(index).map(|line| line.strip_suffix('\r').unwrap_or(line))
    }

    /// The text for the parser. It has blanks in place of the declaration, so that all offsets stay right.
    pub fn undeclared(&self) -> String {
        let text = self.text.as_str();
        let start = text.len() - text.trim_start().len();
        let declaration = text[start..]
            .strip_prefix("<?xml")
            .filter(|rest| rest.starts_with(char::is_whitespace))
            .and_then(|rest| rest.find("?>"))
            .map(|length| start..start + "<?xml".len() + length + "?>".len())
            .filter(|range| !text[range.start + 1..range.end].contains('<'));
        let Some(declaration) = declaration else { return text.to_owned() };
        let blanked = text[declaration.clone()].bytes();
        let blanks = blanked.map(|byte| if byte == b'\n' { '\n' } else { ' ' });
        let behind = &text[declaration.end..];
        text[..declaration.start].chars().chain(blanks).chain(behind.chars()).collect()
    }
}

/// How many bytes of a file are enough to know a web page by.
const MARKUP_START_BYTES: usize = "<!doctype html".len();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_xml_text_is_called_by_its_name() {
        let cases: [(&[u8], &str); 13] = [
            (b"", "found an empty file, expected <head>; start from the template conf/confxml.xml"),
            (b" \r\n", "found an empty file, expected <head>; start from"),
            (b"\xef\xbb\xbf", "found an empty file"),
            (b"\xff\xfe<\0h\0", "found UTF-16, expected UTF-8; save the file as UTF-8"),
            (b"\xfe\xff\0<\0h", "found UTF-16"),
            (b"<\0h\0", "found UTF-16"),
            (b"\0<\0h", "found UTF-16"),
            (b"\x7fELF\x02\x01\x01\0", "found a binary file, expected an XML text; name the conf"),
            (b"\x1f\x8b\x08\0", "found a binary file"),
            (b"uid = root\n[m]\n", "found a text without any element, expected <head>; name the"),
            (b"&lt;head&gt;\n", "found &lt; in place of every <; copy the text from the page"),
            (b"\n<!DOCTYPE html>\n<html>", "found a web page, expected <head>; download the file"),
            (b"<html lang='zh'>", "found a web page"),
        ];
        for (bytes, expected) in cases {
            let problem = Source::new(bytes).map(|source| source.text).unwrap_err();
            assert_eq!(problem.position.line, 0);
            assert!(problem.to_string().starts_with(expected), "{bytes:?}: {problem}");
        }
        let large = Source::new(&vec![b'<'; FILE_BYTES_MAX + 1]).err().unwrap();
        assert!(large.to_string().starts_with("found more than 1048576 bytes"), "{large}");
        assert!(Source::new(&vec![b'<'; FILE_BYTES_MAX]).is_ok());
    }

    #[test]
    fn the_declaration_leaves_blanks_of_its_length() {
        let cases = [
            ("<?xml version='1.0'?><head/>", "                     <head/>"),
            ("\n<?xml\nversion=“1”?>\n<a/>", "\n     \n                 \n<a/>"),
            ("<head/>", "<head/>"),
            ("<?xml <head/> ?>", "<?xml <head/> ?>"),
            ("<?xmlx?><a/>", "<?xmlx?><a/>"),
        ];
        for (written, expected) in cases {
            let source = Source::new(written.as_bytes()).unwrap();
            assert_eq!(source.undeclared(), expected, "{written:?}");
            assert_eq!(source.undeclared().len(), source.text.len());
        }
    }
}

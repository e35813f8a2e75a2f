//! What was probably meant, where the XML is broken.
//!
//! Owns the damage that copying from web pages does to a configuration: a lost blank
//! (`<authstart=`), typographic quotes, a lost quote, a page's own markers around the file. `xml`
//! calls it with the parser's error, which alone would say "expected '=' not '\"'" somewhere behind
//! the damage.

use super::schema::split_glued;
use super::xml::{problem_at, shown};
use super::Problem;
use roxmltree::Error;

/// What input methods and word processors put where XML wants an ASCII quote: in Unicode, and in
/// GBK whose bytes were read one by one. The same for the equals sign and the blank.
const QUOTES: &[&str] = &[
    "“",
    "”",
    "‘",
    "’",
    "＂",
    "＇",
    "「",
    "」",
    "\u{a1}\u{b0}",
    "\u{a1}\u{b1}",
    "\u{a1}\u{ae}",
    "\u{a1}\u{af}",
    "\u{a3}\u{a2}",
    "\u{a3}\u{a7}",
];
const EQUALS: &[&str] = &["＝", "\u{a3}\u{bd}"];
const BLANKS: &[&str] = &["\u{3000}", "\u{a1}\u{a1}", "\u{a0}"];

/// Explains why `source` did not parse: the known damage if there is any, else the parser's error.
pub(super) fn explain(source: &str, error: &Error) -> Problem {
    match scan(source) {
        Err(Damage { at, text }) => problem_at(source, at, text),
        Ok(()) => from_parser(source, error),
    }
}

/// A place where an XML file cannot have what is there, and what to do about it.
struct Damage {
    at: usize,
    text: String,
}

/// Goes through the file tag by tag, as a parser does, but remembers where each thing began: a
/// lost quote is noticed lines behind the place where it was lost.
fn scan(source: &str) -> Result<(), Damage> {
    let mut scan = Scan { source, at: 0, depth: 0, root_seen: false };
    scan.no_text("in front of the configuration")?;
    while let Some(length) = scan.rest().find('<') {
        scan.at += length;
        if scan.rest().starts_with("<!--") {
            scan.comment()?;
        } else if scan.rest().starts_with("<?") {
            scan.declaration()?;
        } else if scan.rest().starts_with("<![CDATA[") {
            scan.skip_past("]]>");
        } else if scan.rest().starts_with("</") {
            scan.close_tag()?;
        } else if scan.rest().starts_with("<!") {
            scan.skip_past(">");
        } else {
            scan.tag()?;
        }
        if scan.depth == 0 && scan.root_seen {
            scan.no_text("behind the configuration")?;
        }
    }
    Ok(())
}

struct Scan<'a> {
    source: &'a str,
    at: usize,
    /// How many elements are open.
    depth: usize,
    root_seen: bool,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Moves behind the next `end`, or to the end of the file, and gives what was passed.
    fn skip_past(&mut self, end: &str) -> Option<&'a str> {
        let passed = self.rest().find(end).map(|length| &self.rest()[..length]);
        self.at = passed.map_or(self.source.len(), |passed| self.at + passed.len() + end.len());
        passed
    }

    fn skip_blanks(&mut self) {
        self.at = self.source.len() - self.rest().trim_start_matches(is_blank).len();
    }

    fn no_text(&mut self, place: &str) -> Result<(), Damage> {
        self.skip_blanks();
        let line = self.rest().lines().next().unwrap_or_default();
        if line.is_empty() || line.starts_with('<') {
            return Ok(());
        }
        let text = format!("found text \"{}\" {place}; delete it", shown(line.trim()));
        Err(Damage { at: self.at, text })
    }

    fn comment(&mut self) -> Result<(), Damage> {
        let start = self.at;
        self.at += "<!--".len();
        let content = self.at;
        let Some(comment) = self.skip_past("-->") else {
            let text = "found a comment that is never closed; write --> behind it".into();
            return Err(Damage { at: start, text });
        };
        if let Some(dashes) =
            comment.find("--").or(comment.ends_with('-').then(|| comment.len() - 1))
        {
            let text = "found -- within a comment, where XML forbids it; delete one -".into();
            return Err(Damage { at: content + dashes, text });
        }
        Ok(())
    }

    fn declaration(&mut self) -> Result<(), Damage> {
        let start = self.at;
        match self.skip_past("?>") {
            Some(passed) if !passed[1..].contains('<') => Ok(()),
            _ => {
                let text = "found <? that is not closed; write ?> at the end of its line".into();
                Err(Damage { at: start, text })
            }
        }
    }

    fn close_tag(&mut self) -> Result<(), Damage> {
        let at = self.at;
        let tag = self.skip_past(">").unwrap_or_default();
        let Some(depth) = self.depth.checked_sub(1) else {
            let text = format!("found {}>, but nothing is open; delete it", shown(tag));
            return Err(Damage { at, text });
        };
        self.depth = depth;
        Ok(())
    }

    fn tag(&mut self) -> Result<(), Damage> {
        let start = self.at;
        self.at += 1;
        let name = self.name()?;
        if self.rest().starts_with('=') {
            return Err(Damage { at: start, text: glued_name(name) });
        }
        let mut last_attribute = None;
        loop {
            let end = self.at;
            self.skip_blanks();
            let rest = self.rest();
            if rest.starts_with('>') || rest.starts_with("/>") {
                self.depth += usize::from(rest.starts_with('>'));
                self.root_seen = true;
                self.skip_past(">");
                return Ok(());
            }
            if rest.is_empty() || rest.starts_with('<') {
                let text = format!("found <{} that is not closed; write > or />", shown(name));
                return Err(Damage { at: start, text });
            }
            if let (true, Some(attribute)) = (self.at == end, &last_attribute) {
                return Err(self.no_blank_behind(attribute));
            }
            last_attribute = Some(self.attribute(name)?);
        }
    }

    fn attribute(&mut self, element: &str) -> Result<WrittenAttribute<'a>, Damage> {
        let at = self.at;
        let damage = |text| Err(Damage { at, text });
        let element = shown(element);
        let name = self.name()?;
        self.skip_blanks();
        if name.is_empty() || !self.rest().starts_with('=') {
            let found = shown(if name.is_empty() { &self.rest()[..1] } else { name });
            return damage(format!("found {found} in <{element}, expected name=\"value\""));
        }
        self.at += 1;
        self.skip_blanks();
        self.no_look_alike(QUOTES, "quote", "\"")?;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return damage(format!(
                "found {name}= with no quotes in <{element}; write {name}=\"...\""
            ));
        };
        self.at += 1;
        let length = self.rest().find([quote, '<']).unwrap_or(self.rest().len());
        let value = &self.rest()[..length];
        if !self.rest()[length..].starts_with(quote) {
            if let Some(look_alike) = QUOTES.iter().filter_map(|quote| value.find(quote)).min() {
                self.at += look_alike;
                self.no_look_alike(QUOTES, "quote", "\"")?;
            }
            return damage(format!(
                "found {name}={quote} with no {quote} that closes it; write {name}={quote}...{quote}"
            ));
        }
        self.at += length + 1;
        Ok(WrittenAttribute { at, name, value })
    }

    /// The name that starts here; empty if none does.
    fn name(&mut self) -> Result<&'a str, Damage> {
        let rest = self.rest();
        let ends = |c: char| is_blank(c) || matches!(c, '=' | '/' | '>' | '<' | '"' | '\'');
        let name = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let tables =
            [(EQUALS, "equals sign", "="), (BLANKS, "blank", " "), (QUOTES, "quote", "\"")];
        for (look_alikes, what, ascii) in tables {
            if let Some(offset) = look_alikes.iter().filter_map(|other| name.find(other)).min() {
                self.at += offset;
                self.no_look_alike(look_alikes, what, ascii)?;
            }
        }
        self.at += name.len();
        Ok(name)
    }

    fn no_look_alike(&self, table: &[&str], what: &str, ascii: &str) -> Result<(), Damage> {
        match table.iter().find(|look_alike| self.rest().starts_with(**look_alike)) {
            Some(found) => Err(Damage {
                at: self.at,
                text: format!("found a full-width {what} ({found}); write the plain one ({ascii})"),
            }),
            None => Ok(()),
        }
    }

    /// A value has ended, and something follows at once.
    fn no_blank_behind(&self, attribute: &WrittenAttribute<'_>) -> Damage {
        let WrittenAttribute { at, name, value } = *attribute;
        // In `path="/a time="60"` the quote that opens the second value has closed the first.
        if let Some((before, next)) =
            value.strip_suffix('=').and_then(|value| value.rsplit_once(is_blank))
        {
            let before = shown(before.trim_end());
            let text = format!(
                "found {name}=\"{before} with no \" that closes it in front of {next}=; \
                 write {name}=\"{before}\""
            );
            return Damage { at, text };
        }
        let found = shown(self.rest().split(['=', '>', ' ', '\n']).next().unwrap_or_default());
        let text = format!("found {found} with no blank in front of it; put a blank there");
        Damage { at: self.at, text }
    }
}

#[derive(Clone, Copy)]
struct WrittenAttribute<'a> {
    at: usize,
    name: &'a str,
    value: &'a str,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn glued_name(name: &str) -> String {
    match split_glued(name) {
        Some((element, attribute)) => format!(
            "found <{name}=, expected <{element} {attribute}=; put the blank back that was lost"
        ),
        None => format!(
            "found <{}=, expected the element's name, a blank, and an attribute",
            shown(name)
        ),
    }
}

/// The errors that are no copying damage, said in this program's words.
fn from_parser(source: &str, error: &Error) -> Problem {
    let pos = error.pos();
    let text = if let Error::UnexpectedCloseTag(open, close, _) = error {
        let (open, close) = (shown(open), shown(close));
        format!("found </{close}>, expected </{open}>; end <{open} with /> or close it first")
    } else if let Error::DtdDetected = error {
        let at = source.find("<!DOCTYPE").unwrap_or_default();
        return problem_at(source, at, "found a <!DOCTYPE>, expected none; delete it");
    } else if let Error::NoRootNode = error {
        "found no element, expected <head>; start from the template conf/confxml.xml".into()
    } else if let Error::UnclosedRootNode | Error::UnexpectedEndOfStream = error {
        let end = source.trim_end().len();
        let text = "found the end of the file, expected </head>; was the file cut short?";
        return problem_at(source, end, text);
    } else if let Error::MalformedEntityReference(_) = error {
        "found an & that stands alone; write &amp; for it".into()
    } else if let Error::UnknownEntityReference(name, _) = error {
        format!("found &{};, which XML does not know; write the character itself", shown(name))
    } else if let Error::DuplicatedAttribute(name, _) = error {
        format!("found {}= twice in one element; delete one", shown(name))
    } else if let Error::UnexpectedDeclaration(_) = error {
        "found <?xml ...?> inside the file, expected it in the first line; delete it here".into()
    } else if let Error::NonXmlChar(c, _) = error {
        format!("found the control character {:#04x}; delete it", u32::from(*c))
    } else {
        // The parser names the place in its sentence; here it stands in front of it.
        format!("this is not XML: {}", error.to_string().replace(&format!(" at {pos}"), ""))
    };
    Problem { line: pos.row, column: pos.col, text }
}

#[cfg(test)]
mod tests {
    use super::super::xml;

    /// Each damage, and the start of what is said about it.
    const DAMAGES: &[(&str, &str)] = &[
        (
            "<head>\n <authstart=\"true\" users=\"a\"/></head>",
            "2:2: found <authstart=, expected <auth start=; put the blank",
        ),
        (
            "<head>\n<failLogpath=\"/a\"\n timeToExecute=\"60\"/></head>",
            "2:1: found <failLogpath=, expected <failLog path=",
        ),
        ("<head><sshstart=\"false\"/></head>", "1:7: found <sshstart=, expected <ssh start="),
        ("<head><sshh=\"false\"/></head>", "1:7: found <sshh=, expected the element's name"),
        (
            "<head><userDefinedPort start=\"true\"port=\"873\"/></head>",
            "1:36: found port with no blank in front of it",
        ),
        ("<head><ssh start=“true”/></head>", "1:18: found a full-width quote (“); write"),
        ("<head><ssh start=\"true”/></head>", "1:23: found a full-width quote (”); write"),
        ("<head><ssh start＝\"true\"/></head>", "1:17: found a full-width equals sign"),
        ("<head><ssh\u{3000}start=\"true\"/></head>", "1:11: found a full-width blank"),
        ("<head><ssh start=\u{a1}\u{b0}true\u{a1}\u{b1}/></head>", "1:18: found a full-width"),
        (
            "<head><failLog path=\"/tmp/x.sh timeToExecute=\"60\"/></head>",
            "1:16: found path=\"/tmp/x.sh with no \" that closes it in front of timeToExecute=",
        ),
        (
            "<head><auth users=\"root passwordfile=\"/etc/pas\"/></head>",
            "1:13: found users=\"root with no \" that closes it in front of passwordfile=",
        ),
        (
            "<head><localpath watch=\"/data>\n<remote ip=\"h\" name=\"m\"/></head>",
            "1:18: found watch=\" with no \" that closes it",
        ),
        ("<head><ssh start=true/></head>", "1:12: found start= with no quotes in <ssh"),
        ("<head><ssh start/></head>", "1:12: found start in <ssh, expected name=\"value\""),
        ("<head><ssh =\"a\"/></head>", "1:12: found = in <ssh, expected name="),
        ("<head><remote ip=\"h\"\n<ssh/></head>", "1:7: found <remote that is not closed"),
        (
            "\n{{<codeblock \"confxml.xml\" \"xml\" >}}\n<?xml version=\"1.0\"?>\n<head/>",
            "2:1: found text \"{{<codeblock \"confxml.xml\" \"xml\" >}}\" in front of the conf",
        ),
        ("<head/>\n</head>", "2:1: found </head>, but nothing is open"),
        ("<head>\n</head>\n{{</codeblock>}}", "3:1: found text \"{{</codeblock>}}\" behind"),
        ("<head><!-- a -- b --></head>", "1:14: found -- within a comment"),
        ("<head><!-- a ---></head>", "1:14: found -- within a comment"),
        ("<head><!-- a </head>", "1:7: found a comment that is never closed"),
        ("<?xml version=\"1.0\">\n<head/>", "1:1: found <? that is not closed"),
        ("<head>\n<remote>\n</head>", "3:1: found </head>, expected </remote>; end <remote with"),
        ("<head>\n<ssh/>\n", "2:7: found the end of the file, expected </head>"),
        ("", "1:1: found no element, expected <head>"),
        (" \n<!-- a -->", "1:1: found no element, expected <head>"),
        ("\n<!DOCTYPE a>\n<head/>", "2:1: found a <!DOCTYPE>"),
        ("<head a=\"b & c\"/>", "1:12: found an & that stands alone"),
        ("<head a=\"b&nbsp;c\"/>", "1:11: found &nbsp;, which XML does not know"),
        ("<head a=\"b\" a=\"c\"/>", "1:13: found a= twice"),
        ("<head/><?xml version=\"1.0\"?>", "1:8: found <?xml ...?> inside the file"),
        ("<head>\u{1}</head>", "1:7: found the control character 0x01"),
        ("<head>]]></head>", "1:10: this is not XML: ']]>' is not allowed"),
    ];

    #[test]
    fn damage_is_named_with_its_place_and_cure_in_one_line() {
        for (source, expected) in DAMAGES {
            let problem = xml::parse(source).unwrap_err().to_string();
            assert!(problem.starts_with(expected), "{source}\n  says {problem}");
            assert!(!problem.contains('\n'), "{problem}");
        }
    }

    #[test]
    fn any_cut_of_a_file_is_explained_without_a_crash() {
        let source =
            "<?xml version=\"1.0\"?><head><!-- 数据 --><ssh start=“t\" a='b' c=\"d=\"e/></head>";
        for (end, _) in source.char_indices() {
            for (start, _) in source[..end].char_indices() {
                if let Err(problem) = xml::parse(&source[start..end]) {
                    assert!(problem.line > 0, "{problem}");
                }
            }
        }
    }
}

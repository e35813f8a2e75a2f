//! What was probably meant, where the XML is broken.
//!
//! Owns the damage that copying from web pages does to a configuration: a lost blank
//! (`<authstart=`), typographic quotes, a lost quote, a page's own markers around the file. `xml`
//! calls it with the parser's error, which by itself only says "expected '=' not '\"'" somewhere behind
//! the damage. This file goes from tag to tag; `attribute` looks into each.

mod attribute;
mod look_alike;
#[cfg(test)]
mod tests;

use super::edit::Edit;
use super::hint::Hint;
use super::problem::{Position, Problem};
use super::shown::shown;
use crate::config::schema;
use look_alike::Plain;
use roxmltree::Error;

/// Explains why `source` did not parse: the known damage if there is any, else the parser's error.
pub fn explain(source: &str, error: &Error) -> Problem {
    scan(source).err().unwrap_or_else(|| from_parser(source, error))
}

/// Goes through the file tag by tag, as a parser does, but remembers where each thing began: a
/// lost quote is noticed lines behind the place where it was lost.
fn scan(source: &str) -> Result<(), Problem> {
    let mut scan = Scan { source, at: 0, open: Vec::new(), root_seen: false, closed: None };
    scan.no_text()?;
    while let Some(length) = scan.rest().find('<') {
        let text = &scan.rest()[..length];
        scan.no_stray_ampersand(scan.at, text, "the text")?;
        scan.no_section_end(text)?;
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
            scan.no_second_root()?;
            scan.tag()?;
            scan.root_seen = true;
        }
        if scan.open.is_empty() {
            scan.no_text()?;
        }
    }
    scan.all_closed()
}

struct Scan<'a> {
    source: &'a str,
    at: usize,
    /// The elements that are open, the innermost last.
    open: Vec<Open<'a>>,
    root_seen: bool,
    /// The element that was closed last, if no other was opened since.
    closed: Option<&'a str>,
}

struct Open<'a> {
    name: &'a str,
    /// Where its `<` is, and the `>` of the same tag.
    at: usize,
    end: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn problem(&self, at: usize, text: impl Into<String>) -> Problem {
        Problem::at(self.source, at, text)
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

    /// Refuses text outside of the root element.
    fn no_text(&mut self) -> Result<(), Problem> {
        self.skip_blanks();
        self.no_look_alike(Plain::Blank)?;
        let line = self.rest().lines().next().unwrap_or_default();
        if line.is_empty() || line.starts_with('<') {
            return Ok(());
        }
        let markup = ["<?xml", "<!--", "<head"];
        let end = markup.iter().filter_map(|start| line.find(start)).min().unwrap_or(line.len());
        let found = line[..end].trim_end();
        let place = if self.root_seen { "behind" } else { "in front of" };
        let text = format!("found text \"{}\" {place} the configuration", shown(found));
        let number = found.trim_end_matches(['.', ':', '|', ')']);
        let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let hint = if numbered { Hint::LINE_NUMBERS } else { Hint::DELETE };
        Err(self.problem(self.at, text).hint(hint).edit(Edit::delete(self.at, end)))
    }

    fn comment(&mut self) -> Result<(), Problem> {
        let start = self.at;
        self.at += "<!--".len();
        let content = self.at;
        let comment = self.skip_past("-->");
        let within = comment.unwrap_or_else(|| &self.source[content..]);
        if let (None, _) | (_, Some(_)) = (comment, within.find("<!--")) {
            return Err(self.open_comment(start, within));
        }
        let last = within.ends_with('-').then(|| within.len().saturating_sub(1));
        let Some(dashes) = within.find("--").or(last) else { return Ok(()) };
        let at = content + dashes;
        let line = within[dashes..].lines().next().unwrap_or_default();
        // The content ends in front of the dashes of -->.
        let ends = dashes + line.len() == within.len();
        let edit = Edit::replace(at, line.len(), dashes_apart(line, ends));
        let problem = self.problem(at, "found -- within a comment, which XML forbids");
        Err(problem.hint(Hint::DASHES_APART).edit(edit))
    }

    /// A comment that is never closed, or only by the end of the next one.
    fn open_comment(&self, start: usize, within: &str) -> Problem {
        let next = within.find("<!--");
        let text = match next {
            Some(_) => "found a comment that is not closed in front of the next one",
            None => "found a comment that is never closed",
        };
        let problem = self.problem(start, text).hint(Hint::END_COMMENT);
        let line = within.lines().next().unwrap_or_default().trim_end();
        match next.is_none_or(|next| next > line.len()) {
            true => problem.edit(Edit::insert(start + "<!--".len() + line.len(), " -->")),
            false => problem,
        }
    }

    fn declaration(&mut self) -> Result<(), Problem> {
        let start = self.at;
        let passed = self.skip_past("?>").filter(|passed| !passed[1..].contains('<'));
        let Some(passed) = passed else {
            let line = self.source[start..].lines().next().unwrap_or_default();
            let end = line.find('>').map_or(line.len(), |angle| angle + 1);
            let kept = line[..end].trim_end_matches(['?', '>', ' ', '\t']).len();
            let problem = self.problem(start, "found <? that is not closed");
            let edit = Edit::replace(start + kept, end - kept, "?>");
            return Err(problem.hint(Hint::END_DECLARATION).edit(edit));
        };
        let is_xml = passed.strip_prefix("<?xml").is_some_and(|rest| rest.starts_with(is_blank));
        if is_xml {
            let text = "found <?xml ...?> inside the file, expected it in the first line";
            let problem = self.problem(start, text).hint(Hint::DELETE);
            return Err(match passed.contains('\n') {
                true => problem,
                false => problem.edit(Edit::delete(start, self.at - start)),
            });
        }
        Ok(())
    }

    fn no_second_root(&self) -> Result<(), Problem> {
        if !self.root_seen || !self.open.is_empty() {
            return Ok(());
        }
        let name = self.rest()[1..].split(|c| is_blank(c) || matches!(c, '>' | '/')).next();
        let name = shown(name.unwrap_or_default());
        let text = format!("found <{name}> behind the end of the configuration");
        Err(self.problem(self.at, text).hint(Hint::ONE_HEAD))
    }

    fn close_tag(&mut self) -> Result<(), Problem> {
        let at = self.at;
        let inner = &self.rest()["</".len()..];
        let name = inner.split(|c| is_blank(c) || matches!(c, '>' | '<')).next().unwrap_or("");
        self.at += "</".len() + name.len();
        let end = self.at;
        self.skip_blanks();
        if !self.rest().starts_with('>') {
            let problem = self.problem(at, format!("found </{} that is not closed", shown(name)));
            return Err(problem
                .hint(Hint::WRITE.with(format!("</{}>", shown(name))))
                .edit(Edit::insert(end, ">")));
        }
        self.at += 1;
        match self.open.last() {
            Some(open) if open.name == name => {
                self.closed = Some(name);
                self.open.pop();
                Ok(())
            }
            innermost => Err(self.wrong_close_tag(at, name, innermost)),
        }
    }

    /// A close tag at `at` that is not that of the innermost element.
    fn wrong_close_tag(&self, at: usize, name: &str, innermost: Option<&Open>) -> Problem {
        let found = shown(name);
        let length = self.at - at;
        let is_open = self.open.iter().any(|open| open.name == name);
        if self.closed == Some(name) && !is_open {
            let text = format!("found </{found}>, but <{found}> is closed already");
            return self.problem(at, text).hint(Hint::DELETE).edit(Edit::delete(at, length));
        }
        let Some(open) = innermost else {
            let text = format!("found </{found}>, but nothing is open");
            return self.problem(at, text).hint(Hint::DELETE).edit(Edit::delete(at, length));
        };
        let expected = format!("</{}>", shown(open.name));
        let parent = self.open.iter().rev().nth(1).map_or("", |parent| parent.name);
        if is_open && schema::is_leaf(parent, open.name) {
            let text = format!("found <{}> that is not closed in front of </{found}>", open.name);
            let edit = Edit::insert(open.end, "/");
            return self.problem(open.at, text).hint(Hint::END_ITSELF).edit(edit);
        }
        let problem = self.problem(at, format!("found </{found}>, expected {expected}"));
        if is_open {
            let edit = Edit::insert(at, &expected);
            return problem.hint(Hint::CLOSE_FIRST.with(expected)).edit(edit);
        }
        let edit = Edit::replace(at, length, &expected);
        problem.hint(Hint::WRITE.with(expected)).edit(edit)
    }

    /// Refuses an element that is still open at the end of the file.
    fn all_closed(&self) -> Result<(), Problem> {
        let Some(innermost) = self.open.last() else { return Ok(()) };
        let end = self.source.trim_end().len();
        let expected = format!("</{}>", shown(innermost.name));
        let text = format!("found the end of the file, expected {expected}");
        let missing: String =
            self.open.iter().rev().map(|open| format!("</{}>", open.name)).collect();
        let problem = self.problem(end, text).hint(Hint::CUT_SHORT.with(shown(&missing)));
        Err(problem.edit(Edit::insert(end, missing)))
    }

    fn no_look_alike(&self, plain: Plain) -> Result<(), Problem> {
        match plain.starting(self.rest()) {
            Some(_) => Err(self.look_alike(plain, self.at)),
            None => Ok(()),
        }
    }

    /// A look-alike stands at `at`.
    fn look_alike(&self, plain: Plain, at: usize) -> Problem {
        let found = plain.starting(&self.source[at..]).unwrap_or_default();
        let hint = match plain {
            Plain::Quote | Plain::Equals => Hint::WRITE.with(plain.character()),
            Plain::Blank => Hint::PLAIN_BLANK,
        };
        let edit = Edit::replace(at, found.len(), plain.character());
        self.problem(at, format!("found {}", plain.named(found))).hint(hint).edit(edit)
    }

    /// Refuses a `]]>` without the section that it would end.
    fn no_section_end(&self, text: &str) -> Result<(), Problem> {
        let Some(offset) = text.find("]]>") else { return Ok(()) };
        let at = self.at + offset;
        let edit = Edit::delete(at, "]]>".len());
        Err(self.problem(at, "found ]]> in the text").hint(Hint::DELETE).edit(edit))
    }

    /// Refuses an `&` that begins neither one of XML's five names nor a number.
    fn no_stray_ampersand(&self, start: usize, text: &str, place: &str) -> Result<(), Problem> {
        for (offset, _) in text.match_indices('&') {
            let at = start + offset;
            let rest = &text[offset + 1..];
            let name = rest.split_once(';').map(|(name, _)| name).filter(|name| is_reference(name));
            let problem = match name {
                Some(name) if name.starts_with('#') || ENTITIES.contains(&name) => continue,
                Some("nbsp") => self.look_alike(Plain::Blank, at),
                Some(name) => {
                    let text = format!("found &{};, which XML does not know", shown(name));
                    self.problem(at, text).hint(Hint::CHARACTER)
                }
                None => {
                    let problem =
                        self.problem(at, format!("found an & that stands alone in {place}"));
                    let edit = Edit::replace(at, 1, "&amp;");
                    problem.hint(Hint::WRITE.with("&amp;")).edit(edit)
                }
            };
            return Err(problem);
        }
        Ok(())
    }
}

/// The line with a blank between any two dashes; `dash_follows` is whether one stands behind the line.
fn dashes_apart(line: &str, dash_follows: bool) -> String {
    let mut apart = line.replace("--", "- -").replace("--", "- -");
    if dash_follows && apart.ends_with('-') {
        apart.push(' ');
    }
    apart
}

/// The names that XML has without a DTD.
const ENTITIES: [&str; 5] = ["lt", "gt", "amp", "quot", "apos"];

/// Whether this, between an `&` and a `;`, is a name or the number of a character.
fn is_reference(name: &str) -> bool {
    let digits = |text: &str, base: u32| !text.is_empty() && text.chars().all(|c| c.is_digit(base));
    match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix('x') {
            Some(number) => digits(number, 16),
            None => digits(number, 10),
        },
        // Every other character counts as a letter: to know better would take tables of 3 KB.
        None => {
            !name.is_empty() && name.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric())
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The parser's error, in this program's words.
fn from_parser(source: &str, error: &Error) -> Problem {
    let pos = error.pos();
    let (text, hint) = if let Error::DtdDetected = error {
        let at = source.find("<!DOCTYPE").unwrap_or_default();
        return Problem::at(source, at, "found a <!DOCTYPE>, expected none").hint(Hint::DELETE);
    } else if let Error::NoRootNode = error {
        ("found no element, expected <head>".into(), Hint::TEMPLATE)
    } else if let Error::DuplicatedAttribute(name, _) = error {
        (format!("found {}= twice in one element", shown(name)), Hint::DELETE_ONE)
    } else if let Error::NonXmlChar(c, _) = error {
        (format!("found the control character {:#04x}", u32::from(*c)), Hint::DELETE)
    } else {
        // The parser's sentence names the place, which a problem has by itself.
        let text = error.to_string().replace(&format!(" at {pos}"), "");
        (format!("this is not XML: {text}"), Hint::CORRECT)
    };
    Problem::new(Position { line: pos.row, column: pos.col }, text).hint(hint)
}

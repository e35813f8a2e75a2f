//! The elements of a configuration file as they were written, each with its place.
//!
//! Owns how an element or attribute is found, what its value is as a switch, number, time, path,
//! expression or text, and how a problem with it is worded. What each of them means is not known here:
//! that is `read` and what it calls.

use super::diagnosis::damage;
use super::diagnosis::edit::Edit;
use super::diagnosis::hint::Hint;
use super::diagnosis::problem::{Position, Problem};
use super::diagnosis::shown::shown;
use super::expression;
use super::spelling::nearest_index;
use super::text::Encoding;
use super::units::{self, Unit};
use roxmltree::{Document, Node};
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

/// The two values of a switch.
const SWITCHES: [&str; 2] = ["true", "false"];

/// What web pages and input methods put in place of a blank, and its number: it looks like a blank.
const BLANK_LOOK_ALIKES: [(char, &str); 2] = [('\u{a0}', "U+00A0"), ('\u{3000}', "U+3000")];

/// Parses XML. If it is broken, the problem says what was probably meant.
pub(super) fn parse(source: &str) -> Result<Document<'_>, Problem> {
    // Without a DTD there are no entities but XML's own five: none that names another file, and none that
    // grows when it is expanded.
    Document::parse(source).map_err(|error| damage::explain(source, &error))
}

/// An element with its attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    node: Node<'a, 'a>,
    encoding: Encoding,
}

impl<'a> Element<'a> {
    /// The root element of a document whose text was decoded with `encoding`.
    pub(super) fn root(document: &'a Document<'a>, encoding: Encoding) -> Element<'a> {
        Element { node: document.root_element(), encoding }
    }

    pub(super) fn name(self) -> &'a str {
        self.node.tag_name().name()
    }

    /// A problem with the element as a whole.
    pub(super) fn problem(self, text: impl Into<String>) -> Problem {
        self.problem_at(self.node.range().start, text)
    }

    /// A problem with what is at an offset of the file.
    pub(super) fn problem_at(self, offset: usize, text: impl Into<String>) -> Problem {
        Problem::at(self.node.document().input_text(), offset, text)
    }

    pub(super) fn children(self) -> Vec<Element<'a>> {
        let encoding = self.encoding;
        let elements = self.node.children().filter(Node::is_element);
        elements.map(|node| Element { node, encoding }).collect()
    }

    pub(super) fn children_named(self, name: &str) -> Vec<Element<'a>> {
        let mut named = self.children();
        named.retain(|child| child.name() == name);
        named
    }

    /// The first child of that name. Where there should be one, `ignored` warns of the others.
    pub(super) fn child(self, name: &str) -> Option<Element<'a>> {
        self.children().into_iter().find(|child| child.name() == name)
    }

    /// A child that must be there. `example` is how it is written.
    pub(super) fn required_child(self, name: &str, example: &str) -> Result<Element<'a>, Problem> {
        self.child(name).ok_or_else(|| {
            let others = self.children();
            let names: Vec<_> = others.iter().map(|child| child.name()).collect();
            let parent = self.name();
            match nearest_index(name, &names) {
                Some(index) => {
                    let text = format!("found <{}> in <{parent}>, expected <{name}>", names[index]);
                    others[index].problem(text).hint(Hint::CORRECT_NAME)
                }
                None => {
                    let text = format!("found no <{name}> in <{parent}>, expected at least one");
                    self.problem(text).hint(Hint::ADD.with(example))
                }
            }
        })
    }

    pub(super) fn attributes(self) -> impl Iterator<Item = Attribute<'a>> {
        self.node.attributes().map(move |written| Attribute { element: self, written })
    }

    pub(super) fn attribute(self, name: &str) -> Option<Attribute<'a>> {
        self.attributes().find(|attribute| attribute.name() == name)
    }

    /// An attribute that must be there and not be empty. `expected` says what belongs into it.
    pub(super) fn required(self, name: &str, expected: &str) -> Result<Attribute<'a>, Problem> {
        let Some(attribute) = self.attribute(name) else {
            return Err(self.missing_attribute(name, expected));
        };
        match attribute.value().trim() {
            "" => Err(attribute.wrong(expected).hint(Hint::FILL_IN)),
            _ => Ok(attribute),
        }
    }

    fn missing_attribute(self, name: &str, expected: &str) -> Problem {
        let others: Vec<_> = self.attributes().collect();
        let names: Vec<_> = others.iter().map(|attribute| attribute.name()).collect();
        let element = self.name();
        match nearest_index(name, &names) {
            Some(index) => {
                let text =
                    format!("found {}=... in <{element}>, expected {name}=...", names[index]);
                let written = others[index].written.range_qname();
                let edit = Edit::replace(written.start, written.len(), name);
                others[index].problem(text).hint(Hint::CORRECT_NAME).edit(edit)
            }
            None => {
                let text = format!("found no {name}=\"...\" in <{element}>, expected {expected}");
                self.problem(text).hint(Hint::ADD.with(format!("{name}=\"...\"")))
            }
        }
    }

    /// The attribute `start`, which must be there.
    pub(super) fn start(self) -> Result<bool, Problem> {
        self.required("start", "\"true\" or \"false\"")?.switch()
    }

    /// Whether the child of that name is turned on; without the child, the default.
    pub(super) fn switch(self, name: &str, default: bool) -> Result<bool, Problem> {
        self.child(name).map_or(Ok(default), |child| child.start())
    }

    /// A child that is there and turned on.
    pub(super) fn started(self, name: &str) -> Result<Option<Element<'a>>, Problem> {
        match self.child(name) {
            Some(child) if child.start()? => Ok(Some(child)),
            Some(_) | None => Ok(None),
        }
    }

    /// The expressions of all children of one name, each of which compiles.
    pub(super) fn expressions(self, name: &str) -> Result<Vec<String>, Problem> {
        self.children_named(name)
            .into_iter()
            .map(|child| child.required("expression", "a regular expression")?.expression())
            .collect()
    }

    /// Text between the child elements, which means nothing here, with its offset.
    pub(super) fn stray_text(self) -> impl Iterator<Item = (usize, &'a str)> {
        self.node.children().filter(Node::is_text).filter_map(|node| {
            let text = node.text()?;
            let blanks = text.len() - text.trim_start().len();
            let found = text.trim();
            (!found.is_empty()).then(|| (node.range().start + blanks, found))
        })
    }
}

/// An attribute of an element.
#[derive(Clone, Copy)]
pub(super) struct Attribute<'a> {
    element: Element<'a>,
    written: roxmltree::Attribute<'a, 'a>,
}

impl<'a> Attribute<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.written.name()
    }

    /// The value in characters, as the file was decoded.
    pub(super) fn value(&self) -> &'a str {
        self.written.value()
    }

    /// A problem with the attribute.
    pub(super) fn problem(&self, text: impl Into<String>) -> Problem {
        self.element.problem_at(self.written.range().start, text)
    }

    /// Where it stands.
    pub(super) fn position(&self) -> Position {
        self.problem("").position
    }

    /// The problem that the value is not what was expected.
    pub(super) fn wrong(&self, expected: &str) -> Problem {
        self.problem(format!(
            "found {}=\"{}\" in <{}>, expected {expected}",
            self.name(),
            shown(self.value()),
            self.element.name()
        ))
    }

    /// What puts another value in place of this one.
    pub(super) fn replaced_by(&self, value: &str) -> Edit {
        let written = self.written.range_value();
        Edit::replace(written.start, written.len(), value)
    }

    /// Refuses what only looks like a blank in front of an option.
    pub(super) fn plain_blanks(&self) -> Result<(), Problem> {
        let written = self.written.range_value();
        let source = self.element.node.document().input_text();
        let unlike = BLANK_LOOK_ALIKES.iter().find_map(|(blank, number)| {
            let offset = source[written.clone()].find(&format!("{blank}-"))?;
            Some((written.start + offset, blank, number))
        });
        match (self.element.encoding, unlike) {
            (Encoding::Utf8, Some((at, blank, number))) => {
                let name = self.name();
                let text = format!("found the character {number} in {name}= in place of a blank");
                let edit = Edit::replace(at, blank.len_utf8(), " ");
                Err(self.element.problem_at(at, text).hint(Hint::PLAIN_BLANK).edit(edit))
            }
            // In a file that is not UTF-8, that number may be one byte of some other character.
            (Encoding::Bytes, _) | (Encoding::Utf8, None) => Ok(()),
        }
    }

    /// The bytes that were written.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.element.encoding.bytes(self.value())
    }

    pub(super) fn path(&self) -> PathBuf {
        OsString::from_vec(self.bytes()).into()
    }

    /// The value as a path from the root directory.
    pub(super) fn absolute_path(&self) -> Result<PathBuf, Problem> {
        match self.path() {
            path if path.is_absolute() => Ok(path),
            _ => Err(self.wrong("an absolute path").hint(Hint::FROM_THE_ROOT)),
        }
    }

    /// The value as a directory, without slashes at its end.
    pub(super) fn directory(&self) -> Result<PathBuf, Problem> {
        let path = self.absolute_path()?;
        let bytes = path.as_os_str().as_bytes();
        let kept = bytes.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
        Ok(OsStr::from_bytes(&bytes[..kept]).into())
    }

    /// The value as characters. Somebody else (a host, a daemon) has to understand them; so a file that
    /// is not UTF-8 may only have ASCII here.
    pub(super) fn text(&self) -> Result<String, Problem> {
        match (self.element.encoding, self.value()) {
            (Encoding::Bytes, value) if !value.is_ascii() => {
                Err(self.wrong("characters in UTF-8").hint(Hint::SAVE_UTF8))
            }
            (Encoding::Bytes | Encoding::Utf8, value) => Ok(value.to_owned()),
        }
    }

    /// `true` or `false`, in any case and with blanks around.
    pub(super) fn switch(&self) -> Result<bool, Problem> {
        let value = self.value().trim();
        if value.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if value.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            let problem = self.wrong("\"true\" or \"false\"").hint(Hint::TRUE_OR_FALSE);
            Err(match nearest_index(value, &SWITCHES) {
                Some(index) => problem.edit(self.replaced_by(SWITCHES[index])),
                None => problem,
            })
        }
    }

    /// A whole number in a range. `meaning` names it: "a port".
    pub(super) fn number(&self, meaning: &str, range: RangeInclusive<u64>) -> Result<u64, Problem> {
        self.value().trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            self.wrong(&format!("{meaning} from {least} to {most}")).hint(Hint::WHOLE_NUMBER)
        })
    }

    /// A time within a range of seconds; `bare` is the unit of a number that has none.
    pub(super) fn time(
        &self,
        bare: Unit,
        range_s: RangeInclusive<u64>,
    ) -> Result<Duration, Problem> {
        let (least_s, most_s) = (*range_s.start(), *range_s.end());
        let range = Duration::from_secs(least_s)..=Duration::from_secs(most_s);
        units::duration(self.value(), bare).filter(|time| range.contains(time)).ok_or_else(|| {
            let hint = match bare {
                Unit::Seconds => Hint::SECONDS,
                Unit::Minutes => Hint::MINUTES,
            };
            self.wrong(&format!("a time from {least_s} to {most_s} seconds")).hint(hint)
        })
    }

    /// The text of a regular expression that is known to compile.
    pub(super) fn expression(&self) -> Result<String, Problem> {
        match expression::compile(self.value()) {
            Ok(_) => Ok(self.value().to_owned()),
            Err(why) => {
                let problem = self.wrong(&format!("a regular expression: {why}"));
                Err(problem.hint(expression::hint(&why)))
            }
        }
    }

    /// A port, or 0 for none.
    pub(super) fn port_or_none(&self) -> Result<u16, Problem> {
        let port = self.number("a port, or 0 for none", 0..=u64::from(u16::MAX))?;
        Ok(u16::try_from(port).expect("the range of a port is that of u16"))
    }

    pub(super) fn port(&self) -> Result<u16, Problem> {
        let port = self.number("a port", 1..=u64::from(u16::MAX))?;
        Ok(u16::try_from(port).expect("the range of a port is that of u16"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(problem: &Problem) -> (u32, u32) {
        (problem.position.line, problem.position.column)
    }

    #[test]
    fn a_switch_is_true_or_false_and_nothing_else() {
        let cases = [
            ("true", Some(true)),
            ("false", Some(false)),
            (" True ", Some(true)),
            ("FALSE", Some(false)),
            ("yes", None),
            ("1", None),
            ("truee", None),
        ];
        for (value, expected) in cases {
            let source = format!("<ssh start=\"{value}\"/>");
            let document = parse(&source).unwrap();
            let element = Element::root(&document, Encoding::Utf8);
            assert_eq!(element.start().ok(), expected, "{value:?}");
        }
    }

    #[test]
    fn a_problem_shows_what_was_found_but_not_all_of_it() {
        let source = format!("<a>\n  <ssh start=\"{}\"/></a>", "x".repeat(1000));
        let document = parse(&source).unwrap();
        let ssh = Element::root(&document, Encoding::Utf8).child("ssh").unwrap();
        let problem = ssh.start().unwrap_err();
        assert_eq!(place(&problem), (2, 8));
        let start = format!("found start=\"{}...\" in <ssh>, expected", "x".repeat(80));
        assert!(problem.text.starts_with(&start), "{problem}");
    }

    #[test]
    fn a_name_that_is_nearly_right_is_pointed_out() {
        let document = parse("<localpath wacth='/x'><remtoe/></localpath>").unwrap();
        let element = Element::root(&document, Encoding::Utf8);
        let attribute = element.required("watch", "a directory").err().unwrap();
        assert_eq!(place(&attribute), (1, 12));
        assert!(attribute.text.contains("wacth=") && attribute.text.contains("watch="));
        let child = element.required_child("remote", "").unwrap_err();
        assert_eq!(place(&child), (1, 23));
        assert!(child.text.contains("<remtoe>") && child.text.contains("<remote>"));
    }

    #[test]
    fn only_the_five_entities_are_known() {
        let document = parse("<a b='&lt;&gt;&amp;&apos;&quot;&#65;'/>").unwrap();
        assert_eq!(document.root_element().attribute("b"), Some("<>&'\"A"));
        for source in ["<a b='&nbsp;'/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a b='&b;'/>"] {
            assert!(parse(source).is_err(), "{source}");
        }
    }
}

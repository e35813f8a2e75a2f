//! What is between the angle brackets of one element: names, equals signs, quotes and values.
//!
//! Owns the damage within a tag. `damage` calls [`Scan::tag`] for each and knows how tags stand in
//! each other.

use super::super::edit::Edit;
use super::super::hint::Hint;
use super::super::problem::Problem;
use super::super::shown::shown;
use super::look_alike::Plain;
use super::{is_blank, Open, Scan};
use crate::config::schema::{self, split_glued};

#[derive(Clone, Copy)]
struct WrittenAttribute<'a> {
    name: &'a str,
    value: &'a str,
    at: usize,
    /// Where the value begins.
    value_at: usize,
}

impl<'a> Scan<'a> {
    /// Goes through a start tag.
    pub(super) fn tag(&mut self) -> Result<(), Problem> {
        let start = self.at;
        self.at += 1;
        let name = self.tag_name(start)?;
        let mut last_attribute = None;
        loop {
            let end = self.at;
            self.skip_blanks();
            let rest = self.rest();
            if rest.starts_with("/>") {
                self.at += "/>".len();
                self.closed = Some(name);
                return Ok(());
            }
            if rest.starts_with('>') {
                self.open.push(Open { name, at: start, end: self.at });
                self.at += 1;
                self.closed = None;
                return Ok(());
            }
            if rest.is_empty() || rest.starts_with('<') {
                return Err(self.unclosed_tag(start, end, name));
            }
            if let (true, Some(attribute)) = (self.at == end, &last_attribute) {
                return Err(self.no_blank_behind(attribute));
            }
            last_attribute = Some(self.attribute(name)?);
        }
    }

    fn tag_name(&mut self, start: usize) -> Result<&'a str, Problem> {
        let name = self.name()?;
        if self.rest().starts_with('=') {
            return Err(self.glued_name(start, name));
        }
        let blanks = self.rest().len() - self.rest().trim_start_matches(is_blank).len();
        if name.is_empty() && blanks > 0 {
            let problem = self.problem(start, "found a blank behind <, expected a name");
            return Err(problem.hint(Hint::DELETE).edit(Edit::delete(self.at, blanks)));
        }
        Ok(name)
    }

    fn glued_name(&self, start: usize, name: &str) -> Problem {
        let Some((element, attribute)) = split_glued(name) else {
            let text = format!("found <{}=, expected a name, a blank, and name=", shown(name));
            return self.problem(start, text).hint(Hint::CORRECT);
        };
        let text = format!("found <{name}=, expected <{element} {attribute}=");
        let edit = Edit::insert(start + 1 + element.len(), " ");
        self.problem(start, text).hint(Hint::LOST_BLANK).edit(edit)
    }

    /// A tag without its `>`: another tag begins behind it, or the file ends. `end` is where it should
    /// have stood.
    fn unclosed_tag(&self, start: usize, end: usize, name: &str) -> Problem {
        let text = format!("found <{} that is not closed", shown(name));
        let problem = self.problem(start, text).hint(Hint::END_TAG);
        if self.source[start..end].contains('\n') {
            return problem;
        }
        let parent = self.open.last().map_or("", |open| open.name);
        let closes = self.source[end..].trim_start().starts_with(&format!("</{name}"));
        let leaf = schema::is_leaf(parent, name) && !closes;
        problem.edit(Edit::insert(end, if leaf { "/>" } else { ">" }))
    }

    fn attribute(&mut self, element: &str) -> Result<WrittenAttribute<'a>, Problem> {
        let at = self.at;
        let name = self.name()?;
        let end = self.at;
        self.skip_blanks();
        if name.is_empty() || !self.rest().starts_with('=') {
            return Err(self.no_value(at, end, name, element));
        }
        self.at += 1;
        self.skip_blanks();
        self.no_look_alike(Plain::Quote)?;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return Err(self.no_quotes(at, name, element));
        };
        self.at += 1;
        let value_at = self.at;
        let rest = self.rest();
        let close = rest.find([quote, '<']).filter(|&close| rest[close..].starts_with(quote));
        let Some(close) = close else { return Err(self.open_value(at, name, quote)) };
        let value = &rest[..close];
        self.at += close + 1;
        let attribute = WrittenAttribute { name, value, at, value_at };
        // Otherwise the value ends at the quote of a later one, and any & in between may be right.
        let ended = self.rest().chars().next().is_none_or(|c| is_blank(c) || "/>?".contains(c));
        if ended {
            self.no_stray_ampersand(value_at, value, &format!("{name}="))?;
        }
        Ok(attribute)
    }

    /// A name, and no equals sign behind it.
    fn no_value(&self, at: usize, end: usize, name: &str, element: &str) -> Problem {
        let first = self.rest().chars().next().map(String::from).unwrap_or_default();
        let found = if name.is_empty() { shown(&first) } else { shown(name) };
        let text = format!("found {found} in <{}, expected name=\"value\"", shown(element));
        let problem = self.problem(at, text).hint(Hint::CORRECT);
        if !name.is_empty() && self.rest().starts_with(['"', '\'']) {
            return problem.edit(Edit::replace(end, self.at - end, "="));
        }
        problem
    }

    fn no_quotes(&self, at: usize, name: &str, element: &str) -> Problem {
        let rest = self.rest();
        let ends = |c: char| is_blank(c) || matches!(c, '>' | '<' | '"' | '\'');
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let value = match rest[word.len()..].starts_with('>') {
            true => word.strip_suffix('/').unwrap_or(word),
            false => word,
        };
        let text = format!("found {name}= with no quotes in <{}", shown(element));
        let hint = Hint::WRITE.with(format!("{name}=\"{}\"", or_dots(value)));
        let problem = self.problem(at, text).hint(hint);
        if value.is_empty() {
            return problem;
        }
        // The closing quote may be there.
        let quote = usize::from(rest[value.len()..].starts_with(['"', '\'']));
        problem.edit(Edit::replace(self.at, value.len() + quote, format!("\"{value}\"")))
    }

    /// A value without the quote that closes it, or with a `<` in it.
    fn open_value(&self, at: usize, name: &str, quote: char) -> Problem {
        let rest = self.rest();
        let value = &rest[..rest.find('<').unwrap_or(rest.len())];
        if let Some(offset) = Plain::Quote.find(value) {
            return self.look_alike(Plain::Quote, self.at + offset);
        }
        if let Some(problem) = self.angle_bracket(name, value, quote) {
            return problem;
        }
        // The value seems to have the end of the tag in it. The quote belongs in front of that.
        let line = value.lines().next().unwrap_or_default().trim_end();
        let content = ["/>", "?>", ">"].iter().find_map(|end| line.strip_suffix(end));
        let written = format!("{name}={quote}{}{quote}", or_dots(content.unwrap_or_default()));
        let text = format!("found {name}={quote} with no {quote} that closes it");
        let problem = self.problem(at, text).hint(Hint::WRITE.with(written));
        match content {
            Some(content) => problem.edit(Edit::insert(self.at + content.len(), quote)),
            None => problem,
        }
    }

    /// A `<` that stands in a value whose quote is closed in the same line.
    fn angle_bracket(&self, name: &str, value: &str, quote: char) -> Option<Problem> {
        let rest = self.rest();
        let close = rest.find(quote)?;
        let ends = rest[close + 1..].starts_with(|c| is_blank(c) || matches!(c, '/' | '>' | '?'));
        let within = !value.contains('>') && !rest[..close].contains('\n') && ends;
        let at = self.at + value.len();
        let text = format!("found < in {name}={quote}...{quote}");
        let problem = self.problem(at, text).hint(Hint::WRITE.with("&lt;"));
        within.then(|| problem.edit(Edit::replace(at, 1, "&lt;")))
    }

    /// The name that starts here; empty if none does.
    fn name(&mut self) -> Result<&'a str, Problem> {
        let rest = self.rest();
        let ends = |c: char| is_blank(c) || matches!(c, '=' | '/' | '>' | '<' | '"' | '\'');
        let name = &rest[..rest.find(ends).unwrap_or(rest.len())];
        for plain in Plain::ALL {
            if let Some(offset) = plain.find(name) {
                return Err(self.look_alike(plain, self.at + offset));
            }
        }
        self.at += name.len();
        Ok(name)
    }

    /// Something stands right behind a value, with no blank between.
    fn no_blank_behind(&self, attribute: &WrittenAttribute<'_>) -> Problem {
        let WrittenAttribute { name, value, at, value_at } = *attribute;
        if let Some(offset) = Plain::Quote.find(value) {
            return self.look_alike(Plain::Quote, value_at + offset);
        }
        let quote = &self.source[value_at - 1..value_at];
        // In `path="/a time="60"` the first value is closed by the quote that should open the second.
        if let Some((before, next)) =
            value.strip_suffix('=').and_then(|value| value.rsplit_once(is_blank))
        {
            let before = before.trim_end();
            let shown = shown(before);
            let text = format!(
                "found {name}={quote}{shown} with no {quote} that closes it in front of {next}="
            );
            let edit = Edit::insert(value_at + before.len(), quote);
            let hint = Hint::WRITE.with(format!("{name}={quote}{shown}{quote}"));
            return self.problem(at, text).hint(hint).edit(edit);
        }
        if self.rest().starts_with(['"', '\'']) {
            let text = format!("found one quote too many behind {name}=\"{}\"", shown(value));
            let edit = Edit::delete(self.at, 1);
            return self.problem(self.at, text).hint(Hint::DELETE).edit(edit);
        }
        let found = self.rest().split(['=', '>', ' ', '\n']).next().unwrap_or_default();
        let text = format!("found {} with no blank in front of it", shown(found));
        self.problem(self.at, text).hint(Hint::LOST_BLANK).edit(Edit::insert(self.at, " "))
    }
}

fn or_dots(value: &str) -> String {
    match value {
        "" => "...".into(),
        value => shown(value),
    }
}

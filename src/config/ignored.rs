//! What in a file is ignored.
//!
//! Owns the warnings about elements and attributes that the [schema](super::schema) does not have, about
//! elements too many, and about text between the elements. `read` calls it first.

use super::diagnosis::problem::Problem;
use super::diagnosis::shown::shown;
use super::diagnosis::warnings::Warnings;
use super::schema::{Count, Shape, HEAD};
use super::spelling::nearest_index;
use super::xml::Element;

/// Adds a warning for everything that is ignored: unknown elements and attributes, elements too many, text
/// between the elements.
pub(super) fn check(head: Element<'_>, warnings: &mut Warnings) {
    check_element(&HEAD, head, warnings);
}

fn check_element(shape: &Shape, element: Element<'_>, warnings: &mut Warnings) {
    for attribute in element.attributes() {
        if !shape.attributes.contains(&attribute.name()) {
            warnings.add(|| {
                let (name, element) = (attribute.name(), element.name());
                let hint = hint(name, shape.attributes);
                attribute.problem(format!("unknown attribute {name} in <{element}>: ignored{hint}"))
            });
        }
    }
    for (offset, text) in element.stray_text() {
        warnings.add(|| {
            let text = format!(
                "text \"{}\" between the elements is ignored; a comment is written <!-- ... -->",
                shown(text)
            );
            element.problem_at(offset, text)
        });
    }
    let mut seen = vec![false; shape.children.len()];
    for child in element.children() {
        match shape.children.iter().position(|known| known.name == child.name()) {
            Some(index) => {
                if seen[index] && shape.children[index].count == Count::Once {
                    warnings.add(|| one_too_many(element, child));
                }
                seen[index] = true;
                check_element(&shape.children[index], child, warnings);
            }
            None => warnings.add(|| unknown_element(shape, child)),
        }
    }
}

fn one_too_many(parent: Element<'_>, child: Element<'_>) -> Problem {
    let (name, parent) = (child.name(), parent.name());
    child.problem(format!("another <{name}> in <{parent}>: only the first counts"))
}

fn unknown_element(parent: &Shape, child: Element<'_>) -> Problem {
    let names: Vec<_> = parent.children.iter().map(|known| known.name).collect();
    let hint = hint(child.name(), &names);
    let (name, parent) = (child.name(), parent.name);
    child.problem(format!("unknown element <{name}> in <{parent}>: ignored{hint}"))
}

fn hint(name: &str, known: &[&str]) -> String {
    match nearest_index(name, known) {
        Some(index) => format!("; perhaps {} is meant", known[index]),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Encoding;
    use super::super::xml::parse;
    use super::*;

    fn warnings_of(source: &str) -> Vec<String> {
        let document = parse(source).unwrap();
        let mut warnings = Warnings::default();
        check(Element::root(&document, Encoding::Utf8), &mut warnings);
        warnings.in_file_order().iter().map(Problem::to_string).collect()
    }

    #[test]
    fn what_has_no_meaning_is_named_with_its_place() {
        let cases = [
            ("<head/>", ""),
            ("<head version='2.5'><plugin name='a'/><plugin name='b'/></head>", ""),
            ("<head a='b'/>", "1:7: unknown attribute a in <head>: ignored"),
            (
                "<head>\n<debug strat='true'/></head>",
                "2:8: unknown attribute strat in <debug>: ignored; perhaps start is meant",
            ),
            (
                "<head><sersycn/></head>",
                "1:7: unknown element <sersycn> in <head>: ignored; perhaps sersync is meant",
            ),
            (
                "<head><sersync>\n <SSH/></sersync></head>",
                "2:2: unknown element <SSH> in <sersync>: ignored",
            ),
            (
                "<head><debug/><debug/></head>",
                "1:15: another <debug> in <head>: only the first counts",
            ),
            (
                "<head>\n  #数据 <debug/></head>",
                "2:3: text \"#数据\" between the elements is ignored; \
                 a comment is written <!-- ... -->",
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(warnings_of(source).join("|"), expected, "{source}");
        }
    }
}

//! Which elements and attributes there are, and where.
//!
//! Owns the names: the warnings about unknown ones, and the guess at what a misspelt one was to be.
//! What the values may be is not here but in `read`, which also decides what is missing.

use super::diagnosis::warnings::Warnings;
use super::xml::{shown, Element};
use super::Problem;

/// How often an element may stand in its parent.
#[derive(PartialEq, Eq)]
enum Count {
    Once,
    Many,
}
use Count::{Many, Once};

struct Shape {
    name: &'static str,
    count: Count,
    attributes: &'static [&'static str],
    children: &'static [Shape],
}

const fn leaf(name: &'static str, count: Count, attributes: &'static [&'static str]) -> Shape {
    Shape { name, count, attributes, children: &[] }
}

/// The official template's elements, and this program's own: `filter hidden`, `crontab at`, `batch`,
/// `safety`, `standby`, `alert`, all but two attributes of `remote`.
static HEAD: Shape = Shape {
    name: "head",
    count: Once,
    attributes: &["version"],
    children: &[
        leaf("host", Once, &["hostip", "port"]),
        leaf("debug", Once, &["start"]),
        leaf("fileSystem", Once, &["xfs"]),
        Shape {
            name: "filter",
            count: Once,
            attributes: &["start", "hidden"],
            children: &[leaf("exclude", Many, &["expression"])],
        },
        Shape { name: "inotify", count: Once, attributes: &[], children: INOTIFY },
        Shape { name: "sersync", count: Once, attributes: &[], children: SERSYNC },
        Shape { name: "plugin", count: Many, attributes: &["name"], children: PLUGIN },
    ],
};

const INOTIFY: &[Shape] = &[
    leaf("delete", Once, &["start"]),
    leaf("createFolder", Once, &["start"]),
    leaf("createFile", Once, &["start"]),
    leaf("closeWrite", Once, &["start"]),
    leaf("moveFrom", Once, &["start"]),
    leaf("moveTo", Once, &["start"]),
    leaf("attrib", Once, &["start"]),
    leaf("modify", Once, &["start"]),
];

const SERSYNC: &[Shape] = &[
    Shape {
        name: "localpath",
        count: Many,
        attributes: &["watch"],
        children: &[leaf("remote", Many, REMOTE)],
    },
    Shape {
        name: "rsync",
        count: Once,
        attributes: &[],
        children: &[
            leaf("commonParams", Once, &["params"]),
            leaf("auth", Once, &["start", "users", "passwordfile"]),
            leaf("userDefinedPort", Once, &["start", "port"]),
            leaf("timeout", Once, &["start", "time"]),
            leaf("ssh", Once, &["start"]),
        ],
    },
    leaf("failLog", Once, &["path", "timeToExecute"]),
    Shape {
        name: "crontab",
        count: Once,
        attributes: &["start", "schedule", "at"],
        children: &[Shape {
            name: "crontabfilter",
            count: Once,
            attributes: &["start"],
            children: &[leaf("exclude", Many, &["expression"])],
        }],
    },
    leaf("plugin", Once, &["start", "name"]),
    leaf("batch", Once, &["quietMs", "maxDelayMs", "interval"]),
    leaf("safety", Once, &["emptyRoot"]),
    leaf("standby", Once, &["start", "seconds"]),
    leaf("alert", Once, &["command", "after"]),
];

const REMOTE: &[&str] = &["ip", "name", "port", "users", "passwordfile", "ssh", "params"];

const PLUGIN: &[Shape] = &[
    leaf("param", Once, &["prefix", "suffix", "ignoreError"]),
    Shape {
        name: "filter",
        count: Once,
        attributes: &["start"],
        children: &[leaf("include", Many, &["expression"])],
    },
    Shape {
        name: "localpath",
        count: Once,
        attributes: &["watch"],
        children: &[
            leaf("deshost", Once, &["ip", "url", "port"]),
            leaf("cdninfo", Once, &["domainname", "port", "username", "passwd"]),
            leaf("sendurl", Once, &["base"]),
            leaf("regexurl", Once, &["regex", "match"]),
        ],
    },
];

/// Adds what in the file has no meaning: unknown elements and attributes, elements too many, text
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
                if seen[index] && shape.children[index].count == Once {
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

/// Splits a name that stands for an element and one of its attributes with no blank between,
/// such as `authstart`.
pub(super) fn split_glued(name: &str) -> Option<(&str, &str)> {
    fn search<'n>(shape: &Shape, name: &'n str) -> Option<(&'n str, &'n str)> {
        let own = name.strip_prefix(shape.name).filter(|rest| shape.attributes.contains(rest));
        own.map(|rest| (&name[..shape.name.len()], rest))
            .or_else(|| shape.children.iter().find_map(|child| search(child, name)))
    }
    search(&HEAD, name)
}

/// Whether the elements of that name have nothing in them, where they stand in that parent.
pub(super) fn is_leaf(parent: &str, name: &str) -> bool {
    fn search(shape: &Shape, parent: &str, name: &str) -> bool {
        let leaf = |child: &Shape| child.name == name && child.children.is_empty();
        (shape.name == parent && shape.children.iter().any(leaf))
            || shape.children.iter().any(|child| search(child, parent, name))
    }
    search(&HEAD, parent, name)
}

/// Which of `words` was probably meant by `word`, or is a misspelt `word`: the nearest, if it is
/// near enough that a slip of the finger explains it.
pub(super) fn nearest_index(word: &str, words: &[&str]) -> Option<usize> {
    let lower = word.to_ascii_lowercase();
    let distances = words.iter().map(|other| distance(&lower, &other.to_ascii_lowercase()));
    // One slip in a word of three letters, two in one of six.
    let slips_max = (word.chars().count() / 3).min(2);
    distances
        .enumerate()
        .min_by_key(|(_, slips)| *slips)
        .filter(|(_, slips)| *slips <= slips_max)
        .map(|(index, _)| index)
}

/// A longer name than this is no slip of the finger; it bounds the work of [`distance`].
const NAME_CHARS_MAX: usize = 40;

/// How many slips lie between two words: characters to add, to leave out, to replace, or to swap
/// with the next.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > NAME_CHARS_MAX || b.len() > NAME_CHARS_MAX {
        return usize::MAX;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut slips = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                slips = slips.min(rows[i - 2][j - 2] + 1);
            }
            row.push(slips);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
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

    #[test]
    fn a_misspelt_name_has_a_nearest_one() {
        let known = ["start", "users", "passwordfile", "ip", "ssh"];
        let cases = [
            ("strat", Some("start")),
            ("Start", Some("start")),
            ("user", Some("users")),
            ("passwrodflie", Some("passwordfile")),
            ("pwdfile", None),
            ("sh", None),
            ("sssh", Some("ssh")),
            ("iq", None),
            ("colour", None),
        ];
        for (word, expected) in cases {
            let nearest = nearest_index(word, &known).map(|index| known[index]);
            assert_eq!(nearest, expected, "{word}");
        }
    }

    #[test]
    fn glued_names_come_apart() {
        let cases = [
            ("authstart", Some(("auth", "start"))),
            ("failLogpath", Some(("failLog", "path"))),
            ("sshstart", Some(("ssh", "start"))),
            ("localpathwatch", Some(("localpath", "watch"))),
            ("remoteip", Some(("remote", "ip"))),
            ("auth", None),
            ("authpath", None),
        ];
        for (name, expected) in cases {
            assert_eq!(split_glued(name), expected, "{name}");
        }
    }
}

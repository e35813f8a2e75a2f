//! Which elements and attributes there are, and where.
//!
//! Owns the names. What the values may be is for `read`, which also decides what is missing; what is said of
//! names that are not here is for `ignored`. A new attribute has its name here, its type in `settings` and its
//! reading in `read`, or in `remote` or `plugins` for theirs; people find it in conf/confxml.xml and README.md.

/// How often an element may stand in its parent.
#[derive(PartialEq, Eq)]
pub(super) enum Count {
    Once,
    Many,
}
use Count::{Many, Once};

/// One element.
pub(super) struct Shape {
    pub name: &'static str,
    pub count: Count,
    pub attributes: &'static [&'static str],
    pub children: &'static [Shape],
}

const fn leaf(name: &'static str, count: Count, attributes: &'static [&'static str]) -> Shape {
    Shape { name, count, attributes, children: &[] }
}

/// The official template's elements, and this program's own: `filter hidden`, `crontab at`, `batch`,
/// `safety`, `standby`, `alert`, all but two attributes of `remote`.
pub(super) static HEAD: Shape = Shape {
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
    leaf("safety", Once, &["emptyRoot", "maxDelete"]),
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

/// Splits an element's name and that of one of its attributes where the blank between them was lost:
/// `authstart`.
pub(super) fn split_glued(name: &str) -> Option<(&str, &str)> {
    fn search<'n>(shape: &Shape, name: &'n str) -> Option<(&'n str, &'n str)> {
        let own = name.strip_prefix(shape.name).filter(|rest| shape.attributes.contains(rest));
        own.map(|rest| (&name[..shape.name.len()], rest))
            .or_else(|| shape.children.iter().find_map(|child| search(child, name)))
    }
    search(&HEAD, name)
}

/// Whether an element of that name has no elements in it, where it stands in that parent.
pub(super) fn is_leaf(parent: &str, name: &str) -> bool {
    fn search(shape: &Shape, parent: &str, name: &str) -> bool {
        let leaf = |child: &Shape| child.name == name && child.children.is_empty();
        (shape.name == parent && shape.children.iter().any(leaf))
            || shape.children.iter().any(|child| search(child, parent, name))
    }
    search(&HEAD, parent, name)
}

#[cfg(test)]
mod tests {
    use super::*;

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

//! The way of a path: every name that the kernel goes by until it is where the path leads.
//!
//! If none of these names is given to something else, and nothing is mounted on the way, the path leads
//! where it led before. So what has these names is what has to be watched.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The kernel follows so many symlinks on the way of one path, and no more.
const LINKS_MAX: usize = 40;
/// Links that lead through long paths make a way longer than any that people have.
const STEPS_MAX: usize = 1_000;

/// A name on the way, and the directory, itself without a symlink on its way, in which it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The directory.
    pub directory: PathBuf,
    /// What is looked up in it.
    pub name: OsString,
}

/// The way of a path.
#[derive(Debug)]
pub struct Way {
    /// The names, sorted, each once; as far as the way is there.
    pub steps: Vec<Step>,
    /// Where it leads to, without a symlink. Otherwise why it ends before: then the last name on it leads
    /// nowhere, and may lead somewhere later.
    pub end: io::Result<PathBuf>,
}

impl Way {
    /// The way of an absolute path, as it is now.
    pub fn of(path: &Path) -> Way {
        Way::by(path, |path| match path.read_link() {
            // It is there, and no symlink.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(None),
            found => found.map(Some),
        })
    }

    /// The way by what `read_link` says of each name: where it leads if it is a symlink.
    fn by(path: &Path, read_link: impl Fn(&Path) -> io::Result<Option<PathBuf>>) -> Way {
        let (mut at, mut steps, mut links) = (PathBuf::from("/"), Vec::new(), 0);
        let mut ahead: VecDeque<OsString> = VecDeque::new();
        go_by(path, &mut ahead);
        let end = loop {
            let Some(name) = ahead.pop_front() else { break Ok(at) };
            if name == "/" {
                at = PathBuf::from("/");
                continue;
            }
            if name == ".." {
                // What is above a directory without a symlink on its way is seen in its path.
                at.pop();
                continue;
            }
            if steps.len() == STEPS_MAX {
                break Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
            }
            let next = at.join(&name);
            steps.push(Step { directory: at.clone(), name });
            match read_link(&next) {
                Ok(None) => at = next,
                Ok(Some(_)) if links == LINKS_MAX => {
                    break Err(io::Error::from_raw_os_error(libc::ELOOP));
                }
                Ok(Some(target)) => {
                    links += 1;
                    go_by(&target, &mut ahead);
                }
                Err(error) => break Err(error),
            }
        };
        steps.sort_unstable();
        steps.dedup();
        Way { steps, end }
    }
}

/// Puts the names of a path before those that are still to be gone by.
fn go_by(path: &Path, ahead: &mut VecDeque<OsString>) {
    for component in path.components().rev() {
        match component {
            Component::CurDir | Component::Prefix(_) => {}
            Component::RootDir | Component::ParentDir | Component::Normal(_) => {
                ahead.push_front(component.as_os_str().to_os_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// What the test's file system has: symlinks, and whatever a path with `gone` in it names not.
    const LINKS: [(&str, &str); 9] = [
        ("/srv/current", "releases/1"),
        ("/srv/far", "/data/far"),
        ("/srv/chain", "current"),
        ("/srv/up", "../data/x"),
        ("/srv/beyond", "../../../../data"),
        ("/srv/dead", "releases/gone"),
        ("/srv/loop", "loop"),
        ("/data/back", "/srv/current/htdocs"),
        ("/data/same", "."),
    ];

    fn way(path: &str) -> (Result<String, i32>, Vec<String>) {
        let way = Way::by(Path::new(path), |path| {
            let found = LINKS.iter().find(|(link, _)| Path::new(link) == path);
            match found {
                Some((_, target)) => Ok(Some(target.into())),
                None if path.ends_with("gone") => Err(io::Error::from_raw_os_error(libc::ENOENT)),
                None => Ok(None),
            }
        });
        let end = way.end.map(|end| end.display().to_string());
        let shown =
            |step: &Step| format!("{}:{}", step.directory.display(), step.name.to_str().unwrap());
        let steps = way.steps.iter().map(shown).collect();
        (end.map_err(|error| error.raw_os_error().unwrap()), steps)
    }

    #[test]
    fn the_way_has_every_name_that_the_path_goes_by() {
        for (path, end, steps) in [
            ("/", Ok("/"), &[][..]),
            ("/srv/www", Ok("/srv/www"), &["/:srv", "/srv:www"]),
            ("//srv/./www/", Ok("/srv/www"), &["/:srv", "/srv:www"]),
            (
                "/srv/current",
                Ok("/srv/releases/1"),
                &["/:srv", "/srv:current", "/srv:releases", "/srv/releases:1"],
            ),
            (
                "/srv/chain/htdocs",
                Ok("/srv/releases/1/htdocs"),
                &[
                    "/:srv",
                    "/srv:chain",
                    "/srv:current",
                    "/srv:releases",
                    "/srv/releases:1",
                    "/srv/releases/1:htdocs",
                ],
            ),
            (
                "/srv/far/x",
                Ok("/data/far/x"),
                &["/:data", "/:srv", "/data:far", "/data/far:x", "/srv:far"],
            ),
            ("/srv/up", Ok("/data/x"), &["/:data", "/:srv", "/data:x", "/srv:up"]),
            ("/srv/beyond", Ok("/data"), &["/:data", "/:srv", "/srv:beyond"]),
            (
                "/srv/www/../up/..",
                Ok("/data"),
                &["/:data", "/:srv", "/data:x", "/srv:up", "/srv:www"],
            ),
            ("/data/same/same/y", Ok("/data/y"), &["/:data", "/data:same", "/data:y"]),
            // As far as it is there: what leads nowhere may be made later.
            (
                "/srv/dead/htdocs",
                Err(libc::ENOENT),
                &["/:srv", "/srv:dead", "/srv:releases", "/srv/releases:gone"],
            ),
            ("/srv/loop/x", Err(libc::ELOOP), &["/:srv", "/srv:loop"]),
        ] {
            let expected = (
                end.map(str::to_string),
                steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
            );
            assert_eq!(way(path), expected, "{path}");
        }
    }

    #[test]
    fn a_way_ends_somewhere_whatever_the_links_are() {
        // Each link leads to itself twice.
        let doubled = Way::by(Path::new("/x"), |_| Ok(Some("x/x".into())));
        assert_eq!(doubled.end.unwrap_err().raw_os_error(), Some(libc::ELOOP));
        // As many links as the kernel follows, and one more.
        for (links, ends) in [(40, true), (41, false)] {
            let way = Way::by(Path::new("/0"), |path| {
                let number: usize = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
                Ok((number < links).then(|| (number + 1).to_string().into()))
            });
            assert_eq!(way.end.is_ok(), ends, "{links}");
        }
        let long = "/d".repeat(STEPS_MAX + 1);
        let way = Way::by(Path::new(&long), |_| Ok(None));
        assert_eq!(way.end.unwrap_err().raw_os_error(), Some(libc::ENAMETOOLONG));
    }

    #[test]
    fn the_way_leads_where_the_kernel_goes() {
        let place = tempfile::tempdir().unwrap();
        let place = place.path().canonicalize().unwrap();
        std::fs::create_dir_all(place.join("a/b")).unwrap();
        std::fs::write(place.join("file"), "").unwrap();
        symlink("../a/b", place.join("a/link")).unwrap();
        symlink(place.join("a/link"), place.join("absolute")).unwrap();
        symlink("gone", place.join("dead")).unwrap();
        for name in ["a/b", "a/link", "absolute", "absolute/..", "a/link/../link", "file"] {
            let path = place.join(name);
            assert_eq!(Way::of(&path).end.unwrap(), path.canonicalize().unwrap(), "{name}");
        }
        for name in ["dead", "dead/x", "a/gone/x", "file/x"] {
            let path = place.join(name);
            let kind = path.canonicalize().unwrap_err().kind();
            assert_eq!(Way::of(&path).end.unwrap_err().kind(), kind, "{name}");
        }
    }
}

//! A directory that is deleted and made again has its new content and nothing else, whatever bytes its name is over
//! there.

use super::{at_once, each, put, Way};
use crate::harness::eventually;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// Its name in UTF-8, and in GBK.
const HERE: &str = "\u{76ee}\u{5f55}";
const THERE: &[u8] = b"\xc4\xbf\xc2\xbc";

#[test]
fn names_that_are_translated_go_and_come() {
    each([Way::Directory, Way::Ssh], |way| {
        let (mut plan, _sshd) = way.plan();
        plan.conf.params.push_str(" --iconv=UTF-8,GBK");
        let inside = |name: &str| format!("{HERE}/{name}");
        put(&plan.root, &[&inside("old"), &inside(&inside("old"))]);
        let mirror = plan.start();
        let there = mirror.remotes[0].join(OsStr::from_bytes(THERE));
        eventually("it is translated", || there.join("old").exists());
        at_once(&mirror, |root| {
            fs::remove_dir_all(root.join(HERE)).unwrap();
            put(root, &[&inside("new")]);
        });
        eventually("the new content is there", || there.join("new").exists());
        mirror.fence();
        let names = fs::read_dir(&there).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["new"], "{way:?}");
    });
}

//! Names that differ in the case of their letters alone, where the file system here or over there does not tell them
//! apart, as FAT, exFAT, NTFS and those of Windows and macOS do not.

use super::{await_content, in_mode, MIRROR, PUSH};
use crate::harness::{until, Mirror, Plan, DEADLINE};
use std::fs;
use std::path::{Path, PathBuf};

/// The names below a directory, sorted, and what is in the files.
type Names = Vec<(PathBuf, Option<Vec<u8>>)>;

/// Nothing else is the same on exFAT.
fn names(top: &Path) -> std::io::Result<Names> {
    let (mut found, mut left) = (Vec::new(), vec![top.to_path_buf()]);
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let is_directory = path.is_dir();
            let content = if is_directory { None } else { Some(fs::read(&path)?) };
            found.push((path.strip_prefix(top).unwrap().to_path_buf(), content));
            if is_directory {
                left.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Waits until the same names are here and there.
fn same_names(mirror: &Mirror, about: &str) {
    until(&format!("the names are the same {about}"), DEADLINE, || {
        let [here, there] =
            [&mirror.root, &mirror.remotes[0]].map(|top| names(top).map_err(|e| e.to_string()));
        let (here, there) = (here?, there?);
        (here == there).then_some(()).ok_or(format!("here {here:?}, there {there:?}"))
    });
}

#[test]
fn a_name_that_is_another_in_case_alone_is_one_name_over_there_where_it_is_one_here() {
    for mode in [MIRROR, PUSH] {
        let mut plan = Plan::new().apart();
        in_mode(&mut plan, mode);
        let image = plan.directory("images").join("exfat");
        let root = plan.root.clone();
        if !plan.mounts.exfat(&image, &root) {
            return;
        }
        fs::write(root.join("anchor"), "").unwrap();
        let mirror = plan.start();
        fs::create_dir_all(root.join("Dir/Deep")).unwrap();
        for file in ["anchor", "a.txt", "b", "Readme", "Dir/Deep/File", "Dir/other"] {
            fs::write(root.join(file), file).unwrap();
        }
        same_names(&mirror, "at the start");
        let rename = |from: &str, to: &str| fs::rename(root.join(from), root.join(to)).unwrap();
        rename("a.txt", "A.TXT");
        same_names(&mirror, "after a rename");
        rename("Dir/Deep/File", "Dir/Deep/fILE");
        rename("Dir/Deep", "Dir/DEEP");
        rename("Dir", "dir");
        fs::write(root.join("dir/DEEP/fILE"), "changed").unwrap();
        same_names(&mirror, "after renames below each other");
        // By a name that no directory has. What is in the file stays: this exFAT knows its length by the other name.
        fs::write(root.join("README"), "Readme").unwrap();
        mirror.fence();
        same_names(&mirror, "after writes by another name");
        fs::remove_file(root.join("b")).unwrap();
        fs::write(root.join("B"), "another").unwrap();
        fs::remove_file(root.join("A.TXT")).unwrap();
        fs::remove_dir_all(root.join("dir/DEEP")).unwrap();
        same_names(&mirror, "after deletions");
    }
}

/// The names of a far side that does not tell case apart are compared without it.
fn is_there(mirror: &Mirror, name: &str, content: &str) {
    mirror.fence();
    await_content(&mirror.remotes[0].join(name), content);
    let held = names(&mirror.remotes[0]).unwrap();
    assert!(held.iter().any(|(path, _)| path == Path::new(name)), "{name}: {held:?}");
}

#[test]
fn a_name_that_is_another_in_case_alone_stays_where_the_far_side_takes_it_for_the_same() {
    for (mut plan, mode) in [(Plan::local(), MIRROR), (Plan::new(), PUSH), (Plan::new(), MIRROR)] {
        plan = plan.apart();
        in_mode(&mut plan, mode);
        // With --inplace no directory is linked before it is deleted by its old name: that ends this exFAT.
        plan.conf.params = "-rtz --inplace".into();
        let image = plan.directory("images").join("exfat");
        if !plan.mounts.exfat(&image, &plan.remotes[0]) {
            return;
        }
        let mirror = plan.start();
        let root = mirror.root.clone();
        fs::create_dir_all(root.join("docs/deep")).unwrap();
        for file in ["readme", "copied", "docs/deep/file", "large"] {
            fs::write(root.join(file), file).unwrap();
        }
        fs::write(root.join("large"), "x".repeat(200_000)).unwrap();
        is_there(&mirror, "docs/deep/file", "docs/deep/file");
        fs::rename(root.join("readme"), root.join("README")).unwrap();
        is_there(&mirror, "README", "readme");
        fs::rename(root.join("docs"), root.join("Docs")).unwrap();
        is_there(&mirror, "Docs/deep/file", "docs/deep/file");
        fs::rename(root.join("large"), root.join("Large")).unwrap();
        is_there(&mirror, "Large", &"x".repeat(200_000));
        // Both are here for a while, and the one that goes is not of the batch with the one that came.
        fs::copy(root.join("copied"), root.join("COPIED")).unwrap();
        mirror.fence();
        fs::remove_file(root.join("copied")).unwrap();
        is_there(&mirror, "COPIED", "copied");
        fs::create_dir(root.join("Docs/new")).unwrap();
        fs::write(root.join("Docs/new/x"), "one").unwrap();
        fs::write(root.join("Docs/new/X"), "two").unwrap();
        mirror.fence();
        fs::remove_file(root.join("Docs/new/X")).unwrap();
        is_there(&mirror, "Docs/new/x", "one");
    }
}

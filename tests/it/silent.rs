//! Losses that nobody would notice: changes that rsync's quick check or a missing event hides.
//!
//! All with the template's event switches: `createFile`, `attrib` and `modify` are off.

use crate::harness::{change_arrives, eventually, Mirror, Plan};
use nix::fcntl::{AtFlags, AT_FDCWD};
use nix::sys::stat::Mode;
use nix::unistd::{linkat, mkfifo};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{chown, symlink, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

fn nothing(_: &Path) {}

/// Sets the mode, the owner and the time of modification, as an unpacking program does at its end.
fn set_attributes(path: &Path) {
    chown(path, Some(1234), Some(4321)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    File::open(path).unwrap().set_modified(time).unwrap();
}

/// Waits until the remote's file has exactly this content.
fn await_content(mirror: &Mirror, name: &str, content: &str) {
    let path = mirror.remotes[0].join(name);
    eventually(&format!("{name} has arrived with {content:?}"), || {
        fs::read(&path).is_ok_and(|there| there == content.as_bytes())
    });
}

/// rsync takes a file for unchanged when its size and the second of its mtime are the same.
#[test]
fn a_rewrite_of_the_same_length_within_the_same_second_arrives() {
    let mirror = Plan::new().start();
    for round in 0..20 {
        let name = format!("file{round}");
        fs::write(mirror.root.join(&name), "first version").unwrap();
        await_content(&mirror, &name, "first version");
        fs::write(mirror.root.join(&name), "other version").unwrap();
    }
    mirror.equal();
}

#[test]
fn a_rewrite_of_the_same_length_with_its_time_set_back_arrives() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let write = |root: &Path, content: &str| {
        let mut file = File::create(root.join("file")).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.set_modified(time).unwrap();
    };
    let before = |root: &Path| write(root, "first version");
    change_arrives(before, |root| write(root, "other version"));
}

#[test]
fn a_file_replaced_by_one_of_the_same_length_and_time_arrives() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let write = |path: &Path, content: &str| {
        fs::write(path, content).unwrap();
        File::open(path).unwrap().set_modified(time).unwrap();
    };
    let before = |root: &Path| write(&root.join("file"), "first version");
    change_arrives(before, |root| {
        write(&root.join("beside"), "other version");
        fs::rename(root.join("beside"), root.join("file")).unwrap();
    });
}

#[test]
fn an_older_file_moved_over_a_newer_one_arrives() {
    let plan = Plan::new();
    let outside = plan.directory("outside").join("restored");
    fs::write(&outside, "from the backup").unwrap();
    set_attributes(&outside);
    fs::write(plan.root.join("file"), "broken").unwrap();
    let mirror = plan.start();
    fs::rename(&outside, mirror.root.join("file")).unwrap();
    mirror.equal();
}

#[test]
fn attributes_set_right_after_the_content_arrive() {
    change_arrives(nothing, |root| {
        fs::write(root.join("file"), "content").unwrap();
        set_attributes(&root.join("file"));
    });
}

#[test]
fn attributes_set_after_the_content_has_arrived_arrive() {
    let mirror = Plan::new().start();
    fs::write(mirror.root.join("file"), "content").unwrap();
    mirror.equal();
    set_attributes(&mirror.root.join("file"));
    mirror.equal();
}

#[test]
fn attributes_of_a_directory_set_after_its_content_arrive() {
    let mirror = Plan::new().start();
    fs::create_dir(mirror.root.join("dir")).unwrap();
    fs::write(mirror.root.join("dir/file"), "content").unwrap();
    mirror.equal();
    set_attributes(&mirror.root.join("dir"));
    mirror.equal();
}

/// How `cp -a` and archive programs work: all content first, the attributes bottom up at the end.
#[test]
fn a_copied_tree_arrives_with_its_attributes() {
    change_arrives(nothing, |root| {
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        for file in ["a/1", "a/b/2", "a/b/c/3"] {
            fs::write(root.join(file), file).unwrap();
            set_attributes(&root.join(file));
        }
        for dir in ["a/b/c", "a/b", "a"] {
            set_attributes(&root.join(dir));
        }
    });
}

/// Qt and others save like this: the file gets its name when it is complete, and no close-write
/// ever comes under that name.
#[test]
fn an_unnamed_file_that_is_linked_into_place_arrives() {
    change_arrives(nothing, |root| {
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(libc::O_TMPFILE);
        let mut file = options.open(root).unwrap();
        file.write_all(b"content").unwrap();
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        let name = root.join("named");
        linkat(AT_FDCWD, unnamed.as_str(), AT_FDCWD, &name, AtFlags::AT_SYMLINK_FOLLOW).unwrap();
    });
}

#[test]
fn a_hard_link_arrives() {
    let before = |root: &Path| fs::write(root.join("first"), "content").unwrap();
    change_arrives(before, |root| fs::hard_link(root.join("first"), root.join("second")).unwrap());
}

#[test]
fn a_hard_link_from_outside_arrives() {
    let plan = Plan::new();
    let outside = plan.directory("outside").join("file");
    fs::write(&outside, "content").unwrap();
    let mirror = plan.start();
    fs::hard_link(&outside, mirror.root.join("file")).unwrap();
    mirror.equal();
}

#[test]
fn a_symlink_arrives() {
    change_arrives(nothing, |root| symlink("anchor", root.join("link")).unwrap());
}

#[test]
fn a_symlink_unlinked_and_made_again_arrives_with_its_new_target() {
    let before = |root: &Path| symlink("target1", root.join("link")).unwrap();
    change_arrives(before, |root| {
        fs::remove_file(root.join("link")).unwrap();
        symlink("target2", root.join("link")).unwrap();
    });
}

/// How deployment tools switch a `current` link.
#[test]
fn a_symlink_renamed_over_another_arrives_with_its_new_target() {
    let before = |root: &Path| {
        fs::create_dir_all(root.join("releases/1")).unwrap();
        fs::create_dir_all(root.join("releases/2")).unwrap();
        symlink("releases/1", root.join("current")).unwrap();
    };
    change_arrives(before, |root| {
        symlink("releases/2", root.join("next")).unwrap();
        fs::rename(root.join("next"), root.join("current")).unwrap();
    });
}

#[test]
fn a_fifo_arrives() {
    change_arrives(nothing, |root| {
        mkfifo(&root.join("fifo"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
    });
}

#[test]
fn an_atomic_save_arrives() {
    let before = |root: &Path| fs::write(root.join("file"), "first version").unwrap();
    change_arrives(before, |root| {
        fs::write(root.join("file.tmp"), "other version").unwrap();
        fs::rename(root.join("file.tmp"), root.join("file")).unwrap();
    });
}

/// How an editor with backups saves: the old file moves aside, a new one takes its place.
#[test]
fn a_save_that_keeps_a_backup_arrives() {
    let before = |root: &Path| fs::write(root.join("file"), "first version").unwrap();
    change_arrives(before, |root| {
        fs::rename(root.join("file"), root.join("file.bak")).unwrap();
        fs::write(root.join("file"), "other version").unwrap();
        fs::remove_file(root.join("file.bak")).unwrap();
    });
}

#[test]
fn a_file_that_is_written_without_being_closed_arrives_once_it_is_closed() {
    let mirror = Plan::new().start();
    let mut file = File::create(mirror.root.join("file")).unwrap();
    file.write_all(b"the first half, ").unwrap();
    mirror.fence();
    file.write_all(b"the second half").unwrap();
    drop(file);
    mirror.equal();
}

/// An upload takes seconds between its creation and its end. To send what is there once a second
/// would be right in the end, and a waste.
#[test]
fn a_slow_upload_arrives_whole_and_in_few_batches() {
    const CHUNKS: usize = 30;
    const CHUNK_PAUSE: Duration = Duration::from_millis(100);
    const BATCHES_MAX: usize = 3;
    let mirror = Plan::new().start();
    let before = mirror.batches();
    let mut file = File::create(mirror.root.join("upload")).unwrap();
    for chunk in 0..CHUNKS {
        file.write_all(&[chunk as u8; 64 * 1024]).unwrap();
        thread::sleep(CHUNK_PAUSE); // The uploader's pace: what the test is about.
    }
    drop(file);
    mirror.equal();
    // The log tells when the run has ended, which is later than its file is there.
    eventually("the batch is told", || mirror.batches() > before);
    let batches = mirror.batches() - before;
    assert!((1..=BATCHES_MAX).contains(&batches), "{batches} batches");
}

#[test]
fn a_file_that_comes_and_goes_leaves_its_directory_with_the_right_time() {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    change_arrives(
        |root| {
            fs::create_dir(root.join("dir")).unwrap();
            File::open(root.join("dir")).unwrap().set_modified(long_ago).unwrap();
        },
        |root| {
            fs::write(root.join("dir/short-lived"), "content").unwrap();
            fs::remove_file(root.join("dir/short-lived")).unwrap();
        },
    );
}

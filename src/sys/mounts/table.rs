//! The table of mounts that the kernel shows in `/proc/self/mountinfo`, or `/proc/self/mounts` before 2.6.26.
//!
//! Pure. Paths must be resolved: a mount point is never reached by a symlink's name.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A file system, or a part of one, at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The directory, or file, on which it is mounted.
    pub at: PathBuf,
    /// What it is: `ext4`.
    pub kind: Box<[u8]>,
    /// What is mounted: `/dev/sda1`, `server:/export`.
    pub source: Box<[u8]>,
    /// Which part of which file system it shows; not known before 2.6.26.
    pub part: Option<Part>,
    numbers: Option<Numbers>,
}

/// A directory in a file system that is mounted, with all that is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The number of the device, as the kernel writes it.
    device: Box<[u8]>,
    /// The directory, by its path in the file system.
    top: PathBuf,
}

/// How the kernel counts mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    own: u64,
    /// Of the mount on which this one's place lies.
    below: u64,
}

/// All mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    mounts: Vec<Mount>,
    /// The numbers of all mounts, sorted.
    known: Vec<u64>,
}

impl Table {
    /// Reads the text of `/proc/self/mountinfo`. A line that cannot be read is left out.
    pub fn of_mountinfo(text: &[u8]) -> Table {
        Table::of_lines(text, |line| {
            // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
            let mut fields = line.split(|&byte| byte == b' ');
            let numbers = Numbers { own: number(fields.next()?)?, below: number(fields.next()?)? };
            let (device, top, at) = (fields.next()?, fields.next()?, unescaped(fields.next()?));
            let top = PathBuf::from(OsString::from_vec(unescaped(top)));
            let part = Part { device: device.into(), top };
            // Behind the options of the mount stand any number of fields, and then a dash.
            fields.find(|field| field == b"-")?;
            let (kind, source) = (fields.next()?, fields.next()?);
            Some(mount(at, kind, source, Some((part, numbers))))
        })
    }

    /// Reads the text of `/proc/self/mounts`.
    pub fn of_mounts(text: &[u8]) -> Table {
        Table::of_lines(text, |line| {
            // /dev/root /mnt2 ext3 rw,noatime 0 0
            let mut fields = line.split(|&byte| byte == b' ');
            let (source, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
            Some(mount(unescaped(at), kind, source, None))
        })
    }

    fn of_lines(text: &[u8], read: impl Fn(&[u8]) -> Option<Mount>) -> Table {
        let mounts: Vec<Mount> = text.split(|&byte| byte == b'\n').filter_map(read).collect();
        let mut known: Vec<u64> = mounts.iter().filter_map(Mount::own).collect();
        known.sort_unstable();
        Table { mounts, known }
    }

    /// The mount on which a path lies; none if the table has none, as in a chroot.
    pub fn of(&self, path: &Path) -> Option<&Mount> {
        let covers = |mount: &&Mount| path.starts_with(&mount.at);
        if self.known.is_empty() {
            // Without numbers it cannot be seen that a place is hidden by a mount above it. The order of the
            // lines tells only which of two at one place is on top: the root may have been moved there last.
            return self.mounts.iter().filter(covers).max_by_key(|it| it.at.as_os_str().len());
        }
        // On the way down to the path, the first mount point is where another mount begins; and as
        // long as one is mounted on that very place, what is below it is hidden.
        let mut found: Option<&Mount> = None;
        // A table that changed while it was read may go in a circle.
        for _ in &self.mounts {
            let is_next = |mount: &&Mount| self.below(mount) == found.and_then(Mount::own);
            let next = self.mounts.iter().filter(covers).filter(is_next);
            let Some(next) = next.min_by_key(|it| it.at.as_os_str().len()) else { break };
            found = Some(next);
        }
        found
    }

    /// What is mounted below a directory, and not hidden by another mount.
    pub fn below_directory<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a Mount> {
        let inside = move |mount: &&Mount| mount.at.starts_with(path) && mount.at != path;
        let is_seen =
            |mount: &&Mount| self.of(&mount.at).is_some_and(|seen| std::ptr::eq(seen, *mount));
        self.mounts.iter().filter(inside).filter(is_seen)
    }

    /// Where else below a directory all that a mount below it shows can be seen: the path of the same directory by
    /// another mount. Of two that show the same, the one that stands first in the table has its name.
    pub fn other_name(&self, mount: &Mount, directory: &Path) -> Option<PathBuf> {
        let part = mount.part.as_ref()?;
        let place = |of: &Mount| self.mounts.iter().position(|it| std::ptr::eq(it, of));
        self.mounts.iter().find_map(|other| {
            let its = other.part.as_ref().filter(|its| its.device == part.device)?;
            if its.top == part.top && place(other) >= place(mount) {
                return None;
            }
            let rest = part.top.strip_prefix(&its.top).ok()?;
            // Without the slash that stands behind a path to which nothing is added.
            let path: PathBuf = other.at.join(rest).components().collect();
            let is_seen = self.of(&path).is_some_and(|seen| std::ptr::eq(seen, other));
            (path.starts_with(directory) && is_seen).then_some(path)
        })
    }

    /// The number of the mount below; none for the first of all, which lies on none that is known.
    fn below(&self, mount: &Mount) -> Option<u64> {
        let numbers = mount.numbers?;
        Some(numbers.below).filter(|it| *it != numbers.own && self.known.binary_search(it).is_ok())
    }
}

impl Mount {
    fn own(&self) -> Option<u64> {
        self.numbers.map(|numbers| numbers.own)
    }
}

fn mount(at: Vec<u8>, kind: &[u8], source: &[u8], more: Option<(Part, Numbers)>) -> Mount {
    let at = PathBuf::from(OsString::from_vec(at));
    let (part, numbers) = more.unzip();
    Mount { at, kind: unescaped(kind).into(), source: unescaped(source).into(), part, numbers }
}

fn number(field: &[u8]) -> Option<u64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Blanks, line ends and backslashes stand in the table as three octal digits behind a backslash.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, behind @ ..] = rest {
        let octal = behind.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = digits.iter().all(|it| (b'0'..=b'7').contains(it)).then_some(digits)?;
            u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
        });
        bytes.push(octal.unwrap_or(*first));
        rest = &behind[octal.map_or(0, |_| 3)..];
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two disks, one of them on a place with a blank and a backslash; a bind mount; a stack.
    const INFO: &[u8] = b"\
21 20 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
30 21 8:2 / /srv/a\\040b\\134c rw shared:2 master:1 - xfs /dev/sdb\\0401 rw
31 21 8:1 /home/www /srv/www rw - ext4 /dev/sda1 rw
40 21 8:3 / /stack rw - ext4 /dev/sdc1 rw
41 40 0:30 / /stack rw - tmpfs tmpfs rw
42 41 0:31 / /stack/inner rw - tmpfs inner rw
43 40 0:32 / /stack/hidden rw - tmpfs hidden rw
no mount at all
50 21 0:33 / /cut
";

    /// The same without numbers.
    const MOUNTS: &[u8] = b"\
proc /proc proc rw 0 0
rootfs / rootfs rw 0 0
/dev/sda1 / ext4 rw,relatime 0 0
/dev/sdb\\0401 /srv/a\\040b\\134c xfs rw 0 0
/dev/sda1 /srv/www ext4 rw 0 0
/dev/sdc1 /stack ext4 rw 0 0
hidden /stack/hidden tmpfs rw 0 0
tmpfs /stack tmpfs rw 0 0
inner /stack/inner tmpfs rw 0 0

cut
";

    fn of<'a>(table: &'a Table, path: &str) -> (&'a str, &'a str) {
        let mount = table.of(Path::new(path)).unwrap();
        (mount.at.to_str().unwrap(), std::str::from_utf8(&mount.source).unwrap())
    }

    #[test]
    fn each_path_lies_on_the_topmost_mount_on_its_way() {
        for table in [Table::of_mountinfo(INFO), Table::of_mounts(MOUNTS)] {
            for (path, expected) in [
                ("/", ("/", "/dev/sda1")),
                ("/etc/passwd", ("/", "/dev/sda1")),
                ("/proc/self", ("/proc", "proc")),
                ("/procedures", ("/", "/dev/sda1")),
                ("/srv/a b\\c", ("/srv/a b\\c", "/dev/sdb 1")),
                ("/srv/a b\\c/deep/er", ("/srv/a b\\c", "/dev/sdb 1")),
                ("/srv", ("/", "/dev/sda1")),
                ("/srv/www/index", ("/srv/www", "/dev/sda1")),
                ("/stack", ("/stack", "tmpfs")),
                ("/stack/inner/file", ("/stack/inner", "inner")),
                ("/cut/short", ("/", "/dev/sda1")),
            ] {
                assert_eq!(of(&table, path), expected, "{path}");
            }
        }
    }

    #[test]
    fn below_a_directory_are_the_mounts_that_can_be_seen() {
        for table in [Table::of_mountinfo(INFO), Table::of_mounts(MOUNTS)] {
            for (path, expected) in [
                ("/srv", &["/srv/a b\\c", "/srv/www"][..]),
                ("/srv/www", &[]),
                ("/st", &[]),
                ("/srv/a b\\c", &[]),
            ] {
                let found = table.below_directory(Path::new(path));
                let found: Vec<_> = found.map(|mount| mount.at.to_str().unwrap()).collect();
                assert_eq!(found, expected, "{path}");
            }
        }
    }

    #[test]
    fn what_lies_on_a_hidden_mount_is_hidden_where_the_mounts_have_numbers() {
        let (table, older) = (Table::of_mountinfo(INFO), Table::of_mounts(MOUNTS));
        let below = |table: &Table| table.below_directory(Path::new("/stack")).count();
        assert_eq!((of(&table, "/stack/hidden/x"), below(&table)), (("/stack", "tmpfs"), 1));
        let hidden = ("/stack/hidden", "hidden");
        assert_eq!((of(&older, "/stack/hidden/x"), below(&older)), (hidden, 2));
    }

    #[test]
    fn what_is_seen_under_two_names_is_found_where_the_kernel_tells() {
        let text = b"\
20 1 8:1 / / rw - ext4 a rw
30 20 8:1 /srv/first /srv/second rw - ext4 a rw
31 20 8:1 /srv/first /srv/first/inside rw - ext4 a rw
32 20 8:1 /elsewhere /srv/third rw - ext4 a rw
33 20 8:2 / /srv/disk rw - ext4 b rw
34 20 8:2 /part /srv/part rw - ext4 b rw
35 20 8:2 / /srv/again rw - ext4 b rw
36 20 8:1 /srv/disk/hidden /srv/fourth rw - ext4 a rw
";
        let table = Table::of_mountinfo(text);
        let other_name = |at: &str, directory: &str| {
            let mount = table.of(Path::new(at)).unwrap();
            let found = table.other_name(mount, Path::new(directory));
            found.map(|path| path.to_str().unwrap().to_string())
        };
        for (at, directory, expected) in [
            ("/srv/second", "/srv", Some("/srv/first")),
            ("/srv/first/inside", "/srv", Some("/srv/first")),
            ("/srv/first/inside", "/srv/first", Some("/srv/first")),
            ("/srv/second", "/srv/second", None),
            // What it shows has no other name in that directory.
            ("/srv/third", "/srv", None),
            ("/srv/third", "/", Some("/elsewhere")),
            ("/srv/fourth", "/srv", None),
            ("/srv/disk", "/srv", None),
            ("/srv/part", "/srv", Some("/srv/disk/part")),
            ("/srv/again", "/srv", Some("/srv/disk")),
        ] {
            assert_eq!(other_name(at, directory).as_deref(), expected, "{at} in {directory}");
        }
        let older = Table::of_mounts(MOUNTS);
        assert_eq!(
            older.other_name(older.of(Path::new("/srv/www")).unwrap(), Path::new("/")),
            None
        );
    }

    /// Where the root of a chroot is no mount point, nothing is known of what it lies on.
    #[test]
    fn the_first_mount_on_the_way_may_be_unknown() {
        let text =
            b"30 21 8:2 / /data rw - ext4 /dev/sdb1 rw\n31 30 8:2 / /data/x rw - ext4 x rw\n";
        let table = Table::of_mountinfo(text);
        assert_eq!(of(&table, "/data/x/y"), ("/data/x", "x"));
        assert_eq!(table.of(Path::new("/etc")), None);
        // A mount that lies on itself, as the first of all does.
        let table = Table::of_mountinfo(b"1 1 0:1 / / rw - rootfs rootfs rw\n");
        assert_eq!(of(&table, "/etc"), ("/", "rootfs"));
        assert_eq!(Table::of_mountinfo(b"").of(Path::new("/")), None);
        let text = b"1 9 0:1 / / rw - a a rw\n2 1 0:1 / / rw - b b rw\n1 2 0:1 / / rw - c c rw\n";
        assert!(Table::of_mountinfo(text).of(Path::new("/")).is_some());
    }

    #[test]
    fn what_is_escaped_is_read_and_what_is_not_stays() {
        for (field, expected) in [
            (&b"a\\040b"[..], &b"a b"[..]),
            (b"\\011\\012\\134\\043", b"\t\n\\#"),
            (b"\\377", b"\xff"),
            (b"\\400", b"\\400"),
            (b"\\08", b"\\08"),
            (b"\\04", b"\\04"),
            (b"\\+40", b"\\+40"),
            (b"\\", b"\\"),
            (b"\\\\040", b"\\ "),
            (b"\xe4\\0401", b"\xe4 1"),
            (b"", b""),
        ] {
            assert_eq!(unescaped(field), expected, "{field:?}");
        }
    }
}

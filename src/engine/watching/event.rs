//! The kernel's inotify records: bytes in, [`RawEvent`]s out. What they mean is for `root` to say.

/// A watch descriptor: the kernel's number for a watched directory within one inotify instance. It
/// follows the directory through renames. While the program runs it never becomes another directory's:
/// the kernel counts up, and starts over only after 2^31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wd(pub i32);

/// The bits of inotify(7); the values are the kernel's ABI.
#[allow(missing_docs)] // The names are the kernel's own.
pub mod mask {
    pub const MODIFY: u32 = 0x0000_0002;
    pub const ATTRIB: u32 = 0x0000_0004;
    pub const CLOSE_WRITE: u32 = 0x0000_0008;
    pub const MOVED_FROM: u32 = 0x0000_0040;
    pub const MOVED_TO: u32 = 0x0000_0080;
    pub const CREATE: u32 = 0x0000_0100;
    pub const DELETE: u32 = 0x0000_0200;
    pub const DELETE_SELF: u32 = 0x0000_0400;
    pub const MOVE_SELF: u32 = 0x0000_0800;
    pub const UNMOUNT: u32 = 0x0000_2000;
    pub const Q_OVERFLOW: u32 = 0x0000_4000;
    pub const IGNORED: u32 = 0x0000_8000;
    pub const ISDIR: u32 = 0x4000_0000;
}

/// One record of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Which watch it came from; -1 for an overflow.
    pub wd: Wd,
    /// The bits of [`mask`].
    pub mask: u32,
    /// Pairs the two records of a rename; 0 otherwise.
    pub cookie: u32,
    /// The entry in the watched directory; empty if the directory itself is meant.
    pub name: Box<[u8]>,
}

impl RawEvent {
    /// Whether any of `bits` is set.
    pub fn has(&self, bits: u32) -> bool {
        self.mask & bits != 0
    }

    /// Whether the entry is a directory.
    pub fn is_dir(&self) -> bool {
        self.has(mask::ISDIR)
    }

    /// How many records of the kernel it stands for.
    pub fn records(&self) -> u64 {
        1 + u64::from(self.mask == CREATED_AND_CLOSED)
    }

    /// If this record says that a file was created, and the next one that its writer has closed it,
    /// this one becomes both, and `true` is given. A burst of small files consists of such pairs, so
    /// that half of its work is saved.
    pub fn absorb(&mut self, next: &RawEvent) -> bool {
        let is_pair = self.mask == mask::CREATE && next.mask == mask::CLOSE_WRITE;
        let fits = is_pair && self.wd == next.wd && self.name == next.name;
        if fits {
            self.mask = CREATED_AND_CLOSED;
        }
        fits
    }
}

/// See [`RawEvent::absorb`].
const CREATED_AND_CLOSED: u32 = mask::CREATE | mask::CLOSE_WRITE;

/// Bytes of a record before its name: wd, mask, cookie and the length of the name, four bytes each.
const HEADER_BYTES: usize = 16;

/// The records in the bytes that one read of an inotify descriptor gave, in the kernel's order. A
/// file's creation and its closing are one event if they follow each other.
///
/// The kernel never hands out half a record. Should the last one be cut short all the same, it is left
/// out.
pub fn parse(mut bytes: &[u8]) -> impl Iterator<Item = RawEvent> + '_ {
    std::iter::from_fn(move || {
        let mut event;
        (event, bytes) = record(bytes)?;
        if event.mask == mask::CREATE {
            if let Some((next, rest)) = record(bytes) {
                if event.absorb(&next) {
                    bytes = rest;
                }
            }
        }
        Some(event)
    })
}

/// The first record, and what follows it.
fn record(bytes: &[u8]) -> Option<(RawEvent, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let field = |at: usize| {
        let mut four = [0; 4];
        four.copy_from_slice(&header[at..at + 4]);
        u32::from_ne_bytes(four)
    };
    let (name, rest) = rest.split_at_checked(field(12) as usize)?;
    // The name is padded with NULs to an alignment of the kernel's choosing.
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    let event = RawEvent {
        wd: Wd(field(0) as i32),
        mask: field(4),
        cookie: field(8),
        name: name[..end].into(),
    };
    Some((event, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(wd: i32, mask: u32, cookie: u32, name: &[u8], padded: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(wd.to_ne_bytes());
        bytes.extend(mask.to_ne_bytes());
        bytes.extend(cookie.to_ne_bytes());
        bytes.extend((padded as u32).to_ne_bytes());
        bytes.extend(name);
        bytes.resize(HEADER_BYTES + padded, 0);
        bytes
    }

    #[test]
    fn the_bits_are_those_that_are_asked_of_the_kernel() {
        for (ours, the_c_librarys) in [
            (mask::MODIFY, libc::IN_MODIFY),
            (mask::ATTRIB, libc::IN_ATTRIB),
            (mask::CLOSE_WRITE, libc::IN_CLOSE_WRITE),
            (mask::MOVED_FROM, libc::IN_MOVED_FROM),
            (mask::MOVED_TO, libc::IN_MOVED_TO),
            (mask::CREATE, libc::IN_CREATE),
            (mask::DELETE, libc::IN_DELETE),
            (mask::DELETE_SELF, libc::IN_DELETE_SELF),
            (mask::MOVE_SELF, libc::IN_MOVE_SELF),
            (mask::UNMOUNT, libc::IN_UNMOUNT),
            (mask::Q_OVERFLOW, libc::IN_Q_OVERFLOW),
            (mask::IGNORED, libc::IN_IGNORED),
            (mask::ISDIR, libc::IN_ISDIR),
        ] {
            assert_eq!(ours, the_c_librarys);
        }
    }

    #[test]
    fn names_lose_their_padding_and_records_keep_their_order() {
        let mut bytes = record(1, mask::CREATE | mask::ISDIR, 0, b"dir", 16);
        bytes.extend(record(2, mask::MOVED_TO, 77, b"\xff\xfe", 4));
        bytes.extend(record(-1, mask::Q_OVERFLOW, 0, b"", 0));
        let events: Vec<_> = parse(&bytes).collect();
        assert_eq!(events.len(), 3);
        assert_eq!((events[0].wd, &*events[0].name), (Wd(1), &b"dir"[..]));
        assert!(events[0].is_dir() && events[0].has(mask::CREATE));
        assert_eq!((events[1].cookie, &*events[1].name), (77, &b"\xff\xfe"[..]));
        assert_eq!((events[2].wd, events[2].name.len()), (Wd(-1), 0));
    }

    #[test]
    fn a_record_cut_short_ends_the_list() {
        let whole = record(1, mask::CREATE, 0, b"name", 16);
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]).count(), 0, "cut after {cut} bytes");
        }
    }

    #[test]
    fn a_file_that_is_created_and_closed_is_one_event_if_nothing_happens_between() {
        let (create, close) = (mask::CREATE, mask::CLOSE_WRITE);
        for (second, expected) in [
            (record(1, close, 0, b"a", 16), &[create | close][..]),
            (record(2, close, 0, b"a", 16), &[create, close]),
            (record(1, close, 0, b"b", 16), &[create, close]),
            (record(1, mask::ATTRIB, 0, b"a", 16), &[create, mask::ATTRIB]),
        ] {
            let bytes = [record(1, create, 0, b"a", 16), second].concat();
            let masks: Vec<_> = parse(&bytes).map(|event| event.mask).collect();
            assert_eq!(masks, expected);
        }
        let dir = mask::CREATE | mask::ISDIR;
        let bytes = [record(1, dir, 0, b"a", 16), record(1, close, 0, b"a", 16)].concat();
        assert_eq!(parse(&bytes).count(), 2, "a directory is read as soon as it is there");
    }
}

#!/bin/sh
# rsync 3.5.0 (Debian 12, 3.5.0+ds1-0+deb12u1): with -b, --delete spares the backups in a directory that has gone, and
# --delete-missing-args with --force deletes those that were there before.
#
# One would guess that -b protects backups from either: rsync(1) says that it adds a protecting rule for their
# suffix. Seen: by --delete the directory stays, with the old backup and the new one; by --delete-missing-args it stays
# as well, since the new backup is made in it, but the old one is gone.
. "$(dirname "$0")/lib.sh"
rsync_of_debian

# fill NAME: a far side with a file and its backup, in a directory that is not here.
fill() {
    mkdir -p "$work/from" "$work/$1/d"
    echo now >"$work/$1/d/file"
    echo before >"$work/$1/d/old~"
}

# left NAME: the files that are left.
left() { (cd "$work/$1" && find . -type f | sort | tr '\n' ' '); }

fill delete
(cd "$work/from" && rsync -rtb --delete --force ./ "$work/delete/" 2>/dev/null) || true
expect '--delete' "$(left delete)" './d/file~ ./d/old~ '
fill missing
(cd "$work/from" && printf './d\0' |
    rsync -tb --no-r -d -R --delete-missing-args --force -0 --files-from=- ./ "$work/missing/" 2>/dev/null) || true
expect '--delete-missing-args' "$(left missing)" './d/file~ '

#!/bin/sh
# rsync 3.5.0 (Debian 12, 3.5.0+ds1-0+deb12u1): an exclude protects a file on the receiving side from
# --delete-missing-args when the destination is a directory, and does not when it is reached by a remote shell.
#
# One would guess that the destination makes no difference: rsync(1) says that files which are excluded are
# excluded from being deleted, and the command is the same. Seen: the file stays in the directory of this
# machine, and goes over there. Adding --delete to the same command keeps it in both. So the rules are told to the
# other side only for the sake of --delete.
. "$(dirname "$0")/lib.sh"
rsync_of_debian
a_shell_that_stays_here

# sync NAME DESTINATION [OPTION...]: local.conf is listed, is not here, and is excluded; what is there afterwards.
sync() {
    name=$1 to=$2
    shift 2
    mkdir -p "$work/from" "$work/$name"
    echo theirs >"$work/$name/local.conf"
    (cd "$work/from" && printf './local.conf\0' |
        rsync -t --no-r -d -R --exclude=local.conf --delete-missing-args "$@" -0 --files-from=- ./ "$to$work/$name/")
    if [ -e "$work/$name/local.conf" ]; then echo kept; else echo deleted; fi
}

expect 'into a directory' "$(sync directory '')" kept
expect 'by a remote shell' "$(sync shell 'host:' -e "$work/here")" deleted
expect 'by a remote shell, with --delete' "$(sync with-delete 'host:' -e "$work/here" --delete)" kept

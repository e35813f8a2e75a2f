#!/bin/sh
# rsync 3.5.0 (Debian 12, 3.5.0+ds1-0+deb12u1): a push that stops at --max-delete ends with 25 if the destination is a
# directory or is reached by a remote shell, and with 0 if it is a daemon's module.
#
# One would guess 25 in each case: rsync(1) has it as "the --max-delete limit stopped deletions". Seen: to a daemon,
# exactly as many files go as are allowed, and the exit code says that all is well.
. "$(dirname "$0")/lib.sh"
rsync_of_debian
a_shell_that_stays_here

# push NAME DESTINATION [OPTION...]: of five files that are not here, two may be deleted; the exit code, and what is left.
push() {
    name=$1 to=$2
    shift 2
    mkdir -p "$work/from" "$work/$name"
    touch "$work/$name/1" "$work/$name/2" "$work/$name/3" "$work/$name/4" "$work/$name/5"
    code=0
    rsync -rt --delete --max-delete=2 "$@" "$work/from/" "$to" >/dev/null 2>&1 || code=$?
    left=$(find "$work/$name" -type f | wc -l)
    echo "exit code $code, $left left"
}

# A daemon on its standard input and output, as inetd would start it.
mkdir "$work/module"
cat >"$work/rsyncd.conf" <<END
use chroot = no
[module]
path = $work/module
read only = no
uid = $(id -u)
gid = $(id -g)
END
RSYNC_CONNECT_PROG="rsync --daemon --config=$work/rsyncd.conf"
export RSYNC_CONNECT_PROG

expect 'into a directory' "$(push directory "$work/directory/")" 'exit code 25, 3 left'
expect 'by a remote shell' "$(push shell "host:$work/shell/" -e "$work/here")" 'exit code 25, 3 left'
expect 'to a daemon' "$(push module 'localhost::module/')" 'exit code 0, 3 left'

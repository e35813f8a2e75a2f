# shellcheck shell=sh
# What the findings share: a temporary folder, and pinned Debian packages unpacked into it. Sourced, never run.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

# unpack PACKAGE=VERSION...: nothing is installed; what lies in the folder is run with its own libraries.
unpack() {
    mkdir "$work/packages" "$work/root"
    (cd "$work/packages" && apt-get download -q "$@" 2>/dev/null >/dev/null)
    for package in "$work/packages"/*.deb; do
        dpkg -x "$package" "$work/root"
    done
    PATH=$work/root/usr/bin:$work/root/usr/sbin:$PATH
    LD_LIBRARY_PATH=$(find "$work/root" -name '*.so.*' -exec dirname {} \; | sort -u | tr '\n' ':')
    export PATH LD_LIBRARY_PATH
}

# rsync_of_debian: the rsync that Debian 12 has had as a security update.
rsync_of_debian() {
    unpack rsync=3.5.0+ds1-0+deb12u1 libpopt0=1.19+dfsg-1 libxxhash0=0.8.1-1
    rsync --version | head -n 1
}

# a_shell_that_stays_here: a remote shell, for -e, which runs what it is given on this machine.
a_shell_that_stays_here() {
    printf '#!/bin/sh\nshift\nexec "$@"\n' >"$work/here"
    chmod +x "$work/here"
}

# expect NAME SEEN EXPECTED: prints what was seen, and fails if it is something else by now.
expect() {
    printf '%s: %s\n' "$1" "$2"
    [ "$2" = "$3" ] || {
        printf 'this has changed: it was %s\n' "$3"
        exit 1
    }
}

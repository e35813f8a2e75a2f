#!/bin/sh
# Installs what the tests need, if it is missing, and runs all of them.
#
#     scripts/test.sh [ARGUMENTS OF cargo test]
#     SERSYNC_BIN=/path/to/sersync scripts/test.sh     the integration tests run that program
#     SERSYNC_IT_KERNEL=2.6.18 scripts/test.sh         they run it as on that kernel (or 2.6.32; x86-64 only)
#     SERSYNC_IT_RSYNC=2.6.9 scripts/test.sh           with that rsync on this side (or 3.0.9, 3.1.1)
#     SERSYNC_IT_RSYNC_THERE=2.6.9 scripts/test.sh     with that rsync on the far side
#
# The integration tests compare owners, mount disks and run a real sshd, so they want root. POSIX sh, for BusyBox ash as well.
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh

need_rust
# For old kernels, the static program is tested.
if [ "$(uname -m)" = x86_64 ] && have rustup; then
    rustup target add x86_64-unknown-linux-musl
fi
# The integration tests talk to a real rsync daemon and a real sshd on loopback; the fail log's commands are run by
# each shell that an administrator may use; small systems have dropbear's ssh client; some tests take processes or
# watches away; what is installed runs on a machine of its own, with either kind of ps.
need rsync ssh ssh-keygen sshd dbclient dropbearkey bash busybox prlimit unshare nsenter ps mkfs.ext4
# systemd's check of the units; Alpine has no systemd, and the test says that it has not been done.
[ -e /etc/alpine-release ] || need systemd-analyze
# The status page is looked at in a real browser.
if ! have_browser && ! (need chromium); then
    say 'SKIPPED: the status page in a browser, since there is none and none could be installed' >&2
    SERSYNC_IT_WITHOUT_BROWSER=1
    export SERSYNC_IT_WITHOUT_BROWSER
fi
# A file system that does not tell names apart by the case of their letters.
if ! (need mkfs.exfat mount.exfat-fuse losetup); then
    say 'SKIPPED: names on exFAT, since none could be installed' >&2
    SERSYNC_IT_WITHOUT_EXFAT=1
    export SERSYNC_IT_WITHOUT_EXFAT
fi

exec cargo test "$@"

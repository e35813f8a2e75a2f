#!/bin/sh
# Installs what the tests need, if it is missing, and runs all of them.
#
#     scripts/test.sh [ARGUMENTS OF cargo test]
#     SERSYNC_BIN=/path/to/sersync scripts/test.sh     the integration tests run that program
#
# POSIX sh, for BusyBox ash as well.
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh

need_rust
# The integration tests talk to a real rsync daemon and a real sshd on loopback.
need rsync ssh ssh-keygen sshd

# Debian's sshd wants this directory, and only its service makes it: in a container nobody has.
if [ "$(id -u)" -eq 0 ] && [ ! -d /run/sshd ]; then
    mkdir -p /run/sshd
fi

exec cargo test "$@"

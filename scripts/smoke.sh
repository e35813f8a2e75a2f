#!/bin/sh
# Whether a program for another processor works: a sync, renames, deletions, kill -9 and a start after that, against a
# real rsync daemon, with the program in qemu.
#
#     scripts/smoke.sh TARGET      what scripts/build-static.sh has built for it
#
# POSIX sh, for BusyBox ash as well.
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh

[ $# -eq 1 ] || die 'name one target, as in armv7-unknown-linux-musleabihf'
program=$PWD/target/static/$1/sersync
[ -x "$program" ] || die "there is no $program; scripts/build-static.sh $1 makes it"
emulator=$(emulator_of "$1")
# SERSYNC_BIN names one program, and not an emulator with its arguments: so a script starts both.
runs=$PWD/target/static/$1/emulated
printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$emulator" "$program" >"$runs"
chmod 755 "$runs"
say "$1 by way of ${emulator:-this processor}: $("$runs" --version)"
SERSYNC_BIN=$runs scripts/test.sh --test it smoke_

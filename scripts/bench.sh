#!/bin/sh
# Measures sersync beside rsync by hand, through a daemon and over SSH on loopback, and prints tables: see
# benches/loopback.
#
#     scripts/bench.sh [--quick]
#     SERSYNC_BIN=/path/to/sersync scripts/bench.sh    measures that program
#
# Ends with 0 whether the goals are met or missed, and with something else only if it could not measure.
# POSIX sh, for BusyBox ash as well.
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh

need_rust
need rsync ssh ssh-keygen sshd

# On a disk the same run varies by a factor of four, so everything is kept in memory where that is possible.
base=/dev/shm
if [ ! -w "$base" ] || ! grep -q "^[^ ]* $base tmpfs " /proc/mounts; then
    base=${TMPDIR:-/tmp}
    say "no tmpfs on /dev/shm: measuring in $base; if that is a disk, the figures vary a lot" >&2
fi
SERSYNC_BENCH_DIR=$(mktemp -d "$base/sersync-bench.XXXXXX")
export SERSYNC_BENCH_DIR
# Here and not in the benchmark: also an interrupted run must leave no 40 MB behind.
trap 'rm -rf "$SERSYNC_BENCH_DIR"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cargo bench --quiet --bench loopback -- "$@"

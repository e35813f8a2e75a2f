#!/bin/sh
# Measures sersync beside rsync by hand, lsyncd and a loop of inotifywait, and writes docs/BENCHMARKS.md with its plots,
# and the rows of README.md: see benches/loopback. All other benches follow, each with a section of its own.
#
#     scripts/bench.sh                                 some 30 minutes; leave the machine alone meanwhile
#     scripts/bench.sh --quick                         whether it works; writes to target/bench, and not to docs
#     SERSYNC_BIN=/path/to/sersync scripts/bench.sh    measures that program
#
# Ends with 0 whether the goals are met or missed, and whatever other programs do, and with something else only if
# it could not measure sersync. POSIX sh, for BusyBox ash as well.
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh

# In seconds, for one bench: each ends by itself long before, unless something hangs.
time_max=3600

case ${1:-} in
    '') out=docs ;;
    --quick) out=target/bench ;;
    *) die "the only option is --quick, not: $*" ;;
esac

need_rust
need rsync ssh ssh-keygen sshd timeout
# Without them there is a report as well, which says that they could not be started.
(need lsyncd inotifywait) || say 'measuring without what could not be installed' >&2

# On a disk the same run varies by a factor of four, so everything is kept in memory where that is possible.
base=/dev/shm
if [ ! -w "$base" ] || ! grep -q "^[^ ]* $base tmpfs " /proc/mounts; then
    base=${TMPDIR:-/tmp}
    say "no tmpfs on /dev/shm: measuring in $base; if that is a disk, the figures vary a lot" >&2
fi
SERSYNC_BENCH_DIR=$(mktemp -d "$base/sersync-bench.XXXXXX")
export SERSYNC_BENCH_DIR
running=''

# Here and not in the benchmark: also an interrupted run must leave no processes and no 40 MB behind.
finish() {
    [ -z "$running" ] || kill "$running" 2> /dev/null || :
    [ -z "$running" ] || wait "$running" || :
    rm -rf "$SERSYNC_BENCH_DIR"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# bench NAME ARGUMENTS...: in the background, since a shell that waits in the foreground hears no signal; `timeout`
# makes it a group of processes, all of which end with it.
bench() {
    name=$1
    shift
    timeout "$time_max" cargo bench --quiet --bench "$name" -- "$@" &
    running=$!
    status=0
    wait "$running" || status=$?
    running=''
    return "$status"
}

# The other benches in the order of Cargo.toml. What a bench is about stands in the first lines of its source, and what
# it prints is shown as it is, unless it is Markdown already.
other_benches() {
    names=$(sed -n '/^\[\[bench\]\]/,/^harness/s/^name = "\(.*\)"/\1/p' Cargo.toml)
    for other in $names; do
        [ "$other" != loopback ] || continue
        say "bench $other" >&2
        # The backquotes are Markdown's.
        # shellcheck disable=SC2016
        printf '\n## Bench `%s`\n\n' "$other"
        sed -n -e '/^\/\/! /!q' -e 's/^\/\/! //p' "benches/$other/main.rs"
        printf '\n'
        said=$SERSYNC_BENCH_DIR/$other.txt
        ended=0
        bench "$other" "$@" > "$said" || ended=$?
        # shellcheck disable=SC2016
        case $(head -n 1 "$said") in
            '#'* | '|'*) cat "$said" ;;
            *) printf '```text\n%s\n```\n' "$(cat "$said")" ;;
        esac
        [ "$ended" -eq 0 ] || printf '\nIt ended with %s: what is above may be all there is.\n' "$ended"
    done
}

# fill_readme ROWS: puts that file's table between the marks in README.md.
fill_readme() {
    awk -v rows="$1" '
        /^<!-- end of the rows -->/ { filling = 0; print "" }
        !filling
        /^<!-- rows written by / { filling = 1; print ""; while ((getline row < rows) > 0) print row }
    ' README.md > "$SERSYNC_BENCH_DIR/README.md"
    cat "$SERSYNC_BENCH_DIR/README.md" > README.md
}

report=$SERSYNC_BENCH_DIR/report
mkdir -p "$out" "$report"
cargo bench --quiet --no-run
bench loopback "$@" --write "$report" > "$report/BENCHMARKS.md"
other_benches "$@" >> "$report/BENCHMARKS.md"
if [ "$out" = docs ]; then
    fill_readme "$report/headlines.md"
    rm "$report/headlines.md"
fi
cp "$report"/* "$out"
say "written: $out/BENCHMARKS.md"

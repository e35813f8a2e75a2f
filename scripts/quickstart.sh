#!/bin/sh
# Shows sersync at work on this machine: builds it, lets it mirror one temporary directory into another through an
# rsync daemon of its own on loopback, makes a few changes and times the arrival of each.
#
#     scripts/quickstart.sh            goes on until Ctrl-C, to try things by hand
#     scripts/quickstart.sh --once     ends after the demonstration: 0, or 1 if anything did not arrive
#     SERSYNC_BIN=/path/to/sersync scripts/quickstart.sh     shows that program and builds nothing
#
# Nothing stays behind: processes and directory are gone at the end, however it ends. POSIX sh, for BusyBox ash too.
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh

# Milliseconds from a change to its arrival, beyond which the demonstration has failed. Generous: a batch takes
# some tens of milliseconds, a loaded machine many times that.
DEADLINE_MS=10000
# Seconds until the daemon answers, and until sersync watches.
START_S=30
# Seconds that sersync gets to end by itself, and ports that are tried before giving up.
STOP_S=15
PORTS_TRIED=20

main() {
    once=false
    case "$#:${1-}" in
        0:) ;;
        1:--once) once=true ;;
        1:-h | 1:--help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 2
            ;;
    esac

    need rsync cmp diff
    find_program
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # Nobody reads any more: that would end a shell without the trap above.
    trap 'exit 141' PIPE
    make_directories
    start_daemon
    write_configuration
    start_sersync
    show_places
    demonstrate
    $once || carry_on
}

usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "scripts/${0##*/}"; }

# ---- The stage ----

find_program() {
    if [ -n "${SERSYNC_BIN-}" ]; then
        program=$SERSYNC_BIN
        [ -x "$program" ] || die "SERSYNC_BIN=$program is not a program that can be run"
    else
        need_rust
        say 'building (the first time takes a minute)'
        cargo build --release --quiet
        program=${CARGO_TARGET_DIR:-target}/release/sersync
    fi
}

dir='' daemon_pid='' sersync_pid='' tail_pid=''

make_directories() {
    dir=$(mktemp -d "${TMPDIR:-/tmp}/sersync-quickstart.XXXXXX")
    # Nobody else can look into what mktemp makes; the daemon runs as the same user and can.
    near=$dir/near far=$dir/far log=$dir/sersync.log
    mkdir -p "$near/before" "$far"
    # The log is made here, since it may be read before the program has opened it.
    : >"$log"
    echo 'here before sersync was started' >"$near/before/first.txt"
}

clean_up() {
    status=$?
    trap - EXIT
    # A second Ctrl-C must not leave half of it.
    trap '' INT TERM HUP PIPE
    [ -z "$tail_pid" ] || kill "$tail_pid" 2>/dev/null || :
    # What was started in the very moment of a signal has no name yet.
    [ -z "${!-}" ] || end "$!"
    [ -z "$sersync_pid" ] || end "$sersync_pid"
    [ -z "$daemon_pid" ] || end "$daemon_pid"
    [ -z "$dir" ] || rm -rf "$dir"
    exit "$status"
}

# end PID: asks a child to end, insists after STOP_S, and waits for it.
end() {
    kill "$1" 2>/dev/null || :
    tenths=0
    while kill -0 "$1" 2>/dev/null && [ "$tenths" -lt $((STOP_S * 10)) ]; do
        pause
        tenths=$((tenths + 1))
    done
    kill -9 "$1" 2>/dev/null || :
    wait "$1" 2>/dev/null || :
}

# A tenth of a second where sleep knows fractions.
pause() { sleep 0.1 2>/dev/null || sleep 1; }

# The port is free if our daemon can have it: so start it, and see whether the module that only it has is listed.
start_daemon() {
    module=quickstart_$$
    port=$((20000 + $$ % 20000))
    last_port=$((port + PORTS_TRIED))
    while [ "$port" -lt "$last_port" ]; do
        {
            printf 'address = 127.0.0.1\nport = %s\nlog file = %s\nuse chroot = no\n' "$port" "$dir/rsyncd.log"
            # What README.md advises for every receiving daemon: answers leave at once.
            printf 'socket options = TCP_NODELAY\nreverse lookup = no\n'
            # A daemon of root becomes nobody unless told otherwise; one of another user cannot change at all.
            [ "$(id -u)" -ne 0 ] || printf 'uid = %s\ngid = %s\n' "$(id -u)" "$(id -g)"
            printf '[%s]\npath = %s\nread only = no\nmunge symlinks = no\n' "$module" "$far"
        } >"$dir/rsyncd.conf"
        # Not its standard input: if that is a socket, rsync takes it for a connection from inetd.
        rsync --daemon --no-detach --config="$dir/rsyncd.conf" </dev/null >"$dir/rsyncd.out" 2>&1 &
        daemon_pid=$!
        ! daemon_answers || return 0
        end "$daemon_pid"
        port=$((port + 1))
    done
    tail -n 5 "$dir/rsyncd.log" "$dir/rsyncd.out" >&2 || :
    daemon_pid=''
    die "could not start an rsync daemon on 127.0.0.1, ports $((last_port - PORTS_TRIED)) to $((last_port - 1)) (above: its last words)"
}

daemon_answers() {
    tenths=0
    while [ "$tenths" -lt $((START_S * 10)) ] && kill -0 "$daemon_pid" 2>/dev/null; do
        if rsync --port="$port" 127.0.0.1:: 2>/dev/null </dev/null | grep -q "^$module"; then
            return 0
        fi
        pause
        tenths=$((tenths + 1))
    done
    return 1
}

write_configuration() {
    # The names come from TMPDIR, which may hold characters that mean something in XML.
    escaped_dir=$(printf '%s' "$dir" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/"/\&quot;/g')
    cat >"$dir/confxml.xml" <<END
<?xml version="1.0" encoding="UTF-8"?>
<head version="2.5">
    <sersync>
        <localpath watch="$escaped_dir/near">
            <remote ip="127.0.0.1" name="$module"/>
        </localpath>
        <rsync>
            <commonParams params="-artz"/>
            <userDefinedPort start="true" port="$port"/>
        </rsync>
        <failLog path="$escaped_dir/rsync_fail_log.sh" timeToExecute="60"/>
    </sersync>
</head>
END
}

start_sersync() {
    STATE_DIRECTORY=$dir "$program" -r -o "$dir/confxml.xml" </dev/null >"$log" 2>&1 &
    sersync_pid=$!
    tenths=0
    until grep -q '^watch path is:' "$log"; do
        kill -0 "$sersync_pid" 2>/dev/null || failed 'sersync ended before it watched'
        [ "$tenths" -lt $((START_S * 10)) ] || failed "sersync does not watch yet after $START_S s"
        pause
        tenths=$((tenths + 1))
    done
}

# failed WHAT: ends the script with the program's last words.
failed() {
    printf '\nThe last lines of sersync (%s):\n' "$log" >&2
    tail -n 20 "$log" >&2 || :
    die "$*"
}

show_places() {
    cat <<END

  change files here   $near
  they arrive here    $far    (rsync://127.0.0.1:$port/$module)
  configuration       $dir/confxml.xml
  log of sersync      $log
  log of the daemon   $dir/rsyncd.log
  started with        $program -r -o $dir/confxml.xml

END
}

# ---- The demonstration ----

# Milliseconds on a clock of unknown origin. BusyBox may be built without %N: there the kernel's uptime serves, in
# steps of 10 ms.
now_ms() {
    read -r seconds nanos <<END
$(date '+%s %N')
END
    case $nanos in
        [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9])
            # A digit in front: a number that starts with 0 would be read as octal.
            echo $((seconds % 10000000 * 1000 + 1$nanos / 1000000 - 1000))
            ;;
        *)
            read -r uptime _ </proc/uptime
            echo "${uptime%.*}${uptime#*.}0"
            ;;
    esac
}

# step WHAT CHANGE ARRIVED: makes the change, waits until it has arrived, prints how long that took. The time of the
# change itself and of looking (a few milliseconds) is in it.
step() {
    started=$(now_ms)
    "$2"
    until "$3" 2>/dev/null; do
        kill -0 "$sersync_pid" 2>/dev/null || failed "sersync ended before this arrived: $1"
        [ $(($(now_ms) - started)) -lt "$DEADLINE_MS" ] || failed "did not arrive within $((DEADLINE_MS / 1000)) s: $1"
    done
    printf '  %-52s %6d ms\n' "$1" $(($(now_ms) - started))
}

demonstrate() {
    printf '  %-52s %s\n' 'change' 'arrived after'
    step 'what was there before (-r), once it watches' : first_sync_arrived
    step 'a new file' make_file file_arrived
    step 'the same file again, same length, same second' rewrite_file file_arrived
    step 'a line more' append_to_file file_arrived
    step 'the file gets another name' rename_file file_renamed
    step 'mkdir -p a/b/c and a file in it at once' make_tree tree_arrived
    step 'a name with a space, quotes, $ and a backtick' make_odd_name odd_name_arrived
    step 'a symlink' make_link link_arrived
    step '200 new files' make_burst everything_arrived
    step 'the directory gets another name' rename_tree tree_renamed
    step 'a file is deleted' delete_file file_deleted
    step 'a directory with what is in it is deleted' delete_tree tree_deleted
    step 'and nothing else: both directories are equal' : everything_arrived
    printf '\nEverything arrived.\n'
}

first_sync_arrived() { cmp -s "$near/before/first.txt" "$far/before/first.txt"; }
make_file() { echo 'one' >"$near/note.txt"; }
rewrite_file() { echo 'two' >"$near/note.txt"; }
append_to_file() { echo 'three' >>"$near/note.txt"; }
file_arrived() { cmp -s "$near/note.txt" "$far/note.txt"; }
rename_file() { mv "$near/note.txt" "$near/renamed.txt"; }
file_renamed() { [ ! -e "$far/note.txt" ] && cmp -s "$near/renamed.txt" "$far/renamed.txt"; }
make_tree() { mkdir -p "$near/a/b/c" && echo 'deep' >"$near/a/b/c/deep.txt"; }
tree_arrived() { cmp -s "$near/a/b/c/deep.txt" "$far/a/b/c/deep.txt"; }
# shellcheck disable=SC2016 # Nothing is to be expanded: that is what is odd.
odd_name='it'\''s "odd" $HOME `x`'
make_odd_name() { echo 'odd' >"$near/$odd_name"; }
odd_name_arrived() { cmp -s "$near/$odd_name" "$far/$odd_name"; }
make_link() { ln -s renamed.txt "$near/link"; }
link_arrived() { [ "$(readlink "$far/link")" = renamed.txt ]; }
make_burst() {
    mkdir "$near/burst"
    number=0
    while [ "$number" -lt 200 ]; do
        echo "$number" >"$near/burst/$number.txt"
        number=$((number + 1))
    done
}
everything_arrived() { diff -r "$near" "$far" >/dev/null; }
rename_tree() { mv "$near/a" "$near/z"; }
tree_renamed() { [ ! -e "$far/a" ] && cmp -s "$near/z/b/c/deep.txt" "$far/z/b/c/deep.txt"; }
delete_file() { rm "$near/renamed.txt" "$near/link"; }
file_deleted() { [ ! -e "$far/renamed.txt" ]; }
delete_tree() { rm -r "$near/z"; }
tree_deleted() { [ ! -e "$far/z" ]; }

carry_on() {
    # From here on, Ctrl-C is the way to end and no failure.
    trap 'echo; exit 0' INT
    printf 'Still running, now it is your turn: see above for the places. Ctrl-C ends and cleans up.\n\n'
    tail -n 0 -f "$log" &
    tail_pid=$!
    while kill -0 "$sersync_pid" 2>/dev/null; do
        # It ends when nobody reads any more.
        kill -0 "$tail_pid" 2>/dev/null || exit 0
        sleep 1
    done
    failed 'sersync ended by itself'
}

main "$@"

#!/bin/sh
# Starts what should run and does not. For cron, every minute:
#
#     * * * * * /opt/sersync/bin/keepalive.sh
#
#     keepalive.sh                    the CONFIGS of conf/sersync.conf, unless the init script has stopped them
#     keepalive.sh CONFIGURATION...   these: names, as there, or files
#
# Silent when all is well; one line for each start; the reason, and exit code 1, for one that fails. Whether one
# runs is told by sersync's own lock and not by the list of processes: however often this runs at once, and whoever has
# started what runs, there is never a second one. POSIX sh, for BusyBox ash as well.
set -u
# No option and no name is taken for a pattern of file names.
set -f
# cron gives little more than /bin; rsync and ssh may lie elsewhere.
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin

prefix=$(cd "$(dirname "$0")/.." && pwd) || exit 1
program=$prefix/bin/sersync
# Where the init script looks for process numbers; only root can write there.
run=/var/run
[ -w "$run" ] || run=$prefix/log
failed=0

main() {
    case ${1-} in
        -h | --help)
            sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
            return 0
            ;;
    esac
    CONFIGS=confxml OPTIONS=''
    if [ -r "$prefix/conf/sersync.conf" ]; then
        . "$prefix/conf/sersync.conf"
    fi
    if [ $# -eq 0 ]; then
        # It was stopped on purpose, and is not to be back after a minute.
        [ ! -e "$run/sersync.stopped" ] || return 0
        # Split into words on purpose.
        # shellcheck disable=SC2086
        set -- $CONFIGS
    fi
    for wanted in "$@"; do
        case $wanted in
            */* | *.xml) start "$wanted" ;;
            *) start "$prefix/conf/$wanted.xml" ;;
        esac
    done
    return "$failed"
}

# start CONFIGURATION: nothing happens if it runs already.
start() {
    name=${1##*/}
    name=${name%.xml}
    code=0
    # The options are words; a log file also makes the program let go of the pipe that is read here.
    # shellcheck disable=SC2086
    said=$("$program" -d $OPTIONS -o "$1" --log-file "$prefix/log/$name.log" \
        --pid-file "$run/sersync-$name.pid" 2>&1 >/dev/null </dev/null) || code=$?
    case $code in
        0) printf 'sersync: %s: started\n' "$1" ;;
        # Another one has the lock.
        3) ;;
        *)
            printf 'sersync: %s: not started (exit code %s):\n%s\n' "$1" "$code" "$said" >&2
            failed=1
            ;;
    esac
}

main "$@"

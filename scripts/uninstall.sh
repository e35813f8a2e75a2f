#!/bin/sh
# Removes what install.sh has put there, and nothing else.
#
#     /opt/sersync/uninstall.sh [--stop] [--purge]
#     scripts/uninstall.sh --prefix DIR [--stop] [--purge]
#
#     --stop     ends what runs; otherwise nothing is removed while something does
#     --purge    removes conf and log as well, with all that is in them
#
# Fail logs lie where the configuration says, states in /var/lib/sersync; they stay. POSIX sh, with no tools but those of BusyBox.
set -eu

# The program gives running transfers 7 seconds when it is asked to end, then it writes down what is owed.
STOP_S=30

main() {
    prefix='' stop=false purge=false
    while [ $# -gt 0 ]; do
        case $1 in
            --prefix=*) prefix=${1#*=} ;;
            --prefix)
                [ $# -ge 2 ] || die '--prefix needs a value; see --help'
                prefix=$2
                shift
                ;;
            --stop) stop=true ;;
            --purge) purge=true ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) die "unknown option: $1; see --help" ;;
        esac
        shift
    done
    find_prefix
    check_running
    remove_service
    end_all
    remove_files
}

usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

say() { printf 'uninstall.sh: %s\n' "$*"; }

die() {
    say "$*" >&2
    exit 1
}

find_prefix() {
    [ -n "$prefix" ] || prefix=$(dirname "$0")
    if [ ! -e "$prefix/uninstall.sh" ] || [ ! -d "$prefix/init" ]; then
        die "$prefix: install.sh has installed nothing there; name the place with --prefix DIR"
    fi
    # As the kernel names the program, whatever links lead to it.
    prefix=$(cd "$prefix" && pwd -P)
    [ -w "$prefix/bin" ] || die "cannot write $prefix: run this as root"
}

# The processes that run the installed program, whoever has started them; those in containers are not ours.
running() {
    # shellcheck disable=SC2012 # The names are numbers.
    ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's|^.* /proc/\([0-9]*\)/exe -> \(.*\)$|\1 \2|p' |
        while read -r pid program; do
            case $program in
                "$prefix/bin/sersync" | "$prefix/bin/sersync (deleted)")
                    # Every shell that is a /bin/sh somewhere has it.
                    # shellcheck disable=SC3013
                    [ ! "/proc/$pid/root/." -ef /. ] || printf ' %s' "$pid"
                    ;;
            esac
        done
}

check_running() {
    pids=$(running)
    $stop || [ -z "$pids" ] ||
        die "sersync runs, as process$pids: end it first, or say --stop. Nothing was removed."
}

# What would start it again goes first.
remove_service() {
    rm -f "$prefix/bin/keepalive.sh"
    init=/etc/init.d/sersync
    if is_ours sersync.service /etc/systemd/system/sersync.service; then
        systemctl disable --now sersync.service || :
    fi
    if is_ours sersync@.service /etc/systemd/system/sersync@.service; then
        for link in /etc/systemd/system/*.wants/sersync@*.service; do
            [ ! -L "$link" ] || systemctl disable "${link##*/}" || :
        done
        systemctl stop 'sersync@*.service' || :
    fi
    if is_ours openrc "$init"; then
        for service in "$init" "$init".*; do
            [ -e "$service" ] || continue
            rc-service "${service##*/}" stop || :
            rc-update --all del "${service##*/}" >/dev/null 2>&1 || :
        done
    elif is_ours procd "$init"; then
        "$init" stop || :
        "$init" disable || :
    elif is_ours sysv "$init"; then
        "$init" stop || :
        if command -v chkconfig >/dev/null; then chkconfig --del sersync || :; fi
    fi
    remove_from_etc sersync.service /etc/systemd/system/sersync.service
    remove_from_etc sersync@.service /etc/systemd/system/sersync@.service
    remove_from_etc logrotate /etc/logrotate.d/sersync
    for kind in openrc procd sysv; do remove_from_etc "$kind" "$init"; done
    if command -v update-rc.d >/dev/null && [ ! -e "$init" ]; then update-rc.d sersync remove || :; fi
    if command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi
    if [ -e "$init" ] || [ -e /etc/systemd/system/sersync.service ]; then
        say "not made by install.sh, or changed since, so it stays: $(ls -d "$init" /etc/systemd/system/sersync.service 2>/dev/null)"
    fi
}

is_ours() { [ -e "$2" ] && cmp -s "$prefix/init/$1" "$2"; }

remove_from_etc() { ! is_ours "$1" "$2" || rm -f "$2"; }

end_all() {
    pids=$(running)
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086 # Numbers, each a word.
    kill $pids 2>/dev/null || :
    seconds=0
    while [ -n "$(running)" ]; do
        [ "$seconds" -lt "$STOP_S" ] || die "process$(running) does not end after $STOP_S s; end it, and run this again"
        sleep 1
        seconds=$((seconds + 1))
    done
    say "ended process$pids"
}

remove_files() {
    [ ! -L "$prefix/bin/sersync2" ] || rm -f "$prefix/bin/sersync2"
    rm -f "$prefix/bin/sersync" "$prefix/uninstall.sh" /var/run/sersync.stopped
    for file in sersync.service sersync@.service openrc procd sysv logrotate; do
        rm -f "$prefix/init/$file"
    done
    if $purge; then
        rm -rf "$prefix/conf" "$prefix/log"
    fi
    # If something else is in these directories, it stays, and they stay with it.
    rmdir "$prefix/bin" "$prefix/init" "$prefix/conf" "$prefix/log" 2>/dev/null || :
    if rmdir "$prefix" 2>/dev/null; then
        say "$prefix is removed"
    else
        say "removed; what stays: $(cd "$prefix" && echo *)"
    fi
}

main "$@"

#!/bin/sh
# Installs sersync, or upgrades it: the same command again, with a newer program.
#
#     scripts/install.sh [--prefix DIR] [--binary FILE] [--service[=KIND]] [--root DIR]
#
#     --prefix DIR     where to: DIR/bin, DIR/conf and DIR/log; /opt/sersync without it
#     --binary FILE    the program; without it, "sersync" here or in the directory above, or what cargo has built
#     --service        also for the init system of this machine; or name it: --service=systemd, openrc, procd or sysv
#     --root DIR       for packages: everything lands below DIR and is made for use without it; the program is not tried
#
# In a directory with the archives of a release, it unpacks the one for this machine's processor, if it is what SHA256SUMS
# says, and goes on with that.
#
# A configuration that is there stays as it is; where this version's differs, it is put beside it as NAME.new. A program
# that runs is replaced at once, and goes on as the old one until it is restarted. Nothing is started. POSIX sh, with no
# tools but those of BusyBox.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/.." && pwd)

main() {
    if [ ! -d "$source/conf" ] && [ -e "$here/SHA256SUMS" ]; then
        case ${1:-} in
            -h | --help) usage ;;
            *) install_archive "$@" ;;
        esac
        return 0
    fi
    prefix=/opt/sersync binary='' service='' root=''
    while [ $# -gt 0 ]; do
        case $1 in
            --prefix=* | --binary=* | --root=*) set_option "${1%%=*}" "${1#*=}" ;;
            --prefix | --binary | --root)
                [ $# -ge 2 ] || die "$1 needs a value; see --help"
                set_option "$1" "$2"
                shift
                ;;
            --service) service=detect ;;
            --service=*) service=${1#*=} ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) die "unknown option: $1; see --help" ;;
        esac
        shift
    done
    check_prefix
    check_service
    find_program
    make_directories
    put_program
    put_configurations
    put_init_files
    put_script keepalive.sh bin/keepalive.sh
    put_script uninstall.sh uninstall.sh
    [ -z "$service" ] || put_service
    [ -n "$root" ] || {
        show_fail_logs
        show_next_steps
    }
}

usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$here/${0##*/}"; }

say() { printf 'install.sh: %s\n' "$*"; }

die() {
    say "$*" >&2
    exit 1
}

set_option() {
    case $1 in
        --prefix) prefix=${2%/} ;;
        --binary) binary=$2 ;;
        --root)
            mkdir -p "$2" || die "cannot make $2"
            root=$(cd "$2" && pwd)
            ;;
    esac
}

# ---- From a directory of archives ----

install_archive() {
    target=$(target_of "$(uname -m)") || die "there is no archive for this kind of machine ($(uname -m))"
    archive=''
    for found in "$here"/sersync-*-"$target".tar.gz; do
        [ -e "$found" ] || die "there is no sersync-VERSION-$target.tar.gz here, which this machine ($(uname -m)) needs"
        [ -z "$archive" ] || die "there is more than one version here for this machine: ${archive##*/}, ${found##*/}"
        archive=$found
    done
    sum=$(sed -n "s/  ${archive##*/}\$//p" "$here/SHA256SUMS")
    [ -n "$sum" ] || die "SHA256SUMS says nothing of ${archive##*/}"
    found=$(sha256sum <"$archive")
    [ "${found%% *}" = "$sum" ] || die "${archive##*/} is damaged: it is not what SHA256SUMS says; download it again"
    say "${archive##*/}"
    unpacked=$(mktemp -d "${TMPDIR:-/tmp}/sersync.XXXXXX")
    trap 'rm -rf "$unpacked"' EXIT
    # The owners in the archive are root's; whoever installs keeps what is unpacked.
    tar -xzof "$archive" -C "$unpacked"
    sh "$unpacked"/*/scripts/install.sh "$@"
}

# target_of MACHINE: the target whose programs run on it; a 32-bit system with a 64-bit kernel runs the static 64-bit one.
target_of() {
    case $1 in
        x86_64 | amd64) echo x86_64-unknown-linux-musl ;;
        i[3-6]86) echo i686-unknown-linux-musl ;;
        aarch64 | arm64) echo aarch64-unknown-linux-musl ;;
        armv7* | armv8*)
            # Some of these processors have no floating point unit.
            if grep -q '^Features.* vfpv[34]' /proc/cpuinfo; then
                echo armv7-unknown-linux-musleabihf
            else
                echo armv5te-unknown-linux-musleabi
            fi
            ;;
        armv[56]*) echo armv5te-unknown-linux-musleabi ;;
        mips | mips64)
            # Both byte orders have the same name; the header of any program on this machine says which one it is.
            [ "$(dd if=/proc/self/exe bs=1 skip=5 count=1 2>/dev/null)" = "$(printf '\001')" ] || return 1
            echo mipsel-unknown-linux-musl
            ;;
        *) return 1 ;;
    esac
}

# ---- What is looked at before anything is changed ----

check_prefix() {
    # It stands in shell scripts and units, and, with --purge, its conf and log are removed whole.
    case $prefix in
        '' | /usr | /usr/local | /opt | /etc | /var | /home | /root | /tmp)
            die "--prefix ${prefix:-/}: name a directory of sersync's own, as in --prefix ${prefix%/}/sersync"
            ;;
        *[!A-Za-z0-9/._+-]* | */../* | */.. | */./* | *//*)
            die "--prefix $prefix: only letters, digits and / . _ + - are possible, and no .."
            ;;
        /*) ;;
        *) die "--prefix $prefix: name the whole path, beginning with /" ;;
    esac
    at=$root$prefix
}

check_service() {
    case $service in
        '') service=$(installed_service) ;;
        systemd | openrc | procd | sysv) ;;
        detect)
            [ -z "$root" ] || die '--root: name the init system, as in --service=systemd'
            service=$(init_system) ||
                die 'no systemd, OpenRC, procd or /etc/init.d here; leave --service out, and have cron run keepalive.sh'
            ;;
        *) die "--service=$service: systemd, openrc, procd and sysv are possible" ;;
    esac
    [ -z "$service" ] || [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || die '--service: only root can do that'
}

# The kind of service that an earlier run has put into /etc, if nobody has changed its files: it is upgraded too.
installed_service() {
    for service in systemd openrc procd sysv; do
        pair=$(pairs | head -n 1)
        if cmp -s "$at/init/${pair%%:*}" "$root${pair#*:}"; then
            echo "$service"
            return 0
        fi
    done
}

init_system() {
    if [ -d /run/systemd/system ]; then
        echo systemd
    elif [ -x /sbin/openrc-run ]; then
        echo openrc
    elif [ -x /sbin/procd ]; then
        echo procd
    elif [ -d /etc/init.d ]; then
        echo sysv
    else
        return 1
    fi
}

find_program() {
    if [ -n "$binary" ]; then
        [ -f "$binary" ] || die "--binary $binary: there is no such file"
        works "$binary" || die "$binary $why"
        return 0
    fi
    why=''
    # A static one, for any Linux of this processor, before one that was built for this machine alone.
    for binary in "$source/scripts/sersync" "$source/sersync" "$source/bin/sersync" \
        "$source"/target/*-musl*/release/sersync "$source"/target/release/sersync; do
        [ -f "$binary" ] || continue
        ! works "$binary" || return 0
        say "passed over: $binary $why" >&2
    done
    die 'there is no program to install. Build it (cargo build --release), or name it with --binary FILE'
}

# works FILE: whether it is sersync 3 and runs on this machine; $why is what is said if it does not.
works() {
    version=''
    [ -z "$root" ] || return 0
    [ -x "$1" ] || {
        why='is not executable: chmod +x it'
        return 1
    }
    if said=$("$1" --version 2>&1 </dev/null); then
        version=$said
        case $version in 'sersync '[3-9]*) return 0 ;; esac
        why="is another program: it answers \"$said\" to --version"
    else
        why="does not run here ($(uname -m)): it may be built for another kind of machine, or another C library"
    fi
    return 1
}

# ---- Installing ----

make_directories() {
    # From a version before this script, or by another hand: nothing of that gets lost.
    foreign=true
    [ ! -e "$at/uninstall.sh" ] || foreign=false
    for directory in "$at/bin" "$at/conf" "$at/log" "$at/init"; do
        mkdir -p "$directory" 2>/dev/null || :
        [ -w "$directory" ] ||
            die "cannot write $directory: run this as root, or name another place with --prefix"
    done
}

# put FILE TARGET MODE: at any time TARGET is the old file or the new one, and never half a file.
put() {
    new=$2.installing
    if cp "$1" "$new" && chmod "$3" "$new" && mv -f "$new" "$2"; then
        return 0
    fi
    rm -f "$new"
    die "cannot write $2 (above: why); what was there is there still"
}

put_program() {
    upgraded=false
    if [ -f "$at/bin/sersync" ] && ! cmp -s "$binary" "$at/bin/sersync"; then
        upgraded=true
        ! $foreign || keep_old "$at/bin/sersync"
    fi
    [ -L "$at/bin/sersync2" ] || [ ! -e "$at/bin/sersync2" ] || keep_old "$at/bin/sersync2"
    put "$binary" "$at/bin/sersync" 755
    # The name of the original's program; many scripts have it.
    [ -L "$at/bin/sersync2" ] || ln -s sersync "$at/bin/sersync2"
    say "$prefix/bin/sersync${version:+: $version}"
}

keep_old() {
    [ ! -e "$1.old" ] || die "$1 is not of this program, and $1.old is there already: move one of them away"
    # A second name: the first one goes on working until it is replaced.
    ln "$1" "$1.old" 2>/dev/null || cp -p "$1" "$1.old"
    say "kept the program that was there as $1.old"
    [ "${1##*/}" = sersync ] || rm -f "$1"
}

put_configurations() {
    for example in "$source"/conf/*.xml "$source/conf/sersync.conf"; do
        target=$at/conf/${example##*/}
        if [ ! -e "$target" ] && [ ! -L "$target" ]; then
            put "$example" "$target" 644
        elif ! cmp -s "$example" "$target"; then
            put "$example" "$target.new" 644
            say "${target#"$root"} stays as it is; this version's is beside it, as ${target##*/}.new"
        fi
    done
}

put_script() { render "$source/scripts/$1" "$at/$2" 755; }

# render FILE TARGET MODE: with this prefix in the place of /opt/sersync.
render() {
    sed "s|/opt/sersync|$prefix|g" "$1" >"$at/init/.rendered" || die "cannot write $at/init"
    put "$at/init/.rendered" "$2" "$3"
    rm -f "$at/init/.rendered"
}

# The init files lie in init/, made for this prefix. Those of the version before are looked at first: what stands in /etc and
# differs from them was changed by somebody.
put_init_files() {
    changed=''
    for pair in $(pairs); do
        there=$root${pair#*:} before=$at/init/${pair%%:*}
        [ ! -e "$there" ] || cmp -s "$before" "$there" || changed="$changed ${pair#*:} "
    done
    for file in "sersync@.service" openrc procd sysv; do
        render "$source/init/$file" "$at/init/$file" 644
    done
    sed 's|%i|confxml|g; s|^# sersync@NAME runs \([^;]*\)/NAME.xml;.*|# Runs \1/confxml.xml. Options stand in|' \
        "$at/init/sersync@.service" >"$at/init/sersync.service"
    render "$source/conf/logrotate" "$at/init/logrotate" 644
}

# What belongs to the service, as FILE:TARGET.
pairs() {
    case $service in
        '') return 0 ;;
        systemd)
            echo sersync.service:/etc/systemd/system/sersync.service
            echo sersync@.service:/etc/systemd/system/sersync@.service
            ;;
        openrc | procd | sysv) echo "$service:/etc/init.d/sersync" ;;
    esac
    # The journal and logread look after their own.
    case $service in
        openrc | sysv) echo logrotate:/etc/logrotate.d/sersync ;;
    esac
}

put_service() {
    for pair in $(pairs); do
        file=$at/init/${pair%%:*} there=$root${pair#*:} mode=644
        case "$changed" in
            *" ${pair#*:} "*)
                cmp -s "$file" "$there" || {
                    say "${pair#*:} was not made by install.sh, or changed since, and stays; this version's is ${file#"$root"}"
                    continue
                }
                ;;
        esac
        case $there in */init.d/*) mode=755 ;; esac
        mkdir -p "${there%/*}"
        put "$file" "$there" "$mode"
        say "${pair#*:}"
    done
    [ "$service" != systemd ] || [ -n "$root" ] || systemctl daemon-reload
}

# sersync 2.5.4 left fail logs that everybody can write to. They are not used before somebody has seen what is in them.
show_fail_logs() {
    for config in "$at"/conf/*.xml; do
        sed -n 's/.*<failLog[^>]* path="\([^"]*\)".*/\1/p' "$config"
    done | sort -u | while read -r file; do
        if [ ! -f "$file" ] || [ -L "$file" ] || [ ! -s "$file" ]; then
            continue
        fi
        case $(ls -ldn "$file") in
            ?????w* | ????????w*) ;;
            *) continue ;;
        esac
        printf '\n%s can be written by others, so it is not used, and what it has is not worked off:\n\n' "$file"
        # Nothing of it is for the terminal to obey.
        head -n 20 "$file" | LC_ALL=C tr -c '\n -~' '?' | cut -c 1-200 | sed 's/^/    /'
        lines=$(wc -l <"$file")
        [ "$lines" -le 20 ] || printf '    ... %s more lines\n' $((lines - 20))
        printf '\nIf all of these commands are yours, have them worked off at the next start:\n    chmod 700 %s\n' "$file"
    done
}

show_next_steps() {
    command -v rsync >/dev/null 2>&1 || say 'there is no rsync here yet; sersync needs it' >&2
    if $upgraded; then
        printf '\nUpgraded. What runs goes on with the old program until it is restarted.\n'
        return 0
    fi
    case $service in
        systemd) start='systemctl enable --now sersync' look='journalctl -fu sersync' ;;
        openrc) start='rc-update add sersync && rc-service sersync start' look="tail -f $prefix/log/confxml.log" ;;
        procd) start='/etc/init.d/sersync enable && /etc/init.d/sersync start' look='logread -fe sersync' ;;
        sysv)
            start='/etc/init.d/sersync start && { chkconfig --add sersync || update-rc.d sersync defaults; }'
            look="(crontab -l; echo '* * * * * $prefix/bin/keepalive.sh') | crontab -"
            ;;
        *)
            start="$prefix/bin/keepalive.sh"
            look="(crontab -l; echo '* * * * * $prefix/bin/keepalive.sh') | crontab -"
            ;;
    esac
    printf '\nGo on with:\n    vi %s/conf/confxml.xml\n    %s\n    %s\n' "$prefix" "$start" "$look"
}

main "$@"

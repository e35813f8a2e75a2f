# shellcheck shell=sh
# What must be on the machine: looks for commands, installs the packages that carry them, checks the Rust toolchain.
#
# Sourced by the other scripts, never run by itself. It changes nothing when everything is there, so the
# scripts work for any user then; only installing needs root. POSIX sh, for BusyBox ash as well.

# Not in every user's PATH: where sshd lies, and where rustup puts cargo.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:${HOME:-/root}/.cargo/bin

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

die() {
    say "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND...: returns when all of them are there, having installed what was missing; ends the script,
# saying what to do, if it cannot.
need() {
    missing=''
    for wanted in "$@"; do
        have "$wanted" || missing="$missing $wanted"
    done
    [ -n "$missing" ] || return 0

    manager=$(package_manager) ||
        die "not found:$missing. No apt-get, apk, dnf or yum here: install them your system's way, then run this again."
    packages=''
    for wanted in $missing; do
        packages="$packages $(package_of "$manager" "$wanted")"
    done
    [ "$(id -u)" -eq 0 ] ||
        die "not found:$missing. Only root can install them. Run this as root, then start again:
    $(install_line "$manager")$packages"

    say "installing$packages"
    # The list's refresh may fail halfway (an unreachable extra source) and the packages still be there.
    [ "$manager" != apt-get ] || apt-get update -q || say "apt-get update failed, trying with the old lists" >&2
    # Split into words on purpose: a list of package names.
    # shellcheck disable=SC2086
    install_packages $packages ||
        die "could not install$packages (above: why). Install them yourself, then run this again."
    for wanted in $missing; do
        have "$wanted" || die "installed$packages, but there is still no '$wanted' in $PATH"
    done
}

# install_packages PACKAGE...: as root.
install_packages() {
    # Split into words on purpose: a command line.
    # shellcheck disable=SC2046
    DEBIAN_FRONTEND=noninteractive $(install_line "$(package_manager)") "$@"
}

package_manager() {
    # dnf before yum: where both are there, yum is dnf by its old name.
    for manager in apt-get apk dnf yum; do
        if have "$manager"; then
            printf '%s\n' "$manager"
            return 0
        fi
    done
    return 1
}

install_line() {
    case $1 in
        apt-get) printf 'apt-get install -y -q --no-install-recommends' ;;
        apk) printf 'apk add' ;;
        dnf | yum) printf '%s install -y' "$1" ;;
    esac
}

# package_of MANAGER COMMAND: the packages that carry the command; by default, the one of the same name.
package_of() {
    case $1:$2 in
        # Rust links with the C compiler, and against the C library's start files.
        apt-get:cc) printf 'gcc libc6-dev' ;;
        apk:cc) printf 'gcc musl-dev' ;;
        *:cc) printf 'gcc glibc-devel' ;;
        apt-get:ssh | apt-get:ssh-keygen) printf 'openssh-client' ;;
        apk:ssh | apk:ssh-keygen | apk:sshd) printf 'openssh' ;;
        *:ssh | *:ssh-keygen) printf 'openssh-clients' ;;
        *:sshd) printf 'openssh-server' ;;
        apt-get:dbclient | apt-get:dropbearkey) printf 'dropbear-bin' ;;
        apk:dbclient) printf 'dropbear-dbclient' ;;
        *:dropbearkey | *:dbclient) printf 'dropbear' ;;
        *:cmp | *:diff) printf 'diffutils' ;;
        apk:prlimit | apk:unshare) printf 'util-linux-misc' ;;
        *:prlimit | *:unshare) printf 'util-linux' ;;
        *:mkfs.ext4) printf 'e2fsprogs' ;;
        *:mkfs.exfat) printf 'exfatprogs' ;;
        *:mount.exfat-fuse) printf 'exfat-fuse' ;;
        apk:losetup) printf 'losetup' ;;
        apt-get:losetup) printf 'mount' ;;
        *:losetup) printf 'util-linux' ;;
        *:readelf) printf 'binutils' ;;
        *:llvm-objcopy) printf 'llvm' ;;
        apt-get:qemu-*-static) printf 'qemu-user-static' ;;
        *:systemd-analyze) printf 'systemd' ;;
        *:inotifywait) printf 'inotify-tools' ;;
        *:timeout) printf 'coreutils' ;;
        apt-get:ps | apk:ps) printf 'procps' ;;
        *:ps) printf 'procps-ng' ;;
        *) printf '%s' "$2" ;;
    esac
}

# have_browser: whether there is one that can be driven without a window, under one of its names.
have_browser() { have chromium || have chromium-browser || have google-chrome; }

# need_rust: a Rust toolchain is not installed behind the user's back, but the way to one is told. To be called
# in the directory of Cargo.toml, which says what version the program needs.
need_rust() {
    least=$(sed -n 's/^rust-version = "1\.\([0-9]*\).*/\1/p' Cargo.toml)
    found=$(cargo --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p') || found=''
    if [ "${found:-0}" -lt "$least" ]; then
        [ -n "$found" ] && found="cargo here is 1.$found." || found="There is no working cargo here."
        die "building needs Rust 1.$least or newer. $found Get it for this user with
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
and run this again (more ways: https://rustup.rs), or, with a program built elsewhere, set SERSYNC_BIN to its path."
    fi
    need cc
}

# emulator_of TARGET: what runs a program of that target here; nothing if this machine does.
emulator_of() {
    case ${1%%-*}:$(uname -m) in
        x86_64:x86_64 | i686:x86_64 | i686:i?86 | aarch64:aarch64 | arm*:armv7* | armv5te:armv6*) return 0 ;;
    esac
    case $1 in
        i?86-*) name=qemu-i386 ;;
        arm*) name=qemu-arm ;;
        *) name=qemu-${1%%-*} ;;
    esac
    # By the name that it has on Debian, and by the one that it has elsewhere.
    if ! have "$name-static" && { have "$name" || [ "$(package_manager)" != apt-get ]; }; then
        need "$name" >&2
    else
        name=$name-static
        need "$name" >&2
    fi
    echo "$name"
}

#!/bin/sh
# Builds static programs, each of which runs on any Linux of its processor, and looks whether they are what they should be.
#
#     scripts/build-static.sh                     all targets that are listed below
#     scripts/build-static.sh TARGET...           these
#     SERSYNC_BUILD_WAY=debian scripts/build-static.sh TARGET...
#                                                 one way only: rustup, rustup-zig, cross, debian
#
# They are target/static/TARGET/sersync, and beside it sersync.debug, the same with its symbols. What is missing is
# installed: as root by the package manager, or into target/static. POSIX sh, for BusyBox ash as well.
#
# The standard library is built along, from its source: that of rustup is twice as large as all of sersync. So a way is a
# compiler that has this source, and a C library with a linker for the target:
#
#     rustup       rustup's compiler; the C library of rustup's standard library for the target, and rust-lld
#     cross        rustup's compiler in the container that cross has for the target, where an engine runs
#     rustup-zig   rustup's compiler; zig's C library and linker, from PyPI
#     debian       Debian's rustc-web, which is new in every release of Debian; zig's C library and linker, from PyPI
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh

targets='x86_64-unknown-linux-musl i686-unknown-linux-musl aarch64-unknown-linux-musl
    armv7-unknown-linux-musleabihf armv5te-unknown-linux-musleabi mipsel-unknown-linux-musl'
# The limit of a program in bytes, by its processor: ARM has short instructions for what is used often, MIPS has none.
size_max() {
    case $target in
        arm* | aarch64*) echo 819200 ;;  # 800 KiB
        mips*) echo 1177600 ;;           # 1,150 KiB
        *) echo 1048576 ;;               # 1 MiB
    esac
}
# Older compilers have other names for the options below.
rust_least=95
out=target/static

main() {
    # Split into words on purpose.
    # shellcheck disable=SC2086
    [ $# -gt 0 ] || set -- $targets
    for target in "$@"; do
        case $target in
            *-linux-musl*) ;;
            *) die "$target: only targets of Linux with musl can be static, as in x86_64-unknown-linux-musl" ;;
        esac
    done
    need cc readelf
    if [ -z "${SERSYNC_BUILD_WAY:-}" ]; then
        ways='rustup cross rustup-zig debian'
    else
        ways=$SERSYNC_BUILD_WAY
    fi
    # The time that `--version` shows: that of the commit, so that the same source gives the same program.
    if [ -z "${SOURCE_DATE_EPOCH:-}" ] && have git && git rev-parse --git-dir >/dev/null 2>&1; then
        SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
        export SOURCE_DATE_EPOCH
    fi
    for target in "$@"; do
        build
        look
    done
}

build() {
    mkdir -p "$out/$target"
    for way in $ways; do
        case $way in
            rustup | cross | rustup-zig | debian) ;;
            *) die "SERSYNC_BUILD_WAY=$way: rustup, cross, rustup-zig and debian are possible" ;;
        esac
        # The first way that is ready is taken: if the build fails then, the program is at fault.
        if ready "$way"; then
            say "$target: by way of $way"
            compile "$way"
            return 0
        fi
        say "$target: not by way of $way: $why"
    done
    die "$target: there is no way to build it here (above: why)"
}

# ---- The ways: whether each is ready, what was missing having been installed; $why says what is in the way ----

ready() {
    case $1 in
        rustup) has_rustup_source && has_rustup_target && has_rust_lld ;;
        cross) has_cross && has_rustup_source ;;
        rustup-zig) has_rustup_source && has_zig ;;
        debian) has_debian_source && has_zig ;;
    esac
}

has_rustup_source() {
    why='there is no rustup'
    have rustup || return 1
    why="its compiler is $(rustc --version 2>/dev/null || echo missing), and must be 1.$rust_least or newer"
    minor=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge "$rust_least" ] || return 1
    why='rustup has no rust-src to be installed'
    [ -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ] ||
        quietly rustup component add rust-src
}

has_rustup_target() {
    why='rustup has no standard library, and with it no C library, for this target'
    [ -e "$(rustc --print sysroot)/lib/rustlib/$target/lib/self-contained/libc.a" ] ||
        quietly rustup target add "$target"
}

has_rust_lld() {
    why='this toolchain has no rust-lld'
    host=$(rustc -vV | sed -n 's/^host: //p')
    [ -x "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld" ]
}

has_cross() {
    why='there is no cross, or no container engine that runs'
    have cross && { quietly docker info || quietly podman info; }
}

has_debian_source() {
    why='this is no Debian 12 or newer'
    [ "$(package_manager)" = apt-get ] || return 1
    [ ! -e "$debian_source" ] || return 0
    why='rustc-web, cargo-web and rust-web-src could not be installed (only root can do that)'
    [ "$(id -u)" -eq 0 ] || return 1
    quietly apt-get update -q || :
    # cargo downloads, too.
    quietly install_packages rustc-web cargo-web rust-web-src ca-certificates && [ -e "$debian_source" ]
}
debian_source=/usr/lib/rustlib/src/rust/library/std/Cargo.toml

# zig, with the C library of every target, and what makes a linker for cargo of it.
has_zig() {
    why='ziglang and cargo-zigbuild could not be installed from PyPI'
    zig=$PWD/$out/zig
    [ -e "$zig/ready" ] && return 0
    if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        why='there is no python3 with venv, and none could be installed (only root can do that)'
        [ "$(id -u)" -eq 0 ] || return 1
        quietly apt-get update -q || :
        case $(package_manager) in
            apt-get) quietly install_packages python3 python3-venv ;;
            *) quietly install_packages python3 ;;
        esac || return 1
        why='ziglang and cargo-zigbuild could not be installed from PyPI'
    fi
    rm -rf "$zig"
    quietly python3 -m venv "$zig" && quietly "$zig/bin/pip" install "ziglang==$zig_version" "cargo-zigbuild==$zigbuild_version" &&
        : >"$zig/ready"
}
# Fixed versions, so that the same source gives the same program.
zig_version=0.17.1
zigbuild_version=0.24.1

# ---- Building ----

compile() {
    sysroot=$(case $1 in debian) /usr/bin/rustc --print sysroot ;; *) rustc --print sysroot ;; esac)
    # No tables for unwinding, since a panic ends the process; no texts for panics, but addresses: see src/sys/crash.rs.
    # Sequences of instructions that are repeated become functions. Blocks are put where they need the fewest jumps. What
    # loops need is computed in them: computed before them, it takes registers, and those have to be saved.
    flags="-C force-unwind-tables=no -C relocation-model=static
        -Z unstable-options -C panic=immediate-abort -Z location-detail=none -Z fmt-debug=none
        -C llvm-args=-enable-machine-outliner=always -C llvm-args=-apply-ext-tsp-for-size
        -C llvm-args=-disable-machine-licm -C llvm-args=-disable-lsr -C llvm-args=-enable-pre=false
        --remap-path-prefix=$PWD=. --remap-path-prefix=$sysroot=rust
        --remap-path-prefix=${CARGO_HOME:-${HOME:-/root}/.cargo}=cargo"
    case $target in
        # A function that may use memory below its stack pointer cannot be cut into parts.
        x86_64*) flags="$flags -C no-redzone=yes" ;;
        # Atomic operations in place: a call that first looks which of two ways the processor has is longer. Addresses in
        # one instruction, which reach 1 MiB, as far as this program does. Registers are saved and restored by shared code,
        # and instructions stay in their order, so that the same ones look the same.
        aarch64*)
            flags="$flags -C target-feature=-outline-atomics -C code-model=tiny
                -C llvm-args=-homogeneous-prolog-epilog -C llvm-args=-split-spill-mode=size
                -C llvm-args=-enable-misched=false -C llvm-args=-enable-post-misched=false"
            ;;
        # The instruction that runs while a jump is on its way: it is looked for behind the jump as well, as it is not by
        # itself. A call at the end of a function becomes a jump. Nothing is computed later than it stands there, and no table
        # of addresses is made for a few cases: each costs more than it gives back.
        mips*)
            flags="$flags -C llvm-args=-disable-mips-df-forward-search=false
                -C llvm-args=-disable-mips-df-succbb-search=false -C llvm-args=-mips-tail-calls=true
                -C llvm-args=-split-spill-mode=size -C llvm-args=-disable-machine-sink
                -C llvm-args=-min-jump-table-entries=16"
            ;;
        # Instructions of two bytes.
        arm*) flags="$flags -C target-feature=+thumb-mode" ;;
    esac
    without_tables=scripts/no-unwinding.ld
    linked_by_lld="-C linker=rust-lld -C link-arg=--icf=all -C link-arg=-O2 -C link-arg=-T$PWD/$without_tables"
    # zig builds its C library for size if the program is.
    linked_by_zig="-C link-self-contained=no -C link-arg=-Os -C link-arg=-Wl,-T,$PWD/$without_tables"
    set -- "$1" --release --bin sersync --target "$target" -Z build-std=std,panic_abort \
        -Z build-std-features=optimize_for_size \
        --config 'profile.release.strip=false' --config 'profile.release.debug="line-tables-only"'
    (
        export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$PWD/$out/build-$1"
        unset CARGO_BUILD_TARGET CARGO_ENCODED_RUSTFLAGS
        way=$1
        shift
        case $way in
            rustup)
                export RUSTFLAGS="$flags $linked_by_lld"
                cargo build "$@"
                ;;
            cross)
                export RUSTFLAGS="$flags"
                cross build "$@"
                ;;
            rustup-zig)
                export RUSTFLAGS="$flags $linked_by_zig" PATH="$zig/bin:$PATH"
                cargo-zigbuild zigbuild "$@"
                ;;
            debian)
                export RUSTFLAGS="$flags $linked_by_zig" PATH="$zig/bin:$PATH"
                export RUSTC=/usr/bin/rustc CARGO=/usr/bin/cargo
                cargo-zigbuild zigbuild "$@"
                ;;
        esac
    )
    built=$out/build-$1/$target/release/sersync
    cp "$built" "$out/$target/sersync.debug"
    strip_program "$out/$target/sersync.debug" "$out/$target/sersync"
}

# strip_program FILE STRIPPED: of any processor.
strip_program() {
    lib=$sysroot/lib
    for tool in "$lib"/rustlib/*/bin/rust-objcopy llvm-objcopy /usr/lib/llvm-*/bin/llvm-objcopy; do
        ! LD_LIBRARY_PATH=$lib "$tool" --strip-all "$1" "$2.new" 2>/dev/null || break
    done
    if [ ! -s "$2.new" ]; then
        need llvm-objcopy
        llvm-objcopy --strip-all "$1" "$2.new"
    fi
    chmod 755 "$2.new"
    mv "$2.new" "$2"
}

# ---- What has been built: whether it is what it should be ----

look() {
    program=$out/$target/sersync
    if readelf -lW "$program" | grep -q 'INTERP'; then
        die "$program: is not static: it has an interpreter"
    fi
    if readelf -dW "$program" | grep -q 'NEEDED'; then
        die "$program: is not static: it needs libraries"
    fi
    size=$(wc -c <"$program")
    [ "$size" -le "$(size_max)" ] ||
        die "$program: $size bytes, and should have at most $(size_max); what takes the room: nm --size-sort $program.debug"
    emulator=$(emulator_of "$target")
    # Nothing, or one word.
    # shellcheck disable=SC2086
    version=$($emulator "$program" --version) || die "$program --version fails"
    case $version in
        "sersync $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml) ($target, "*) ;;
        *) die "$program --version says: $version" ;;
    esac
    say "$program: static, $size bytes, $version${emulator:+, run by $emulator}"
}

# quietly COMMAND...: its output is shown only if it fails.
quietly() {
    if said=$(RUST_BACKTRACE=0 "$@" 2>&1); then
        return 0
    fi
    printf '%s\n' "$said" | tail -n 5 | sed 's/^/    /' >&2
    return 1
}

main "$@"

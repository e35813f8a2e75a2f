#!/bin/sh
# Makes what is downloaded: for each target an archive, their checksums, and install.sh, which picks the right one.
#
#     scripts/release.sh [--packed-only] [TARGET...]
#
#     --packed-only    with the programs that scripts/build-static.sh has built before
#
# They are in target/release-VERSION. Without targets, all of build-static.sh are made. An archive has one directory, which
# has the name of the original's download, GNU-Linux-x86, or the processor's in the place of x86. The same commit gives the
# same bytes, wherever it lies: names are sorted, times are the commit's, owners root. POSIX sh, for BusyBox ash as
# well, but with GNU tar.
set -eu
cd "$(dirname "$0")/.."
. scripts/requirements.sh
umask 022

packed_only=false
if [ "${1:-}" = --packed-only ]; then
    packed_only=true
    shift
fi
# Split into words on purpose.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(sed -n "/^targets='/,/'\$/{s/^targets='//;s/'\$//;p;}" scripts/build-static.sh)

need tar gzip sha256sum
tar --version 2>/dev/null | grep -q 'GNU tar' || die 'this tar cannot sort names: GNU tar is needed'
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    need git
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) ||
        die 'this is no clone of the repository: set SOURCE_DATE_EPOCH to the seconds since 1970 that all files shall have'
    export SOURCE_DATE_EPOCH
fi
$packed_only || scripts/build-static.sh "$@"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
out=$PWD/target/release-$version
rm -rf "$out"
mkdir -p "$out"
for target in "$@"; do
    program=target/static/$target/sersync
    [ -x "$program" ] || die "there is no $program; scripts/build-static.sh $target makes it"
    case $target in
        x86_64-* | i686-*) directory=GNU-Linux-x86 ;;
        *) directory=GNU-Linux-${target%%-*} ;;
    esac
    work=$out/work
    mkdir -p "$work/$directory/scripts"
    cp "$program" "$work/$directory/sersync"
    # What guides tell people to type.
    ln -s sersync "$work/$directory/sersync2"
    cp conf/confxml.xml README.md CHANGELOG.md LICENSE "$work/$directory"
    cp scripts/install.sh scripts/uninstall.sh scripts/keepalive.sh "$work/$directory/scripts"
    cp -R conf init docs "$work/$directory"
    archive=sersync-$version-$target.tar.gz
    (cd "$work" && tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --mode=u=rwX,go=rX -cf - "$directory") | gzip -n -9 >"$out/$archive"
    rm -rf "$work"
    # Needed to read a log whose last line has an address.
    [ ! -e "$program.debug" ] || gzip -n -9 <"$program.debug" >"$out/sersync-$version-$target.debug.gz"
    say "$out/$archive: $(wc -c <"$out/$archive") bytes"
done
cp scripts/install.sh "$out"
# BusyBox compares only what is there when it is told of files one by one; install.sh does.
(cd "$out" && sha256sum -- *.gz install.sh >SHA256SUMS)
say "$out/SHA256SUMS"

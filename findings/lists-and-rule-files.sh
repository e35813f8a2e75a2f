#!/bin/sh
# rsync 3.5.0 (Debian 12, 3.5.0+ds1-0+deb12u1): a path in a --files-from list is judged by the rule file of the directory
# that the path before it is in. With -0 the rule files are read as if each were one rule.
#
# One would guess that -F means for a listed path what it means in a recursion: rsync(1) says that .rsync-filter is read
# in each directory, and that -0 counts for merged files as well. Seen: the first path of each directory gets through
# whatever its own rule file says, with -0 each of them does, and a recursion leaves all of them out.
. "$(dirname "$0")/lib.sh"
rsync_of_debian

for dir in a b; do
    mkdir -p "$work/from/$dir"
    echo "- *of-$dir" >"$work/from/$dir/.rsync-filter"
    touch "$work/from/$dir/one-of-$dir" "$work/from/$dir/two-of-$dir"
done
paths='a/one-of-a a/two-of-a b/one-of-b b/two-of-b'

# sent NAME: the files that have arrived.
sent() { (cd "$work/$1" && find . -name '*of-*' | sort | tr '\n' ' '); }

mkdir "$work/lines" "$work/nuls" "$work/all"
cd "$work/from" || exit
# shellcheck disable=SC2086
printf '%s\n' $paths | rsync -tF --no-r -d -R --files-from=- ./ "$work/lines/"
expect 'a list of lines' "$(sent lines)" './a/one-of-a ./b/one-of-b '
# shellcheck disable=SC2086
printf '%s\0' $paths | rsync -tF --no-r -d -R -0 --files-from=- ./ "$work/nuls/"
expect 'a list with -0' "$(sent nuls)" './a/one-of-a ./a/two-of-a ./b/one-of-b ./b/two-of-b '
rsync -rtF -R ./ "$work/all/"
expect 'a recursion' "$(sent all)" ''

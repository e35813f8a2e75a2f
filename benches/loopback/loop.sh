# The loop of inotifywait and rsync as guides teach it, with nothing changed but the way to the far side.
#
# Called by the benchmark as `sh loop.sh SOURCE_DIR SYNC_INTERVAL RSYNC_OPTS DESTINATION...`. Not part of the loop: when
# standard input ends, because the benchmark is done or has died, everything ends.
exec 3<&0 < /dev/null
(cat <&3 > /dev/null; kill 0) &
exec 3<&-

SOURCE_DIR=$1 SYNC_INTERVAL=$2 RSYNC_OPTS=$3
shift 3

do_sync() {
    for DEST in "$@"; do
        # Split into words on purpose.
        # shellcheck disable=SC2086
        rsync $RSYNC_OPTS "$SOURCE_DIR/" "$DEST"
    done
}

do_sync "$@"
CHANGED=0
LAST_SYNC=$(date +%s)
inotifywait -m -r -e create,modify,delete,moved_to,close_write "$SOURCE_DIR" | while read -r line; do
    CHANGED=1
    NOW=$(date +%s)
    ELAPSED=$((NOW - LAST_SYNC))
    if [ $CHANGED -eq 1 ] && [ $ELAPSED -ge "$SYNC_INTERVAL" ]; then
        do_sync "$@"
        CHANGED=0
        LAST_SYNC=$(date +%s)
    fi
done

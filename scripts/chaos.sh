#!/bin/sh
# Random load and random faults, life after life, until the time is over: see tests/chaos/mod.rs.
#
#     scripts/chaos.sh [SECONDS] [SEED]     ten minutes from seed 1 on, if nothing is said
#
# Each life prints what happened in it; the first one that does not end right ends the script with 1. Wants root, as
# the integration tests do. POSIX sh, for BusyBox ash as well.
set -eu
export SERSYNC_CHAOS_SECONDS="${1:-600}" SERSYNC_CHAOS_SEED="${2:-1}"
exec "$(dirname "$0")/test.sh" --test it -- chaos:: --nocapture

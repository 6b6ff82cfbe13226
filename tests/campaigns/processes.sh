#!/usr/bin/env bash
# Processes, terminals, clocks and bounds at full size, through a release build: what a run leaves behind, how it
# answers, what it may use. Takes about 40 minutes on two idle cores and 40 MB of disk. Each size can be set:
#   SPECTER_ORPHANS=20        times each of 55 cells: 11 styles of children x time-out, Ctrl-C, SIGTERM, SIGHUP, kill -9
#   SPECTER_RACES=20          rounds of each style of what races with the look at it, under load
#   SPECTER_SIGNALS=20        times each of 12 cells at a terminal: 4 signals x idle, busy, write-back
#   SPECTER_SUSPENDS=50       times Ctrl-Z during a storm of starts
#   SPECTER_RIVALS=200        races of 2 to 16 specters for one project
#   SPECTER_SAVES=10000       saves of each of three editors during a run
#   SPECTER_OUTPUT_MB=10000   printed by one task, in three shapes
#   SPECTER_TASKS=100000      tasks in one run, after 1,000 and 10,000
#   SPECTER_IDLE_SECONDS=5    of waiting, in which no processor time may be used
#   SPECTER_BOMB=100          processes that keep forking until the second Ctrl-C
#   SPECTER_BINARY            the build to test, instead of a fresh release build
# Arguments are names of tests: tests/campaigns/processes.sh orphans terminal
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SPECTER_BINARY:-}" ]; then
  cargo build --release --locked --quiet
  SPECTER_BINARY=$PWD/target/release/specter
fi
export SPECTER_BINARY
export SPECTER_ORPHANS=${SPECTER_ORPHANS:-20} SPECTER_SIGNALS=${SPECTER_SIGNALS:-20} \
  SPECTER_SUSPENDS=${SPECTER_SUSPENDS:-50} SPECTER_RIVALS=${SPECTER_RIVALS:-200} \
  SPECTER_SAVES=${SPECTER_SAVES:-10000} SPECTER_OUTPUT_MB=${SPECTER_OUTPUT_MB:-10000} \
  SPECTER_TASKS=${SPECTER_TASKS:-100000} SPECTER_IDLE_SECONDS=${SPECTER_IDLE_SECONDS:-5} \
  SPECTER_BOMB=${SPECTER_BOMB:-100} SPECTER_RACES=${SPECTER_RACES:-20}
[ $# -gt 0 ] || set -- races orphans terminal rivals editors clocks streams bounds
for name in "$@"; do
  # One after the other: they measure times.
  case $name in races) place=exec ;; *) place=process ;; esac
  cargo test --locked --quiet --test it -- "$place::$name" --nocapture --test-threads=1
done

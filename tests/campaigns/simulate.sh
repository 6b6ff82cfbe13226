#!/usr/bin/env bash
# The scheduler in simulated worlds: virtual time, scripted attempts, crashes, interrupts, edits, clocks that jump.
#   tests/campaigns/simulate.sh [seeds, default 1000000]     each seed is one world of each kind (tests/schedule/mod.rs)
# A failing seed is named; SPECTER_SEED=n plays it again, aloud. Prints a digest of all events per kind: TWICE=1 plays
# all of it in a second process, which must print the same.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SPECTER_SEEDS=${1:-1000000}
play() {
  RUST_BACKTRACE=0 cargo test --locked --quiet --profile quick --test it -- schedule:: --nocapture 2>&1 |
    grep -E 'digest|panicked|^seed|^test result|^error|^assertion|^  (left|right):' | sed 's/; finished in.*//' | sort
}
first=$(play)
echo "$first"
grep -q '^test result: ok' <<< "$first"
if [ -n "${TWICE:-}" ]; then
  diff <(echo "$first") <(play) && echo "the same events in both processes"
fi

#!/usr/bin/env bash
# Crash sweep: every file-mutating system call of a run is a place to die (kill, torn write, failing call, power loss).
# Needs the crash harness, a ptrace driver for Linux on x86-64, named by SPECTER_CRASH_HARNESS; says so without it.
#
#   tests/campaigns/crash.sh          a sample in a few minutes: both workloads, every mode, two crashes more in each resume
#   POINTS=all tests/campaigns/crash.sh     the full sweep, more than 5,000 points
#
# By environment variables:
#   WORKLOADS   "w1 w3"; see crash/workloads.sh
#   MODES       which modes, separated by commas, in place of all of them
#   POINTS      how many points per workload and mode, or `all`; 8
#   NESTED      how often the resume is crashed too; 2
#   SEED        which points are drawn and where the resumes crash; 1
#   STRICT=1    runs with `--durability=strict`, which also bounds what runs again after power loss
#   BIN         the binary to test; built as a release if not given
#   JOBS, SCRATCH   harness processes at once (2); where to work, best a tmpfs (/dev/shm)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SPECTER_CRASH_HARNESS:-}" ]; then
  echo "skipped: SPECTER_CRASH_HARNESS is not set"
  exit 0
fi
if [ -z "${BIN:-}" ]; then
  cargo build --release --locked --quiet
  BIN=$PWD/target/release/specter
fi
here=$PWD/tests/campaigns/crash
scratch=$(mktemp -d "${SCRATCH:-/dev/shm}/specter-crash-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
# shellcheck source=crash/workloads.sh
. "$here/workloads.sh"

kills=kill-tree,kill-main,torn:.01,torn:.5,torn:.99
power=power-strict,power-meta,power-zero,power-torn,power-hole,power-nodir
errors=
for kind in errno errno-sticky; do
  for code in ENOSPC EIO EROFS EDQUOT EMFILE; do errors+=,$kind:$code; done
done
modes=${MODES:-$kills,$power,short:.3$errors}

sample=()
[ "${POINTS:=8}" = all ] || sample=(--points "sample:$POINTS")
export CHECK_STRICT=${STRICT:-0} CH_EDITOR=$here/editor.py PYTHONDONTWRITEBYTECODE=1
durability=
[ "$CHECK_STRICT" = 1 ] && durability=--durability=strict
failed=0
for workload in ${WORKLOADS:-w1 w3}; do
  "$workload" "$scratch/$workload"
  export CHECK_RETRIES=0
  [ "$workload" = w1 ] && CHECK_RETRIES=1
  echo "== $workload${durability:+, $durability}, nested ${NESTED:=2}, seed ${SEED:=1}"
  nice -n 5 python3 "$here/harness.py" --template "$scratch/$workload" \
    --run "env HOME=$scratch $BIN implement tasks.md --parallel=graph -j2 --yes $durability" \
    --resume "env HOME=$scratch $BIN resume --yes" \
    --check "python3 $here/invariants.py resumed $workload $scratch/$workload/tasks.md" \
    --check-crashed "python3 $here/invariants.py crashed $workload $scratch/$workload/tasks.md" \
    --modes "$modes" --orphan-fail --grace 2 --nested "$NESTED" --proc --seed "$SEED" --timeout 60 \
    --jobs "${JOBS:-2}" "${sample[@]}" --out "$scratch/out-$workload" || failed=1
  if [ "$failed" = 1 ] && [ -n "${KEEP:-}" ]; then
    cp -a "$scratch/out-$workload" "$KEEP/"
  fi
done
exit "$failed"

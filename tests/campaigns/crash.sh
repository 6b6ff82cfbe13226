#!/usr/bin/env bash
# Crash sweep: every file-mutating system call of a run is a place to die (kill, torn write, failing call, power loss).
# Needs the crash harness, a ptrace driver for Linux on x86-64, named by SPECTER_CRASH_HARNESS; says so without it.
#
#   tests/campaigns/crash.sh [POINTS]
#
# POINTS is how many points of each workload in each mode, 30 if not given: about 800 in all, some minutes on two cores.
# `all` is the full sweep by hand: every point, with two seeds, more than 5,000 in all.
# By environment variables:
#   WORKLOADS   w1 w2 w3; see crash/workloads.sh. w2 (working trees and integrating) needs git
#   MODES       which modes, separated by commas; all of them
#   NESTED      how often the resume is crashed too; 2
#   SEEDS       which points are drawn, and where the resumes crash; 1, or 1 2 for the full sweep
#   STRICT=1    runs with `--durability=strict`, for which also after power loss no more may run again than the workers
#               had in hand. By default that bound is asked for after kills only: power loss also takes what ended
#               within the last group of records (10 ms), none of which was shown or ticked.
#   BIN         the binary to test; built as a release if not given
#   JOBS        runs at once; 2
#   SCRATCH     where to work, best in memory; /dev/shm
#   KEEP        a directory to which failures are copied
#
# Every mode judges every file, but for one correction of the harness's `power-hole`: see crash/harness.py.
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

points=${1:-30} sample=() seeds=1
if [ "$points" = all ]; then seeds="1 2"; else sample=(--points "sample:$points"); fi
export CHECK_STRICT=${STRICT:-0} CH_EDITOR=$here/editor.py PYTHONDONTWRITEBYTECODE=1
durability=
[ "$CHECK_STRICT" = 1 ] && durability=--durability=strict
failed=0
for seed in ${SEEDS:-$seeds}; do
  for workload in ${WORKLOADS:-w1 w3 w2}; do
    out=$scratch/out-$workload-$seed
    "$workload" "$scratch/$workload"
    export CHECK_RETRIES=0
    [ "$workload" = w3 ] || CHECK_RETRIES=1
    judge() { echo "python3 $here/invariants.py $1 $workload $scratch/$workload/tasks.md"; }
    in_dir='' isolation='' trees=''
    if [ "$workload" = w2 ]; then
      in_dir='env -C p'
      isolation='--isolation=worktree --user-edits=none'
      # Beside the project, and in what a crash touches.
      trees='SPECTER_WORKTREES_DIR={work}/trees'
      judge() {
        echo "cd p && python3 $here/repository.py $1 $scratch/w2/p && python3 $here/invariants.py $1 w2 $scratch/w2/p/tasks.md"
      }
    fi
    echo "== $workload${durability:+, $durability}, nested ${NESTED:=2}, seed $seed"
    # A killed run's guardian has two seconds to end what is left and go.
    nice -n 5 python3 "$here/harness.py" --template "$scratch/$workload" \
      --run "env HOME=$scratch $trees $in_dir $BIN implement tasks.md --parallel=graph -j2 --yes $durability $isolation" \
      --resume "env HOME=$scratch ${trees/\{work\}/\$PWD} $in_dir $BIN resume tasks.md --yes $isolation" \
      --check "$(judge resumed)" --check-crashed "$(judge crashed)" \
      --modes "$modes" --orphan-fail --grace 2 --nested "$NESTED" --proc --seed "$seed" --timeout 180 \
      --jobs "${JOBS:-2}" "${sample[@]}" --out "$out" || failed=1
    if [ -n "${KEEP:-}" ]; then
      cp -a "$out" "$KEEP/"
    fi
    rm -rf "$out"
  done
done
exit "$failed"

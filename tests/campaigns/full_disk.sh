#!/usr/bin/env bash
# A full disk and a read-only one: told with file and error, no success while something is missing, nothing done is run
# again once there is room. Mounts small file systems in memory, so it needs root; says so without it.
#   tests/campaigns/full_disk.sh      BIN=path/to/specter to test a binary that is there, SIZES for others (in KiB)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" != 0 ]; then
  echo "skipped: mounting needs root"
  exit 0
fi
if [ -z "${BIN:-}" ]; then
  cargo build --release --locked --quiet
  BIN=$PWD/target/release/specter
fi
here=$PWD/tests/campaigns/crash
# shellcheck source=crash/workloads.sh
. "$here/workloads.sh"
scratch=$(mktemp -d)
trap 'umount "$scratch/work" 2> /dev/null || true; rm -rf "$scratch"' EXIT
mkdir -p "$scratch/work" "$scratch/side"
w1 "$scratch/w1"
export HOME=$scratch CH_WORK=$scratch/work CH_SIDE=$scratch/side CHECK_RETRIES=1 CH_CRASHES=1 PYTHONDONTWRITEBYTECODE=1
failed=0 filled=0 runs=0

check() { # PHASE, run in the project
  (cd "$scratch/work" && python3 "$here/invariants.py" "$1" w1 "$scratch/w1/tasks.md")
}

wrong() {
  failed=$((failed + 1))
  echo "FAILED: $1"
  tail -n 5 "$scratch/run.txt"
}

fresh() { # MOUNT OPTION
  umount "$scratch/work" 2> /dev/null || true
  rm -rf "$scratch/side"; mkdir "$scratch/side"
  mount -t tmpfs -o "$1" specter-full-disk "$scratch/work"
  cp "$scratch/w1"/* "$scratch/work/"
}

run() { # ARGUMENTS
  local rc=0
  (cd "$scratch/work" && "$BIN" "$@" --yes) > "$scratch/run.txt" 2>&1 || rc=$?
  echo "$rc"
}

# From no room at all, a page at a time, to enough: every write of a run is once the first that finds none.
for size in ${SIZES:-$(seq 8 4 100)}; do
  fresh "size=${size}k"
  runs=$((runs + 1))
  rc=$(run implement tasks.md --parallel=graph -j2)
  export CH_RC=$rc CH_MODE=errno:ENOSPC CH_FIRED="write write somewhere"
  [ "$rc" = 0 ] || filled=$((filled + 1))
  grep -q 'panicked' "$scratch/run.txt" && wrong "$size KiB: a panic"
  message=$(check crashed) || wrong "$size KiB, exit code $rc: $message"
  mount -o "remount,size=16m" "$scratch/work"
  rc=$(run resume)
  [ "$rc" = 0 ] || wrong "$size KiB: the resume ended with $rc"
  message=$(check resumed) || wrong "$size KiB, after the resume: $message"
done
echo "full disk: $runs sizes, $filled of them too small, $failed failed"

# Read-only: refused before anything runs, and in order again when it is writable.
fresh size=16m
mount -o remount,ro "$scratch/work"
rc=$(run implement tasks.md)
[ "$rc" = 74 ] || wrong "read-only: exit code $rc"
grep -q 'Read-only file system' "$scratch/run.txt" || wrong "read-only: the error is not said"
grep -q -- '--state-dir' "$scratch/run.txt" || wrong "read-only: what to do is not said"
[ ! -e "$scratch/side/truth" ] || wrong "read-only: a task ran"
# The state may lie elsewhere: then the tasks run, and only the boxes are behind.
rc=$(run --state-dir "$scratch/state" implement tasks.md)
[ "$rc" = 74 ] || wrong "read-only with the state elsewhere: exit code $rc"
mount -o remount,rw "$scratch/work"
rc=$(run --state-dir "$scratch/state" resume)
[ "$rc" = 0 ] || wrong "writable again: the resume ended with $rc"
[ "$(sort "$scratch/side/truth" | uniq -d)" = "" ] || wrong "writable again: a task ran twice"
[ "$(grep -c '^- \[x\]' "$scratch/work/tasks.md")" = 8 ] || wrong "writable again: boxes are open"
echo "read-only: $failed failed in all"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Crash sweep: every file-mutating system call of a run is a place to die (kill, torn write, failing call, power loss).
# Needs the crash harness, a ptrace driver for Linux on x86-64, named by SPECTER_CRASH_HARNESS; says so without it.
#   tests/campaigns/crash.sh [points per workload, default 150; `all` for the full sweep]
set -euo pipefail
cd "$(dirname "$0")/../.."
points=${1:-150}
if [ -z "${SPECTER_CRASH_HARNESS:-}" ]; then
  echo "skipped: SPECTER_CRASH_HARNESS is not set"
  exit 0
fi
cargo build --release --locked --quiet
specter=$PWD/target/release/specter
check=$PWD/tests/campaigns/invariants.py
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Not power-hole: the harness builds its state of a file that is written in place from half NULs, box file included.
modes=${MODES:-kill-tree,kill-main,torn:.01,torn:.5,torn:.99,power-strict,power-meta,power-zero,power-torn,power-nodir}

# W1: eight tasks, two workers, one retry.
mkdir -p "$scratch/w1"
echo 'retryDelays = [5, 5]' > "$scratch/w1/specter.toml"
{
  echo '# Tasks'; echo
  for n in 1 2 3 4 5 6 7 8; do
    needs=''; [ "$n" -gt 4 ] && needs=" (depends on T00$((n - 4)))"
    # One failure on purpose, and each crash costs an attempt: so many that they never run out.
    retries=''; [ "$n" = 3 ] && retries=' retries=9'
    printf -- '- [ ] T00%s [P] Step %s%s\n\n  ```sh run%s\n' "$n" "$n" "$needs" "$retries"
    case $n in
      3) echo '  test -e "$CH_SIDE/retried" || { touch "$CH_SIDE/retried"; echo "connection refused" >&2; exit 1; }' ;;
    esac
    printf '  echo T00%s >> "$CH_SIDE/truth"\n  ```\n\n' "$n"
  done
} > "$scratch/w1/tasks.md"

sample=()
[ "$points" = all ] || sample=(--points "sample:$points")
export CHECK_RETRIES=1
python3 "$SPECTER_CRASH_HARNESS" --template "$scratch/w1" \
  --run "env HOME=$scratch $specter implement tasks.md --parallel=graph -j2 --yes" \
  --resume "env HOME=$scratch $specter resume --yes" \
  --check "python3 $check resumed $scratch/w1/tasks.md" \
  --check-crashed "python3 $check crashed $scratch/w1/tasks.md" \
  --modes "$modes" --orphan-fail --nested 1 --proc --jobs 2 "${sample[@]}" --out "$scratch/out"

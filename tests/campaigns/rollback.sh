#!/usr/bin/env bash
# Crash sweep of `specter rollback`: every file-mutating system call of it is a place to die. The same command, started
# again, finishes it. Needs the crash harness named by SPECTER_CRASH_HARNESS, and git; says so without.
#
#   tests/campaigns/rollback.sh [POINTS]
#
# POINTS is how many points in each mode, 20 if not given; `all` for every one. By environment variables: MODES, NESTED
# (2), SEED (1), BIN, JOBS, SCRATCH, as for crash.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SPECTER_CRASH_HARNESS:-}" ] || ! command -v git > /dev/null; then
  echo "skipped: SPECTER_CRASH_HARNESS is not set, or there is no git"
  exit 0
fi
if [ -z "${BIN:-}" ]; then
  cargo build --release --locked --quiet
  BIN=$PWD/target/release/specter
fi
here=$PWD/tests/campaigns/crash
scratch=$(mktemp -d "${SCRATCH:-/dev/shm}/specter-rollback-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
template=$scratch/project
mkdir "$template" "$scratch/home"
export HOME=$scratch/home GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 PYTHONDONTWRITEBYTECODE=1
(
  cd "$template"
  git init -q -b main
  git config user.name 'A User'
  git config user.email user@example.org
  git config gc.auto 0
  git config maintenance.auto false
  printf '.specter/\n.specter-state/\n.specter-memory/\n' > .gitignore
  {
    printf '# Tasks\n\n## Phase 1: Setup\n\n'
    printf -- '- [ ] T001 One\n\n  ```sh run\n  echo a > a.txt\n  ```\n\n'
    printf -- '- [ ] T002 Two\n\n  ```sh run\n  mkdir -p d; echo b > d/b.txt\n  ```\n\n'
    printf '## Phase 2: Core\n\n'
    printf -- '- [ ] T003 Three\n\n  ```sh run\n  echo more >> a.txt; rm d/b.txt\n  ```\n\n'
    printf -- '- [ ] T004 Four\n\n  ```sh run\n  echo c > c.txt\n  ```\n'
  } > tasks.md
  git add -A
  git commit -q -m first
  "$BIN" implement --yes -qq
  echo mine > notes
)
kills=kill-tree,torn:.01,torn:.5,torn:.99
power=power-strict,power-meta,power-zero,power-torn,power-nodir
errors=
for kind in errno errno-sticky; do
  for code in ENOSPC EIO EROFS; do errors+=,$kind:$code; done
done
sample=()
[ "${1:-20}" = all ] || sample=(--points "sample:${1:-20}")
nice -n 5 python3 "$here/harness.py" --template "$template" \
  --run "$BIN rollback --to phase:2" --resume "$BIN rollback --to phase:2" \
  --check "python3 $here/back.py resumed $template" --check-crashed "python3 $here/back.py crashed $template" \
  --modes "${MODES:-$kills,$power,short:.3$errors}" --nested "${NESTED:-2}" --seed "${SEED:-1}" --timeout 120 \
  --jobs "${JOBS:-2}" "${sample[@]}" --out "$scratch/out"

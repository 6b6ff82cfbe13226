#!/usr/bin/env bash
# Gate on cost: user-space instructions that specter spends on one task, and ninja's own beside it in the same run. Counted
# by callgrind, so that a busy machine gives nearly the same figure as an idle one. Needs valgrind; says so without it.
#   tests/campaigns/instructions.sh [limit, default 20000] [tasks of the larger run, default 4000]
# SPECTER=/path/to/specter counts that binary instead of building one.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v valgrind >/dev/null; then
  echo "skipped: valgrind is not installed"
  exit 0
fi
exec benches/compare instructions --strict --only ninja --limit "${1:-20000}" --tasks "${2:-4000}"

#!/usr/bin/env bash
# Hostile task files: no crash, no hang, bounded output, nothing raw on the terminal, nothing executed or changed.
# Needs the generator and judge named by SPECTER_HOSTILE_CORPUS; says so without it.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SPECTER_HOSTILE_CORPUS:-}" ]; then
  echo "skipped: SPECTER_HOSTILE_CORPUS is not set"
  exit 0
fi
cargo build --release --locked --quiet
specter=$PWD/target/release/specter
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 "$SPECTER_HOSTILE_CORPUS" gen "$scratch" > /dev/null
python3 "$SPECTER_HOSTILE_CORPUS" run "$scratch" --cmd "$specter check {file}" --classes --diag '(?m)^(warning|error)' --twice --git | tail -n 5
python3 "$SPECTER_HOSTILE_CORPUS" run "$scratch" --cmd "$specter plan {file}" --twice --git | tail -n 5

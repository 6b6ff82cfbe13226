#!/usr/bin/env bash
# What is understood of real task files: a table of tasks, ignored lines, warnings and errors per file.
# Needs the folder named by SPECTER_CORPUS; says so without it.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SPECTER_CORPUS:-}" ]; then
  echo "skipped: SPECTER_CORPUS is not set"
  exit 0
fi
cargo build --release --locked --quiet
# Files with errors make the exit code 65: here the table is the result.
target/release/specter check --table "$SPECTER_CORPUS"/*.md || [ $? -eq 65 ]

#!/usr/bin/env bash
# Fuzzes every way in (parser and planner, journal, boxes, selection, configuration) with libFuzzer.
#   tests/campaigns/fuzz.sh SECONDS [target…]      seconds per target; JOBS=n processes each (default 1)
# Needs the nightly toolchain and cargo-fuzz (`cargo install cargo-fuzz`); says so without them. Starts from the
# examples, the stored journals and tests/fuzz/seeds, and from the files in the folder SPECTER_CORPUS if it is set.
# What it learns stays in tests/fuzz/corpus, what breaks in tests/fuzz/artifacts. Keep an input that broke something in
# tests/fuzz/regressions/TARGET: `cargo test` checks those too.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?seconds per target}
shift
if ! cargo +nightly fuzz --version > /dev/null 2>&1; then
  echo "skipped: cargo +nightly fuzz is not installed"
  exit 0
fi
targets=("$@")
[ $# -gt 0 ] || targets=(parse journal boxes select config)
fuzz=$PWD/tests/fuzz
# Memory faults can only stand in the one module with unsafe code, which no target reaches: SANITIZER=none is faster.
cargo +nightly fuzz build --fuzz-dir tests/fuzz --sanitizer "${SANITIZER:-address}"

scratch=$(mktemp -d -p "$( [ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
# libgit2's own copies of one parser define the same names twice.
export ASAN_OPTIONS=detect_odr_violation=0

seeds() { # the first inputs of target $1
  case $1 in
    parse | boxes) for file in examples/*/tasks.md; do cp "$file" "$2/$(basename "$(dirname "$file")").md"; done ;;
    config) for file in examples/*/specter.toml; do { printf T; cat "$file"; } > "$2/$(basename "$(dirname "$file")")"; done ;;
    journal)
      for file in tests/golden/*/journal.ndjson; do
        [ -e "$file" ] || continue
        name=$(basename "$(dirname "$file")")
        { printf '\0'; cat "$file"; } > "$2/$name"
        { printf '\1'; sed 's/,"c":"[0-9a-f]*"}$//' "$file"; } > "$2/$name-inside"
      done
      for n in 5 12 23; do printf "\\x$(printf %02x $n)\\0\\x40\\0\\0\\2\\0\\0\\x20" > "$2/damaged-$n"; done ;;
  esac
  if [ -d "tests/fuzz/seeds/$1" ]; then cp tests/fuzz/seeds/"$1"/* "$2"; fi
}

failed=0
for target in "${targets[@]}"; do
  mkdir -p "$fuzz/corpus/$target" "$fuzz/artifacts/$target" "$scratch/seeds-$target"
  seeds "$target" "$scratch/seeds-$target"
  more=("$scratch/seeds-$target")
  case $target in parse | boxes) [ -n "${SPECTER_CORPUS:-}" ] && more+=("$SPECTER_CORPUS") ;; esac
  echo "== $target"
  # Inputs of 64 kB at most, and none may take longer than TIMEOUT (30) seconds of the clock, or 2 GB.
  # shellcheck disable=SC2012
  binary=$(ls -t "$fuzz"/target/*/release/"$target" | head -n 1)
  status=0
  "$binary" -artifact_prefix="$fuzz/artifacts/$target/" -dict="$fuzz/dictionary.txt" -max_total_time="$seconds" \
    -timeout="${TIMEOUT:-30}" -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -jobs="${JOBS:-0}" -workers="${JOBS:-0}" \
    "$fuzz/corpus/$target" "${more[@]}" > "$scratch/$target.log" 2>&1 || status=$?
  grep -E '^stat::(number_of_executed_units|average_exec_per_sec|slowest_unit|peak_rss)|^SUMMARY|panicked at|^Done' \
    "$scratch/$target.log" | sort -u || true
  if [ $status -ne 0 ]; then
    tail -n 40 "$scratch/$target.log"
    failed=1
  fi
done
exit $failed

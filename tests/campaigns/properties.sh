#!/usr/bin/env bash
# All property tests with new random cases, and more of them than `cargo test` draws. A seed is printed; the same seed
# draws the same cases:  PROPTEST_RNG_SEED=… tests/campaigns/properties.sh CASES
#   tests/campaigns/properties.sh [cases per property, default 1000; `cargo test` draws 256]
# PROFILE=quick builds an optimised test, for large numbers.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PROPTEST_CASES=${1:-1000}
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')}
# The seed says it all: no files of failures beside the sources.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE=1
echo "PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED tests/campaigns/properties.sh $PROPTEST_CASES"

modules() { # of the files below $1 that hold properties
  grep -rlE 'proptest! ?\{' "$1" --include='*.rs' | sed -E "s|^$1/||; s|\.rs$||; s|/mod$||; s|/|::|g"
}
profile=(--profile "${PROFILE:-dev}")
[ "${PROFILE:-dev}" = dev ] && profile=()
mapfile -t inner < <(modules src)
mapfile -t outer < <(modules tests)
[ ${#inner[@]} -gt 0 ] && [ ${#outer[@]} -gt 0 ]
cargo test --locked "${profile[@]}" --lib -- "${inner[@]}"
cargo test --locked "${profile[@]}" --test it -- "${outer[@]}"

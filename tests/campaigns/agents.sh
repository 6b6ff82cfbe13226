#!/bin/sh
# Real coding agents against a scripted model: all tasks of an example verified, what they did recorded.
#
#   SPECTER_AGENTS=DIR SPECTER_SCRIPTED_MODEL=FILE tests/campaigns/agents.sh [NAME,NAME…]
#
# DIR holds npm/NAME/node_modules/.bin/NAME for claude, codex, gemini and pi; FILE is the server. Nothing leaves loopback.
# Also the fake agent's large sizes: 10 million lines (1 GB) of output.
set -eu
cd "$(dirname "$0")/../.."
: "${SPECTER_AGENTS:?names no directory of agents}" "${SPECTER_SCRIPTED_MODEL:?names no scripted model}"
[ $# = 0 ] || export SPECTER_AGENT_NAMES="$1"
export SPECTER_AGENT_LINES="${SPECTER_AGENT_LINES:-10000000}"
cargo test --locked --test it -- --nocapture --test-threads 1 run::real_agents run::agents::ten_thousand

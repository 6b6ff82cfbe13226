#!/bin/sh
# Real coding agents against the tests' own scripted model: nothing leaves loopback, no key is needed.
#
#   tests/campaigns/agents.sh [tasks] [NAME,NAME…]           twelve tasks side by side, the record compared step by step
#   tests/campaigns/agents.sh faults [NAME,NAME… [FAULT,…]]  the table agent × fault; wrong cells are named
#   tests/campaigns/agents.sh npx [claude-acp,hermes]        agents that npx and uvx fetch: cold, warm, interrupted
#   tests/campaigns/agents.sh memory                         a gigabyte of output by a fake agent (SPECTER_AGENT_LINES)
#
# By the Agent Client Protocol: claude-acp, codex-acp, gemini-acp. SPECTER_AGENT_SANDBOX=write (off, auto) is passed on.
# The agents are in SPECTER_AGENTS, else they are installed into target/agents (install_agents.sh). Where a network
# namespace can be made, there is nothing but loopback in it; else proxies that lead nowhere are all that agents have.
set -eu
cd "$(dirname "$0")/../.."
what=tasks
case "${1:-}" in tasks | faults | npx | memory) what=$1; shift ;; esac
[ $# -lt 1 ] || export SPECTER_AGENT_NAMES="$1"
[ $# -lt 2 ] || export SPECTER_AGENT_FAULTS="$2"
case $what in
  tasks) test=run::real_agents::twelve ;;
  faults) test=run::real_agents::faults ;;
  npx) test=run::real_agents::fetched; export SPECTER_FETCHED=1 ;;
  memory) test=run::agents::ten_thousand; export SPECTER_AGENT_LINES="${SPECTER_AGENT_LINES:-10000000}" ;;
esac
if [ $what = npx ]; then
  # Registries are asked by npx and uvx themselves, so the network stays as it is; models are on loopback all the same.
  if ! command -v uvx >/dev/null; then
    [ -x target/agents/uv/bin/uvx ] || { python3 -m venv target/agents/uv && target/agents/uv/bin/pip install -q uv==0.13.9; } ||
      echo "no uvx: what it fetches is left out"
    export PATH="$PWD/target/agents/uv/bin:$PATH"
  fi
  exec cargo test --locked --quiet --test it -- --nocapture --test-threads 1 $test
fi
if [ $what != memory ] && [ -z "${SPECTER_AGENTS:-}" ]; then
  # shellcheck disable=SC2046 # names are words
  tests/campaigns/install_agents.sh target/agents $(printf %s "${SPECTER_AGENT_NAMES:-claude,codex,gemini,pi}" |
    sed 's/claude-acp/claude-agent-acp/g; s/gemini-acp/gemini/g' | tr , ' ')
  export SPECTER_AGENTS="$PWD/target/agents"
fi
cargo test --locked --test it --no-run --quiet
run='exec cargo test --locked --offline --quiet --test it -- --nocapture --test-threads 1 '$test
alone='ip link set lo up 2>/dev/null && '
if [ "$(id -u)" = 0 ] && unshare -n sh -c "${alone}true" 2>/dev/null; then
  echo "network: loopback only"
  exec unshare -n sh -c "$alone$run"
elif unshare -rn sh -c "${alone}true" 2>/dev/null; then
  echo "network: loopback only"
  exec unshare -rn sh -c "$alone$run"
fi
echo "network: not cut off here; proxies lead nowhere"
exec sh -c "$run"

#!/bin/sh
# Real coding agents for the tests, pinned, from the npm registry: each in a folder of its own below DIR, nothing elsewhere.
#
#   tests/campaigns/install_agents.sh DIR [NAME…]
#
# Without names those that CI runs. What is there already in the pinned version stays. Without npm it says so and installs nothing.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 DIR [NAME…]" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
pins='claude @anthropic-ai/claude-code@2.1.197
codex @openai/codex@0.169.0
gemini @google/gemini-cli@0.61.0
pi @mariozechner/pi-coding-agent@0.73.1
qwen @qwen-code/qwen-code@0.15.10
copilot @github/copilot@1.0.102
opencode opencode-ai@1.18.33
claude-agent-acp @agentclientprotocol/claude-agent-acp@0.49.0
codex-acp @agentclientprotocol/codex-acp@2.6.0'

if ! command -v npm >/dev/null; then
  echo "skipped: no npm, so no real agents"
  exit 0
fi

# Whole or not at all: it is made beside its place and moved there.
install() {
  name=$1 package=$2 made=$dir/.$1.$$
  mkdir -p "$made"
  echo '{"private":true}' >"$made/package.json"
  npm_config_update_notifier=false npm install --prefix "$made" --no-audit --no-fund --no-progress --loglevel=error \
    "$package" >"$made/npm.log" 2>&1 && [ -e "$made/node_modules/.bin/$name" ] || {
    echo "failed: $package" >&2
    tail -n 20 "$made/npm.log" >&2
    rm -rf "$made"
    return 1
  }
  echo "$package" >"$made/pinned"
  rm -rf "${dir:?}/$name"
  mv "$made" "$dir/$name"
  echo "installed: $package"
}

[ $# -gt 0 ] || set -- claude codex gemini pi claude-agent-acp codex-acp
is_wanted() {
  wanted=$1
  shift
  for one; do [ "$one" != "$wanted" ] || return 0; done
  return 1
}

jobs=
while read -r name package; do
  is_wanted "$name" "$@" || continue
  [ "$(cat "$dir/$name/pinned" 2>/dev/null)" != "$package" ] || continue
  install "$name" "$package" &
  jobs="$jobs $!"
done <<END
$pins
END
failed=0
for job in $jobs; do wait "$job" || failed=1; done
exit $failed

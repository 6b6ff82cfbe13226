#!/usr/bin/env bash
# Hostile task files: no crash, no hang, bounded output, nothing raw on the terminal, nothing executed or changed.
# Needs the generator and judge named by SPECTER_HOSTILE_CORPUS; says so without it. SPECTER_BINARY names the program to
# judge; otherwise a release is built.
#
# One case is a file that may not be read, and root may read everything: as root the program runs as `nobody`. The judge
# does too, but keeps the one right to read, for it compares all files before and after.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -z "${SPECTER_HOSTILE_CORPUS:-}" ]; then
  echo "skipped: SPECTER_HOSTILE_CORPUS is not set"
  exit 0
fi
if [ -z "${SPECTER_BINARY:-}" ]; then
  cargo build --release --locked --quiet
  SPECTER_BINARY=$PWD/target/release/specter
fi
scratch=$(mktemp -d)
trap 'chmod -R u+rwX "$scratch"; rm -rf "$scratch"' EXIT
# Where `nobody` can reach them.
cp "$SPECTER_BINARY" "$scratch/specter"
cp "$SPECTER_HOSTILE_CORPUS" "$scratch/judge.py"
mkdir "$scratch/files" "$scratch/home"
as=()
if [ "$(id -u)" = 0 ]; then
  chown -R 65534:65534 "$scratch"
  as=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search)
  printf '#!/bin/sh\nexec setpriv --inh-caps=-all --ambient-caps=-all %s "$@"\n' "$scratch/program" > "$scratch/specter.sh"
  mv "$scratch/specter" "$scratch/program"
  mv "$scratch/specter.sh" "$scratch/specter"
  chmod 755 "$scratch/specter" "$scratch/program"
fi
chmod 755 "$scratch" "$scratch/specter"
# Root's own Python may stand where nobody else can reach it.
python=''
for name in python3 /usr/bin/python3 /usr/local/bin/python3; do
  if "${as[@]}" "$name" -c '' 2> /dev/null; then
    python=$name
    break
  fi
done
if [ -z "$python" ]; then
  echo "python3 cannot be run as nobody: as root one case is skipped"
  as=() python=python3
fi
judge() { (cd "$scratch" && env -u SPECTER_BINARY HOME="$scratch/home" TMPDIR="$scratch" "${as[@]}" "$python" "$scratch/judge.py" "$@"); }

judge gen "$scratch/files" > /dev/null
status=0
# A task that holds others is told as a group, and the judge counts both.
cat > "$scratch/counted" <<'SH'
#!/bin/sh
out=$("${0%/*}/specter" check --format json "$1")
code=$?
printf '%s\n' "$out"
printf '%s\n' "$out" | awk -F'[:,]' '/^ *"(tasks|groups)":/ { n += $2 } END { print "recognised", n + 0 }'
exit $code
SH
chmod 755 "$scratch/counted"
# What is understood, for people and for programs, and what would run.
judged() { judge run "$scratch/files" --twice --git ${ONLY:+--only "$ONLY"} "$@" | tail -n "${LINES_SHOWN:-6}" || status=1; }
judged --cmd "$scratch/specter check {file}" --classes --diag '(?m)^(warning|error)'
judged --cmd "$scratch/counted {file}" --classes --diag '(?m)^(warning|error)|"severity": ?"' --count 'recognised (\d+)'
judged --cmd "$scratch/specter plan {file}"
exit $status

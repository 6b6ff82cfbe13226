#!/usr/bin/env python3
"""What must hold after a crash of `specter`, and again after the resume (SPEC 6.2).

    invariants.py PHASE ORIGINAL

PHASE is `crashed` or `resumed`; ORIGINAL the task file as it was before the run. The working directory is the
project; `$CH_SIDE/truth` holds one line for each time a task's work really happened, written by the task itself.
Exits 1 with one line that says what is wrong.
"""
import collections
import json
import os
import sys
import zlib

phase, original_path = sys.argv[1], sys.argv[2]
side = os.environ["CH_SIDE"]
edited = os.environ.get("CHECK_EDITED") == "1"


def die(message):
    print(message)
    sys.exit(1)


def ids(lines, marks):
    return [line[6:].split()[0] for line in lines if line[:2] == "- " and line[3:4] in marks]


original = open(original_path, "rb").read()
now = open("tasks.md", "rb").read()
if not edited:
    if len(original) != len(now):
        die("tasks.md changed its length")
    for at, (old, new) in enumerate(zip(original, now)):
        if old != new and not (old == 0x20 and new in b"xX" and original[at - 3:at] == b"- ["):
            die("a byte outside the boxes changed, at %d" % at)
lines = now.decode().split("\n")
every, ticked = ids(lines, " xX"), ids(lines, "xX")

truth = collections.Counter()
if os.path.exists(side + "/truth"):
    truth = collections.Counter(open(side + "/truth").read().split())
for task in ticked:
    if not truth[task]:
        die("%s is ticked and its work never happened" % task)

# The journal: whole lines check out, only the last may be torn, nothing is recorded as done twice.
done = collections.Counter()
runs = ".specter/runs"
for run in sorted(os.listdir(runs)) if os.path.isdir(runs) else []:
    path = "%s/%s/journal.ndjson" % (runs, run)
    if not os.path.exists(path):
        continue
    frames = open(path, "rb").read().split(b"\n")
    torn = frames.pop()
    for n, line in enumerate(frames):
        head, mark, tail = line.rpartition(b',"c":"')
        good = mark and tail.endswith(b'"}') and zlib.crc32(head) == int(tail[:-2], 16)
        if not good:
            last = n == len(frames) - 1
            if phase == "resumed" or not last:
                die("journal %s line %d is damaged" % (run, n + 1))
            continue
        for event in json.loads(line)["e"]:
            if event["kind"] == "task_done":
                done[event["task"]] += 1
    if torn and phase == "resumed":
        die("the journal still ends in a torn line after the resume")
for task in ticked:
    if not done[task]:
        die("%s is ticked without a record" % task)
for task, times in done.items():
    if times > 1:
        die("%s is recorded as done %d times" % (task, times))

# Durable before visible: what was shown as done is on record, whatever died after.
shown = set()
output = os.path.join(os.environ.get("CH_WORK", "."), "..", "run.txt")
if os.path.exists(output):
    for line in open(output, errors="replace"):
        if line.startswith("[") and "✓" in line:
            shown.add(line.split("] ", 1)[1].split()[0])
for task in sorted(shown):
    if not done[task]:
        die("%s was shown as done and is not on record" % task)

state = side + "/at_crash.json"
if phase == "crashed":
    json.dump([sorted(done), dict(truth)], open(state, "w"))
    if os.environ.get("CH_RC") == "0" and set(ticked) != set(every):
        die("success was reported before every box was ticked")
else:
    if os.path.exists(state):
        finished, counts = json.load(open(state))
        for task in finished:
            if truth[task] != counts.get(task, 0):
                die("%s was finished before the crash and ran again" % task)
    if set(ticked) != set(every):
        die("not ticked after the resume: %s" % sorted(set(every) - set(ticked)))
    crashes = int(os.environ.get("CH_CRASHES", "1"))
    again = sum(truth.values()) - len(every) - int(os.environ.get("CHECK_RETRIES", "0"))
    # Power loss takes what was not yet synced: finished, never shown, and run again (group commit of 10 ms).
    if again > 2 * crashes and not os.environ.get("CH_MODE", "").startswith("power"):
        die("%d tasks ran again after %d crashes with 2 workers: %s" % (again, crashes, dict(truth)))
    left = [name for root, _, names in os.walk(".") for name in names if ".tmp" in name or name.endswith("~")]
    if left:
        die("temporary files are left: %s" % left)

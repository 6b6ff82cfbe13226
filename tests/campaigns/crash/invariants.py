#!/usr/bin/env python3
"""What must hold after a crash of `specter`, and again after the resume (SPEC 6.2).

    invariants.py PHASE WORKLOAD ORIGINAL

PHASE is `crashed` or `resumed`; WORKLOAD `w1` or `w3`; ORIGINAL the task file as it was before the run. The working
directory is the project; `$CH_SIDE/truth` holds one line for each time a task's work really happened, written by the
task itself. Exits 1 with one line that says what is wrong.
"""
import collections
import errno
import json
import os
import re
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import editor

phase, workload, original_path = sys.argv[1:4]
side, mode = os.environ["CH_SIDE"], os.environ.get("CH_MODE", "none")
power = mode.startswith("power")
rc = os.environ.get("CH_RC")
# More than a hole never comes from a flipped bit: the block was not written.
HOLE = b"\0" * 8
# Workload W3 ends with a task that a person ticked: specter never runs it.
BY_A_PERSON = {"T009"} if workload == "w3" else set()


def die(message):
    print(message)
    sys.exit(1)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def unticked(text):
    """The text with every box open, to compare everything but the boxes."""
    return re.sub(rb"(?m)^- \[[xX]\] ", b"- [ ] ", text)


def ids(text, marks):
    return [line[6:].split()[0] for line in text.decode().split("\n") if line[:3] == "- [" and line[3] in marks]


# --- the task file: only boxes change, and no edit of a person is lost
original = read(original_path)
texts = editor.states(original) if workload == "w3" else [original]


def saved(name):
    return [n for n in range(1, len(texts)) if os.path.exists("%s/edit-%d.%s" % (side, n, name))]


def edits_made():
    """How many of the person's edits the task file holds; none if it is none of its texts."""
    text = unticked(read("tasks.md"))
    return next((n for n, state in enumerate(texts) if unticked(state) == text), None)


made = edits_made()
in_flight = [n for n in saved("begun") if n not in saved("saved")]
if made is None and power and phase == "crashed" and in_flight:
    # The power went while the editor was writing. What is left of that is the editor's doing; its user saves again.
    with open("tasks.md", "wb") as file:
        file.write(read("%s/edit-%d.begun" % (side, in_flight[-1])))
    made = edits_made()
if made is None:
    die("a byte of tasks.md outside of the boxes is not what its people wrote")
if made < max(saved("saved"), default=0):
    die("edit %d was saved and is gone" % max(saved("saved")))
text = read("tasks.md")
every, ticks = ids(text, " xX"), ids(text, "xX")
if made == len(texts) - 1 and BY_A_PERSON - set(ticks):
    die("a box that a person ticked is open again")

truth = collections.Counter()
if os.path.exists(side + "/truth"):
    truth = collections.Counter(read(side + "/truth").decode().split())
for task in ticks:
    if not truth[task] and task not in BY_A_PERSON:
        die("%s is ticked and its work never happened" % task)
for task in BY_A_PERSON:
    if truth[task]:
        die("%s was ticked by a person and ran all the same" % task)


# --- the journal: whole lines check out, nothing is recorded as done twice
def is_whole(line):
    head, mark, tail = line.rpartition(b',"c":"')
    return bool(mark) and re.fullmatch(rb'[0-9a-f]{8}"}', tail) and zlib.crc32(head) == int(tail[:8], 16)


def frames(path):
    """The events of the frames up to the torn end. Such an end is what a crash leaves; only a resume must cut it off."""
    *lines, torn = read(path).split(b"\n")
    if torn and phase == "resumed":
        die("%s still ends in a torn line after the resume" % path)
    for n, line in enumerate(lines):
        if is_whole(line):
            yield from json.loads(line)["e"]
            continue
        is_an_end = n == len(lines) - 1 or (power and HOLE in line)
        if phase == "resumed" or not is_an_end:
            die("%s line %d is damaged" % (path, n + 1))
        return


done = collections.Counter()
outcome = None
runs = ".specter/runs"
for run in sorted(os.listdir(runs)) if os.path.isdir(runs) else []:
    path = "%s/%s/journal.ndjson" % (runs, run)
    for event in frames(path) if os.path.exists(path) else []:
        if event["kind"] == "task_done":
            done[event["task"]] += 1
        outcome = event.get("outcome") if event["kind"] == "run_finished" else None
for task in ticks:
    if not done[task] and task not in BY_A_PERSON:
        die("%s is ticked without a record" % task)
for task, times in done.items():
    if times > 1:
        die("%s is recorded as done %d times" % (task, times))

# --- durable before visible: what was shown as done is on record, whatever died after
shown = set()
output = os.path.join(os.environ.get("CH_WORK", "."), "..", "run.txt")
said = read(output).decode(errors="replace") if os.path.exists(output) else ""
for line in said.splitlines():
    if line.startswith("[") and "✓" in line:
        shown.add(line.split("] ", 1)[1].split()[0])
for task in sorted(shown):
    if not done[task]:
        die("%s was shown as done and is not on record" % task)


def check_told():
    """A failing disk is told, never hidden: no success while something is missing, and the file and the error named."""
    code = mode.split(":")[1] if mode.startswith("errno") else None
    fired = os.environ.get("CH_FIRED", "").split()
    if rc == "0" and (set(ticks) != set(every) or outcome != "all_done"):
        die("success was reported before every box was ticked and on record")
    if not code or not fired or fired[0] == "n/a" or rc in ("-9", "None"):
        return
    text = os.strerror(getattr(errno, code))
    # Long lines are wrapped: their parts are indented alike.
    whole = re.sub(r"(?<!\n)\n    (?=\S)", " ", said)
    if rc != "0" and text not in whole:
        die("exit code %s, and `%s` is not said" % (rc, text))
    if rc != "0" and not any(re.search(r"`[^`]*[./][^`]*`", line) for line in whole.splitlines() if text in line):
        die("exit code %s, and no file is named with `%s`" % (rc, text))
    if fired[0] in ("fsync", "fdatasync") and fired[2].endswith("journal.ndjson") and rc != "74":
        die("a failed sync of the journal ended with exit code %s" % rc)
    if rc == "0" and text not in said and not derived_files_are_there():
        die("a derived file is missing or not whole, and nobody was told")


def derived_files_are_there():
    try:
        metrics = json.loads(read(".specter/implementation-metrics.json"))
        log = read(".specter/implementation.log")
        session = read(".specter-state/current-session.md")
    except (OSError, ValueError):
        return False
    return bool(metrics) and all(task.encode() in log for task in done) and bool(session)


state = side + "/at_crash.json"
if phase == "crashed":
    with open(state, "w") as file:
        json.dump([sorted(done), dict(truth)], file)
    check_told()
else:
    finished, counts = json.loads(read(state)) if os.path.exists(state) else ([], {})
    for task in finished:
        if truth[task] != counts.get(task, 0):
            die("%s was finished before the crash and ran again" % task)
    if set(ticks) != set(every):
        die("not ticked after the resume: %s" % sorted(set(every) - set(ticks)))
    if made != len(texts) - 1:
        die("the person's edit %d is missing at the end" % (made + 1))
    crashes = int(os.environ.get("CH_CRASHES", "1"))
    again = sum(truth.values()) - len(set(every) - BY_A_PERSON) - int(os.environ.get("CHECK_RETRIES", "0"))
    # Power loss takes what was not yet synced: finished, never shown, and run again. By default that can be more than
    # the workers had in hand, as much as finishes within one group of 10 ms; strict durability keeps it to those.
    if again > 2 * crashes and not (power and os.environ.get("CHECK_STRICT") != "1"):
        die("%d tasks ran again after %d crashes with 2 workers: %s" % (again, crashes, dict(truth)))
    # The editor's own files are its own business.
    left = [name for root, _, names in os.walk(".") for name in names if ".tmp" in name or name.endswith("~")]
    if left:
        die("temporary files are left: %s" % left)

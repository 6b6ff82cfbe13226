#!/usr/bin/env python3
"""What must hold after a crash of `specter rollback`, and again after the command that finishes it.

    back.py PHASE TEMPLATE

PHASE is `crashed` or `resumed`; TEMPLATE the project as it was before: a run of four tasks in two phases, all done, and
a file of the user's that no checkpoint knows. Going back is to the begin of phase 2. The working directory is the
project. Exits 1 with one line that says what is wrong.
"""
import os
import subprocess
import sys

phase, template = sys.argv[1:3]
power = os.environ.get("CH_MODE", "none").startswith("power")


def die(message):
    print(message)
    sys.exit(1)


def git(*arguments, at="."):
    said = subprocess.run(["git", *arguments], cwd=at, capture_output=True, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    if said.returncode:
        die("git %s: %s" % (arguments[0], said.stderr.decode(errors="replace").strip()))
    return said.stdout


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


# --- the user's own: index, HEAD, configuration, branches, stash, and that git works right after
for name in ["HEAD", "index", "config"]:
    if read(".git/" + name) != read(template + "/.git/" + name):
        die(".git/%s has changed" % name)
refs = ["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]
if git(*refs) != git(*refs, at=template):
    die("a branch, a tag or the stash has moved")
# With an index of its own: the user's must stay as it is for the next phase.
index = os.path.abspath(os.path.join(os.environ["CH_SIDE"], "index"))
os.environ["GIT_INDEX_FILE"] = index
git("add", "-A")
tree = git("write-tree").decode().strip()
os.environ.pop("GIT_INDEX_FILE")
git("fsck", "--strict", "--no-dangling")
locks = [name for top, _, names in os.walk(".git") for name in names if name.endswith(".lock")]
# One on a reference of specter's own may be there until the next start.
if phase == "resumed" and locks:
    die("locks are left: %s" % locks)

# --- the files: as they were, as they are to be, or on the way with both sides reachable
BEFORE = {"a.txt": b"a\nmore\n", "d/b.txt": None, "c.txt": b"c\n", "notes": b"mine\n"}
AFTER = {"a.txt": b"a\n", "d/b.txt": b"b\n", "c.txt": None, "notes": None}
for name in BEFORE:
    if read(name) not in (BEFORE[name], AFTER[name]):
        die("%s is neither as it was nor as it shall be" % name)
text, original = read("tasks.md"), read(template + "/tasks.md")
if text.replace(b"- [ ]", b"- [x]") != original:
    die("a byte of tasks.md outside of the boxes has changed")
is_changed = any(read(name) != BEFORE[name] for name in BEFORE)
blobs = git("rev-list", "--objects", "--all").decode().split()
for content in BEFORE.values():
    blob = content and subprocess.run(["git", "hash-object", "--stdin"], input=content, capture_output=True)
    if is_changed and blob and blob.stdout.decode().strip() not in blobs:
        die("what was there before is not reachable")

if phase == "resumed":
    left = [name for name in AFTER if read(name) != AFTER[name]]
    if left:
        die("not gone back: %s" % left)
    ticked = [line.split()[2] for line in text.decode().splitlines() if line.startswith("- [x]")]
    if ticked != ["T001", "T002"]:
        die("ticked: %s" % ticked)
    (run,) = os.listdir(".specter/runs")
    journal = read(".specter/runs/%s/journal.ndjson" % run)
    if journal.count(b'"kind":"rolled_back"') != 1:
        die("recorded %d times" % journal.count(b'"kind":"rolled_back"'))
    if os.path.exists(".specter/runs/%s/rollback.json" % run):
        die("the note of it is left")
    # Temporary files of derived files are swept elsewhere, by the next run.
    ours = (".rollback.json.specter-tmp", "merge-", ".specter-merge-")
    temporary = [name for top, _, names in os.walk(".") for name in names if name.startswith(ours)]
    if temporary:
        die("temporary files are left: %s" % temporary)

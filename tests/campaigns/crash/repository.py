#!/usr/bin/env python3
"""What must hold of the repository of workload W2 after a crash, and after the resume: it is the user's as before, git
works in it, and what is done is in the files and kept.

    repository.py PHASE ORIGINAL

The working directory is the project; ORIGINAL the directory as it was before the run. Exits 1 with one line.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

phase, original = sys.argv[1:3]
mode = os.environ.get("CH_MODE", "none")
ENV = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}


def die(message):
    print(message)
    sys.exit(1)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def git(*arguments, cwd="."):
    return subprocess.run(["git", *arguments], cwd=cwd, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def below(top):
    for directory, _, names in os.walk(top):
        for name in names:
            yield os.path.join(directory, name)


for name in ("HEAD", "index", "config"):
    if read(".git/" + name) != read(original + "/.git/" + name):
        die("%s of the repository changed" % name)
for path in below(original + "/.git"):
    name = os.path.relpath(path, original)
    if name.startswith((".git/refs/", ".git/logs/", ".git/info/")) and (not os.path.exists(name) or read(name) != read(path)):
        die("%s changed" % name)
for name in ("mine.txt", "staged.txt", "untracked.txt", "specter.toml"):
    if read(name) != read(original + "/" + name):
        die("the user's %s changed" % name)
locks = [path for path in below(".git") if path.endswith(".lock")]
if phase == "resumed" and locks:
    die("locks are left: %s" % locks)
if [path for path in locks if "/refs/specter/" not in path]:
    die("locks in the user's way: %s" % locks)

said = git("fsck", "--strict", "--no-dangling", "--connectivity-only" if phase == "crashed" else "--full")
if said.returncode:
    die("git fsck: %s" % said.stdout.decode(errors="replace").strip().replace("\n", "; "))

# The user's next commit works: in a copy, so that what is judged later is not changed.
with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/dev/shm")) as scratch:
    copy = scratch + "/copy"
    shutil.copytree(".", copy, symlinks=True, ignore=lambda top, names: [n for n in names if n.startswith(".specter")])
    said = git("commit", "-q", "-m", "the user goes on", cwd=copy)
    if said.returncode:
        die("git commit: %s" % said.stdout.decode(errors="replace").strip())

shared = [line.split() for line in read("shared.txt").decode().splitlines()]
if [line[:2] for line in shared] != [["line", str(n)] for n in range(1, 31)]:
    die("shared.txt lost or gained a line")


def events():
    runs = ".specter/runs"
    for run in sorted(os.listdir(runs)) if os.path.isdir(runs) else []:
        path = "%s/%s/journal.ndjson" % (runs, run)
        for line in read(path).split(b"\n") if os.path.exists(path) else []:
            try:
                yield from json.loads(line)["e"]
            except ValueError:
                break


done = [event["task"] for event in events() if event["kind"] == "task_done"]
for task in done:
    place = int(task[1:]) * 5 - 3
    if shared[place].count(task) != 1:
        die("%s is done, and its line is %s" % (task, shared[place]))
    if not os.path.exists("src/%s.txt" % task) or read("src/%s.txt" % task).decode() != task + "\n":
        die("%s is done, and its file is not there" % task)
for n, line in enumerate(shared):
    if len(line) > 3:
        die("a line was changed twice: %s" % line)

if phase == "resumed":
    if os.path.exists("src/gone.txt"):
        die("a file that was removed is there again")
    left = [path for path in below(".") if re.search(r"\.specter-merge-|specter-probe", path)]
    if left:
        die("half-made files are left: %s" % left)
    if mode.startswith("power"):
        sys.exit(0)
    # What the system had when the power stayed on: each attempt's file is in what is kept.
    kept = subprocess.run("git for-each-ref --format='%(objectname)' refs/specter | git rev-list --objects --stdin",
                          shell=True, env=ENV, stdout=subprocess.PIPE).stdout.decode()
    truth = set(read(os.environ["CH_SIDE"] + "/truth").decode().split())
    for task in truth:
        if "src/%s.txt" % task not in kept:
            die("what %s made is not kept" % task)

#!/usr/bin/env python3
"""A person who edits the task file of workload W3 while specter runs, one edit per call.

    editor.py NUMBER

Deterministic: the same text leads to the same text, and an edit that is there already is not made again. Each edit is
saved as careful editors do (written, synced, then said): what was said to be saved must survive whatever happens to
specter. The notes of what was begun and saved lie in `$CH_SIDE`, outside of what a crash touches.
"""
import glob
import json
import os
import sys
import time

ABOVE = b"<!-- written above everything, with a tab\there -->\n\nTwo lines of prose. \n\n"
JOINING = b"""
- [ ] T010 [P] A task that joins (depends on T001)

  ```sh run retries=9
  echo "$SPECTER_TASK_ID" >> "$CH_SIDE/truth"
  ```
"""


def insert_above(text):
    """Every task moves down."""
    return text if ABOVE in text else ABOVE + text


def retitle(text):
    """Another length, so that every later offset changes."""
    return text.replace(b"T007 [P] Step 7 ", b"T007 [P] A step with another name, as a person wrote it ")


def join_and_tick(text):
    """A new task, and a box that a person ticks."""
    return text if b"- [ ] T010" in text or b"- [x] T010" in text else text.replace(b"- [ ] T009", b"- [x] T009") + JOINING


EDITS = [insert_above, retitle, join_and_tick]


def states(original):
    """The text after no edit, after the first, after the first two, and so on."""
    texts = [original]
    for edit in EDITS:
        texts.append(edit(texts[-1]))
    assert len(set(texts)) == len(texts), "an edit changes nothing"
    return texts


def ticked(text, task):
    return b"- [x] " + task in text


def events():
    for path in glob.glob(".specter/runs/*/journal.ndjson"):
        with open(path, "rb") as journal:
            for line in journal:
                try:
                    yield from json.loads(line)["e"]
                except ValueError:
                    return


def until(reached):
    """Ends also without it: the edit must be survived then, too."""
    end = time.monotonic() + 4
    while not reached() and time.monotonic() < end:
        time.sleep(0.005)


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def by_rename(text):
    with open(".tasks.md.swp", "wb") as new:
        new.write(text)
    sync(".tasks.md.swp")
    os.rename(".tasks.md.swp", "tasks.md")
    sync(".")


def in_place(text):
    fd = os.open("tasks.md", os.O_WRONLY)
    os.pwrite(fd, text, 0)
    os.ftruncate(fd, len(text))
    os.fsync(fd)
    os.close(fd)


def with_backup(text):
    if os.path.exists("tasks.md.bak"):
        os.unlink("tasks.md.bak")
    os.link("tasks.md", "tasks.md.bak")
    by_rename(text)
    os.unlink("tasks.md.bak")
    sync(".")


def read():
    with open("tasks.md", "rb") as file:
        return file.read()


def main(number):
    side = os.environ["CH_SIDE"]
    before = read()
    after = EDITS[number - 1](before)
    if before != after:
        if number == 1:
            # A save of a text that was opened long ago: it undoes what was ticked since.
            until(lambda: ticked(read(), b"T001"))
        with open("%s/edit-%d.begun" % (side, number), "wb") as copy:
            copy.write(after)
        [by_rename, in_place, with_backup][number - 1](after)
        if number == 3:
            # Only then it is certain that the ticked task has not been started.
            until(lambda: any("T010" in event.get("added", ()) for event in events()))
    with open("%s/edit-%d.saved" % (side, number), "wb"):
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]))

#!/usr/bin/env python3
"""The crash harness named by `SPECTER_CRASH_HARNESS`, with one of its models of power loss made exact.

Its `power-hole` is, by its own description, "the un-synced tail is NULs, then its second half". For a file that grew
that is what it does. For one that was changed in place (a tick is one byte of the task file) it takes the whole file
for un-synced and fills the first half with NULs, bytes that were synced long before among them: no disk does that to
blocks that are not written. Here a block that was on disk and whose new content did not arrive keeps its old content,
as the harness's own `power-torn` has it; only what lies beyond the synced length can be NULs. The journal, which only
grows, is judged by the harness's model unchanged. `CRASH_RAW_HOLE=1` uses that model for every file.
"""
import importlib.util
import os
import sys

spec = importlib.util.spec_from_file_location("crash_harness", os.environ["SPECTER_CRASH_HARNESS"])
harness = importlib.util.module_from_spec(spec)
# By this name its workers find it again.
sys.modules["crash_harness"] = harness
spec.loader.exec_module(harness)


class Shadow(harness.Shadow):
    def build(self, model, dst):
        super().build(model, dst)
        if model != "power-hole":
            return
        for directory, _, names in os.walk(self.root):
            for name in names:
                live = os.path.join(directory, name)
                if not os.path.islink(live) and os.path.isfile(live):
                    self.mend(live, os.path.join(dst, os.path.relpath(live, self.root)))

    def mend(self, live, built):
        """Of a file that was changed in place, the first half did not arrive and the second did."""
        with open(live, "rb") as file:
            now = file.read()
        synced = self._dur(harness.uid_of(live))
        if not synced or now.startswith(synced):
            return
        half = len(now) // 2
        with open(built, "wb") as file:
            file.write(synced[:half].ljust(half, b"\0") + now[half:])


if os.environ.get("CRASH_RAW_HOLE") != "1":
    harness.Shadow = Shadow

if __name__ == "__main__":
    sys.exit(harness.main())

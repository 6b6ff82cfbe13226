#!/usr/bin/env python3
"""What the default sandbox costs per attempt: the same no-op tasks in working trees with `--sandbox=auto` and with `off`, rounds
interleaved and medians taken, so that the ratio holds on a busy machine. The project and the trees lie in a home directory
with so many names, each of which the sandbox allows by itself.

    benches/sandbox.py [--specter FILE] [--rounds N] [--tasks N] [--names N,N] [--jobs N] [--limit RATIO]

Without --specter it builds one (release). With --limit it fails when a run with the sandbox takes more than that many times
the wall time of one without, at the first number of names.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LEVELS = ("off", "auto")


class Home:
    """A home directory with a project in it, in a repository."""

    def __init__(self, specter, names, tasks, jobs):
        self.specter, self.tasks, self.jobs = specter, tasks, jobs
        self.dir = tempfile.mkdtemp(prefix="specter-bench-")
        self.project = os.path.join(self.dir, "src/project")
        self.gone, self.runs = os.path.join(self.dir, "src/gone"), 0
        os.makedirs(self.project)
        os.makedirs(self.gone)
        for n in range(names):
            os.makedirs(os.path.join(self.dir, f"name-{n}"))
        block = "\n\n  ```sh run\n  true\n  ```\n\n"
        self.text = "".join(f"- [ ] T{n:04} [P] Do {n}{block}" for n in range(1, tasks + 1))
        for name, text in ((".gitignore", ".specter*\n"), ("tasks.md", self.text), ("a.txt", "a\n")):
            self.write(name, text)
        for args in (["init", "-q"], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
            subprocess.run(["git", "-C", self.project, *args], check=True, env=self.environment())

    def write(self, name, text):
        with open(os.path.join(self.project, name), "w", encoding="utf-8") as file:
            file.write(text)

    def environment(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.dir, "LANG": "C.UTF-8"}

    def run(self, level):
        """Seconds by the clock and on the cores."""
        self.write("tasks.md", self.text)
        if os.path.exists(os.path.join(self.project, ".specter")):
            # Put away and not deleted: ext4 makes the next run pay for that.
            self.runs += 1
            os.rename(os.path.join(self.project, ".specter"), os.path.join(self.gone, str(self.runs)))
        os.sync()
        command = [self.specter, "implement", "tasks.md", "--yes", "-qq", "--parallel", f"-j{self.jobs}", "--isolation=worktree",
                   "--user-edits=none", "--no-checkpoints", "--min-free-disk=off", f"--sandbox={level}"]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(command, cwd=self.project, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
        wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            sys.exit(f"{command}: {done.returncode}\n{done.stderr.decode(errors='replace')}")
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(args, names):
    """The ratio of the wall times; prints a row for each level."""
    home = Home(args.specter, names, args.tasks, args.jobs)
    took = {level: [] for level in LEVELS}
    try:
        for level in LEVELS:
            home.run(level)
        for n in range(args.rounds):
            for level in LEVELS if n % 2 else reversed(LEVELS):
                took[level].append(home.run(level))
    finally:
        shutil.rmtree(home.dir)
    wall, cpu = ({level: statistics.median(one[at] for one in took[level]) for level in LEVELS} for at in (0, 1))
    each = {level: value / args.tasks * 1e3 for level, value in wall.items()}
    for level in LEVELS:
        print(f"| {names} | {level} | {wall[level] * 1e3:.0f} | {cpu[level] * 1e3:.0f} | {each[level]:.2f} | "
              f"{wall[level] / wall['off']:.3f} | {cpu[level] / cpu['off']:.3f} |", flush=True)
    return wall["auto"] / wall["off"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specter")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--names", default="50,2000")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float)
    args = parser.parse_args()
    if args.specter is None:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=root, check=True)
        args.specter = os.path.join(root, "target/release/specter")
    args.specter = os.path.abspath(args.specter)
    print(f"{args.tasks} no-op tasks in working trees, -j{args.jobs}, {args.rounds} rounds, medians\n")
    print("| names at home | sandbox | wall ms | cpu ms | ms per attempt | wall ratio | cpu ratio |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    ratios = [measure(args, int(names)) for names in args.names.split(",")]
    if args.limit is not None and ratios[0] > args.limit:
        sys.exit(f"the sandbox takes {ratios[0]:.3f} times the wall time of a run without: more than {args.limit}")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What specter itself costs per attempt of an agent: an agent that streams 10,000 events of a real one's form, run by
specter and run bare, with its output read and thrown away. Rounds are interleaved and medians taken, so that ratios hold on
a busy machine; instructions are counted by callgrind where valgrind is there.

    benches/agents.py [--specter FILE] [--rounds N] [--events N] [--attempts N] [--limit INSTRUCTIONS]

Without --specter it builds one (release). With --limit it fails when an event costs more instructions than that.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

AGENT = """#!/bin/sh
cat >/dev/null
exec cat "$EVENTS"
"""


def events(count):
    """A session of Claude Code: `count` events, two for each step, and its end."""
    session = "11111111-2222-4333-8444-555555555555"
    yield {"type": "system", "subtype": "init", "session_id": session, "model": "bench-1", "cwd": "/p"}
    for n in range(count // 2):
        use = {"type": "tool_use", "id": f"toolu_{n}", "name": "Bash", "input": {"command": f"make part-{n}"}}
        usage = {"input_tokens": 1200, "cache_read_input_tokens": 200, "output_tokens": 42}
        message = {"id": f"msg_{n}", "role": "assistant", "model": "bench-1", "content": [use], "usage": usage}
        yield {"type": "assistant", "message": message, "session_id": session}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": f"part {n} made\n" * 4, "is_error": False}
        yield {"type": "user", "message": {"role": "user", "content": [result]}, "session_id": session}
    usage = {"input_tokens": 1200 * count, "cache_read_input_tokens": 0, "output_tokens": 42 * count}
    yield {"type": "result", "subtype": "success", "is_error": False, "result": "Done.", "session_id": session,
           "total_cost_usd": 0.1, "usage": usage}


class Place:
    """A project, an agent on PATH, files of events."""

    def __init__(self, specter):
        self.specter = specter
        self.dir = tempfile.mkdtemp(prefix="specter-bench-")
        self.bin = os.path.join(self.dir, "bin")
        os.makedirs(self.bin)
        self.write("bin/claude", AGENT)
        os.chmod(os.path.join(self.bin, "claude"), 0o755)
        os.makedirs(os.path.join(self.dir, "home/.config/specter"))
        self.write("home/.config/specter/config.toml", 'env.pass = ["EVENTS"]\n')
        self.runs = 0

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="utf-8") as file:
            file.write(text)
        return os.path.join(self.dir, name)

    def file_of(self, count):
        return self.write(f"{count}.ndjson", "".join(json.dumps(event) + "\n" for event in events(count)))

    def environment(self, file):
        path = self.bin + ":" + os.environ.get("PATH", "/usr/bin:/bin")
        return {"PATH": path, "HOME": os.path.join(self.dir, "home"), "EVENTS": file, "LANG": "C.UTF-8"}

    def project(self, tasks):
        """A fresh one: the work is a check that always passes, as what the agent says changes no file."""
        self.runs += 1
        project = os.path.join(self.dir, f"p{self.runs}")
        os.makedirs(project)
        body = "\n\n  ```sh verify\n  true\n  ```\n\n"
        self.write(f"p{self.runs}/tasks.md", "".join(f"- [ ] T{n:04} Make part {n}{body}" for n in range(1, tasks + 1)))
        self.write(f"p{self.runs}/specter.toml", "")
        return project

    def by_specter(self, file, tasks=1, before=()):
        project = self.project(tasks)
        command = [*before, self.specter, "implement", "tasks.md", "--yes", "--agent=claude", "-j1", "-qq", "--sandbox=off"]
        took = timed(command, project, self.environment(file))
        journals = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(project, ".specter")) for name in names
                    if name == "journal.ndjson"]
        with open(journals[0], encoding="utf-8") as journal:
            recorded = [event for line in journal for event in json.loads(line)["e"]]
        done = sum(event["kind"] == "task_done" for event in recorded)
        assert done == tasks, f"{done} of {tasks} tasks are done"
        shutil.rmtree(project)
        return took, recorded

    def bare(self, file, times=1):
        loop = f'n=0; while [ $n -lt {times} ]; do n=$((n+1)); sh "{self.bin}/claude" </dev/null | cat >/dev/null; done'
        return timed(["sh", "-c", loop], self.dir, self.environment(file))


def timed(command, place, environment):
    """Seconds by the clock and on the cores, of the command and all it waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(command, cwd=place, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_step(recorded):
    """Milliseconds from the start of the attempt on record to its first step on record."""
    at = {}
    for event in recorded:
        at.setdefault(event["kind"], event["at"])
    return at["agent_step"] - at["attempt_started"]


def instructions(place, file):
    """In user space, of specter alone."""
    out = os.path.join(place.dir, "callgrind.out")
    before = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    place.by_specter(file, before=before)
    with open(out, encoding="utf-8") as file:
        totals = [line for line in file if line.startswith(("summary:", "totals:"))]
    os.remove(out)
    return int(totals[0].split()[1])


def measure(place, args):
    few, many = place.file_of(2), place.file_of(args.events)
    kinds = {"bare": [], "few": [], "many": [], "attempts": [], "attempts bare": []}
    first = []
    for _ in range(args.rounds):
        kinds["bare"].append(place.bare(many))
        took, recorded = place.by_specter(few)
        kinds["few"].append(took)
        first.append(first_step(recorded))
        kinds["many"].append(place.by_specter(many)[0])
        kinds["attempts"].append(place.by_specter(few, args.attempts)[0])
        kinds["attempts bare"].append(place.bare(few, args.attempts))
    wall = {name: statistics.median(took[0] for took in all) * 1000 for name, all in kinds.items()}
    cpu = {name: statistics.median(took[1] for took in all) * 1000 for name, all in kinds.items()}
    size = os.path.getsize(many) / 1e6
    print(f"{args.rounds} rounds, medians; {args.events} events are {size:.1f} MB\n")
    print("| | wall ms | cpu ms |\n| --- | ---: | ---: |")
    for title, name in [(f"the agent bare, {args.events} events to /dev/null", "bare"),
                        (f"the same by specter, all recorded", "many"),
                        ("a run of one attempt with 2 events", "few"),
                        (f"{args.attempts} attempts with 2 events, bare", "attempts bare"),
                        (f"{args.attempts} attempts with 2 events by specter", "attempts")]:
        print(f"| {title} | {wall[name]:.1f} | {cpu[name]:.1f} |")
    own = {name: (of["many"] - of["few"]) for name, of in [("wall", wall), ("cpu", cpu)]}
    print(f"\nper event: {own['wall'] * 1000 / args.events:.1f} µs by the clock, {own['cpu'] * 1000 / args.events:.1f} µs on the "
          f"cores; {own['wall'] / wall['bare']:.1f} × the bare agent's whole time")
    each = {name: (of["attempts"] - of["few"]) / (args.attempts - 1) for name, of in [("wall", wall), ("cpu", cpu)]}
    alone = {name: of["attempts bare"] / args.attempts for name, of in [("wall", wall), ("cpu", cpu)]}
    print(f"per attempt (prompt, spawn, checks, record): {each['wall']:.1f} ms by the clock, {each['cpu']:.1f} ms on the cores; bare "
          f"{alone['wall']:.1f} and {alone['cpu']:.1f}: {each['wall'] / alone['wall']:.1f} × and {each['cpu'] / alone['cpu']:.1f} ×")
    print(f"start of the attempt to its first step on record: {statistics.median(first):.0f} ms")
    if shutil.which("valgrind"):
        base = instructions(place, few)
        each = (instructions(place, many) - base) / args.events
        print(f"instructions per event: {each:,.0f} (a run with 2: {base:,})")
        if args.limit and each > args.limit:
            sys.exit(f"an event costs more than {args.limit:,} instructions")
    else:
        print("skipped: instructions, as valgrind is not installed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specter")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--attempts", type=int, default=50)
    parser.add_argument("--limit", type=int)
    args = parser.parse_args()
    if not args.specter:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        subprocess.run(["cargo", "build", "--release", "--quiet", "--locked"], cwd=root, check=True)
        told = subprocess.run(["cargo", "metadata", "--format-version=1", "--no-deps"], cwd=root, check=True, capture_output=True)
        args.specter = os.path.join(json.loads(told.stdout)["target_directory"], "release/specter")
    place = Place(os.path.abspath(args.specter))
    try:
        measure(place, args)
    finally:
        shutil.rmtree(place.dir)


if __name__ == "__main__":
    main()

"""Runs specter and its peers on the same graphs, side by side, and prints ratios. See `benches/compare --help`.

The machine may be busy: every round runs each peer once, in another order, and what is compared is the median of the
ratios inside the rounds. Wall time is taken around spawn and wait4, CPU time is user + system of the runner and of
everything it waited for. Peak memory is the runner's own, polled in a run of its own: what wait4 says of a child is
never less than the process that started it.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import workloads

LIMIT = 600
SMALL = 10


class Runner:
    """One program on one workload: its command, and how its directory is put back before each run."""

    def __init__(self, name, program, workload, directory, jobs):
        self.name = name
        self.directory = directory
        self.keeps = workload.act == "again"
        self.command = [program] + self.arguments(workload, jobs)
        if name == "specter":
            self.tasks = open(os.path.join(directory, "tasks.md"), encoding="utf-8").read()

    def arguments(self, workload, jobs):
        plan = workload.act == "plan"
        if self.name == "specter":
            mode = f"--parallel={workload.mode}"
            return ["plan", "tasks.md", mode] if plan else ["implement", "tasks.md", f"-j{jobs}", mode, "--yes", "-q"]
        flags = [f"-j{jobs}"] + (["-n"] if plan else [])
        return ["-r"] + flags if self.name == "make" else flags

    def reset(self):
        if self.keeps:
            return
        for name in os.listdir(self.directory):
            if name.startswith((".specter", ".ninja")):
                remove(os.path.join(self.directory, name))
        if self.name == "specter":
            with open(os.path.join(self.directory, "tasks.md"), "w", encoding="utf-8") as file:
                file.write(self.tasks)


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def spawn(command, directory, home):
    """In a process group of its own, with nothing to read and nobody to read what it writes."""
    env = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C"}
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    here = os.getcwd()
    os.chdir(directory)
    try:
        return os.posix_spawn(command[0], command, env, file_actions=null, setpgroup=0)
    finally:
        os.chdir(here)


def measure(runner, home):
    runner.reset()
    # Deleting and writing files leaves work behind that must not fall into the run.
    os.sync()
    start = time.monotonic()
    pid = spawn(runner.command, runner.directory, home)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"compare: `{' '.join(runner.command)}` in {runner.directory} ended with {code}")
    return wall, usage.ru_utime + usage.ru_stime


def peak_memory(runner, home):
    """Of the runner alone, in MB."""
    runner.reset()
    pid = spawn(runner.command, runner.directory, home)
    peak, limit = 0, time.monotonic() + LIMIT
    while os.waitpid(pid, os.WNOHANG)[0] == 0 and time.monotonic() < limit:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                found = re.search(r"VmHWM:\s*(\d+)", file.read())
            peak = max(peak, int(found[1]) if found else 0)
        except OSError:
            pass
        time.sleep(0.001)
    return peak / 1024


def instructions(runner, home):
    """User-space instructions of the runner's own process, or None if valgrind could not tell."""
    runner.reset()
    out = os.path.join(home, "callgrind.out")
    command = ["valgrind", "--tool=callgrind", "--trace-children=no", f"--callgrind-out-file={out}.%p"]
    env = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C"}
    null = subprocess.DEVNULL
    process = subprocess.Popen(
        command + runner.command, cwd=runner.directory, env=env, stdin=null, stdout=null, stderr=subprocess.PIPE,
        text=True, errors="replace",
    )
    # A forked helper reports too, under its own number.
    text = process.communicate(timeout=LIMIT)[1]
    found = re.findall(rf"=={process.pid}== Collected : (\d+)", text)
    return int(found[-1]) if found else None


def measure_workload(workload, options, home, where):
    """Writes the workload, runs the rounds; rows of (name, wall s, wall ratio, CPU ratio, CPU s, MB)."""
    runners = []
    for name, program in options.programs.items():
        directory = os.path.join(where, workload.name, name)
        workloads.write(workload, directory)
        runner = Runner(name, program, workload, directory, options.jobs)
        runners.append(runner)
        if runner.keeps:
            # The run that leaves nothing to do.
            pid = spawn(runner.command, directory, home)
            if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
                sys.exit(f"compare: the first run of {name} on {workload.name} failed")
    found = {runner.name: [] for runner in runners}
    rounds = options.rounds * (3 if len(workload.tasks) < SMALL else 1)
    for number in range(rounds):
        turn = number % len(runners)
        for runner in runners[turn:] + runners[:turn]:
            found[runner.name].append(measure(runner, home))
    base = found.get("ninja") or next(iter(found.values()))
    rows = []
    for runner in runners:
        runs = found[runner.name]
        median = statistics.median
        wall_ratio = median(run[0] / other[0] for run, other in zip(runs, base))
        cpu_ratio = median(run[1] / other[1] if other[1] else float("nan") for run, other in zip(runs, base))
        wall, cpu = median(run[0] for run in runs), median(run[1] for run in runs)
        rows.append((runner.name, wall, wall_ratio, cpu_ratio, cpu, peak_memory(runner, home)))
    shutil.rmtree(os.path.join(where, workload.name))
    return rows


def print_workload(workload, rows, jobs):
    count = len(workload.tasks)
    for name, wall, wall_ratio, cpu_ratio, cpu, memory in rows:
        print(
            f"{workload.name + f' -j{jobs}':<16} {name:<8} {wall * 1e3:>9.1f} {wall * 1e6 / count:>9.1f} "
            f"{wall_ratio:>7.2f} {cpu * 1e3:>9.1f} {cpu_ratio:>7.2f} {memory:>7.1f}",
            flush=True,
        )


def print_instructions(options, home, where):
    if not shutil.which("valgrind"):
        print("instructions per task: skipped, no valgrind")
        return
    base = None
    for name in ("ninja", "make", "specter"):
        if name not in options.programs:
            continue
        counts = []
        for count in (200, 1_000):
            workload = workloads.flat(f"count{count}", count)
            directory = os.path.join(where, workload.name, name)
            workloads.write(workload, directory)
            counts.append(instructions(Runner(name, options.programs[name], workload, directory, 2), home))
        if None in counts:
            print(f"instructions per task, {name}: valgrind could not tell")
            continue
        each = (counts[1] - counts[0]) / 800
        base = base or each
        print(f"instructions per task, {name:<8} {each:>9,.0f} {each / base:>6.2f}  ({counts[0] - 200 * each:,.0f} fixed)", flush=True)


def options_of(arguments):
    parser = argparse.ArgumentParser(
        prog="benches/compare",
        description="Compares specter with ninja and make on generated task graphs. Prints medians; ratios are "
        "medians of the ratios to ninja in the same round.",
    )
    names = [workload.name for workload in workloads.all_workloads()]
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"some of: {', '.join(names)}")
    parser.add_argument("--specter", required=True, help=argparse.SUPPRESS)
    parser.add_argument("-r", "--rounds", type=int, default=7, help="rounds of each workload (default 7)")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="tasks at once (default 2)")
    parser.add_argument("--only", default="", help="comma-separated runners to compare specter with")
    parser.add_argument("--no-instructions", action="store_true", help="do not count instructions under valgrind")
    parser.add_argument("--only-instructions", action="store_true", help="only count instructions")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.workloads if name not in names]
    if unknown:
        parser.error(f"no workload is called `{unknown[0]}`; there are {', '.join(names)}")
    wanted = [name for name in options.only.split(",") if name] or ["ninja", "make"]
    found = {name: shutil.which(name) for name in wanted}
    options.programs = {name: program for name, program in found.items() if program}
    options.programs["specter"] = os.path.abspath(options.specter)
    return options


def main():
    options = options_of(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="specter-compare-") as where:
        home = os.path.join(where, "home")
        os.mkdir(home)
        if not options.only_instructions:
            print(f"{'workload':<16} {'runner':<8} {'wall ms':>9} {'us/task':>9} {'wall':>7} {'CPU ms':>9} {'CPU':>7} {'RSS MB':>7}")
            print(f"{'':<16} {'':<8} {'':>9} {'':>9} {'/ninja':>7} {'':>9} {'/ninja':>7}", flush=True)
            for workload in workloads.all_workloads():
                if not options.workloads or workload.name in options.workloads:
                    print_workload(workload, measure_workload(workload, options, home, where), options.jobs)
        if not options.no_instructions:
            print_instructions(options, home, where)


main()

"""Runs specter and its peers on the same graphs, side by side, and prints ratios. See `benches/compare --help`.

The machine may be busy: every round runs each peer once, in another order, and what is compared is the median of the
ratios inside the rounds. Beside each figure that has a target stands the target, and at the end what was missed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

import measure
import workloads
from schedule import makespan

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL = 10
FEW_MB = 100


class Bench:
    """What the groups share: programs, places, and the verdicts so far."""

    def __init__(self, options, where):
        self.options = options
        self.programs = options.programs
        self.where = where
        self.home = os.path.join(where, "home")
        os.mkdir(self.home)
        measure.PUT_AWAY = os.path.join(where, "put-away")
        os.mkdir(measure.PUT_AWAY)
        self.missed, self.met = [], 0

    def runner(self, name, workload, jobs, **more):
        return measure.prepared(name, self.programs[name.split()[0]], workload, self.where, jobs, **more)

    def target(self, row, what, value, limit, unit=""):
        """Says how a figure stands to its target."""
        is_met = value <= limit
        text = f"{row}: {what} {value:,.2f}{unit}, target <= {limit:,g}{unit}"
        print(f"    {'met   ' if is_met else 'MISSED'} {text}", flush=True)
        self.met += is_met
        if not is_met:
            self.missed.append(text)

    def clear(self, workload):
        measure.put_away(os.path.join(self.where, workload.name))


def races(bench, runners, rounds, run=measure.once):
    """Every runner once a round, another one first each time: by name, the tuples that `run` gave."""
    found = {runner.name: [] for runner in runners}
    for number in range(rounds):
        turn = number % len(runners)
        for runner in runners[turn:] + runners[:turn]:
            found[runner.name].append(run(runner, bench.home))
    return found


def ratio(found, name, base, column=0):
    """Median of the ratios inside the rounds."""
    pairs = zip(found[name], found[base])
    return statistics.median(run[column] / other[column] if other[column] else float("nan") for run, other in pairs)


def race(bench, workload, jobs=2, targets=(), shell=False, memory=None):
    """specter and its peers. `targets`: (of whom, what, limit), what being `wall/ninja` or the like."""
    names = [name for name in ("ninja", "make", "specter") if name in bench.programs] + (["specter sh"] if shell else [])
    runners = [bench.runner(name, workload, jobs) for name in names]
    for runner in runners:
        if runner.keeps:
            measure.once(runner, bench.home)  # the run that leaves nothing to do
    rounds = bench.options.rounds * (3 if len(workload.tasks) < SMALL else 1)
    found = races(bench, runners, rounds)
    row, count = f"{workload.name} -j{jobs}", len(workload.tasks)
    base = "ninja" if "ninja" in found else "specter"
    for runner in runners:
        wall, cpu = (statistics.median(run[n] for run in found[runner.name]) for n in (0, 1))
        peak = measure.peak_memory(runner, bench.home) / 1024
        print(
            f"{row:<16} {runner.name:<10} {wall * 1e3:>9.1f} {wall * 1e6 / count:>9.1f} "
            f"{ratio(found, runner.name, base):>7.2f} {cpu * 1e3:>9.1f} {ratio(found, runner.name, base, 1):>7.2f} "
            f"{peak:>7.1f}", flush=True,
        )
        if runner.name == "specter" and memory:
            bench.target(row, "memory", peak, memory, " MB")
    for who, what, limit in targets:
        column, base = what.split("/")
        if base in found:
            bench.target(row, f"{who}, {what}", ratio(found, who, base, ("wall", "CPU").index(column)), limit)
    bench.clear(workload)
    return found


def flat_targets():
    own = [("specter", "wall/ninja", 0.92), ("specter", "wall/make", 1.0), ("specter", "CPU/ninja", 1.0)]
    return own + [("specter sh", "wall/ninja", 1.0)]


def flat(bench):
    for count, name in ((1_000, "flat1k"), (10_000, "flat10k")):
        for jobs in (2, 8):
            race(bench, workloads.flat(name, count), jobs, flat_targets(), shell=True)


def plain(bench):
    race(bench, workloads.flat("flat1kx", 1_000, "/bin/true x"), 2, [("specter", "wall/ninja", 0.62)])


def chain(bench):
    race(bench, workloads.chain("chain1k", 1_000), 2, [("specter", "wall/ninja", 1.0)])


def slow_disk(bench):
    """specter against itself on a disk that syncs slowly."""
    library = os.path.join(bench.where, "slowsync.so")
    compiler = shutil.which("cc")
    if not compiler:
        print("slow disk: skipped, no C compiler")
        return
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, os.path.join(HERE, "slowsync.c"), "-ldl"], check=True)
    for workload in (workloads.chain("slow-chain1k", 1_000), workloads.flat("slow-flat1k", 1_000)):
        usual = bench.runner("specter", workload, 2)
        slow = bench.runner("specter slow", workload, 2, variables={"LD_PRELOAD": library, "SLOWSYNC_US": "5000"})
        found = races(bench, [usual, slow], bench.options.rounds)
        for name, runs in found.items():
            print(f"{workload.name:<16} {name:<12} {statistics.median(run[0] for run in runs) * 1e3:>9.1f} ms", flush=True)
        bench.target(workload.name, "every sync 5 ms slower, wall", ratio(found, "specter slow", "specter"), 1.05)
        bench.clear(workload)


def graphs(bench):
    for jobs in (2, 8):
        race(bench, workloads.layered("layered10k", 100, 100), jobs, [("specter", "wall/ninja", 0.95)], memory=16)
    race(bench, workloads.spec_kit("spec120"), 2, [("specter", "wall/ninja", 0.95)], memory=16)


def plan(bench):
    race(bench, workloads.layered("plan10k", 100, 100, act="plan"))
    workload = workloads.layered("plan100k", 1_000, 100, act="plan")
    race(bench, workload, 2, [("specter", "wall/ninja", 0.5)], memory=150)


def again(bench):
    workload = workloads.layered("again10k", 100, 100, act="again", stamps=True)
    race(bench, workload, 2, [("specter", "wall/make", 0.6)])


def one(bench):
    found = race(bench, workloads.flat("one", 1), 2, [("specter", "wall/ninja", 1.5)])
    bench.target("one", "wall", statistics.median(run[0] for run in found["specter"]) * 1e3, 6, " ms")
    floor(bench)


def floor(bench):
    """What the same files, syncs and processes take where nothing is decided: what is left to win."""
    program = os.path.join(bench.where, "floor-program")
    compiler = shutil.which("cc")
    if not compiler:
        print("floor: skipped, no C compiler")
        return
    subprocess.run([compiler, "-O2", "-o", program, os.path.join(HERE, "floor.c")], check=True)
    workload = workloads.flat("floor", 1)
    least = bench.runner("specter floor", workload, 2)
    least.command = [program]
    peers = [bench.runner(name, workload, 2) for name in ("specter", "ninja") if name in bench.programs]
    found = races(bench, [least] + peers, bench.options.rounds * 3)
    for name in found:
        wall, cpu = (statistics.median(run[n] for run in found[name]) * 1e3 for n in (0, 1))
        wall_ratio, cpu_ratio = (ratio(found, name, "specter floor", n) for n in (0, 1))
        print(
            f"{'floor':<16} {name:<13} {wall:>6.1f} ms {wall_ratio:>7.2f} of the floor, CPU {cpu:>5.1f} ms {cpu_ratio:>7.2f}",
            flush=True,
        )
    bench.clear(workload)


def makespans(bench):
    """Sleeping tasks: the second run knows what the first one measured."""
    print(f"{'makespan':<16} {'runner':<10} {'wall s':>9} {'/list schedule':>15}")
    for make in (workloads.bag, workloads.fork_join, lambda name: workloads.spec_kit(name, sleeps=True)):
        for jobs in (4, 8):
            name = {workloads.bag: "bag", workloads.fork_join: "fork-join"}.get(make, "feature")
            workload = make(f"{name}-j{jobs}")
            bound = makespan(workload.tasks, jobs)
            for peer in ("ninja", "specter"):
                if peer not in bench.programs:
                    continue
                runner = bench.runner(peer, workload, jobs)
                walls = [measure.once(runner, bench.home)[0]]
                if peer == "specter":
                    # From here on its directory is only unticked, so that what was measured stays.
                    runner.keeps = True
                    for _ in range(bench.options.short_rounds):
                        runner.untick()
                        walls.append(measure.once(runner, bench.home)[0])
                wall = statistics.median(walls[1:] or walls)
                which = f"{peer} 2nd" if peer == "specter" else peer
                print(f"{workload.name:<16} {which:<11} {wall:>8.2f} {wall / bound:>15.3f}", flush=True)
                if peer == "specter":
                    print(f"{workload.name:<16} {peer} 1st {walls[0]:>8.2f} {walls[0] / bound:>15.3f}", flush=True)
                    bench.target(workload.name, "second run / list schedule", wall / bound, 1.03)
            bench.clear(workload)


def terminal(bench):
    """Progress at a terminal against none."""
    workload = workloads.flat("tty10k", 10_000)
    names = [name for name in ("ninja", "specter") if name in bench.programs]
    for name in names:
        runner = bench.runner(name, workload, 2)
        quiet, shown = [], []
        for number in range(bench.options.short_rounds):
            for run in ((quiet, measure.once), (shown, measure.at_terminal))[:: 1 if number % 2 else -1]:
                run[0].append(run[1](runner, bench.home))
        more = statistics.median(run[0] / other[0] for run, other in zip(shown, quiet)) - 1
        length, rate = statistics.median(run[2] for run in shown), statistics.median(run[3] / run[0] for run in shown)
        print(f"tty10k -j2       {name:<10} +{more * 100:.1f} % wall, {length / 1e3:,.1f} kB, {rate:.1f} reads a second", flush=True)
        if name == "specter":
            bench.target("tty10k", "wall that progress adds", more * 100, 2, " %")
            bench.target("tty10k", "writes a second", rate, 20)
            bench.target("tty10k", "output", length / 1e3, 20, " kB")
    bench.clear(workload)


def memory(bench):
    peaks = {}
    for count in (1_000, 100_000):
        workload = workloads.flat(f"memory{count}", count)
        peaks[count] = measure.peak_memory(bench.runner("specter", workload, 2), bench.home)
        print(f"memory           {count:>7,} tasks run {peaks[count] / 1024:>9.1f} MB", flush=True)
        bench.clear(workload)
    bench.target("memory", "each of 100,000 tasks", (peaks[100_000] - peaks[1_000]) / 99_000, 1, " kB")
    # Flat is what does not grow with the output; from the first megabytes on, buffers of fixed size are in use.
    for megabytes in (FEW_MB, bench.options.output):
        workload = workloads.flat(f"output{megabytes}", 1, f"head -c {megabytes}M /dev/zero | tr '\\\\0' '\\\\n'")
        peaks[-megabytes] = measure.peak_memory(bench.runner("specter", workload, 2), bench.home)
        print(f"memory           {megabytes:>7,} MB of output {peaks[-megabytes] / 1024:>7.1f} MB", flush=True)
        bench.clear(workload)
    bench.target("memory", f"that {bench.options.output:,} MB of output add", (peaks[-megabytes] - peaks[-FEW_MB]) / 1024, 1, " MB")


def counts(bench):
    """User-space instructions a task: the same figure on a busy machine and on an idle one, nearly."""
    if not shutil.which("valgrind"):
        print("instructions: skipped, no valgrind")
        return
    few, many = 1_000, bench.options.tasks
    for name in ("ninja", "specter"):
        if name not in bench.programs:
            continue
        found = []
        for count in (few, many):
            workload = workloads.flat(f"count{count}", count)
            found.append(measure.instructions(bench.runner(name, workload, 2), bench.home))
            bench.clear(workload)
        if None in found:
            sys.exit(f"compare: valgrind could not tell the instructions of {name}")
        each = (found[1] - found[0]) / (many - few)
        print(f"instructions     {name:<10} {each:>9,.0f} a task, {found[0] - few * each:>12,.0f} fixed", flush=True)
        if name == "specter":
            bench.target("instructions", "a task, in user space", each, bench.options.limit)


GROUPS = {
    "flat": flat,
    "plain": plain,
    "chain": chain,
    "slow-disk": slow_disk,
    "graphs": graphs,
    "plan": plan,
    "again": again,
    "one": one,
    "makespan": makespans,
    "terminal": terminal,
    "memory": memory,
    "instructions": counts,
}


def options_of(arguments):
    parser = argparse.ArgumentParser(
        prog="benches/compare",
        description="Compares specter with ninja and make on generated task graphs, and with its targets. Prints "
        "medians; ratios are medians of the ratios inside a round. Progress and every file are on.",
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"some of: {', '.join(GROUPS)}")
    parser.add_argument("--specter", required=True, help=argparse.SUPPRESS)
    parser.add_argument("-r", "--rounds", type=int, default=7, help="rounds of each race (default 7)")
    parser.add_argument("--short-rounds", type=int, default=3, help="of makespan and terminal (default 3)")
    parser.add_argument("--only", default="", help="comma-separated runners to compare specter with")
    parser.add_argument("--tasks", type=int, default=10_000, help="whose instructions are counted (default 10000)")
    parser.add_argument("--limit", type=int, default=20_000, help="instructions a task may take (default 20000)")
    parser.add_argument("--output", type=int, default=10_240, help="MB that one task prints (default 10240)")
    parser.add_argument("--strict", action="store_true", help="end with 1 if a target is missed")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no group is called `{unknown[0]}`; there are {', '.join(GROUPS)}")
    wanted = [name for name in options.only.split(",") if name] or ["ninja", "make"]
    found = {name: shutil.which(name) for name in wanted}
    options.programs = {name: program for name, program in found.items() if program}
    options.programs["specter"] = os.path.abspath(options.specter)
    return options


def main():
    options = options_of(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="specter-compare-") as where:
        bench = Bench(options, where)
        print(f"{'workload':<16} {'runner':<10} {'wall ms':>9} {'us/task':>9} {'wall':>7} {'CPU ms':>9} {'CPU':>7} {'RSS MB':>7}")
        print(f"{'':<16} {'':<10} {'':>9} {'':>9} {'/ninja':>7} {'':>9} {'/ninja':>7}", flush=True)
        for name in options.groups or GROUPS:
            GROUPS[name](bench)
    print(f"{bench.met} targets met, {len(bench.missed)} missed" + "".join(f"\n  missed: {text}" for text in bench.missed))
    return 1 if bench.missed and options.strict else 0


sys.exit(main())

"""Workloads of `benches/compare`: one task graph each, written as tasks.md, build.ninja and Makefile.

Knows shapes and formats; runs nothing. Everything is made from numbers, so two machines get the same files.
"""

import os
import random
from dataclasses import dataclass, field


@dataclass
class Task:
    needs: list = field(default_factory=list)
    command: str = "true"
    markers: str = "[P] "
    # Seconds that its command sleeps.
    lasts: float = 0.0


@dataclass
class Workload:
    name: str
    tasks: list
    # Position of the first task of each phase, and its heading; none for a plain list.
    phases: dict = field(default_factory=dict)
    # How specter is told to overlap tasks so that its graph is the one the peers get.
    mode: str = "graph"
    # "run" executes everything, "plan" shows what would run, "again" finds nothing to do.
    act: str = "run"
    # Nothing to do needs outputs that the peers can find.
    stamps: bool = False
    # Dependencies are the headings' and markers' to say, not the lines'.
    natural: bool = False


def flat(name, count, command="true", **more):
    return Workload(name, [Task(command=command) for _ in range(count)], **more)


def chain(name, count):
    return Workload(name, [Task(needs=[n - 1] if n else []) for n in range(count)])


def layered(name, layers, width, **more):
    """Each task needs two of the layer before, its own column and the next: no barrier between layers."""
    tasks = []
    for n in range(layers * width):
        layer, column = divmod(n, width)
        above = (layer - 1) * width
        tasks.append(Task(sorted({above + column, above + (column + 1) % width}) if layer else []))
    return Workload(name, tasks, **more)


def spec_kit(name, sleeps=False):
    """Setup, Foundational, six user stories side by side, Polish: 120 tasks, with the order Spec Kit gives them."""
    groups = [("Setup (Shared Infrastructure)", 6, ""), ("Foundational (Blocking Prerequisites)", 14, "")]
    groups += [(f"User Story {s} - Part {s} (Priority: P{min(s, 3)})", 15, f"[US{s}] ") for s in range(1, 7)]
    groups += [("Polish & Cross-Cutting Concerns", 10, "")]
    tasks, phases, leaves = [], {}, []
    barrier, stories = [], []
    for title, count, story in groups:
        # Stories wait for the foundation, not for each other; what follows them waits for all.
        before = list(barrier) if story else (stories or barrier)
        first = len(tasks)
        phases[first] = title
        alone, since = None, []
        for k in range(count):
            parallel = (k < 6 or k in (9, 10, 13)) if story else k % 3 != 0
            own = [alone] if alone is not None else []
            needs = own if parallel or not since else since
            tasks.append(Task(needs or before, markers=("[P] " if parallel else "") + story))
            if parallel:
                since = since + [len(tasks) - 1]
            else:
                alone, since = len(tasks) - 1, []
        leaves = since or [alone]
        if story:
            stories = stories + leaves
        else:
            barrier, stories = leaves, []
    workload = Workload(name, tasks, phases, mode="stories", natural=True)
    return sleeping(workload, 7, 0.1, 0.7, 0.6) if sleeps else workload


def bag(name, jobs=4):
    """Short tasks first in the file, and behind them a chain as long as all of them take on `jobs` - 1 workers:
    whoever goes through the file in order begins the chain too late."""
    links, each = 20, 0.150
    draw, tasks, work = random.Random(11), [], 0.0
    while work < links * each * (jobs - 1) * 0.98:
        task = Task(lasts=drawn(draw, 0.074, 0.8, 0.5))
        work += task.lasts
        tasks.append(task)
    for link in range(links):
        tasks.append(Task([len(tasks) - 1] if link else [], lasts=each))
    return named_sleeps(Workload(name, tasks))


def fork_join(name, layers=12, width=18):
    """Layers in which each task needs two random ones of the layer before; two columns are long and form spines."""
    draw, tasks = random.Random(5), []
    for layer in range(layers):
        above = range((layer - 1) * width, layer * width) if layer else []
        for column in range(width):
            needs = set(draw.sample(above, 2)) if layer else set()
            heavy = column >= width - 2
            if heavy and layer:
                needs.add(above[column])
            tasks.append(Task(sorted(needs), lasts=0.22 if heavy else drawn(draw, 0.05, 0.6, 0.3)))
    return named_sleeps(Workload(name, tasks))


def drawn(draw, median, spread, longest):
    """A duration as tasks have them: many short, few long."""
    return round(min(longest, max(0.02, median * draw.lognormvariate(0, spread))), 3)


def sleeping(workload, seed, median, spread, longest):
    draw = random.Random(seed)
    for task in workload.tasks:
        task.lasts = drawn(draw, median, spread, longest)
    return named_sleeps(workload)


def named_sleeps(workload):
    for task in workload.tasks:
        task.command = f"sleep {task.lasts:.3f}"
    return workload


def write(workload, directory):
    """Writes every format; returns nothing. The directory is new."""
    os.makedirs(directory)
    width = max(3, len(str(len(workload.tasks))))
    names = [f"T{n:0{width}}" for n in range(1, len(workload.tasks) + 1)]
    if workload.stamps:
        os.mkdir(os.path.join(directory, "stamp"))
        for task, name in zip(workload.tasks, names):
            task.command = f": > stamp/{name}"
    outputs = [f"stamp/{name}" for name in names] if workload.stamps else names
    files = {
        "tasks.md": task_file(workload, names),
        "specter.toml": "",
        "build.ninja": ninja_file(workload, outputs),
        "Makefile": make_file(workload, outputs),
    }
    for name, text in files.items():
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)


def task_file(workload, names):
    out = ["# Tasks\n\n"]
    for n, (task, name) in enumerate(zip(workload.tasks, names)):
        if n in workload.phases:
            number = list(workload.phases).index(n) + 1
            out.append(f"## Phase {number}: {workload.phases[n]}\n\n")
        needs = ", ".join(names[need] for need in task.needs)
        needs = f" (depends on {needs})" if needs and not workload.natural else ""
        out.append(f"- [ ] {name} {task.markers}Do the work of part {n + 1}{needs}\n\n")
        out.append(f"  ```sh run\n  {task.command}\n  ```\n\n")
    return "".join(out)


def ninja_file(workload, outputs):
    out = ["rule run\n  command = $c\n"]
    for task, output in zip(workload.tasks, outputs):
        needs = " ".join(outputs[need] for need in task.needs)
        out.append(f"build {output}: run {needs}\n  c = {task.command}\n")
    return "".join(out)


def make_file(workload, outputs):
    phony = "" if workload.stamps else " ".join(outputs)
    out = [f".PHONY: all {phony}\nall: {' '.join(outputs)}\n"]
    for task, output in zip(workload.tasks, outputs):
        needs = " ".join(outputs[need] for need in task.needs)
        out.append(f"{output}: {needs}\n\t{task.command}\n")
    return "".join(out)

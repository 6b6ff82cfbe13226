"""Workloads of `benches/compare`: one task graph each, written as tasks.md, build.ninja and Makefile.

Knows shapes and formats; runs nothing. Everything is made from a number of tasks, so two machines get the same files.
"""

import os
from dataclasses import dataclass, field


@dataclass
class Task:
    needs: list = field(default_factory=list)
    command: str = "true"
    markers: str = "[P] "


@dataclass
class Workload:
    name: str
    what: str
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
    return Workload(name, f"{count:,} x `{command}`", [Task(command=command) for _ in range(count)], **more)


def chain(name, count):
    tasks = [Task(needs=[n - 1] if n else []) for n in range(count)]
    return Workload(name, f"a chain of {count:,}", tasks)


def layered(name, layers, width, **more):
    """Each task needs two of the layer before, its own column and the next: no barrier between layers."""
    tasks = []
    for n in range(layers * width):
        layer, column = divmod(n, width)
        above = (layer - 1) * width
        tasks.append(Task(sorted({above + column, above + (column + 1) % width}) if layer else []))
    return Workload(name, f"{layers:,} layers of {width:,}", tasks, **more)


def spec_kit(name):
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
    return Workload(name, "a Spec Kit feature of 120 tasks", tasks, phases, mode="stories", natural=True)


def all_workloads():
    return [
        flat("flat1k", 1_000),
        flat("flat10k", 10_000),
        flat("flat1kx", 1_000, "/bin/true x"),
        chain("chain1k", 1_000),
        layered("layered10k", 100, 100),
        spec_kit("spec120"),
        layered("plan10k", 100, 100, act="plan"),
        layered("plan100k", 1_000, 100, act="plan"),
        layered("again10k", 100, 100, act="again", stamps=True),
        flat("one", 1),
    ]


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

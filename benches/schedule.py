"""How long a workload of known durations takes if nothing costs anything but the work itself.

List schedule: whenever a worker is free it takes, of the tasks that are ready, the one with the longest way to the end.
No runner can be expected to beat it by much; a runner that loses little to it wastes no worker.
"""

import heapq


def makespan(tasks, jobs):
    """Seconds of the list schedule on `jobs` workers, nothing lost between tasks."""
    after = [[] for _ in tasks]
    unmet = [len(task.needs) for task in tasks]
    for n, task in enumerate(tasks):
        for need in task.needs:
            after[need].append(n)
    way = longest_ways(tasks, after)
    ready = [(-way[n], n) for n in range(len(tasks)) if not unmet[n]]
    heapq.heapify(ready)
    running, now = [], 0.0
    while ready or running:
        while ready and len(running) < jobs:
            n = heapq.heappop(ready)[1]
            heapq.heappush(running, (now + tasks[n].lasts, n))
        now, n = heapq.heappop(running)
        for later in after[n]:
            unmet[later] -= 1
            if not unmet[later]:
                heapq.heappush(ready, (-way[later], later))
    return now


def longest_ways(tasks, after):
    """Of each task, its own duration and those of the longest way behind it. Needs stand before what needs them."""
    way = [0.0] * len(tasks)
    for n in range(len(tasks) - 1, -1, -1):
        way[n] = tasks[n].lasts + max((way[later] for later in after[n]), default=0.0)
    return way

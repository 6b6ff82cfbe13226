"""Running one program on one workload, and what that took. Knows commands and clocks; no workload, no target.

Wall time is taken around spawn and wait4, CPU time is user + system of the runner and of everything it waited for.
Peak memory is the runner's own, polled in a run of its own: what wait4 says of a child is never less than the process
that started it.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time

import workloads

LIMIT = 600
# Below the directory of the whole comparison; made by it.
PUT_AWAY = ""


class Runner:
    """One program on one workload: its command, and how its directory is put back before each run."""

    def __init__(self, name, program, workload, directory, jobs, variables=None, keeps=False):
        self.name = name
        self.directory = directory
        self.keeps = keeps or workload.act == "again"
        self.variables = variables or {}
        self.command = [program] + arguments(name, workload, jobs)
        if name.startswith("specter"):
            with open(os.path.join(directory, "tasks.md"), encoding="utf-8") as file:
                self.tasks = file.read()

    def reset(self):
        if not self.keeps:
            for name in os.listdir(self.directory):
                if name.startswith((".specter", ".ninja")):
                    put_away(os.path.join(self.directory, name))
            self.untick()

    def untick(self):
        """What was done is to be done again; what was learnt of it stays."""
        if self.name.startswith("specter"):
            with open(os.path.join(self.directory, "tasks.md"), "w", encoding="utf-8") as file:
                file.write(self.tasks)


def arguments(name, workload, jobs):
    plan = workload.act == "plan"
    if name.startswith("specter"):
        mode = f"--parallel={workload.mode}"
        if plan:
            return ["plan", "tasks.md", mode]
        return ["implement", "tasks.md", f"-j{jobs}", mode, "--yes"] + (["--force-shell"] if name == "specter sh" else [])
    flags = [f"-j{jobs}"] + (["-n"] if plan else [])
    return ["-r"] + flags if name == "make" else flags


def prepared(name, program, workload, where, jobs, **more):
    """A runner in a directory of its own, which is written now."""
    directory = os.path.join(where, workload.name, name.replace(" ", "-"))
    if not os.path.isdir(directory):
        workloads.write(workload, directory)
    return Runner(name, program, workload, directory, jobs, **more)


def put_away(path):
    """Out of the way until the end, not deleted: ext4 passes over every inode deleted within minutes, one by one, when it
    makes a new file, so that each run would pay for what the runs before it left."""
    number = len(os.listdir(PUT_AWAY))
    os.rename(path, os.path.join(PUT_AWAY, str(number)))


def environment(home, variables=None):
    return {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C", "TERM": "xterm-256color", **(variables or {})}


def spawn(runner, home):
    """In a process group of its own, with nothing to read and nobody to read what it writes."""
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    here = os.getcwd()
    os.chdir(runner.directory)
    try:
        command = runner.command
        return os.posix_spawn(
            command[0], command, environment(home, runner.variables), file_actions=null, setpgroup=0
        )
    finally:
        os.chdir(here)


def finish(runner, status):
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"compare: `{' '.join(runner.command)}` in {runner.directory} ended with {code}")


def once(runner, home):
    """Wall and CPU seconds of one run."""
    runner.reset()
    # Deleting and writing files leaves work behind that must not fall into the run.
    os.sync()
    start = time.monotonic()
    pid = spawn(runner, home)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    finish(runner, status)
    return wall, usage.ru_utime + usage.ru_stime


def at_terminal(runner, home):
    """Wall and CPU seconds of one run whose output is a terminal, bytes it wrote there, and writes that came in."""
    runner.reset()
    os.sync()
    start = time.monotonic()
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(runner.directory)
        os.execve(runner.command[0], runner.command, environment(home))
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    length, frames = 0, 0
    while True:
        try:
            piece = os.read(master, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        length, frames = length + len(piece), frames + 1
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    os.close(master)
    finish(runner, status)
    return wall, usage.ru_utime + usage.ru_stime, length, frames


def peak_memory(runner, home):
    """Of the runner alone, in kB."""
    runner.reset()
    pid = spawn(runner, home)
    peak, limit = 0, time.monotonic() + LIMIT
    while time.monotonic() < limit:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            finish(runner, status)
            return peak
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                found = re.search(r"VmHWM:\s*(\d+)", file.read())
            peak = max(peak, int(found[1]) if found else 0)
        except OSError:
            pass
        time.sleep(0.001)
    sys.exit(f"compare: `{' '.join(runner.command)}` did not end in {LIMIT} s")


def instructions(runner, home):
    """User-space instructions of the runner's own process, or None if valgrind could not tell."""
    runner.reset()
    out = os.path.join(home, "callgrind.out")
    command = ["valgrind", "--tool=callgrind", "--trace-children=no", f"--callgrind-out-file={out}.%p"]
    null = subprocess.DEVNULL
    process = subprocess.Popen(
        command + runner.command, cwd=runner.directory, env=environment(home), stdin=null, stdout=null,
        stderr=subprocess.PIPE, text=True, errors="replace",
    )
    # A forked helper reports too, under its own number.
    text = process.communicate(timeout=LIMIT)[1]
    found = re.findall(rf"=={process.pid}== Collected : (\d+)", text)
    return int(found[-1]) if found else None

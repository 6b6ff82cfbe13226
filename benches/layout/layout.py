#!/usr/bin/env python3
"""Writes functions.txt: what `build.rs` lays side by side. Counts which functions run, with callgrind.

    benches/layout/layout.py [--specter PATH] [--check]

Without PATH it builds the release program. `--check` writes nothing; it says how much of the list is in that program, at the
place meant for it, and ends with 1 if that is less than four fifths. To be run when much has changed: a list that is behind costs memory and time at
the start, nothing else. Names are mangled and without what changes from build to build (`*` in its place), in the order in
which they are first used: one task, many tasks, then what other commands use. Those of which many copies exist for one that is used come last,
for they bring all of their copies with them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.dont_write_bytecode = True
import workloads

LIST = os.path.join(HERE, "functions.txt")
# More than this of copies that are not used is too much to lie among what is.
WASTE = 4096


def built():
    """The release program of this project."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], check=True)
    told = subprocess.run(["cargo", "metadata", "--format-version=1", "--no-deps"], check=True, capture_output=True)
    return os.path.join(json.loads(told.stdout)["target_directory"], "release", "specter")


def sizes(program):
    """Bytes of each function of the program, by its mangled name."""
    told = subprocess.run(["nm", "--print-size", "--radix=d", program], check=True, capture_output=True, text=True)
    lines = (line.split() for line in told.stdout.splitlines())
    return {line[3]: int(line[1]) for line in lines if len(line) == 4 and line[2] in "tTwW"}


def used(program, directory, *arguments):
    """Names of the functions that a command ran, in the order in which callgrind met them."""
    environment = {"PATH": os.environ["PATH"], "HOME": directory, "LC_ALL": "C"}
    out = os.path.join(directory, "calls")
    valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={out}.%p", program]
    subprocess.run(valgrind + list(arguments), check=True, cwd=directory, env=environment, capture_output=True)
    names = []
    for name in sorted(os.listdir(directory)):
        if name.startswith("calls."):
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                names += re.findall(r"^c?fn=\(\d+\) ([^\s']+)", file.read(), re.MULTILINE)
            os.remove(os.path.join(directory, name))
    return names


def all_used(program, home):
    directories = []
    for workload in (workloads.flat("one", 1), workloads.layered("layered", 30, 30), workloads.spec_kit("feature")):
        directories.append(os.path.join(home, workload.name))
        workloads.write(workload, directories[-1])
    names = []
    for directory in directories:
        for command in (["implement", "--yes", "-j4"], ["implement", "--yes"], ["plan"], ["status"]):
            mode = [] if command[0] == "status" else ["tasks.md"] + ([] if "feature" in directory else ["--parallel=graph"])
            names += used(program, directory, command[0], *mode, *command[1:])
    return list(dict.fromkeys(names))


def pattern(name):
    """Without what the compiler adds to tell builds apart."""
    name = re.sub(r"(\.llvm)?\.\d+$", "*", name)
    name = re.sub(r"17h[0-9a-f]{16}E\*?$", "17h*", name)
    return re.sub(r"Cs[0-9A-Za-z]+_", "Cs*_", name)


def section(program):
    """First address of the section that `build.rs` makes, and the one behind its end."""
    told = subprocess.run(["readelf", "--section-headers", "--wide", program], check=True, capture_output=True, text=True)
    found = re.search(r" \.text\.used\s+PROGBITS\s+([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+) ", told.stdout)
    start, size = (int(found[1], 16), int(found[2], 16)) if found else (0, 0)
    return range(start, start + size)


def check(program):
    """The exit code."""
    used_section = section(program)
    told = subprocess.run(["nm", program], check=True, capture_output=True, text=True)
    symbols = (line.split() for line in told.stdout.splitlines())
    there = {pattern(line[2]) for line in symbols if len(line) == 3 and int(line[0], 16) in used_section}
    with open(LIST, encoding="utf-8") as file:
        listed = {line.rstrip() for line in file if not line.startswith("#")}
    print(f"{len(listed & there)} of {len(listed)} functions that every run uses lie side by side, in {len(used_section)} bytes")
    return int(len(listed & there) < 0.8 * len(listed))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specter")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    program = os.path.abspath(given.specter or built())
    if given.check:
        sys.exit(check(program))
    size = sizes(program)
    with tempfile.TemporaryDirectory() as home:
        names = [name for name in all_used(program, home) if name in size]
    whole, needed = {}, {}
    for name, bytes_ in size.items():
        whole[pattern(name)] = whole.get(pattern(name), 0) + bytes_
    for name in names:
        needed[pattern(name)] = needed.get(pattern(name), 0) + size[name]
    few = [name for name in needed if whole[name] - needed[name] <= WASTE]
    many = [name for name in needed if whole[name] - needed[name] > WASTE]
    with open(LIST, "w", encoding="utf-8") as file:
        file.write("# Written by layout.py: the functions that every run uses, as the linker names them.\n")
        file.write("".join(f"{name}\n" for name in few + many))
    wide = sum(whole[name] for name in needed)
    print(f"{len(names)} functions of {len(size)}, {sum(needed.values())} bytes; {len(needed)} names, {wide} bytes with their copies")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What breaks in the sandbox: fifty real builds and test runs as tasks in working trees, at each level, in a table.

    tests/campaigns/sandbox.py [--levels off,auto,write] [--only NAME,...] [--warm] [--keep] [--jobs N]

Each level has a home directory of its own, empty at first (`--warm`: as `off` left it), the project lies in it and so do
the working trees, as on a person's machine. Sources come from the registries by their usual clients; nothing is installed
outside of target/sandbox-sample. A build whose program is missing, or that fails with `off` already, tells nothing of
the sandbox: it is listed and not counted. SPECTER_BINARY names another specter. Exits 1 if more than 1 in 50 breaks at
the default level (`auto`).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target/sandbox-sample"

# Built and tested where their own sources are.
CRATES = [
    ("cfg-if", "test --lib"), ("either", "test --lib"), ("hex", "build"), ("fastrand", "build"),
    ("humantime", "build"), ("lazy_static", "build"), ("scopeguard", "test --lib"), ("itoa", "build"),
    ("ryu", "build"), ("semver", "build"), ("memchr", "build"), ("smallvec", "build --release"),
    ("percent-encoding", "test --lib"), ("base64", "build"), ("bitflags", "build"), ("anyhow", "build"),
    ("serde_json", "build"), ("thiserror", "doc --no-deps"), ("unicode-width", "test --lib"),
]
# Sources in C come in these.
C_IN_CRATES = {"libz-sys": "src", "bzip2-sys": "bzip2-1.0.8", "luajit-src": "luajit2", "libffi-sys": "libffi"}
C_BUILDS = [
    ("zlib make", "libz-sys", "make",
     "cd zlib && printf 'libz.a: $(patsubst %%.c,%%.o,$(wildcard *.c))\\n\\tar rcs $@ $^\\n' > Makefile && make -j2"),
    ("bzip2 make", "bzip2-sys", "make", "make CFLAGS='-O1 -D_FILE_OFFSET_BITS=64' check || make test"),
    ("luajit make", "luajit-src", "make", "make -j2 HOST_CFLAGS=-O0 && ./src/luajit -e 'print(1)'"),
    ("libffi autotools", "libffi-sys", "make", "chmod +x configure install-sh 2>/dev/null; sh ./configure --disable-docs && make -j2"),
    ("zlib-ng cmake ninja", "libz-sys", "pip3",
     "python3 -m venv .v && .v/bin/pip -q install cmake ninja && PATH=$PWD/.v/bin:$PATH && "
     "cmake -G Ninja -B b zlib-ng -DBUILD_SHARED_LIBS=OFF -DZLIB_ENABLE_TESTS=OFF -DWITH_GTEST=OFF && cmake --build b"),
]
PYTHON = "python3 -m venv .v && .v/bin/pip -q install "
PY_BUILDS = [(f"sdist {name}", "python3", f"{PYTHON}--no-binary {name} {name} && .v/bin/python -c 'import {module}'")
             for name, module in [("six", "six"), ("idna", "idna"), ("attrs", "attr"), ("packaging", "packaging"),
                                  ("markupsafe", "markupsafe"), ("simplejson", "simplejson"), ("psutil", "psutil")]]
PY_BUILDS += [
    ("pytest", "python3", f"{PYTHON}pytest && echo 'def test_a(tmp_path): (tmp_path / \"a\").write_text(\"a\")' > test_a.py && .v/bin/pytest -q"),
    ("tox", "python3", f"{PYTHON}tox && printf '[tox]\\nskipsdist=true\\n[testenv]\\ncommands=python -c 1\\n' > tox.ini && .v/bin/tox"),
    ("uv", "python3", f"{PYTHON}uv && .v/bin/uv venv e && .v/bin/uv pip install -q --python e/bin/python six"),
    ("multiprocessing", "python3", "python3 -c 'import multiprocessing as m; p = m.Pool(2); print(p.map(abs, [-1, 2])); m.Lock()' && "
     "python3 -c 'from multiprocessing.shared_memory import SharedMemory as S; s = S(create=True, size=9); s.close(); s.unlink()'"),
    ("black mypy", "python3", f"{PYTHON}black mypy && echo 'a: int = 1' > a.py && .v/bin/black -q a.py && .v/bin/mypy a.py"),
    ("meson", "python3", f"{PYTHON}meson ninja && PATH=$PWD/.v/bin:$PATH && echo 'int main(void) {{ return 0; }}' > a.c && "
     "printf \"project('a', 'c')\\nexecutable('a', 'a.c')\\n\" > meson.build && meson setup b && ninja -C b"),
]
NPM = "echo '{\"private\":true,\"type\":\"commonjs\"}' > package.json && npm install --loglevel=error "
NPM_BUILDS = [
    ("typescript", f"{NPM}typescript@5 && echo 'const a: number = 1; export {{ a }};' > a.ts && npx tsc a.ts"),
    ("esbuild", f"{NPM}esbuild && echo 'console.log(1)' > a.js && npx esbuild --bundle a.js --outfile=b.js"),
    ("rollup", f"{NPM}rollup && echo 'export default 1' > a.mjs && npx rollup a.mjs --file b.js"),
    ("webpack", f"{NPM}webpack webpack-cli && mkdir src && echo 'console.log(1)' > src/index.js && npx webpack --mode=production"),
    ("vite", f"{NPM}vite@5 && echo '<script type=module src=/a.js></script>' > index.html && echo 'console.log(1)' > a.js && npx vite build"),
    ("mocha", f"{NPM}mocha && mkdir test && echo 'it(\"works\", () => {{}})' > test/a.js && npx mocha"),
    ("jest", f"{NPM}jest && echo 'test(\"works\", () => {{}})' > a.test.js && npx jest"),
    ("vitest", f"{NPM}vitest@2 && echo 'import {{ it }} from \"vitest\"; it(\"works\", () => {{}})' > a.test.mjs && npx vitest run"),
    ("prettier", f"{NPM}prettier && echo 'a( 1 )' > a.js && npx prettier --write a.js"),
    ("babel", f"{NPM}@babel/core @babel/cli && echo 'let a = 1' > a.js && npx babel a.js -o b.js"),
    ("npx", "npx --yes cowsay works"),
    ("pnpm", f"{NPM}pnpm@9 && mkdir p && cd p && echo '{{\"dependencies\":{{\"ms\":\"2\"}}}}' > package.json && ../node_modules/.bin/pnpm install"),
    ("yarn", f"{NPM}yarn@1 && mkdir p && cd p && echo '{{\"dependencies\":{{\"ms\":\"2\"}}}}' > package.json && ../node_modules/.bin/yarn install"),
]
OTHERS = [
    ("make -j", "make", "printf 'all: 1 2 3 4\\n%%: ; sleep 0.1; date > $@\\n' > Makefile && make -j"),
    ("git commit", "git", "echo a > a && git add -f a && git -c user.name=a -c user.email=a@b commit -qm a && git gc -q"),
]


def builds():
    """(name, program that it needs, command)."""
    found = [(f"cargo {name}", "cargo", f"cd crates/{name} && cargo {what} --quiet") for name, what in CRATES]
    for name, crate, program, code in C_BUILDS:
        found.append((name, program, f"cd crates/{crate}/{C_IN_CRATES[crate]} && {code}"))
    for name, program, code in PY_BUILDS + [(f"npm {name}", "npm", code) for name, code in NPM_BUILDS] + OTHERS:
        found.append((name, program, f"mkdir -p w && cd w && {code}"))
    return found


def sources(to, names):
    """Sources of crates, by cargo."""
    if not names or not shutil.which("cargo"):
        return
    made = WORK / "vendor"
    if not made.exists():
        (WORK / "fetch/src").mkdir(parents=True, exist_ok=True)
        (WORK / "fetch/src/lib.rs").write_text("")
        named = sorted({name for name, _ in CRATES} | set(C_IN_CRATES))
        lines = "".join(f'{name} = "*"\n' for name in named)
        (WORK / "fetch/Cargo.toml").write_text(
            f'[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n{lines}')
        subprocess.run(["cargo", "vendor", "--quiet", str(made)], cwd=WORK / "fetch", check=True, stdout=subprocess.DEVNULL)
    for name in names:
        shutil.copytree(made / name, to / name)
        (to / name / ".cargo-checksum.json").unlink(missing_ok=True)
        with open(to / name / "Cargo.toml", "a", encoding="utf-8") as manifest:
            manifest.write("\n[workspace]\n")


def project(home, chosen):
    root = home / "src/sample"
    (root / "crates").mkdir(parents=True)
    text = [code for _, _, code in chosen]
    sources(root / "crates", sorted({code.split("/")[1].split(" ")[0] for code in text if code.startswith("cd crates/")}))
    lines = ["# Fifty builds\n"]
    for n, (name, _, code) in enumerate(chosen, 1):
        lines.append(f"- [ ] T{n:03} [P] {name}\n\n  ```sh run timeout=5m\n  {code}\n  ```\n")
    (root / "tasks.md").write_text("\n".join(lines))
    (root / ".gitignore").write_text("w/\n.v/\ntarget/\n*.o\n.specter*\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(root)]
    for args in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-qm", "sample"]):
        subprocess.run(git + args, check=True)
    return root


def environment(home):
    real = Path.home()
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SPECTER_", "XDG_", "CARGO_TARGET"))}
    env.update(HOME=str(home), RUSTUP_HOME=os.environ.get("RUSTUP_HOME", str(real / ".rustup")))
    if (real / ".npmrc").exists():
        env["NPM_CONFIG_USERCONFIG"] = str(real / ".npmrc")
    # Not a shim that looks for what it starts in the home directory.
    env["PATH"] = f"{Path(sys.executable).resolve().parent}:{env['PATH']}"
    return env


def run(level, chosen, jobs, warm):
    home = WORK / f"home-{level}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if warm and level != "off":
        for name in (".cargo", ".npm", ".cache", ".config", ".local"):
            if (WORK / "home-off" / name).is_dir():
                shutil.copytree(WORK / "home-off" / name, home / name, symlinks=True,
                                ignore=shutil.ignore_patterns("specter"))
    root = project(home, chosen)
    binary = os.environ.get("SPECTER_BINARY", str(ROOT / "target/debug/specter"))
    started = time.monotonic()
    ended = subprocess.run(
        [binary, "implement", "--yes", "--parallel", f"--jobs={jobs}", "--isolation=worktree", "--retries=0",
         "--continue-on-error", f"--sandbox={level}", "--user-edits=none", "--min-free-disk=off", "--no-checkpoints"],
        cwd=root, env=environment(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    (WORK / f"{level}.log").write_text(ended.stdout + ended.stderr)
    ends = {}
    for journal in (root / ".specter/runs").glob("*/journal.ndjson"):
        for line in journal.read_text().splitlines():
            for event in json.loads(line)["e"]:
                if event["kind"] == "attempt_finished":
                    ends[event["task"]] = event
    print(f"{level}: {len(ends)} of {len(chosen)} ran, exit {ended.returncode}, {time.monotonic() - started:.0f} s", flush=True)
    if not ends:
        sys.exit(ended.stderr)
    return [ends.get(f"T{n:03}") for n in range(1, len(chosen) + 1)]


def is_fine(report):
    return report is not None and report["outcome"] == "success"


def why(report):
    if report is None:
        return "was not run"
    tail = report.get("tail") or ""
    words = [line.strip() for line in tail.splitlines() if any(
        sign in line for sign in ("ermission denied", "EACCES", "EPERM", "not permitted", "cross-device", "EXDEV"))]
    return (words or [line.strip() for line in tail.splitlines() if line.strip()][-1:] or [str(report["outcome"])])[0][:150]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--levels", default="off,auto,write")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    levels = asked.levels.split(",")
    wanted = [build for build in builds() if not asked.only or any(word in build[0] for word in asked.only.split(","))]
    missing = [build for build in wanted if not shutil.which(build[1])]
    chosen = [build for build in wanted if build not in missing]
    WORK.mkdir(parents=True, exist_ok=True)
    ends = {level: run(level, chosen, asked.jobs, asked.warm) for level in levels}
    print(f"\n{'build':24}" + "".join(f"{level:10}" for level in levels))
    broken = {level: 0 for level in levels}
    counted = 0
    for n, (name, _, _) in enumerate(chosen):
        reports = [ends[level][n] for level in levels]
        print(f"{name:24}" + "".join(f"{'works' if is_fine(report) else 'FAILS':10}" for report in reports), end="")
        if is_fine(reports[0]):
            counted += 1
            for level, report in zip(levels[1:], reports[1:]):
                if not is_fine(report):
                    broken[level] += 1
                    print(f"\n    {level}: {why(report)}", end="")
        else:
            print(f"\n    not counted: {why(reports[0])}", end="")
        print()
    for name, program, _ in missing:
        print(f"{name:24}skipped: no `{program}`")
    for level in levels[1:]:
        print(f"{level}: {broken[level]} of {counted} break that work with `{levels[0]}`")
    if not asked.keep:
        for level in levels:
            shutil.rmtree(WORK / f"home-{level}", ignore_errors=True)
    sys.exit(broken.get("auto", 0) * 50 > counted)


if __name__ == "__main__":
    main()

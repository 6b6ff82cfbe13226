#!/usr/bin/env python3
"""Faults put into a copy of the scheduler by hand: the tests must catch every one of them.

    tests/campaigns/faults.py [name…]        all, or those named; exit 1 if one is not caught
    tests/campaigns/faults.py --list

All faults are written into one copy, each asleep behind a switch, so that it is built once; then the tests run once per
fault. A fault whose place has changed is an error, not a skip: mend its entry here. SPECTER_SEEDS is the number of
simulated worlds of each kind per fault (default 400; `cargo test` plays 1,000).
"""

import os, re, shutil, subprocess, sys, time

# name, what goes wrong, file below src, the code as it stands (exactly once), the code with the fault, tests to run
S = "schedule::"
FAULTS = [
    ("more-than-jobs", "one attempt more than workers", "schedule/mod.rs",
     "if self.slots.len() >= self.limits.jobs || self.halt",
     "if self.slots.len() >= self.limits.jobs + u32::from(FAULT) || self.halt", S),
    ("starts-after-an-interrupt", "an interrupt stops nothing", "schedule/stop.rs",
     "if first {\n            self.halt", "if first && !FAULT {\n            self.halt", S),
    ("one-need-too-few", "a task starts before its last dependency", "schedule/settle.rs",
     "*unmet -= 1;\n        if *unmet == 0 {", "*unmet -= 1;\n        if *unmet == 0 || (FAULT && *unmet == 1) {", S),
    ("lost-wake-up", "what waited for a task is not told that it ended", "schedule/settle.rs",
     "if self.nodes[node.ix()].unmet == 0 {\n            self.work", "if self.nodes[node.ix()].unmet == 0 && !FAULT {\n            self.work", S),
    ("failure-blocks-nothing", "what needs a failed task runs", "schedule/settle.rs",
     "self.limits.failure != FailurePolicy::ContinueOnError,", "self.limits.failure != FailurePolicy::ContinueOnError && !FAULT,", S),
    ("only-direct-dependents-blocked", "what needs a blocked task is not blocked", "schedule/settle.rs",
     "self.block(out, edge.to, root) {", "self.block(out, edge.to, root) && !FAULT {", S),
    ("one-attempt-too-many", "the retry budget is off by one", "schedule/attempt.rs",
     "let spent = slot.spent >= slot.max_attempts ||", "let spent = slot.spent >= slot.max_attempts + u32::from(FAULT) ||", S),
    ("budget-anew-after-a-crash", "a crash gives a second retry budget", "schedule/layout.rs",
     "if !slot.failed_before && slot.edit.is_none() {", "if !slot.failed_before && slot.edit.is_none() && !FAULT {", S),
    ("done-runs-again", "what the journal has as done runs again on resume", "schedule/layout.rs",
     "if known.is_done() && !is_cleared =>", "if known.is_done() && !is_cleared && !FAULT =>", S),
    ("no-back-off", "a retry does not wait", "schedule/mod.rs",
     "let until = slot.not_before.into();\n        if until > self.now {",
     "let until = slot.not_before.into();\n        if until > self.now && !FAULT {", S),
    ("due-now-is-not-due", "a wait that ends just now does not end", "schedule/mod.rs",
     "if until > self.now {\n                return;",
     "if until > self.now || (FAULT && until == self.now) {\n                return;", S),
    ("overlap-ignored", "tasks run side by side that must not", "schedule/overlap.rs",
     "self.running.lets(class) && self.waiting.lets(class)", "(FAULT || self.running.lets(class)) && self.waiting.lets(class)", S),
    ("worker-never-returned", "a finished attempt keeps its worker", "schedule/attempt.rs",
     "self.slots.give_back(worker);\n        self.overlap.end(task);",
     "if !FAULT { self.slots.give_back(worker); }\n        self.overlap.end(task);", S),
    ("ends-while-a-retry-waits", "the run ends although a retry is due", "schedule/stop.rs",
     "!self.ready.is_empty() || !self.backing_off.is_empty()", "!self.ready.is_empty() || (!FAULT && !self.backing_off.is_empty())", S),
    ("interrupt-ends-nothing", "what runs is not asked to end", "schedule/stop.rs",
     "if self.stop < Some(how) {", "if self.stop < Some(how) && !FAULT {", S),
    ("wrong-outcome", "an interrupted run says that tasks failed", "schedule/stop.rs",
     "Some(Halt::Interrupted { signal }) => RunOutcome", "Some(Halt::Interrupted { signal }) if !FAULT => RunOutcome", S),
    ("started-off-the-record", "an attempt starts that no event names", "schedule/mod.rs",
     "self.record(out, EventKind::AttemptStarted { task: task_ref, attempt, executor, worker });",
     "if !FAULT { self.record(out, EventKind::AttemptStarted { task: task_ref, attempt, executor, worker }); }", S),
    # Beyond the sketch's seventeen: what this scheduler can do and that could not.
    ("on-record-and-not-started", "an event names an attempt that never starts", "schedule/mod.rs",
     "out.actions.push(Action::Start { task, attempt, worker });", "if !FAULT { out.actions.push(Action::Start { task, attempt, worker }); }", S),
    ("numbers-used-twice", "a resumed session numbers its events from the last one", "schedule/mod.rs",
     "(history.sessions + 1, history.last_seq + 1);", "(history.sessions + 1, history.last_seq + u64::from(!FAULT));", S),
    ("attempts-not-counted", "attempts of one task have one number", "schedule/mod.rs",
     "slot.attempts += 1;", "slot.attempts += u32::from(!FAULT);", S),
    ("clock-goes-back", "time in the record goes backwards", "schedule/mod.rs",
     "self.now = self.now.max(now);\n        self.begin_once(out);", "self.now = if FAULT { now } else { self.now.max(now) };\n        self.begin_once(out);", S),
    ("told-twice", "the end of the run is told with each input", "schedule/stop.rs",
     "self.over = true;", "self.over = !FAULT;", S),
    ("chance-from-outside", "the same seed gives other waits", "schedule/mod.rs",
     "rng: fastrand::Rng::with_seed(session.seed),", "rng: if FAULT { fastrand::Rng::new() } else { fastrand::Rng::with_seed(session.seed) },", S),
    ("one-dispatch-too-many", "the budget of attempts is off by one", "schedule/stop.rs",
     "if self.dispatches >= limit && ", "if self.dispatches >= limit + u32::from(FAULT) && ", S),
    ("time-anew-each-session", "a resume gives all the time again", "schedule/stop.rs",
     "max_time?.saturating_sub(self.elapsed_before)", "max_time?.saturating_sub(if FAULT { Elapsed::ZERO } else { self.elapsed_before })", S),
    ("priority-ignored", "what is urgent waits its turn", "schedule/layout.rs",
     "let priority = plan.task(task).priority.unwrap_or(u8::MAX);", "let priority = if FAULT { 0 } else { plan.task(task).priority.unwrap_or(u8::MAX) };", S),
    ("fail-fast-goes-on", "a failure does not end a fail-fast run", "schedule/attempt.rs",
     "self.halt = Some(Halt::FailFast);", "self.halt = (!FAULT).then_some(Halt::FailFast);", S),
    ("joins-a-removed-task", "something starts beside a task that left the file", "schedule/mod.rs",
     "while self.halt.is_none() && self.removed.is_empty() {", "while self.halt.is_none() && (FAULT || self.removed.is_empty()) {", S),
    ("nothing-held-back", "what an edit puts before a running task starts beside it", "schedule/replan.rs",
     "self.hold_back(task);", "if !FAULT { self.hold_back(task); }", S),
    ("group-done-early", "a group is done before its children", "schedule/settle.rs",
     "|| slot.children > 0\n", "|| (slot.children > 0 && !FAULT)\n", S),
    ("manual-blocks-nothing", "what needs a person's work runs without it", "schedule/settle.rs",
     "Skipped(SkipReason::Manual) | TaskOutcome::Parked) => true,", "Skipped(SkipReason::Manual) | TaskOutcome::Parked) => !FAULT,", S),
    ("named-wait-ignored", "`retry-after` is not kept", "schedule/attempt.rs",
     ".max(named);", ".max(if FAULT { Duration::ZERO } else { named });", S),
    ("limits-cost-attempts", "waiting for a rate limit spends the retry budget", "schedule/attempt.rs",
     "slot.limited += 1;", "slot.limited += 1;\n            if FAULT { slot.spent += 1; }", S),
    ("no-change-without-end", "attempts that change nothing go on", "schedule/attempt.rs",
     "u32::from(class == FailureClass::NoChange);", "u32::from(class == FailureClass::NoChange && !FAULT);", S),
    ("permanent-is-retried", "a permanent failure is tried again", "schedule/attempt.rs",
     "if class == FailureClass::Permanent || spent", "if (class == FailureClass::Permanent && !FAULT) || spent", S),
    ("tick-not-believed", "a box that a person ticked is run", "schedule/replan.rs",
     "(slot.told_blocked, slot.asked) = (false, 0);\n            slot.staged(Stage::Settled(TaskOutcome::Done))",
     "(slot.told_blocked, slot.asked) = (false, 0);\n            slot.staged(if FAULT { Stage::Waiting } else { Stage::Settled(TaskOutcome::Done) })", S),
    ("answer-clears-boxes", "an answer makes run again what was ticked since the file was read", "schedule/replan.rs",
     "Stage::Settled(TaskOutcome::Done) if slot.role == Role::Group => {",
     "Stage::Settled(TaskOutcome::Done) if FAULT && slot.role == Role::Run && slot.ticked => cleared(&slot),\n        Stage::Settled(TaskOutcome::Done) if slot.role == Role::Group => {", S),
    ("answer-frees-nothing", "what waits for a task that asked stays blocked when it has its answer", "schedule/replan.rs",
     "Stage::Settled(TaskOutcome::Blocked { .. }) | Stage::Ready | Stage::BackingOff => {",
     "Stage::Settled(TaskOutcome::Blocked { .. }) if FAULT => slot,\n        Stage::Settled(TaskOutcome::Blocked { .. }) | Stage::Ready | Stage::BackingOff => {", S),
    ("answer-to-another-question", "an answer to an earlier question counts for the present one", "schedule/attempt.rs",
     "slot.asked == attempt && attempt > 0 && slot.attempts == attempt", "(slot.asked == attempt || FAULT) && attempt > 0 && (slot.attempts == attempt || FAULT)", S),
    ("question-forgotten", "a task that asked goes on in the next session without an answer", "schedule/layout.rs",
     "Role::Run if known.settled == Some(Settled::Parked) && !is_cleared => {", "Role::Run if known.settled == Some(Settled::Parked) && !is_cleared && !FAULT => {", S),
    ("asking-costs-an-attempt", "an attempt that waits for an answer spends the retry budget", "history.rs",
     "return Cost::Nothing; // who asks has not failed", "return if FAULT { Cost::Attempt } else { Cost::Nothing };", S),
    ("untick-ignored", "a box that a person cleared is not run", "schedule/replan.rs",
     "Stage::Settled(TaskOutcome::Done) if slot.ticked => cleared(&slot),", "Stage::Settled(TaskOutcome::Done) if slot.ticked && !FAULT => cleared(&slot),", S),
    ("forgets-what-left-the-file", "a task that comes back is unknown", "schedule/layout.rs",
     "known.remove(&task.id);\n    }\n    known\n", "known.remove(&task.id);\n    }\n    if FAULT { known.clear(); }\n    known\n", S),
    ("strict-check-passes", "`check --strict` lets warnings pass", "cli/check.rs",
     "strict || checked.strict || found.is_error()", "(strict && !FAULT) || checked.strict || found.is_error()", "cli::"),
    ("strict-plan-passes", "`plan --strict` lets warnings pass", "cli/plan.rs",
     "planned.config.strict && !planned.findings.is_empty()", "planned.config.strict && !planned.findings.is_empty() && !FAULT", "cli::"),
    ("strict-run-passes", "`implement --strict` lets warnings pass", "cli/stage.rs",
     "if !strict || findings.is_empty() =>", "if !strict || FAULT || findings.is_empty() =>", "cli::"),
]

SWITCH = '''
/// A copy made by tests/campaigns/faults.py: whether this fault is awake.
pub fn fault(name: &str) -> bool {
    static AWAKE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    // A file, because tests of the program give it a clean environment.
    AWAKE.get_or_init(|| std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/awake")).unwrap_or_default()) == name
}
'''


def put_in(root):
    """Writes all faults into the copy; every one must find its place."""
    texts, wrong = {}, []
    for name, _, file, _, _, _ in FAULTS:
        with open(os.path.join(root, "src", file)) as text:
            texts[file] = text.read()
    for name, _, file, there, faulty, _ in FAULTS:
        found = texts[file].count(there)
        if found != 1:
            wrong.append("%s: src/%s has its place %d times, not once" % (name, file, found))
            continue
        texts[file] = texts[file].replace(there, faulty.replace("FAULT", 'crate::fault("%s")' % name))
    if wrong:
        sys.exit("\n".join(wrong))
    for file, text in texts.items():
        with open(os.path.join(root, "src", file), "w") as out:
            out.write(text)
    with open(os.path.join(root, "src/lib.rs"), "a") as out:
        out.write(SWITCH)


def build(root, target):
    command = ["cargo", "test", "--profile", "quick", "--locked", "--test", "it", "--no-run"]
    done = subprocess.run(command, cwd=root, env=dict(os.environ, CARGO_TARGET_DIR=target), stderr=subprocess.PIPE, text=True)
    found = re.search(r"Executable.*\((.*)\)", done.stderr)
    if done.returncode or not found:
        sys.exit(done.stderr)
    return os.path.join(root, found.group(1))


def run(binary, root, tests, fault):
    """The names of tests that fail."""
    with open(os.path.join(root, "awake"), "w") as awake:
        awake.write(fault)
    env = dict(os.environ, RUST_BACKTRACE="0", SPECTER_SEEDS=os.environ.get("SPECTER_SEEDS", "400"))
    try:
        done = subprocess.run([binary, tests], cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    except subprocess.TimeoutExpired:
        return ["(no end within 15 minutes)"]
    failed = re.findall(r"^test (\S+) \.\.\. FAILED", done.stdout.decode(errors="replace"), re.M)
    return failed or (["(exit %d)" % done.returncode] if done.returncode else [])


def main():
    if sys.argv[1:] == ["--list"]:
        for name, what, file, _, _, _ in FAULTS:
            print("%-32s %-22s %s" % (name, file, what))
        return
    project = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
    chosen = [fault for fault in FAULTS if not sys.argv[1:] or fault[0] in sys.argv[1:]]
    # Always the same place, so that a second time builds little; built apart, or the project's own builds would be
    # taken for these.
    root = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(project, "target")), "faults")
    target = os.path.join(root, "target")
    os.makedirs(root, exist_ok=True)
    for name in ["src", "tests", "benches", "examples", ".cargo", "Cargo.toml", "Cargo.lock", "README.md", "LICENSE"]:
        there = os.path.join(project, name)
        shutil.rmtree(os.path.join(root, name), ignore_errors=True)
        if os.path.isdir(there):
            shutil.copytree(there, os.path.join(root, name), ignore=shutil.ignore_patterns("target", "corpus"))
        elif os.path.exists(there):
            shutil.copy(there, root)
    put_in(root)
    binary = build(root, target)
    for tests in sorted({tests for *_, tests in chosen}):
        asleep = run(binary, root, tests, "")
        if asleep:
            sys.exit("without any fault awake these fail already: " + ", ".join(asleep))
    missed = []
    for name, what, _, _, _, tests in chosen:
        start = time.time()
        failed = run(binary, root, tests, name)
        words = "NOT CAUGHT"
        if failed:
            words = "caught by " + ", ".join(failed[:3]) + (" and %d more" % (len(failed) - 3) if failed[3:] else "")
        else:
            missed.append(name)
        print("%-32s %s: %s (%.0f s)" % (name, what, words, time.time() - start), flush=True)
    print("%d of %d faults caught" % (len(chosen) - len(missed), len(chosen)))
    sys.exit(1 if missed else 0)


main()

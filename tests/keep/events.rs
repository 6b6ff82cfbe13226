//! Every kind of event survives the way through the journal's JSON, which is flat (SPEC 11.5).

use proptest::prelude::*;
use specter::event::*;
use specter::task::{BlockKind, TaskId, TaskIx};
use std::time::Duration;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), any::<String>(), "[a-zA-Z0-9 \"\\\\\u{0}-\u{1f}é✅]{0,30}"]
}

fn id() -> impl Strategy<Value = TaskId> {
    prop_oneof!["T[0-9]{3}", any::<String>()].prop_map(|id| TaskId::new(&id))
}

/// As after reading: an index is not stored.
fn task() -> impl Strategy<Value = TaskRef> {
    id().prop_map(|id| TaskRef { ix: TaskRef::UNRESOLVED, id })
}

fn ms() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|ms| Duration::from_millis(u64::from(ms)))
}

fn ids() -> impl Strategy<Value = Vec<TaskId>> {
    prop::collection::vec(id(), 0..3)
}

fn class() -> impl Strategy<Value = FailureClass> {
    prop::sample::select(vec![
        FailureClass::Transient,
        FailureClass::RateLimit,
        FailureClass::UsageLimit,
        FailureClass::Permanent,
        FailureClass::Gate,
        FailureClass::Conflict,
        FailureClass::NoChange,
        FailureClass::Cancelled,
        FailureClass::Unknown,
    ])
}

fn outcome() -> impl Strategy<Value = AttemptOutcome> {
    prop_oneof![
        Just(AttemptOutcome::Success),
        any::<i32>().prop_map(AttemptOutcome::ExitCode),
        any::<i32>().prop_map(AttemptOutcome::Signalled),
        any::<u64>().prop_map(AttemptOutcome::TimedOut),
        text().prop_map(AttemptOutcome::StartFailed),
        Just(AttemptOutcome::Cancelled),
        Just(AttemptOutcome::NotIntegrated),
    ]
}

fn block() -> impl Strategy<Value = BlockRef> {
    let kind = prop::sample::select(vec![BlockKind::Run, BlockKind::Fallback, BlockKind::Verify]);
    (kind, any::<u32>(), any::<u32>()).prop_map(|(kind, number, line)| BlockRef { kind, number, line })
}

prop_compose! {
    fn spent()(
        (input, cached, output) in any::<(u64, u64, u64)>(),
        cost_micros in any::<Option<u64>>(),
    ) -> Spent {
        Spent { input, cached, output, cost_micros }
    }
}

prop_compose! {
    fn agent()(
        (agent, provider, text, stop) in (text(), text(), text(), prop::option::of(text())),
        (model, session, spent) in (prop::option::of(text()), prop::option::of(text()), prop::option::of(spent())),
        (steps, prompt_tokens) in any::<(u64, u64)>(),
        (resets_at, refused) in any::<(Option<u64>, bool)>(),
        (asks, parks) in (proptest::option::of(question()), any::<bool>()),
    ) -> AgentReport {
        AgentReport {
            agent,
            provider,
            model,
            session,
            spent,
            stop,
            steps,
            text,
            prompt_tokens,
            resets_at,
            refused,
            asks: asks.map(Box::new),
            parks,
        }
    }
}

prop_compose! {
    fn step()(
        (action, title, paths) in (text(), text(), prop::collection::vec(text(), 0..3)),
        (ok, exit) in any::<(Option<bool>, Option<i32>)>(),
    ) -> AgentStep {
        AgentStep { action: action.into(), title, paths, ok, exit }
    }
}

prop_compose! {
    fn report()(
        (outcome, duration, block, class) in (outcome(), ms(), prop::option::of(block()), prop::option::of(class())),
        (rule, retry_after_ms, tail, log) in (prop::option::of(text()), any::<Option<u64>>(), text(), text()),
        (output_bytes, cpu_ms, max_rss_kb) in any::<(u64, u64, u64)>(),
        (disk_read_kb, disk_written_kb) in any::<(u64, u64)>(),
        (leaked, by_fallback, verified) in (prop::collection::vec(text(), 0..3), any::<bool>(), any::<bool>()),
        agent in prop::option::of(agent().prop_map(Box::new)),
    ) -> AttemptReport {
        AttemptReport {
            outcome, duration, block, class, rule, retry_after_ms, tail, log, output_bytes, cpu_ms, max_rss_kb,
            disk_read_kb, disk_written_kb, leaked, by_fallback, verified, agent,
        }
    }
}

prop_compose! {
    fn info()(
        (run, file, mode, version) in (text(), text(), text(), text()),
        (jobs, seed) in any::<(u32, u64)>(),
        (selection, options) in (prop::collection::vec(text(), 0..3), prop::collection::vec(text(), 0..3)),
    ) -> RunInfo {
        RunInfo { run, file, mode, jobs, seed, selection, version, options }
    }
}

prop_compose! {
    fn counts()(n in any::<[u32; 10]>()) -> Counts {
        let [selected, done, failed, blocked, skipped, cancelled, open, done_before, manual, parked] = n;
        Counts { selected, done, failed, blocked, skipped, cancelled, open, done_before, manual, parked }
    }
}

fn run_outcome() -> impl Strategy<Value = RunOutcome> {
    prop_oneof![
        Just(RunOutcome::AllDone),
        Just(RunOutcome::SomeFailed),
        any::<i32>().prop_map(|signal| RunOutcome::Interrupted { signal }),
        Just(RunOutcome::Stopped),
    ]
}

fn stop() -> impl Strategy<Value = Stop> {
    prop::sample::select(vec![Stop::Gracefully, Stop::Now])
}

fn attempt_kinds() -> impl Strategy<Value = EventKind> {
    use specter::event::EventKind::*;
    let gate =
        prop::sample::select(vec![GateVerdict::Passed, GateVerdict::Failed, GateVerdict::Inconclusive]);
    prop_oneof![
        (task(), any::<u32>(), any::<u32>(), step())
            .prop_map(|(task, attempt, n, step)| { AgentStep { task, attempt, n, step: Box::new(step) } }),
        (task(), any::<u32>(), text(), any::<u32>()).prop_map(|(task, attempt, executor, worker)| {
            AttemptStarted { task, attempt, executor: executor.into(), worker }
        }),
        (task(), any::<u32>(), report()).prop_map(|(task, attempt, report)| AttemptFinished {
            task,
            attempt,
            report: Box::new(report)
        }),
        (task(), any::<u32>(), text(), gate, ms()).prop_map(|(task, attempt, gate, verdict, duration)| {
            GateFinished { task, attempt, gate, verdict, duration }
        }),
        (task(), any::<u32>(), ms(), class()).prop_map(|(task, attempt, delay, class)| RetryScheduled {
            task,
            attempt,
            delay,
            class
        }),
    ]
}

fn task_kinds() -> impl Strategy<Value = EventKind> {
    use specter::event::EventKind::*;
    let verdict = prop::sample::select(vec![
        Verdict::Verified,
        Verdict::Unverified,
        Verdict::NoChange,
        Verdict::Inconclusive,
        Verdict::Regressed,
        Verdict::Escaped,
    ]);
    let why = prop::sample::select(vec![
        SkipReason::Manual,
        SkipReason::Optional,
        SkipReason::Dropped,
        SkipReason::Unclear,
        SkipReason::Removed,
    ]);
    prop_oneof![
        (task(), any::<u32>(), verdict, ms()).prop_map(|(task, attempts, verdict, duration)| TaskDone {
            task,
            attempts,
            verdict,
            duration
        }),
        (task(), any::<u32>(), class()).prop_map(|(task, attempts, class)| TaskFailed {
            task,
            attempts,
            class
        }),
        (task(), task()).prop_map(|(task, by)| TaskBlocked { task, by }),
        (task(), why).prop_map(|(task, why)| TaskSkipped { task, why }),
        task().prop_map(|task| TaskCancelled { task }),
        (task(), any::<u32>()).prop_map(|(task, line)| BoxTicked { task, line }),
        (task(), text()).prop_map(|(task, problem)| BoxPending { task, problem }),
    ]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..3)
}

fn conflict() -> impl Strategy<Value = Conflict> {
    let other = proptest::option::of(task().prop_map(|task| task.id));
    (text(), text(), other, texts()).prop_map(|(path, what, other, hunks)| Conflict {
        path,
        what,
        other,
        hunks,
    })
}

fn merge() -> impl Strategy<Value = Merge> {
    (text(), texts(), any::<bool>(), texts(), texts(), texts()).prop_map(
        |(commit, files, merged, dropped, kept, by_rule)| Merge {
            commit,
            files,
            merged,
            dropped,
            kept,
            by_rule,
        },
    )
}

fn file_kinds() -> impl Strategy<Value = EventKind> {
    use specter::event::EventKind::*;
    let conflicts = prop::collection::vec(conflict(), 0..3);
    let reference = proptest::option::of(text());
    prop_oneof![
        (task(), any::<u32>(), text(), text(), texts()).prop_map(|(task, attempt, path, base, carried)| {
            WorktreeLeased { task, attempt, path, base, carried }
        }),
        (task(), any::<u32>(), text(), text(), texts()).prop_map(
            |(task, attempt, reference, commit, left_out)| AttemptSaved {
                task,
                attempt,
                reference,
                commit,
                left_out
            }
        ),
        (task(), any::<u32>(), merge()).prop_map(|(task, attempt, merge)| Integrated {
            task,
            attempt,
            merge: Box::new(merge)
        }),
        (task(), any::<u32>(), conflicts).prop_map(|(task, attempt, conflicts)| Conflicted {
            task,
            attempt,
            conflicts
        }),
        (task(), any::<u32>(), texts()).prop_map(|(task, attempt, paths)| ReviewNeeded {
            task,
            attempt,
            paths
        }),
        (task(), any::<u32>(), texts(), reference, proptest::option::of(text())).prop_map(
            |(task, attempt, changes, reference, unkept)| Escaped {
                task,
                attempt,
                changes,
                reference,
                unkept
            }
        ),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    (text(), proptest::collection::vec(text(), 0..3), proptest::option::of(text()))
        .prop_map(|(question, options, default)| Question { question, options, default })
}

fn run_kinds() -> impl Strategy<Value = EventKind> {
    use specter::event::EventKind::*;
    let budget = prop::sample::select(vec![
        BudgetKind::Dispatches,
        BudgetKind::Time,
        BudgetKind::Cost,
        BudgetKind::Tokens,
        BudgetKind::Disk,
        BudgetKind::Provider,
    ]);
    let scarce = prop::sample::select(vec![Scarce::Memory, Scarce::Disk, Scarce::Load]);
    let level = prop::sample::select(vec![NoteLevel::Info, NoteLevel::Warn, NoteLevel::Error]);
    prop_oneof![
        (info(), any::<u64>(), any::<[u32; 3]>()).prop_map(
            |(info, started, [total, selected, done_before])| {
                RunStarted { info, started, total, selected, done_before }
            }
        ),
        (any::<u64>(), any::<[u32; 5]>()).prop_map(
            |(started, [session, jobs, total, selected, done_before])| {
                RunResumed { session, started, jobs, total, selected, done_before }
            }
        ),
        (ids(), ids(), ids(), ids()).prop_map(|(added, removed, reopened, ticked)| PlanChanged {
            added,
            removed,
            reopened,
            ticked
        }),
        (text(), any::<u32>(), proptest::option::of(text()))
            .prop_map(|(name, done, reference)| CheckpointCreated { name, done, reference }),
        (text(), text(), ids(), proptest::option::of(text()))
            .prop_map(|(branch, commit, tasks, tag)| Committed { branch, commit, tasks, tag }),
        (text(), text(), text(), ids(), ids()).prop_map(|(to, commit, saved, reopened, done)| RolledBack {
            to,
            commit,
            saved,
            reopened,
            done
        }),
        (budget, text()).prop_map(|(budget, limit)| BudgetReached { budget, limit }),
        (proptest::option::of(scarce), text())
            .prop_map(|(waits_for, text)| AdmissionChanged { waits_for, text }),
        (text(), class(), any::<Option<u64>>(), any::<bool>(), any::<(u32, u64)>(), text()).prop_map(
            |(provider, why, until, told, (turn, since), rule)| {
                ProviderHeld { provider, why, until, told, turn, since, rule }
            }
        ),
        text().prop_map(|provider| ProviderOpened { provider }),
        (task(), any::<u32>(), question()).prop_map(|(task, attempt, question)| TaskParked {
            task,
            attempt,
            question: Box::new(question)
        }),
        (task(), any::<u32>(), text(), any::<bool>()).prop_map(|(task, attempt, answer, person)| {
            let by = if person { AnsweredBy::Person } else { AnsweredBy::Default };
            QuestionAnswered { task, attempt, answer, by }
        }),
        (task(), any::<u32>(), ms(), 0usize..3).prop_map(|(task, attempt, quiet, n)| {
            let stage = [QuietStage::Notice, QuietStage::Nudge, QuietStage::SoftStop][n];
            AttemptQuiet { task, attempt, stage, quiet }
        }),
        (task(), (text(), text()), class(), any::<Option<u64>>(), any::<bool>()).prop_map(
            |(task, (from, to), why, until, used_up)| {
                AgentChanged { task, from, to, why, until, used_up }
            }
        ),
        (
            [text(), text(), text(), text()],
            any::<bool>(),
            ms(),
            proptest::option::of(text()),
            any::<Option<(u64, u64)>>()
        )
            .prop_map(|([command, extension, agent, provider], before, duration, failed, spent)| {
                let spent = spent.map(|(input, output)| Spent { input, output, ..Spent::default() });
                HookFinished { command, extension, before, agent, provider, duration, failed, spent }
            }),
        (text(), stop()).prop_map(|(signal, how)| Interrupted { signal, how }),
        (level, text()).prop_map(|(level, text)| Note { level, text }),
        (run_outcome(), counts(), ms(), 0u32..9).prop_map(|(outcome, counts, duration, unticked)| {
            RunFinished { outcome, counts, duration, unticked }
        }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    // Boxed: what all kinds together need at once is more than a test's stack has.
    let kind =
        prop_oneof![attempt_kinds().boxed(), task_kinds().boxed(), run_kinds().boxed(), file_kinds().boxed()];
    (any::<u64>(), ms(), kind).prop_map(|(seq, at, kind)| Event { seq, at, kind })
}

/// Fails to compile when a kind is added, so that it is added to the strategies above.
fn number(kind: &EventKind) -> usize {
    use specter::event::EventKind::*;
    match kind {
        RunStarted { .. } => 0,
        RunResumed { .. } => 1,
        PlanChanged { .. } => 2,
        AttemptStarted { .. } => 3,
        AttemptFinished { .. } => 4,
        GateFinished { .. } => 5,
        RetryScheduled { .. } => 6,
        TaskDone { .. } => 7,
        TaskFailed { .. } => 8,
        TaskBlocked { .. } => 9,
        TaskSkipped { .. } => 10,
        TaskCancelled { .. } => 11,
        BoxTicked { .. } => 12,
        BoxPending { .. } => 13,
        CheckpointCreated { .. } => 14,
        BudgetReached { .. } => 15,
        Interrupted { .. } => 16,
        Note { .. } => 17,
        RunFinished { .. } => 18,
        WorktreeLeased { .. } => 19,
        AttemptSaved { .. } => 20,
        Integrated { .. } => 21,
        Conflicted { .. } => 22,
        ReviewNeeded { .. } => 23,
        Escaped { .. } => 24,
        RolledBack { .. } => 25,
        AdmissionChanged { .. } => 26,
        AgentStep { .. } => 27,
        ProviderHeld { .. } => 28,
        ProviderOpened { .. } => 29,
        Committed { .. } => 30,
        AgentChanged { .. } => 31,
        TaskParked { .. } => 32,
        QuestionAnswered { .. } => 33,
        AttemptQuiet { .. } => 34,
        HookFinished { .. } => 35,
    }
}
const KINDS: usize = 36;

#[test]
fn the_strategies_make_every_kind() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = [false; KINDS];
    for _ in 0..1000 {
        seen[number(&event().new_tree(&mut runner).unwrap().current().kind)] = true;
    }
    assert_eq!(seen, [true; KINDS]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn every_event_reads_back_from_a_flat_line(event in event()) {
        let line = serde_json::to_string(&event).unwrap();
        let mut written = Vec::new();
        event.write_json(&mut written).unwrap();
        prop_assert_eq!(String::from_utf8(written).unwrap(), line.clone(), "both ways of writing agree");
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(&serde_json::from_str::<Event>(&line).unwrap(), &event);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&value["seq"], &serde_json::json!(event.seq));
        prop_assert_eq!(&value["at"], &serde_json::json!(event.at.as_millis() as u64));
        prop_assert!(value["kind"].is_string());
        // In another order, as another program may hand it on.
        prop_assert_eq!(serde_json::from_value::<Event>(value).unwrap(), event);
    }
}

#[test]
fn a_field_that_is_not_known_is_passed_over() {
    let line = r#"{"seq":1,"at":2,"kind":"attempt_finished","task":"T1","attempt":1,"outcome":"success","duration":3,"new":{"a":[1]}}"#;
    let event: Event = serde_json::from_str(line).unwrap();
    let EventKind::AttemptFinished { task, attempt: 1, report } = event.kind else { panic!("{event:?}") };
    assert_eq!((task.id.as_str(), task.ix), ("T1", TaskIx(u32::MAX)));
    assert_eq!(report.duration, Duration::from_millis(3));
}

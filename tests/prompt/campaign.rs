//! Prompts of every task of all real task files, and that their cost grows with what they are made of.

use specter::parse::parse;
use specter::plan::{Mode, Options, Plan, plan};
use specter::prompt::{self, Context, Document, Handoffs, Inputs, Role, Settings, Templates};
use specter::source::SourceText;
use specter::task::TaskId;
use std::time::{Duration, Instant};

fn settings(file: &str) -> Settings {
    Settings { task_file: file.to_owned(), max_tokens: prompt::DEFAULT_TOKENS, tdd: false }
}

fn planned(source: &SourceText) -> Option<Plan> {
    let options = Options { file: source.name().to_owned(), mode: Mode::Graph, ..Options::default() };
    plan(parse(source).0, &options).ok().map(|(plan, _)| plan)
}

/// Builds the prompt of every task; how many and how many bytes they came to.
fn all(plan: &Plan, context: &Context) -> (usize, usize) {
    let mut handoffs = Handoffs::default();
    let (mut count, mut bytes) = (0, 0);
    for task in plan.task_ixs().filter(|task| !plan.task(*task).is_group) {
        let inputs = Inputs {
            context,
            plan,
            task,
            handoffs: &handoffs,
            attempt: 1,
            past: None,
            instructions: &[],
            neighbours: &[],
            gates: &[],
        };
        let prompt = prompt::build(&inputs);
        assert!(prompt.text.starts_with(context.prefix()));
        assert!(
            prompt.tokens_estimate <= u64::from(prompt::DEFAULT_TOKENS),
            "{}: {}: {} tokens\n{:#?}\n{:#?}",
            plan.file,
            plan.task(task).id,
            prompt.tokens_estimate,
            prompt.parts,
            prompt.left_out
        );
        let parts: u64 = prompt.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(parts, prompt.text.len() as u64, "{}: {}", plan.file, plan.task(task).id);
        assert_eq!(prompt.notes.iter().filter(|note| note.contains("template")).count(), 0);
        (count, bytes) = (count + 1, bytes + prompt.text.len());
        handoffs.said(&plan.task(task).id, "done");
    }
    (count, bytes)
}

/// Every file of `SPECTER_CORPUS`, each with itself as its specification: there is no other text of that kind.
#[test]
fn campaign_every_task_of_the_corpus_has_a_prompt() {
    let Some(folder) = std::env::var_os("SPECTER_CORPUS") else {
        println!("skipped: SPECTER_CORPUS is not set");
        return;
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let (mut files, mut refused, mut tasks, mut bytes) = (0, 0, 0, 0);
    let mut slowest = (Duration::ZERO, String::new());
    let begin = Instant::now();
    for path in &paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = SourceText::from_bytes(name.clone(), std::fs::read(path).unwrap()).unwrap();
        let Some(plan) = planned(&source) else {
            refused += 1;
            continue;
        };
        let start = Instant::now();
        let roles = [("spec.md", Role::Spec), ("plan.md", Role::Plan)];
        let documents =
            roles.map(|(path, role)| Document { path: path.to_owned(), role, text: source.clone() }).to_vec();
        let context = Context::new(documents, Templates::default(), &settings(&name), Vec::new());
        let (count, size) = all(&plan, &context);
        let each = start.elapsed() / (count.max(1) as u32);
        if each > slowest.0 {
            slowest = (each, name);
        }
        (files, tasks, bytes) = (files + 1, tasks + count, bytes + size);
    }
    println!(
        "{files} files ({refused} without a plan), {tasks} prompts, {bytes} bytes in {:?}; slowest on average {:?} in {}",
        begin.elapsed(),
        slowest.0,
        slowest.1
    );
    assert_eq!(files + refused, paths.len());
    assert!(files * 10 >= paths.len() * 8, "{refused} of {} files have no plan", paths.len());
}

/// A feature of `count` tasks and as many requirements.
fn grown(count: usize) -> (Plan, Vec<Document>) {
    let mut tasks = String::new();
    let mut spec = "# S\n".to_owned();
    for n in 0..count {
        if n % 50 == 0 {
            tasks.push_str(&format!("\n## Phase {}: Part {n}\n\n", n / 50 + 1));
            spec.push_str(&format!("\n## User Story {} - Part {n}\n\n", n / 50 + 1));
        }
        tasks.push_str(&format!(
            "- [ ] T{n:05} [P] [US{}] Do the widget {n} in src/w{n}.rs per FR-{n:04}\n",
            n / 50 + 1
        ));
        spec.push_str(&format!("- **FR-{n:04}**: the widget in `src/w{n}.rs` MUST work as part {n} says\n"));
    }
    let text = SourceText::new("spec.md", spec);
    let plan = planned(&SourceText::new("tasks.md", tasks)).unwrap();
    (plan, vec![Document { path: "spec.md".to_owned(), role: Role::Spec, text }])
}

/// Time on a core, which a busy machine hardly changes; none if the system does not tell.
fn worked() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// By the bytes that are made, which a machine's load does not change, and by time on a core with a wide margin.
#[test]
fn prompts_of_twice_the_tasks_cost_twice_as_much() {
    let largest: usize =
        std::env::var("SPECTER_TASKS").ok().and_then(|n| n.parse().ok()).unwrap_or(400).min(8_000);
    let run = |count: usize| {
        let (plan, documents) = grown(count);
        // The best of three: whatever else runs only makes it longer.
        let times = (0..3).map(|_| {
            let start = worked().unwrap_or_default();
            let context =
                Context::new(documents.clone(), Templates::default(), &settings("tasks.md"), Vec::new());
            let (made, bytes) = all(&plan, &context);
            assert_eq!(made, count);
            (worked().unwrap_or_default().saturating_sub(start), bytes)
        });
        times.min().unwrap()
    };
    let (small, large) = (run(largest / 4), run(largest));
    let times = large.0.as_secs_f64() / small.0.as_secs_f64();
    let bytes = large.1 as f64 / small.1 as f64;
    println!(
        "{} and {largest} tasks: {:?} and {:?} ({times:.1} times), {bytes:.2} times the bytes",
        largest / 4,
        small.0,
        large.0
    );
    assert!(bytes < 4.6, "{bytes}");
    assert!(small.0.is_zero() || times < 9.0, "{times}");
}

/// The names of tasks are the user's: none of them can be an instruction to the frame.
#[test]
fn ids_that_look_like_markup_stay_in_their_line() {
    let source = SourceText::new("tasks.md", "- [ ] T001 a\n\n```\n- [ ] `T002 # b\n");
    let (document, _) = parse(&source);
    assert!(document.tasks.iter().all(|task| task.id != TaskId::new("`T002")));
}

//! One small file of each style, as a listing of what was made of it.

use super::super::parse;
use crate::source::SourceText;
use crate::task::{Dependent, Document, State, Target, Task, WrittenNeed};
use indoc::indoc;
use std::fmt::Write as _;

fn target(target: &Target) -> String {
    match target {
        Target::Id(id) => id.to_string(),
        Target::Range(first, last) => format!("{first}..{last}"),
        Target::Story(story) => story.0.clone(),
        Target::Phase(number) => format!("phase {number}"),
    }
}

fn task_line(document: &Document, task: &Task) -> String {
    let mut line = format!("{:>3} {} {:?}", task.line, task.id, task.state);
    let mut word = |on: bool, text: String| {
        if on {
            line += " ";
            line += &text;
        }
    };
    word(task.is_group, "group".into());
    word(task.checkpoint, "checkpoint".into());
    word(task.parallel, "[P]".into());
    word(task.all_stories, "[ALL]".into());
    task.stories.iter().for_each(|story| word(true, story.0.clone()));
    task.more.tags.iter().for_each(|tag| word(true, format!("#{tag}")));
    word(task.priority.is_some(), format!("p{}", task.priority.unwrap_or_default()));
    word(task.more.layer.is_some(), format!("l{}", task.more.layer.unwrap_or_default()));
    word(task.phase.is_some(), format!("phase={}", task.phase.map_or(0, |p| p.0)));
    word(
        task.group.is_some(),
        format!("in={}", task.group.map_or("", |g| document.tasks[g.ix()].id.as_str())),
    );
    word(task.more.agent.is_some(), format!("agent={}", task.more.agent.as_deref().unwrap_or_default()));
    word(true, format!("| {}", task.title));
    task.more.aliases.iter().for_each(|alias| word(true, format!("={alias}")));
    task.files
        .iter()
        .for_each(|file| word(true, format!("<{}{}>", file.path, if file.is_dir { "/" } else { "" })));
    task.blocks
        .iter()
        .for_each(|block| word(true, format!("{{{:?} {} {:?}}}", block.kind, block.interpreter, block.code)));
    line
}

fn need_line(document: &Document, need: &WrittenNeed) -> String {
    let dependent = match &need.dependent {
        Dependent::Task(task) => document.tasks[task.ix()].id.to_string(),
        Dependent::Written(written) => format!("({})", target(written)),
    };
    format!("{:>3} {dependent} needs {} {:?}", need.line, target(&need.need), need.form)
}

fn listing(text: &str) -> String {
    let source = SourceText::new("tasks.md", text);
    super::corpus::assert_sound(&source);
    let (document, diagnostics) = parse(&source);
    let mut out = String::new();
    for phase in &document.phases {
        let stories: Vec<&str> = phase.stories.iter().map(|story| story.0.as_str()).collect();
        writeln!(out, "{:>3} # {} {:?} {stories:?}", phase.line, phase.title, phase.kind).unwrap();
    }
    document.tasks.iter().for_each(|task| writeln!(out, "{}", task_line(&document, task)).unwrap());
    document.needs.iter().for_each(|need| writeln!(out, "{}", need_line(&document, need)).unwrap());
    for checkpoint in &document.checkpoints {
        writeln!(
            out,
            "{:>3} checkpoint after {}: {}",
            checkpoint.line, checkpoint.after_tasks, checkpoint.text
        )
        .unwrap();
    }
    if let Some(waves) = &document.waves {
        let ids: Vec<Vec<&str>> =
            waves.waves.iter().map(|w| w.iter().map(|(id, _)| id.as_str()).collect()).collect();
        writeln!(out, "{:>3} waves {ids:?}", waves.line).unwrap();
    }
    document.ignored.iter().for_each(|i| writeln!(out, "{:>3} ignored: {:?}", i.line, i.reason).unwrap());
    for d in &diagnostics {
        let line = d.span().map_or(0, |span| source.line(span.start));
        writeln!(out, "{line:>3} {:?} {}: {}", d.severity, d.code.as_str(), d.message).unwrap();
    }
    out
}

#[test]
fn spec_kit() {
    insta::assert_snapshot!(listing(indoc! {"
        ---

        description: \"a list\"
        ---
        # Tasks: Garden planner

        ## Format: `[ID] [P?] [Story] Description`

        - **[P]**: Can run in parallel
        - [P] tasks = different files

        ## Phase 1: Setup (Shared Infrastructure)

        - [x] T001 Create garden/ directory
        - [X] T002 [P] Add pyproject.toml

        ## Phase 2: Foundational (Blocking Prerequisites)

        - [ ] T003 Open the store in src/store.py

        **Checkpoint**: Foundation ready

        ## Phase 3: User Story 1 - Plant beds (Priority: P1) 🎯 MVP

        ### Tests for User Story 1

        - [ ] T004 [P] [US1] Test beds in tests/test_beds.py

        ### Implementation for User Story 1

        - [ ] T005 [US1] Model in src/models/{bed,plant}.py (depends on T003, T004)
        - [ ] T006 Route `GET /api/beds/{id}` in `src/app/[bed]/page.tsx:12-40`

        ## Phase N: Polish & Cross-Cutting Concerns

        - [ ] T007 [ALL] Docs in docs/ (after T005-T006)

        ## Dependencies & Execution Order

        - **User Story 1 (P1)**: Can start after Foundational (Phase 2)
        - T003 → T004/T005 → T006
        - US2 depends on US1

        ### Parallel Opportunities

        - T001, T002 together
        - [ ] `T004` can run while `T005` is written

        ## Parallel Example: User Story 1

        ```bash
        Task: \"T004\"
        - [ ] T099 not a task
        ```
    "}));
}

#[test]
fn kiro() {
    insta::assert_snapshot!(listing(indoc! {"
        # Implementation Plan

        - [ ] 1. Set up the shop
          - Create directories
          - _Requirements: 1.1, 2.3_

        - [ ] 2. Models
        - [x] 2.1 (P) Basket model
          - _Requirements: 1.2_
        - [ ]* 2.2 Property tests for the basket
          - [ ] an inner box
        - [ ] 3. Checkpoint - Ensure all tests pass
        - [~] 4. Pay
          - [ ] 4.1 Call the bank

        ## Task Dependency Graph

        ```json
        {\"waves\": [{\"id\": 0, \"tasks\": [\"1\", \"2.1\"]}, {\"id\": 1, \"tasks\": [\"4.1\"]}]}
        ```
    "}));
}

#[test]
fn heading_tasks() {
    insta::assert_snapshot!(listing(indoc! {"
        # 任务

        ## 阶段1：基础

        #### [ ] T-001: 创建项目
        **依赖任务**：无
        - [ ] 配置
        - [x] 文件

        ### T002 — Second thing [Story: US1] [P]
        **Dependencies**: T-001
        **Files**: src/a.rs, `src/b.rs`
        **Status**: ✅ Done

        ### Task 1.1: Third
        Depends on: Task 9, `T002` (both)

        ```sh run
        echo hi
        ```

        ### T003: Fourth

        - [x] all
        - [x] done

        ## Notes on T001-T003
    "}));
}

#[test]
fn no_ids() {
    insta::assert_snapshot!(listing(indoc! {"
        ## 1. Store
        - [ ] Open the file
        - [x] Close the file
          - [ ] flush first
        ## 2. View
        - [ ] Same title
        - [ ] Same title
        ## Acceptance Criteria
        - [ ] It works
    "}));
}

#[test]
fn odd_boxes_and_marks() {
    insta::assert_snapshot!(listing(indoc! {"
        -[X]T001[P]Squashed
        -[]T002[P][TE]Empty
        - [✅] T003 done
        - [⚠️] T004 careful
        - [~] 🟡 T005 half
        * [-] **T006 [P]** skipped
         1) [ ] T007: one space
        - [ ] ~~T008 struck~~
        - [ ] **T009** **DEFERRED** later
        - [ ] T010 [MANUAL] look at it
        - [ ] T011 Manually test the page
        - [ ] T012–T014 three at once
        - T015 [ ] box behind the id
        - ☐ T016 drawn box
        – [ ] T017 long dash
        - [ ] no id here
        - [ ] Т018 Cyrillic
        - [ ] T001 again
        - [ ] - [X] T019 two boxes
    "}));
}

#[test]
fn who_is_named_for_a_task_is_one_word_and_a_role_is_text() {
    let agent = |line: &str| {
        let (document, _) = crate::parse::parse(&crate::source::SourceText::new(
            "tasks.md",
            format!("- [ ] T001 A\n  {line}\n"),
        ));
        document.tasks[0].more.agent.as_deref().map(str::to_owned)
    };
    for line in ["agent: claude", "- **Agent**: `claude`", "- Agent: @claude (it knows the code)"] {
        assert_eq!(agent(line).as_deref(), Some("claude"), "{line}");
    }
    for line in ["**Agent**: Backend Developer", "- Agent: Code Reviewer", "agent:"] {
        assert_eq!(agent(line), None, "{line}");
    }
}

#[test]
fn bodies_and_blocks() {
    insta::assert_snapshot!(listing(indoc! {"
        - [ ] T001 Build
          agent: claude
          - depends_on: []
          - target_files: [src/a.rs, src/b.rs]

          ```sh run timeout=30s
          make
          ```
          ~~~python3 verify dir=web
          print(1)
          ~~~

          Second paragraph.
        - [ ] T002 Other (blocked by T001) until T003
          - **Depends on**: T001 and the server being up

        ```sh run
        echo stray
        ```
        - [ ] T003 Last `(depends on T999)` (requires Node 18)
          ```sh fallback speed=9
          true
          ```
        <!--
        - [ ] T004 hidden
        -->
        > - [ ] T005 quoted

        | T006 | in a table |
        |---|---|
        | T007 | too |
    "}));
}

#[test]
fn swallowed_tasks_are_an_error() {
    insta::assert_snapshot!(listing("- [ ] T001 a\n\n```\n- [ ] T002 b\n- [ ] T003 c\n"));
    insta::assert_snapshot!(listing("- [ ] T001 a\n\n<!-- note\n- [ ] T002 b\n"));
    insta::assert_snapshot!(listing("```markdown\n- [ ] T001 a\n```\n"));
    insta::assert_snapshot!(listing(""));
}

#[test]
fn dependencies_that_cannot_be_read_are_said() {
    insta::assert_snapshot!(listing(indoc! {"
        - [ ] T001 a (depends on T0*)
        - [ ] T002 b (depends on T009-T001)
        - [ ] T003 c (depends on T001-T999999999)
        - [ ] T004 d (depends on \u{422}001)
        - [ ] T005 e (depends on (T001)) (depends on T002)
        - [ ] T006 f (depends on none)
        - [ ] T007 g (depends on Phase 1, US2)
        - [ ] T008 h [P after T001] [depends:T002] after:T003
        - [ ] T009 i（依赖 T001、T002）
        - [ ] T010 j — depends on T001, T002
        - [ ] T011 k (depends on T012
    "}));
}

#[test]
fn too_deep_lists_belong_to_the_body() {
    let text: String = (0..100).flat_map(|n| ["  ".repeat(n), format!("- [ ] T{n} n\n")]).collect();
    let source = SourceText::new("t", text);
    let (document, diagnostics) = parse(&source);
    assert_eq!((document.tasks.len(), document.ignored.len(), diagnostics.len()), (64, 36, 1));
    assert!(document.tasks[..63].iter().all(|task| task.is_group && task.state == State::Open));
}

#[test]
fn hostile_lines_stay_linear() {
    let long = |piece: &str| format!("- [ ] T001 {}\n- [ ] T002 b\n", piece.repeat(20_000));
    for piece in [
        "*a ",
        "[",
        "(depends on ",
        "`",
        "a`",
        "(depends on T1) ",
        "**(",
        "<!--",
        "T1, ",
        "src/",
        "[a](",
        "- ",
        "~~",
        "until T1 ",
        "_",
    ] {
        let started = std::time::Instant::now();
        let (document, _) = parse(&SourceText::new("t", long(piece)));
        assert_eq!(document.tasks.len(), 2, "{piece}");
        assert!(started.elapsed().as_secs() < 10, "{piece}: {:?}", started.elapsed());
    }
}

//! Any words as a selection: `--filter`, `--story`, `--only`, `--from`, `--until`, `--phase`, `--treat`.
//!
//! Input: seven lines in that order, then an optional task file; without one a built-in feature is chosen from.

use super::MODES;
use super::parse::{assert_plan, assert_shown};
use specter::parse::parse;
use specter::plan::{self, LeftOut, Options, Plan, Role, Selection};
use specter::source::SourceText;
use specter::task::Document;

const FEATURE: &str = "\
# Tasks

## Phase 1: Setup
- [ ] T001 [P] Create the project in src/main.rs
- [x] T002 Configure linting

## Phase 2: Foundation
- [ ] T003 [P1] Schema in db/schema.sql (depends on T001)
- [ ]* T004 [P] Optional notes in docs/notes.md

**Checkpoint**: foundation ready

## Phase 3: User Story 1 (Priority: P1)
- [ ] T005 [P] [US1] Model in src/models/user.rs (depends on T003)
- [ ] T006 [US1] [backend] Service in src/service.rs
- [~] T007 [US1] Something unclear

## Phase 4: User Story 2
- [ ] T008 [US2] Page in web/page.ts
- [ ] T009 [US2] Write `src/[x].rs`
";

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(8, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let list = |line: &str| -> Vec<String> {
        line.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let one = |line: &str| (!line.is_empty()).then(|| line.to_owned());
    let filter = line().to_owned();
    let (stories, only, from, until) = (list(line()), list(line()), one(line()), one(line()));
    let phases = list(line());
    let treat: Vec<(String, plan::Treat)> =
        list(line()).into_iter().map(|mark| (mark, plan::Treat::Open)).collect();
    let rest = line();
    let text = if rest.is_empty() { FEATURE } else { rest };
    let Ok(source) = SourceText::from_bytes("tasks.md", text.as_bytes().to_vec()) else { return };
    let (document, _) = parse(&source);

    let selection = Selection {
        filters: one(&filter).into_iter().collect(),
        stories,
        only,
        from,
        until,
        phases,
        mvp: text.len() % 7 == 3,
        with_needs: text.len().is_multiple_of(2),
        include_optional: text.len().is_multiple_of(3),
    };
    let options =
        Options { mode: MODES[text.len() % 4], selection: selection.clone(), treat, ..Options::default() };
    let Some(plan) = planned(&source, &document, &options) else { return };
    assert_chosen(&plan);
    if filter.is_empty() {
        return;
    }
    // What an expression chooses, it chooses however it is wrapped.
    for same in [
        format!("({filter})"),
        format!("not (not ({filter}))"),
        format!("({filter}) and ({filter})"),
        format!("({filter}) or ({filter})"),
    ] {
        let selection = Selection { filters: vec![same.clone()], ..selection.clone() };
        let again = planned(&source, &document, &Options { selection, ..options.clone() });
        let again = again.unwrap_or_else(|| panic!("`{filter}` is understood and `{same}` is not"));
        assert_eq!(again.planned, plan.planned, "`{filter}` and `{same}`");
    }
}

fn planned(source: &SourceText, document: &Document, options: &Options) -> Option<Plan> {
    match plan::plan(document.clone(), options) {
        Ok((plan, found)) => {
            assert_plan(source, &plan, &found);
            Some(plan)
        }
        Err(found) => {
            assert!(!found.is_empty(), "refused without a reason");
            assert_shown(source, document, &found);
            None
        }
    }
}

/// A plan never runs what needs open work that it leaves out.
fn assert_chosen(plan: &Plan) {
    for task in plan.runnable() {
        for link in plan.waits_for(task).iter().filter(|link| link.kind == plan::EdgeKind::Needs) {
            let role = plan.planned(link.task).role;
            assert_ne!(role, Role::LeftOut(LeftOut::NotSelected), "{} needs {}", task.0, link.task.0);
        }
    }
}

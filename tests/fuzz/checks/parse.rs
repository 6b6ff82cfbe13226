//! Any bytes as a task file: read, planned in every mode, shown by `check` and `plan` in all their forms.

use super::{MODES, assert_harmless};
use specter::diagnostic::Diagnostic;
use specter::parse::parse;
use specter::plan::export::{PlanJson, diagnostics_json};
use specter::plan::{self, Options, Plan, Role};
use specter::source::{SourceText, Span};
use specter::task::Document;
use specter::ui::check::Account;
use specter::ui::header::Manner;
use specter::ui::theme::Screen;

pub fn check(data: &[u8]) {
    let Ok(source) = SourceText::from_bytes("tasks.md", data.to_vec()) else { return };
    let (document, found) = parse(&source);
    assert_sound(&source, &document);
    assert_shown(&source, &document, &found);
    // One mode and one width per input: the fuzzer has many inputs, and four plans of each are four times as slow.
    let options =
        Options { file: "tasks.md".to_owned(), mode: MODES[data.len() % MODES.len()], ..Options::default() };
    match plan::plan(document.clone(), &options) {
        Ok((plan, found)) => assert_plan(&source, &plan, &found),
        Err(found) => {
            assert!(found.iter().any(Diagnostic::is_error), "refused without a reason");
            assert_shown(&source, &document, &found);
        }
    }
}

/// Every place lies in the text, on whole characters; every box is where it is said to be.
pub(crate) fn assert_sound(source: &SourceText, document: &Document) {
    let text = source.text();
    let good = |span: Span| text.get(span.range()).is_some();
    for task in &document.tasks {
        assert!(good(task.span) && good(task.id_span) && good(task.body), "{}", task.line);
        assert!(task.line >= 1 && task.line <= source.line_count());
        assert!(task.group.is_none_or(|group| group.ix() < document.tasks.len()));
        assert!(task.files.iter().all(|file| good(file.span)));
        assert!(task.blocks.iter().all(|block| good(block.span)));
        if let Some(checkbox) = &task.checkbox {
            let range = checkbox.inner.range();
            assert_eq!(checkbox.mark, text[range.clone()]);
            assert_eq!((&text[range.start - 1..range.start], &text[range.end..=range.end]), ("[", "]"));
        }
    }
    assert!(document.needs.iter().all(|need| good(need.span)));
    let tasks: std::collections::HashSet<u32> = document.tasks.iter().map(|task| task.line).collect();
    assert_eq!(tasks.len(), document.tasks.len(), "two tasks on one line");
    assert!(document.ignored.iter().all(|ignored| !tasks.contains(&ignored.line)), "a task, and ignored");
}

/// Findings are told on any screen, bounded and harmless, and stand in the text.
pub(crate) fn assert_shown(source: &SourceText, document: &Document, found: &[Diagnostic]) {
    for finding in found {
        let places = finding.labels.iter().map(|label| label.span);
        assert!(places.into_iter().all(|span| source.text().get(span.range()).is_some()), "{finding:?}");
    }
    let account = Account::of(document);
    let width = [1, 20, 80][source.text().len() % 3];
    let screen = Screen { unicode: width > 20, ..Screen::plain(width) };
    let shown = specter::ui::check::check(&screen, source, &account, found);
    assert_harmless(&shown);
    assert!(shown.len() < 1 << 20, "{} bytes of findings", shown.len());
    let json = serde_json::to_string(&diagnostics_json(source, found)).unwrap();
    serde_json::from_str::<serde_json::Value>(&specter::text::json_safe(&json)).unwrap();
    let sarif = specter::report::sarif::sarif(&[(source.clone(), found.to_vec())]);
    serde_json::from_str::<serde_json::Value>(&sarif).unwrap();
}

/// Order has no circle, every task has its place, and the plan can be shown.
pub(crate) fn assert_plan(source: &SourceText, plan: &Plan, found: &[Diagnostic]) {
    assert_eq!(plan.tasks.len(), plan.planned.len());
    assert_acyclic(plan);
    for planned in &plan.planned {
        assert!(planned.role != Role::Run || !planned.lanes.is_empty(), "work in no lane");
    }
    let screen = Screen::plain([1, 80][source.text().len() % 2]);
    assert_harmless(&specter::ui::plan::plan_text(&screen, plan, &Manner::default(), None));
    let steps = specter::ui::plan::order(plan);
    assert_eq!(steps.len(), plan.runnable().count(), "steps that would run");
    let json = serde_json::to_string(&PlanJson::new(plan, source, found)).unwrap();
    serde_json::from_str::<serde_json::Value>(&json).unwrap();
}

fn assert_acyclic(plan: &Plan) {
    let graph = &plan.graph;
    let mut unmet: Vec<usize> =
        (0..graph.node_count() as u32).map(|n| graph.before(plan::graph::NodeIx(n)).len()).collect();
    let mut open: Vec<plan::graph::NodeIx> = (0..graph.node_count() as u32)
        .map(plan::graph::NodeIx)
        .filter(|node| unmet[node.ix()] == 0)
        .collect();
    let mut reached = 0;
    while let Some(node) = open.pop() {
        reached += 1;
        for edge in graph.after(node) {
            unmet[edge.to.ix()] -= 1;
            if unmet[edge.to.ix()] == 0 {
                open.push(edge.to);
            }
        }
    }
    assert_eq!(reached, graph.node_count(), "a circle");
}

//! Warnings about how tasks relate to one another (variance of real files): nothing here stops a run.
//!
//! Knows the document, its resolved dependencies and the roles; adds no edge.

use super::files::Shared;
use super::findings::Findings;
use super::lanes::Layout;
use super::resolve::{Ends, Need, Needs};
use super::{LeftOut, Role, build};
use crate::diagnostic::{Code, Diagnostic};
use crate::task::{Document, NeedForm, PhaseKind, Task, TaskIx};
use crate::text::{count, safe};
use std::collections::HashMap;

/// Tasks of a range that are looked at for each task that names it; a range may be named by every task of the file.
const LOOKED_AT: usize = 64;

/// What is read.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) document: &'a Document,
    pub(super) layout: &'a Layout,
    pub(super) needs: &'a Needs,
    pub(super) roles: &'a [Role],
    pub(super) shared: &'a [Shared],
}

pub(super) fn relations(read: Read<'_>, found: &mut Findings) {
    same_file(read, found);
    manual(read, found);
    for need in &read.needs.list {
        if need.form != NeedForm::Prose {
            done_needs_open(read, need, found);
            phase_conflict(read, need, found);
        }
    }
    for (n, task) in read.document.tasks.iter().enumerate() {
        if read.roles[n] == Role::Run {
            about_task(task, found);
        }
    }
}

fn id(task: &Task) -> String {
    format!("`{}`", safe(task.id.as_str()))
}

/// Once per path: who shares it.
fn same_file(read: Read<'_>, found: &mut Findings) {
    let mut by_path: HashMap<&str, Vec<TaskIx>> = HashMap::new();
    let mut order = Vec::new();
    let open = |task: TaskIx| read.roles[task.ix()] == Role::Run;
    for shared in read.shared.iter().filter(|shared| open(shared.first) && open(shared.then)) {
        let tasks = by_path.entry(&shared.path).or_insert_with(|| {
            order.push(shared.path.as_str());
            vec![shared.first]
        });
        tasks.push(shared.then);
    }
    for path in order {
        let tasks = &by_path[path];
        let (first, last) = (read.document.task(tasks[0]), read.document.task(tasks[tasks.len() - 1]));
        let who = match tasks.len() {
            2 => format!("{} and {} are both `[P]`", id(first), id(last)),
            many => format!("{} and {} are all `[P]`", id(first), count(many as u64 - 1, "other task")),
        };
        found.push(
            Diagnostic::warning(
                Code::SameFile,
                format!("{who} and name `{}`; they will not overlap", safe(path)),
            )
            .at(last.id_span, "comes after")
            .at(first.id_span, "comes first"),
        );
    }
}

fn done_needs_open(read: Read<'_>, need: &Need, found: &mut Findings) {
    let is_open = |task: &&TaskIx| matches!(read.roles[task.ix()], Role::Run | Role::LeftOut(_));
    for dependent in need.dependent.tasks().iter().filter(|task| read.roles[task.ix()] == Role::Done) {
        let Some(open) = need.on.tasks().iter().take(LOOKED_AT).find(is_open) else { continue };
        let (done, open) = (read.document.task(*dependent), read.document.task(*open));
        found.push(
            Diagnostic::warning(
                Code::DoneNeedsOpen,
                format!("{} is ticked, but {}, which it needs, is not", id(done), id(open)),
            )
            .at(need.span, "needed here")
            .at(open.id_span, "still open"),
        );
    }
}

/// A dependency on a later task against the order of phases or a checkpoint between them.
fn phase_conflict(read: Read<'_>, need: &Need, found: &mut Findings) {
    let dependents = need.dependent.tasks();
    let against = dependents.iter().find_map(|dependent| {
        let conflict = |other: &&TaskIx| **other > *dependent && comes_first(read, *dependent, **other);
        need.on.tasks().iter().rev().take(LOOKED_AT).find(conflict).map(|other| (*dependent, *other))
    });
    let Some((dependent, other)) = against else { return };
    let (dependent, other) = (read.document.task(dependent), read.document.task(other));
    let message = format!(
        "{} needs {}, which stands in a later phase or behind a checkpoint",
        id(dependent),
        id(other)
    );
    found.push(
        Diagnostic::warning(Code::PhaseConflict, message)
            .at(need.span, "this dependency wins")
            .at(other.id_span, "comes first now")
            .help(format!("move {} behind {} if that is meant", id(dependent), id(other))),
    );
}

/// Whether phases or checkpoints put `a` before `b`, which stands later in the file.
fn comes_first(read: Read<'_>, a: TaskIx, b: TaskIx) -> bool {
    let (layout, late) = (read.layout, read.document.task(b));
    let (from, to) = (layout.stretch(a), layout.stretch(b));
    let by_phase = from < to
        && match layout.kinds[to] {
            _ if late.all_stories => true,
            PhaseKind::Foundation | PhaseKind::Story => {
                matches!(layout.kinds[from], PhaseKind::Setup | PhaseKind::Foundation)
            }
            PhaseKind::Setup | PhaseKind::Polish | PhaseKind::Other => true,
        };
    let by_checkpoint = || {
        let shared = layout.lanes(a).iter().filter(|lane| layout.lanes(b).contains(lane));
        shared.into_iter().any(|lane| layout.level(*lane, a) < layout.level(*lane, b))
    };
    by_phase || by_checkpoint()
}

fn about_task(task: &Task, found: &mut Findings) {
    if !build::says_work(task) && uses_git(&task.title) {
        found.push(
            Diagnostic::warning(
                Code::GitTask,
                format!("{} changes the repository's history itself", id(task)),
            )
            .at(task.span, "this asks to commit, push or switch branches")
            .help("run it by hand, or alone"),
        );
    }
}

/// Titles that ask to commit, push, switch branches or open a pull request.
fn uses_git(title: &str) -> bool {
    // Most titles hold none of these; a look at the bytes is cheaper than a copy in lower case.
    let hint = |part: &str| {
        title.as_bytes().windows(part.len()).any(|own| own.eq_ignore_ascii_case(part.as_bytes()))
    };
    if !["comm", "push", "git ", " pr", "pull"].iter().any(|part| hint(part)) {
        return false;
    }
    let lower = title.to_lowercase();
    let begins = [
        "commit ",
        "commit:",
        "push ",
        "git commit",
        "git push",
        "open a pr",
        "open pr",
        "create pr",
        "create a pr",
    ];
    let holds = [
        "`git commit",
        "`git push",
        "`git checkout",
        "`git switch",
        "`git merge",
        "`git rebase",
        "commit and push",
        "open a pull request",
        "create a pull request",
        "create pull request",
    ];
    let start = lower.trim_start_matches(['*', '_', '`', ' ']);
    begins.iter().any(|words| start.starts_with(words)) || holds.iter().any(|words| lower.contains(words))
}

/// Said once of each that something waits for; that a task is manual the parser says.
fn manual(read: Read<'_>, found: &mut Findings) {
    let mut said = vec![false; read.document.tasks.len()];
    for need in read.needs.list.iter().filter(|need| need.form != NeedForm::Prose) {
        let (Ends::One(dependent), Ends::One(on)) = (&need.dependent, &need.on) else { continue };
        let waits =
            read.roles[dependent.ix()] == Role::Run && read.roles[on.ix()] == Role::LeftOut(LeftOut::Manual);
        if !waits || std::mem::replace(&mut said[on.ix()], true) {
            continue;
        }
        let (dependent, on) = (read.document.task(*dependent), read.document.task(*on));
        let message = format!("{} waits for {}, which a person has to do", id(dependent), id(on));
        found.push(
            Diagnostic::warning(Code::ManualTask, message)
                .at(on.id_span, "for a person")
                .help(format!("tick {} once it is done", id(on))),
        );
    }
}

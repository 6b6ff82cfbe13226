//! The texts of `specter checkpoints`, `rollback` and `recover`.

use super::sheet::Sheet;
use super::text::{elide, elide_middle, pad, pad_left, plural, some_of, thousands, width};
use super::theme::{Label, Screen, Sign};
use crate::projection::kept::{
    BoxJson, ChangeJson, CheckpointJson, CheckpointsJson, CommitJson, FileJson, KeptJson, KeptState,
    RecoverJson, RollbackJson, ShownJson,
};
use crate::text::safe;

/// So many files or boxes are listed; more are counted.
const LISTED: usize = 40;
/// The widest a column of names gets.
const NAMES: usize = 40;

/// `2026-01-31 14:20Z` of an RFC 3339 stamp.
fn minute(at: &str) -> String {
    match (at.get(..10), at.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute}Z"),
        _ => safe(at),
    }
}

fn files(n: u64) -> String {
    if n == 1 { "1 file".to_owned() } else { format!("{} files", thousands(n)) }
}

/// Columns of one row: all but the last have the width of the widest.
fn table(sheet: &mut Sheet<'_>, rows: &[Vec<String>], labels: &[Option<Label>]) {
    let columns = labels.len();
    let widest: Vec<usize> =
        (0..columns).map(|n| rows.iter().map(|row| width(&row[n])).max().unwrap_or(0)).collect();
    let screen = *sheet.screen();
    for row in rows {
        let mut line = String::new();
        let mut used = 0;
        for (n, cell) in row.iter().enumerate() {
            let is_last = n + 1 == columns;
            line.push_str("  ");
            used += 2;
            let cell = if is_last {
                elide_middle(cell, screen.width.saturating_sub(used).max(8), screen.sign(Sign::Ellipsis))
            } else {
                pad(cell, widest[n])
            };
            used += width(&cell);
            match labels[n] {
                Some(label) => line.push_str(&screen.paint(label, &cell).to_string()),
                None => line.push_str(&cell),
            }
        }
        sheet.line(line.trim_end());
    }
}

// ── checkpoints ──────────────────────────────────────────────────────────────────────────────────────────────────

pub fn checkpoints(screen: &Screen, known: &CheckpointsJson) -> String {
    let mut sheet = Sheet::new(screen);
    if known.checkpoints.is_empty() {
        sheet.line("no checkpoints yet");
        sheet.words("", "a run in a git repository makes one after each task and before each phase");
        return sheet.done();
    }
    for of_run in known.checkpoints.chunk_by(|a, b| a.run == b.run) {
        sheet.section(&format!("Run {}", of_run[0].run));
        let rows: Vec<Vec<String>> =
            of_run.iter().map(|checkpoint| checkpoint_row(screen, checkpoint)).collect();
        let labels = [Some(Label::Id), None, None, None, Some(Label::Dim)];
        table(&mut sheet, &rows, &labels);
    }
    if !screen.quiet {
        sheet.blank();
        sheet.line("go back with");
        sheet.command("  ", "specter rollback --dry-run --to NAME");
        if known.checkpoints.windows(2).any(|pair| pair[0].run != pair[1].run) {
            sheet.line("of an earlier run with");
            sheet.command("  ", "specter rollback --dry-run --to RUN/NAME");
        }
    }
    sheet.done()
}

fn checkpoint_row(screen: &Screen, checkpoint: &CheckpointJson) -> Vec<String> {
    let differ = match (checkpoint.files, &checkpoint.commit) {
        (_, None) => "missing".to_owned(),
        (None, _) => String::new(),
        (Some(0), _) => "no change".to_owned(),
        (Some(n), _) => files(n),
    };
    vec![
        elide(&safe(&checkpoint.name), NAMES, screen.sign(Sign::Ellipsis)),
        minute(&checkpoint.at),
        pad_left(&format!("{} done", checkpoint.done), 7),
        differ,
        safe(&checkpoint.reference),
    ]
}

// ── rollback ─────────────────────────────────────────────────────────────────────────────────────────────────────

pub fn rollback(screen: &Screen, rollback: &RollbackJson, next: &str) -> String {
    let mut sheet = Sheet::new(screen);
    let did = if rollback.dry_run { "would go back" } else { "went back" };
    sheet.words("", &format!("{did} to {}, run {}", rollback.to, rollback.run));
    let row = |count: usize, how: &str| (count > 0).then(|| format!("{} {how}", thousands(count as u64)));
    let of = |change: ChangeJson| rollback.files.iter().filter(|file| file.change == change).count();
    let changed = [
        row(of(ChangeJson::Added), "added"),
        row(of(ChangeJson::Changed), "changed"),
        row(of(ChangeJson::Removed), "removed"),
    ];
    sheet.row("files", &or_unchanged(changed.into_iter().flatten().collect()));
    list(&mut sheet, rollback.files.iter().map(file_line));
    let boxes = [row(rollback.cleared.len(), "cleared"), row(rollback.ticked.len(), "ticked")];
    sheet.row("boxes", &or_unchanged(boxes.into_iter().flatten().collect()));
    list(&mut sheet, rollback.cleared.iter().map(|cleared| box_line("[ ]", cleared)));
    list(&mut sheet, rollback.ticked.iter().map(|ticked| box_line("[x]", ticked)));
    for (label, ids) in [("open again", &rollback.reopened), ("done again", &rollback.done)] {
        if !ids.is_empty() {
            sheet.row(label, &some_of(ids, 12));
        }
    }
    for path in &rollback.kept {
        sheet.words("  ", &format!("`{path}` was written in that very moment and stays as it is"));
    }
    if !rollback.commits.is_empty() {
        sheet.row("commits", "stay on the branch, with work that is open again; `git revert` undoes one");
        list(&mut sheet, rollback.commits.iter().map(commit_line));
    }
    sheet.row("saved as", &rollback.saved.name);
    if screen.verbose > 0 {
        sheet.row("reference", &rollback.saved.reference);
    }
    if !screen.quiet {
        sheet.blank();
        if rollback.dry_run {
            sheet.line("nothing was changed; without `--dry-run` it is done");
        } else {
            sheet.line("go on from there, or undo it");
            sheet.command("  ", next);
            sheet.command("  ", &format!("specter rollback --to {}", rollback.saved.name));
        }
    }
    sheet.done()
}

fn commit_line(commit: &CommitJson) -> String {
    let short = commit.commit.get(..10).unwrap_or(&commit.commit);
    format!("{short} on {}: {}", commit.branch, commit.tasks.join(", "))
}

fn or_unchanged(parts: Vec<String>) -> String {
    if parts.is_empty() { "all as they were then".to_owned() } else { parts.join(", ") }
}

fn list(sheet: &mut Sheet<'_>, lines: impl ExactSizeIterator<Item = String>) {
    let more = lines.len().saturating_sub(LISTED);
    for line in lines.take(LISTED) {
        sheet.path("    ", &line);
    }
    if more > 0 {
        sheet.line(format!("    {} {} more", sheet.screen().sign(Sign::Ellipsis), thousands(more as u64)));
    }
}

fn sign(change: ChangeJson) -> char {
    match change {
        ChangeJson::Added => '+',
        ChangeJson::Changed => '~',
        ChangeJson::Removed => '-',
    }
}

fn file_line(file: &FileJson) -> String {
    format!("{} {}", sign(file.change), safe(&file.path))
}

fn box_line(mark: &str, changed: &BoxJson) -> String {
    format!("{mark} {} at line {}", safe(&changed.task), changed.line)
}

// ── recover ──────────────────────────────────────────────────────────────────────────────────────────────────────

pub fn recover(screen: &Screen, known: &RecoverJson) -> String {
    let mut sheet = Sheet::new(screen);
    if known.attempts.is_empty() && known.rescued.is_empty() && known.leased.is_empty() {
        sheet.line("nothing is kept yet");
        sheet.words("", "what attempts with working trees of their own leave is kept: `specter implement --isolation worktree`");
        return sheet.done();
    }
    for (heading, list) in [("Attempts", &known.attempts), ("Rescued", &known.rescued)] {
        if list.is_empty() {
            continue;
        }
        sheet.section(heading);
        let rows: Vec<Vec<String>> = list.iter().map(|kept| kept_row(screen, kept)).collect();
        table(&mut sheet, &rows, &[Some(Label::Id), None, None, None, Some(Label::Dim)]);
    }
    if !known.leased.is_empty() {
        sheet.section("Working trees in use");
        for leased in &known.leased {
            sheet.words("  ", &format!("{}/{}: {}", leased.task, leased.attempt, leased.why));
            sheet.path("    ", &safe(&leased.path));
        }
    }
    let is_any = !known.attempts.is_empty() || !known.rescued.is_empty();
    if !screen.quiet && is_any {
        sheet.blank();
        sheet.line("look closer, or get files back");
        sheet.command("  ", "specter recover show NAME");
        sheet.command("  ", "specter recover restore NAME [PATH]... [--to DIR]");
    }
    sheet.done()
}

fn kept_row(screen: &Screen, kept: &KeptJson) -> Vec<String> {
    vec![
        elide_middle(&safe(&kept.name), NAMES, screen.sign(Sign::Ellipsis)),
        minute(&kept.at),
        kept.state.words().to_owned(),
        files(kept.files),
        safe(&kept.reference),
    ]
}

pub fn shown(screen: &Screen, shown: &ShownJson) -> String {
    let mut sheet = Sheet::new(screen);
    let kept = &shown.kept;
    match (&kept.task, kept.attempt) {
        (Some(task), Some(attempt)) => sheet.words("", &format!("{task} attempt {attempt}")),
        _ => sheet.words("", &kept.what),
    }
    for (label, value) in [
        ("run", kept.run.as_str()),
        ("saved", minute(&kept.at).as_str()),
        ("state", kept.state.words()),
        ("base", shown.base.as_deref().unwrap_or_default()),
        ("commit", &kept.commit),
        ("reference", &kept.reference),
    ] {
        if !value.is_empty() {
            sheet.row(label, value);
        }
    }
    sheet.section(&plural(shown.files.len(), "file"));
    let rows: Vec<Vec<String>> = shown.files.iter().map(shown_row).collect();
    table(&mut sheet, &rows, &[None, None, None]);
    if !screen.quiet {
        sheet.blank();
        let name = safe(&kept.name);
        sheet.command("  ", &format!("specter recover diff {name}"));
        sheet.command("  ", &format!("specter recover restore {name} [PATH]..."));
        if kept.state == KeptState::Review {
            sheet.command("  ", &format!("specter recover accept {name}"));
        }
    }
    sheet.done()
}

fn shown_row(file: &FileJson) -> Vec<String> {
    let lines = match (file.added, file.removed) {
        (None, None) => "no text".to_owned(),
        (added, removed) => format!("+{} -{}", added.unwrap_or(0), removed.unwrap_or(0)),
    };
    let ignored = if file.ignored { " (git ignores it)" } else { "" };
    vec![sign(file.change).to_string(), lines, format!("{}{ignored}", safe(&file.path))]
}

/// A line of a patch for a terminal: coloured by what it is, nothing raw in it.
pub fn patch_line(screen: &Screen, kind: char, line: &str) -> String {
    let shown = safe(line);
    let text = if matches!(kind, '+' | '-' | ' ') { format!("{kind}{shown}") } else { shown };
    match kind {
        '+' | '>' => screen.paint(Label::Done, text).to_string(),
        '-' | '<' => screen.paint(Label::Failed, text).to_string(),
        'H' => screen.paint(Label::Running, text).to_string(),
        'F' => screen.paint(Label::Heading, text).to_string(),
        _ => text,
    }
}

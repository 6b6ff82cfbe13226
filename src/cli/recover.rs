//! `recover`: what attempts left and specter keeps, listed, shown, compared, brought back, accepted.

use super::args::{Format, Global, Recover, RecoverWhat, Restore};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::ground::{Base, Ground, finish_rollback};
use super::out;
use super::rollback::{change, words};
use super::stage::{self, Stream};
use super::target::{self, Target};
use crate::event::{Event, EventKind};
use crate::fs::shown;
use crate::git::{self, Git, Kept, Run, Unmatched, WrittenOut};
use crate::journal::{LockError, RunId};
use crate::projection::kept::{FileJson, KeptJson, KeptState, LeasedJson, RecoverJson, ShownJson};
use crate::projection::schema::VERSION;
use crate::projection::time::rfc3339;
use crate::text::{count, nearest, safe, without_dots};
use crate::ui;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Candidates named in an error.
const MAX_LISTED: usize = 20;

pub(super) fn recover(global: &Global, given: &Recover) -> Result<Exit, Error> {
    let list = RecoverWhat::List { format: given.format };
    let what = given.what.as_ref().unwrap_or(&list);
    let Some(ground) = ground(global)? else {
        return nothing(global, what);
    };
    let command = Command { global, ground };
    match what {
        RecoverWhat::List { format } => command.list(*format),
        RecoverWhat::Show { attempt, format } => command.show(attempt, *format),
        RecoverWhat::Diff { attempt, paths } => command.diff(attempt, paths),
        RecoverWhat::Restore(given) => command.restore(given),
        RecoverWhat::Accept { attempt } => super::accept::accept(&command, attempt),
    }
}

/// Also where the state directory was deleted: what is kept is in the repository.
fn ground(global: &Global) -> Result<Option<Ground>, Error> {
    if let Some(ground) = Ground::of_project(global, None)? {
        return Ok(Some(ground));
    }
    let target = Target::bare(&target::here()?);
    if !git::keeps_anything(&target.project) {
        return Ok(None);
    }
    let config = stage::configuration(global, &target, &[])?.config;
    stage::open_store(global, &config, &target)?;
    Ground::of_project(global, None)
}

fn nothing(global: &Global, what: &RecoverWhat) -> Result<Exit, Error> {
    let known =
        RecoverJson { schema: VERSION, attempts: Vec::new(), rescued: Vec::new(), leased: Vec::new() };
    match what {
        RecoverWhat::List { format: Format::Json } => out::json(&known)?,
        RecoverWhat::List { format: Format::Text } => {
            let target = Target::bare(&target::here()?);
            let config = stage::configuration(global, &target, &[])?.config;
            out::text(&ui::kept::recover(&stage::screen(global, &config, Stream::Out), &known))?;
        }
        _ => return Err(Error::usage("nothing is kept yet").hint("`specter recover` lists what is")),
    }
    Ok(Exit::Done)
}

pub(super) struct Command<'a> {
    pub(super) global: &'a Global,
    pub(super) ground: Ground,
}

/// Something kept, and what is known of it.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) kept: Kept,
    pub(super) json: KeptJson,
}

impl Command<'_> {
    fn list(&self, format: Format) -> Result<Exit, Error> {
        let (git, leased) = self.taken_up()?;
        let (attempts, rescued) = known(&self.ground, &git)?
            .into_iter()
            .map(|known| known.json)
            .partition(|json| json.state != KeptState::Rescued);
        let known = RecoverJson { schema: VERSION, attempts, rescued, leased };
        match format {
            Format::Json => out::json(&known)?,
            Format::Text => {
                let screen = stage::screen(self.global, &self.ground.config, Stream::Out);
                out::text(&ui::kept::recover(&screen, &known))?;
            }
        }
        Ok(Exit::Done)
    }

    /// The repository with everything saved that a run which died left, unless a run is at work; and the working
    /// trees that hold what is not saved.
    fn taken_up(&self) -> Result<(Git, Vec<LeasedJson>), Error> {
        let ground = &self.ground;
        let newest = ground.store.latest(None)?;
        let (git, why) = match (ground.store.lock("specter recover", ground.clock.wall_ms()), newest) {
            (Ok(lock), Some(run)) => {
                (ground.base(run, lock)?.git, "what it holds cannot all be saved: it stays as it is")
            }
            (Err(LockError::Held { .. }), Some(run)) => (ground.git(&run)?, "a run is at work in it"),
            (_, newest) => (ground.git(&newest.unwrap_or_else(no_run))?, "nobody knows its run"),
        };
        let mut leased = Vec::new();
        for worktree in ground.pool(&git).map(|pool| git.leased(&pool)).transpose()?.unwrap_or_default() {
            leased.push(LeasedJson {
                task: worktree.attempt().task.clone(),
                attempt: worktree.attempt().number,
                path: words(worktree.root()),
                why: why.to_owned(),
            });
        }
        Ok((git, leased))
    }

    fn show(&self, wanted: &str, format: Format) -> Result<Exit, Error> {
        let (git, _) = self.taken_up()?;
        let found = self.find(&git, wanted)?;
        let files = git.changes(&found.kept)?.into_iter().map(|file| FileJson {
            path: words(&file.path),
            change: change(file.how),
            added: file.lines.map(|(added, _)| added as u64),
            removed: file.lines.map(|(_, removed)| removed as u64),
            ignored: file.is_ignored,
        });
        let json = ShownJson {
            schema: VERSION,
            base: found.kept.base.map(|base| base.to_string()),
            files: files.collect(),
            kept: found.json,
        };
        match format {
            Format::Json => out::json(&json)?,
            Format::Text => {
                let screen = stage::screen(self.global, &self.ground.config, Stream::Out);
                out::text(&ui::kept::shown(&screen, &json))?;
            }
        }
        Ok(Exit::Done)
    }

    /// As it is to a pipe or file, so that it can be applied; to a terminal without anything that could steer it.
    fn diff(&self, wanted: &str, paths: &[PathBuf]) -> Result<Exit, Error> {
        let (git, _) = self.taken_up()?;
        let found = self.find(&git, wanted)?;
        let paths = in_root(&git, paths)?;
        let screen = stage::screen(self.global, &self.ground.config, Stream::Out);
        let mut printer = out::Pieces::new();
        let is_terminal = printer.is_terminal();
        git.patch(&found.kept, &paths, !is_terminal, &mut |kind, content| {
            let has_sign = matches!(kind, '+' | '-' | ' ');
            if !is_terminal {
                return (!has_sign || printer.put(&[kind as u8])) && printer.put(content);
            }
            let text = String::from_utf8_lossy(content).into_owned();
            let mut lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
            lines.all(|line| {
                printer.put(format!("{}\n", ui::kept::patch_line(&screen, kind, line)).as_bytes())
            })
        })?;
        printer.end()?;
        Ok(Exit::Done)
    }

    fn restore(&self, given: &Restore) -> Result<Exit, Error> {
        let Some(dir) = &given.to else { return self.put_back(given) };
        let (git, _) = self.taken_up()?;
        let found = self.find(&git, &given.attempt)?;
        let paths = in_root(&git, &given.paths)?;
        let WrittenOut { written, stay } =
            git.write_out(&found.kept, &paths, dir)?.map_err(|paths| unmatched(&found, &paths))?;
        let dir = shown(dir);
        if !stay.is_empty() {
            let list: Vec<String> =
                stay.iter().take(MAX_LISTED).map(|path| format!("  {}", shown(path))).collect();
            let stand = match stay.len() {
                1 => "1 file stands there already, with other content, and was".to_owned(),
                n => format!("{n} files stand there already, with other content, and were"),
            };
            let what = format!("`{dir}`: {stand} left as it is:\n{}", list.join("\n"));
            return Err(Error::message(Kind::Io, what).hint("name an empty directory"));
        }
        self.say(&format!(
            "{} of {} written to `{dir}`",
            count(written.len() as u64, "file"),
            safe(&found.json.name)
        ))
    }

    fn put_back(&self, given: &Restore) -> Result<Exit, Error> {
        let mut base = self.base()?;
        let found = self.find(&base.git, &given.attempt)?;
        let paths = in_root(&base.git, &given.paths)?;
        let save_as = next_name(&base.git)?;
        let restored =
            base.git.put_back(&found.kept, &paths, &save_as)?.map_err(|paths| unmatched(&found, &paths))?;
        let mut lines = vec![format!(
            "{} of {} brought back",
            count(restored.paths.len() as u64, "file"),
            safe(&found.json.name)
        )];
        lines.extend(restored.paths.iter().take(MAX_LISTED).map(|path| format!("  {}", shown(path))));
        if restored.paths.len() > MAX_LISTED {
            lines.push(format!("  … and {} more", restored.paths.len() - MAX_LISTED));
        }
        for path in &restored.kept {
            lines.push(format!("`{}` was written in that very moment and stays as it is", shown(path)));
        }
        if let Some(rescued) = &restored.rescued {
            lines.push(format!("files that git ignores and that were replaced are kept as {rescued}"));
        }
        lines.push(format!("what was there before: `specter rollback --to {save_as}`"));
        self.say(&lines.join("\n"))
    }

    /// The newest run of the project, taken up, with the lock held.
    pub(super) fn base(&self) -> Result<Base, Error> {
        let lock = self.ground.lock()?;
        let newest = self.ground.store.latest(None)?.ok_or_else(|| {
            Error::message(Kind::Preflight, "there is no run of this project any more")
                .hint("bring files back into another directory: `specter recover restore NAME --to DIR`")
        })?;
        let mut base = self.ground.base(newest, lock)?;
        if let Some((finished, _)) = finish_rollback(&self.ground, &mut base)? {
            self.ground.say(&format!("a going back to {} that was cut off is finished", safe(&finished.to)));
        }
        Ok(base)
    }

    pub(super) fn say(&self, text: &str) -> Result<Exit, Error> {
        if self.ground.config.verbosity >= 0 {
            out::text(&format!("{text}\n"))?;
        }
        Ok(Exit::Done)
    }

    /// The one attempt that is meant.
    pub(super) fn find(&self, git: &Git, wanted: &str) -> Result<Known, Error> {
        let all = known(&self.ground, git)?;
        let matching: Vec<&Known> = all.iter().filter(|known| is_meant(&known.json, wanted)).collect();
        match matching.as_slice() {
            [one] => Ok((*one).clone()),
            [] => other_reference(git, wanted, &all),
            several => {
                let list: Vec<String> = several
                    .iter()
                    .take(MAX_LISTED)
                    .map(|known| format!("  {}  {}", safe(&known.json.name), known.json.state.words()))
                    .collect();
                let what = format!("`{}` may mean several:\n{}", safe(wanted), list.join("\n"));
                Err(Error::usage(what).hint("name the one you mean"))
            }
        }
    }
}

/// Checkpoints and whatever else specter keeps can be looked at too.
fn other_reference(git: &Git, wanted: &str, all: &[Known]) -> Result<Known, Error> {
    let Some(commit) = git.find(wanted)? else {
        let near = nearest(wanted, all.iter().map(|known| known.json.name.as_str()));
        return Err(Error::usage(format!("nothing is kept by the name `{}`", safe(wanted)))
            .maybe_hint(near.map(|near| format!("did you mean `{}`?", safe(near))))
            .hint("`specter recover` lists everything"));
    };
    let at = git.made_at(commit)?;
    let kept = Kept {
        reference: wanted.to_owned(),
        run: String::new(),
        attempt: None,
        commit,
        base: None,
        at,
        title: "a saved state of the files".to_owned(),
    };
    Ok(Known { json: json_of(git, &kept, wanted, "", KeptState::Rescued)?, kept })
}

fn no_run() -> RunId {
    // Of no run: no clock has ever said so.
    RunId::parse("00000000-000000-0000").unwrap_or_else(|| unreachable!("it has the shape of a run's name"))
}

/// Everything that is kept, with the shortest name that means it alone.
pub(super) fn known(ground: &Ground, git: &Git) -> Result<Vec<Known>, Error> {
    let runs: HashMap<String, RunId> =
        ground.store.runs()?.into_iter().map(|run| (Run::new(run.as_str()).name().to_owned(), run)).collect();
    let kept = git.kept()?;
    let mut of_task: HashMap<(String, u32), usize> = HashMap::new();
    for attempt in kept.iter().filter_map(|kept| kept.attempt.as_ref()) {
        *of_task.entry((attempt.task.clone(), attempt.number)).or_default() += 1;
    }
    let mut states: HashMap<String, States> = HashMap::new();
    let mut all = Vec::with_capacity(kept.len());
    for kept in kept {
        let run = runs.get(&kept.run).map_or(kept.run.as_str(), RunId::as_str).to_owned();
        let (name, state) = match &kept.attempt {
            Some(attempt) => {
                let short = format!("{}/{}", attempt.task, attempt.number);
                let is_alone = of_task.get(&(attempt.task.clone(), attempt.number)) == Some(&1);
                if !states.contains_key(&kept.run) {
                    let of_run = States::of(ground, git, runs.get(&kept.run), &kept.run)?;
                    states.insert(kept.run.clone(), of_run);
                }
                let state = states.get(&kept.run).map_or(KeptState::Saved, |states| states.state(attempt));
                (if is_alone { short } else { format!("{run}/{short}") }, state)
            }
            None => {
                let number = kept.reference.rsplit('/').next().unwrap_or_default();
                (format!("{run}/rescued/{number}"), KeptState::Rescued)
            }
        };
        all.push(Known { json: json_of(git, &kept, &name, &run, state)?, kept });
    }
    Ok(all)
}

fn json_of(git: &Git, kept: &Kept, name: &str, run: &str, state: KeptState) -> Result<KeptJson, Error> {
    Ok(KeptJson {
        name: name.to_owned(),
        run: run.to_owned(),
        task: kept.attempt.as_ref().map(|attempt| attempt.task.clone()),
        attempt: kept.attempt.as_ref().map(|attempt| attempt.number),
        at: rfc3339(kept.at.max(0) as u64 * 1000),
        state,
        files: git.count_changes(kept)? as u64,
        reference: kept.reference.clone(),
        commit: kept.commit.to_string(),
        what: kept.title.clone(),
    })
}

/// `T012`, `T012/2`, `RUN/T012/2`, its name, its reference.
fn is_meant(json: &KeptJson, wanted: &str) -> bool {
    let same = |name: &str| name.eq_ignore_ascii_case(wanted);
    let of_attempt = json.task.as_ref().zip(json.attempt).is_some_and(|(task, attempt)| {
        same(task) || same(&format!("{task}/{attempt}")) || same(&format!("{}/{task}/{attempt}", json.run))
    });
    of_attempt || same(&json.name) || json.reference == wanted
}

/// What became of the attempts of a run.
#[derive(Default)]
struct States(HashMap<git::Attempt, KeptState>);

impl States {
    fn of(ground: &Ground, git: &Git, run: Option<&RunId>, name: &str) -> Result<States, Error> {
        let mut states = States::default();
        if let Some(run) = run {
            for event in ground.store.load(run)?.events {
                states.apply(&event);
            }
        }
        // Also where the run's record is gone, or lags behind.
        for attempt in git.all_integrated(name)?.into_keys() {
            let state = states.0.entry(attempt).or_insert(KeptState::Integrated);
            if *state != KeptState::RolledBack {
                *state = KeptState::Integrated;
            }
        }
        Ok(states)
    }

    fn apply(&mut self, event: &Event) {
        let mut set = |task: &crate::event::TaskRef, number: u32, state| {
            self.0.insert(git::Attempt { task: task.id.to_string(), number }, state);
        };
        match &event.kind {
            EventKind::Integrated { task, attempt, .. } => set(task, *attempt, KeptState::Integrated),
            EventKind::Conflicted { task, attempt, .. } => set(task, *attempt, KeptState::Conflict),
            EventKind::ReviewNeeded { task, attempt, .. } => set(task, *attempt, KeptState::Review),
            EventKind::Escaped { task, attempt, .. } => set(task, *attempt, KeptState::Escaped),
            EventKind::RolledBack { reopened, done, .. } => {
                for (attempt, state) in &mut self.0 {
                    let is_of =
                        |ids: &[crate::task::TaskId]| ids.iter().any(|id| id.as_str() == attempt.task);
                    match state {
                        KeptState::Integrated if is_of(reopened) => *state = KeptState::RolledBack,
                        KeptState::RolledBack if is_of(done) => *state = KeptState::Integrated,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn state(&self, attempt: &git::Attempt) -> KeptState {
        self.0.get(attempt).copied().unwrap_or(KeptState::Saved)
    }
}

/// The first free name for what is there before files are brought back.
fn next_name(git: &Git) -> Result<String, Error> {
    let taken: Vec<String> = git.checkpoints()?.into_iter().map(|checkpoint| checkpoint.name).collect();
    let name = |n: usize| format!("before-restore-{n}");
    // Of one more than there are, one is free.
    let mut free = (1..=taken.len() + 1).map(name).filter(|name| !taken.contains(name));
    Ok(free.next().unwrap_or_default())
}

/// Paths as people type them, from where they are, relative to the repository's root.
fn in_root(git: &Git, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let here = std::fs::canonicalize(target::here()?)?;
    let relative = |path: &PathBuf| {
        let full = without_dots(&here.join(path));
        full.strip_prefix(git.root()).map(Path::to_owned).map_err(|_| {
            Error::usage(format!("`{}` is outside the repository", shown(path)))
                .hint("name files as they are called in the project")
        })
    };
    paths.iter().map(relative).collect()
}

fn unmatched(found: &Known, paths: &[Unmatched]) -> Error {
    let list: Vec<String> =
        paths.iter().take(MAX_LISTED).map(|Unmatched(path)| format!("`{}`", shown(path))).collect();
    let what = format!("{} left no {}", safe(&found.json.name), list.join(", no "));
    Error::usage(what)
        .hint(format!("`specter recover show {}` lists what it changed", safe(&found.json.name)))
}

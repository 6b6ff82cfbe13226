//! The shell executor: the blocks of a task in order, and what they led to as one report (SPEC 2.2, 4.3, 5.3).

use super::capture::{Capture, report_tail};
use super::child::{self, Bounds, Cause, End};
use super::command::{Command, Commands};
use super::environment::Environment;
use super::guardian::Guardian;
use super::jobserver::{Jobserver, JobserverConfig};
use super::life::Setting;
use super::mask::Masker;
use super::repeat::LastFailures;
use super::sandbox::{Sandbox, SandboxConfig, Sandboxes, TEMPORARY_NAMES};
use super::stop::{Armed, StopHandle};
use super::tree::{TOKEN_IS, Trees};
use super::{Attempt, OutputObserver, Part};
use crate::classify::{self, Classified, Facts, Rules};
use crate::event::{AttemptOutcome, AttemptReport, BlockRef, FailureClass};
use crate::fs;
use crate::sys::{self, Dir, How, Launcher, LivePids, Pid, Strings};
use crate::task::{Block, BlockKind};
use crate::text;
use std::cell::RefCell;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What all attempts of a run share.
#[derive(Clone, Debug)]
pub struct ShellConfig {
    /// Where blocks run; absolute.
    pub project: PathBuf,
    /// The run's id: part of the token by which its processes are found.
    pub run: String,
    /// The run's directory: logs go to `tasks/<id>/attempt-<n>.log` in it.
    pub run_dir: PathBuf,
    /// specter's own environment.
    pub vars: Vec<(OsString, OsString)>,
    /// Variables that children get although their names look secret, from the user's own configuration.
    pub env_pass: Vec<String>,
    /// Variables whose values are secret although their names do not say so; a `*` at the end takes all that begin so.
    pub secrets: Vec<String>,
    /// What `sh` means.
    pub shell: PathBuf,
    /// Start every block by its shell, also where none is needed.
    pub force_shell: bool,
    /// Between TERM and KILL.
    pub grace: Duration,
    /// For an attempt; a block's own `timeout` counts instead for that block.
    pub timeout: Option<Duration>,
    pub rules: Rules,
    /// Try `npm ci` for a failed `npm install`, and the like.
    pub try_alternatives: bool,
    /// Somebody said how often to try: then also what fails in the same words is tried so often.
    pub retries_are_given: bool,
    /// The guardian's pid and table, if there is one.
    pub guard: Option<(Pid, LivePids)>,
    /// Without a guardian: where running sessions are noted. Executors of one process share one table.
    pub live: Option<LivePids>,
    /// Keep tasks from changing files elsewhere.
    pub sandbox: Option<SandboxConfig>,
    /// Let builds in tasks share the cores.
    pub jobserver: Option<JobserverConfig>,
}

impl ShellConfig {
    /// With the defaults of SPEC 4 and 5 and the environment of this process.
    pub fn new(project: PathBuf, run: String, run_dir: PathBuf) -> ShellConfig {
        ShellConfig {
            project,
            run,
            run_dir,
            vars: std::env::vars_os().collect(),
            env_pass: Vec::new(),
            secrets: Vec::new(),
            shell: PathBuf::from("/bin/sh"),
            force_shell: false,
            grace: Duration::from_secs(10),
            timeout: None,
            rules: Rules::default(),
            try_alternatives: false,
            retries_are_given: false,
            guard: None,
            live: None,
            sandbox: None,
            jobserver: None,
        }
    }

    /// Under the eyes of `guardian`.
    pub fn guarded_by(self, guardian: &Guardian) -> ShellConfig {
        ShellConfig { guard: Some((guardian.pid(), guardian.live())), ..self }
    }
}

/// Runs attempts whose work stands in the task's own blocks. Shared by all workers of a run.
pub struct ShellExecutor {
    pub(super) project: PathBuf,
    pub(super) run: String,
    pub(super) run_dir: Dir,
    environment: Environment,
    commands: Commands,
    pub(super) launcher: Launcher,
    pub(super) sandbox: Option<Sandboxes>,
    jobserver: Option<Jobserver>,
    /// What children are told of it.
    pub(super) told: Vec<(&'static str, Vec<u8>)>,
    pub(super) trees: Trees,
    pub(super) masker: Arc<Masker>,
    rules: Rules,
    pub(super) grace: Duration,
    timeout: Option<Duration>,
    try_alternatives: bool,
    /// `None` where everything is tried as often as was said.
    last_failures: Option<LastFailures>,
    lost_log_bytes: AtomicU64,
}

impl ShellExecutor {
    /// Makes this process the adopter of its orphaned descendants, and keeps what it has open from its children.
    pub fn new(config: ShellConfig) -> io::Result<ShellExecutor> {
        sys::adopt_orphans()?;
        sys::close_all_on_exec();
        let ShellConfig { project, run, run_dir, vars, env_pass, shell, force_shell, .. } = config;
        let masker = Arc::new(Masker::of_environment(&vars, &config.secrets));
        let vars = inherited(vars, config.sandbox.is_some());
        // Without one (no descriptors left, no /proc) builds take what they like, as they do by hand.
        let jobserver =
            config.jobserver.and_then(|wanted| Some((Jobserver::new(wanted.tokens).ok()?, wanted)));
        let told = jobserver
            .as_ref()
            .map(|(server, wanted)| server.variables(wanted.parallel_make, &vars, config.sandbox.is_some()));
        let jobserver = jobserver.map(|(server, _)| server);
        let told = told.unwrap_or_default();
        let environment = Environment::new(&vars, &env_pass, &project, &run, &told);
        let shell = path_string(&shell)?;
        fs::create_private_dirs(&run_dir).map_err(io::Error::other)?;
        let commands = Commands::new(&environment, shell, force_shell, run_dir.join("scripts"));
        let is_here = std::env::current_dir().is_ok_and(|here| here == project);
        let dir = if is_here { None } else { Some(path_string(&project)?) };
        let kept = jobserver.as_ref().map_or(&[][..], Jobserver::ends);
        let sandbox = config.sandbox.map(|sandbox| Sandboxes::new(sandbox, &project, dir.clone(), kept));
        let sandbox = sandbox.transpose()?;
        let launcher = Launcher::new(dir)?.handing_down(kept);
        let (guard, live) = match (config.guard, config.live) {
            (Some((pid, live)), _) => (Some(pid), live),
            (None, Some(live)) => (None, live),
            (None, None) => (None, LivePids::new()?),
        };
        Ok(ShellExecutor {
            masker,
            project,
            run,
            run_dir: Dir::open(&run_dir)?,
            environment,
            commands,
            launcher,
            sandbox,
            jobserver,
            told,
            trees: Trees::new(live, guard),
            rules: config.rules,
            grace: config.grace,
            timeout: config.timeout,
            try_alternatives: config.try_alternatives,
            last_failures: (!config.retries_are_given).then(LastFailures::default),
            lost_log_bytes: AtomicU64::new(0),
        })
    }

    /// For everything else that writes or shows what tasks printed.
    pub fn masker(&self) -> Arc<Masker> {
        Arc::clone(&self.masker)
    }

    pub(super) fn lost_log(&self, bytes: u64) {
        if bytes > 0 {
            self.lost_log_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Bytes of output that the disk refused, over all attempts.
    pub fn lost_log_bytes(&self) -> u64 {
        self.lost_log_bytes.load(Ordering::Relaxed)
    }

    /// For the end of a run, when no attempt runs any more: ends daemons that could not be traced to one attempt.
    pub fn clear_orphans(&self) -> Vec<String> {
        self.trees.clear_orphans()
    }

    /// So many attempts run or are about to begin.
    pub fn expect(&self, attempts: u32) {
        self.jobserver.iter().for_each(|server| server.expect(attempts));
    }

    /// A worker has no attempt to run: what it held of the cores goes to those that have.
    pub fn rest(&self) {
        self.jobserver.iter().for_each(Jobserver::rest);
    }

    /// Tokens of the jobserver that ended processes did not give back, so far as that is known.
    pub fn lost_tokens(&self) -> u64 {
        self.jobserver.as_ref().map_or(0, Jobserver::lost)
    }

    /// Runs one attempt on the calling thread: `run` blocks until one fails; where that failure is for good, the
    /// `fallback` blocks until one succeeds; then the `verify` blocks. Returns when nothing of it lives any more.
    pub fn run(
        &self,
        attempt: &Attempt<'_>,
        stop: &StopHandle,
        observer: &dyn OutputObserver,
    ) -> AttemptReport {
        let started = Instant::now();
        let seat = self.jobserver.as_ref().map(Jobserver::enter);
        let is_short = seat.as_ref().is_some_and(|seat| seat.is_short);
        let mut report = match stop.arm() {
            Ok(armed) => self.run_armed(attempt, stop, &armed, observer, (started, is_short)),
            Err(error) => self.not_started(None, &error.to_string()),
        };
        drop(seat);
        let now = Instant::now();
        report.duration = (now - started).saturating_sub(stop.paused(now));
        report
    }

    fn run_armed(
        &self,
        attempt: &Attempt<'_>,
        stop: &StopHandle,
        armed: &Armed<'_>,
        observer: &dyn OutputObserver,
        (started, is_short): (Instant, bool),
    ) -> AttemptReport {
        let (mut own, arguments) = ROOM.take();
        self.write_own(attempt, &mut own);
        // Dropped, and its directory with it, when nothing of the attempt lives any more.
        let sandbox = match self.sandbox.as_ref().map(|all| all.of(attempt.workspace)).transpose() {
            Ok(sandbox) => sandbox.flatten(),
            Err(error) => return self.not_started(None, &format!("no sandbox could be made: {error}")),
        };
        if let Some((_, place)) = &sandbox {
            let dir = place.path().as_os_str().as_bytes();
            TEMPORARY_NAMES.iter().for_each(|name| own.push(&[name.as_bytes(), b"=", dir]));
        }
        let capture = Capture::new(&self.masker, observer, attempt, &self.run_dir);
        let mut running = Running {
            shell: self,
            sandbox: sandbox.as_ref().map(|(sandbox, _)| &**sandbox),
            attempt,
            stop,
            armed,
            capture,
            own,
            arguments,
            started,
            is_short,
            report: AttemptReport::default(),
        };
        running.blocks();
        ROOM.set((std::mem::take(&mut running.own), std::mem::take(&mut running.arguments)));
        running.finish()
    }

    /// The part of the environment that is the attempt's own, its token first.
    pub(super) fn write_own(&self, attempt: &Attempt<'_>, own: &mut Strings) {
        let id = attempt.task.id.as_str().as_bytes();
        own.clear();
        own.write(|bytes| {
            for part in [TOKEN_IS.as_bytes(), self.run.as_bytes(), b"/", id, b"/"] {
                bytes.extend_from_slice(part);
            }
            text::put_number(bytes, u64::from(attempt.number));
        });
        own.push(&[b"SPECTER_TASK_ID=", id]);
        own.push(&[b"SPECTER_TASK_TITLE=", attempt.task.title.as_bytes()]);
    }

    fn not_started(&self, block: Option<BlockRef>, why: &str) -> AttemptReport {
        let outcome = AttemptOutcome::StartFailed(why.to_owned());
        let mut report = AttemptReport { outcome, block, ..AttemptReport::default() };
        let kind = block.map(|block| block.kind);
        let classified = classify::classify(&Facts { outcome: &report.outcome, kind, tail: "" }, &self.rules);
        apply(&mut report, classified);
        report
    }
}

/// In the sandbox, temporary files go to each attempt's own place instead of where specter was told to put them.
fn inherited(mut vars: Vec<(OsString, OsString)>, is_sandboxed: bool) -> Vec<(OsString, OsString)> {
    vars.retain(|(name, _)| !is_sandboxed || TEMPORARY_NAMES.iter().all(|known| name != known));
    vars
}

pub(super) fn path_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn apply(report: &mut AttemptReport, classified: Classified) {
    report.class = Some(classified.class);
    report.rule = Some(classified.rule);
    report.retry_after_ms = classified.retry_after.map(|wait| wait.as_millis() as u64);
}

thread_local! {
    /// What the last attempt of this worker used for its own environment and its arguments: room for the next.
    static ROOM: RefCell<(Strings, Strings)> = RefCell::default();
}

/// An attempt under way.
struct Running<'a> {
    shell: &'a ShellExecutor,
    sandbox: Option<&'a Sandbox>,
    attempt: &'a Attempt<'a>,
    stop: &'a StopHandle,
    armed: &'a Armed<'a>,
    capture: Capture<'a>,
    /// The part of the environment that is this attempt's.
    own: Strings,
    /// Room for the arguments of the next block.
    arguments: Strings,
    started: Instant,
    /// There was no token of the jobserver for it.
    is_short: bool,
    report: AttemptReport,
}

/// Whether a block did what it should; the report says what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Passed,
    Failed,
}

impl Running<'_> {
    fn blocks(&mut self) {
        if self.attempt.part == Part::All && self.work() == Step::Failed {
            return;
        }
        let task = self.attempt.task;
        for (number, block) in (1..).zip(task.blocks_of(BlockKind::Verify)) {
            if self.block(block, number, &block.code) == Step::Failed {
                return;
            }
            self.report.verified = true;
        }
    }

    fn work(&mut self) -> Step {
        let task = self.attempt.task;
        for (number, block) in (1..).zip(task.blocks_of(BlockKind::Run)) {
            if self.block(block, number, &block.code) == Step::Passed {
                continue;
            }
            if !self.has_failed_for_good() {
                return Step::Failed;
            }
            if self.fallbacks() == Step::Passed {
                return Step::Passed;
            }
            if self.alternatives(block, number) == Step::Failed {
                return Step::Failed;
            }
        }
        Step::Passed
    }

    /// Whether nobody will try again.
    fn has_failed_for_good(&self) -> bool {
        match self.report.class {
            Some(FailureClass::Cancelled) => false,
            Some(FailureClass::Permanent) => true,
            _ => self.attempt.last,
        }
    }

    fn fallbacks(&mut self) -> Step {
        let task = self.attempt.task;
        for (number, block) in (1..).zip(task.blocks_of(BlockKind::Fallback)) {
            match self.block(block, number, &block.code) {
                Step::Passed => {
                    self.report.by_fallback = true;
                    self.report.rule = Some("`run` failed, a `fallback` block succeeded".to_owned());
                    return Step::Passed;
                }
                Step::Failed if self.stop.requested().is_some() => break,
                Step::Failed => {}
            }
        }
        Step::Failed
    }

    fn alternatives(&mut self, block: &Block, number: u32) -> Step {
        if !self.shell.try_alternatives || self.report.class == Some(FailureClass::Cancelled) {
            return Step::Failed;
        }
        let failed = block.code.trim();
        for instead in classify::alternatives(failed) {
            match self.block(block, number, instead) {
                Step::Passed => {
                    self.report.by_fallback = true;
                    self.report.rule = Some(format!("`{failed}` failed, `{instead}` succeeded"));
                    return Step::Passed;
                }
                Step::Failed if self.stop.requested().is_some() => break,
                Step::Failed => {}
            }
        }
        Step::Failed
    }

    fn block(&mut self, block: &Block, number: u32, code: &str) -> Step {
        let place = BlockRef { kind: block.kind, number, line: block.line };
        self.report.block = Some(place);
        if self.stop.requested().is_some() {
            return self.settle(AttemptOutcome::Cancelled);
        }
        self.capture.next_block();
        match self.start(block, code) {
            Ok(end) => {
                let outcome = outcome(&end);
                self.account(end);
                self.settle(outcome)
            }
            Err(why) => self.settle(AttemptOutcome::StartFailed(why)),
        }
    }

    fn start(&mut self, block: &Block, code: &str) -> Result<End, String> {
        let commands = &self.shell.commands;
        let room = std::mem::take(&mut self.arguments);
        let command = commands.of(block, code, true, room).map_err(|trouble| trouble.to_string())?;
        let result = match self.child(block, &command) {
            Err(_) if command.is_direct => {
                if let Some(first) = command.arguments.iter().next() {
                    commands.programs.forget(&String::from_utf8_lossy(first));
                }
                let room = Strings::new();
                let command = commands.of(block, code, false, room).map_err(|trouble| trouble.to_string())?;
                self.child(block, &command).map_err(|error| self.explain(block, &command, &error))
            }
            Err(error) => Err(self.explain(block, &command, &error)),
            Ok(end) => Ok(end),
        };
        self.arguments = command.arguments;
        result
    }

    fn child(&mut self, block: &Block, command: &Command) -> io::Result<End> {
        let dir = match (self.attempt.workspace, &block.given.dir) {
            (None, None) => None,
            (_, Some(dir)) => Some(self.root().join(dir)),
            (Some(workspace), None) => Some(workspace.dir.clone()),
        };
        let dir_string = dir.as_deref().map(path_string).transpose()?;
        let whole;
        let nothing = Strings::new();
        let environment = if block.given.env.is_empty() && dir.is_none() {
            [&self.shell.environment.base, &self.own]
        } else {
            let place = self.attempt.workspace.map(|workspace| workspace.dir.as_path());
            whole = self.shell.environment.with(&self.own, &block.given.env, dir.as_deref(), place);
            [&whole, &nothing]
        };
        let setting = Setting {
            launcher: &self.shell.launcher,
            sandbox: self.sandbox,
            trees: &self.shell.trees,
            stop: self.stop,
            armed: self.armed,
            environment,
            dir: dir_string.as_deref(),
            token: &self.own.first()[TOKEN_IS.len()..],
            grace: self.shell.grace,
        };
        let short_of = self.shell.jobserver.as_ref().filter(|_| self.is_short);
        let bounds = Bounds { time: self.limit(block), short_of };
        child::run(command, &setting, bounds, &mut self.capture)
    }

    /// What the attempt takes for the project's directory.
    fn root(&self) -> &Path {
        self.attempt.workspace.map_or(&self.shell.project, |workspace| &workspace.dir)
    }

    /// A block's own limit, or what is left of the attempt's.
    fn limit(&self, block: &Block) -> Option<Duration> {
        if block.given.timeout.is_some() {
            return block.given.timeout;
        }
        let all = self.shell.timeout?;
        let now = Instant::now();
        let spent = (now - self.started).saturating_sub(self.stop.paused(now));
        Some(all.saturating_sub(spent).max(Duration::from_millis(1)))
    }

    /// The system's words, and which of the things named is missing: it reports them all alike.
    fn explain(&self, block: &Block, command: &Command, error: &io::Error) -> String {
        let dir =
            block.given.dir.as_ref().map_or_else(|| self.root().to_owned(), |dir| self.root().join(dir));
        if !dir.is_dir() {
            let shown = block.given.dir.as_deref().map_or_else(|| dir.display().to_string(), str::to_owned);
            return format!("the directory `{shown}` does not exist");
        }
        format!("`{}`: {error}", command.program.to_string_lossy())
    }

    fn account(&mut self, end: End) {
        let report = &mut self.report;
        report.cpu_ms += end.ended.cpu.as_millis() as u64;
        report.max_rss_kb = report.max_rss_kb.max(end.ended.max_rss_kb);
        report.disk_read_kb += end.ended.read_kb;
        report.disk_written_kb += end.ended.written_kb;
        report.leaked.extend(end.leaked);
    }

    fn settle(&mut self, outcome: AttemptOutcome) -> Step {
        self.report.outcome = outcome;
        if self.report.outcome.is_success() {
            self.report.class = None;
            return Step::Passed;
        }
        let tail = self.capture.tail();
        let kind = self.report.block.map(|block| block.kind);
        let facts = Facts { outcome: &self.report.outcome, kind, tail: &tail };
        let classified = classify::classify(&facts, &self.shell.rules);
        self.report.tail = report_tail(&tail);
        apply(&mut self.report, classified);
        if self.report.class == Some(FailureClass::Unknown) && self.is_same_again(&tail) {
            // For good, so that fallbacks are tried at once.
            self.report.class = Some(FailureClass::Permanent);
            self.report.rule = Some("failed in the same words as the time before".to_owned());
        }
        let all = self.shell.sandbox.as_ref().filter(|_| self.sandbox.is_some());
        if let Some(hint) = all.and_then(|all| all.hint(&tail)) {
            self.report.rule.get_or_insert_default().push_str(&hint);
        }
        Step::Failed
    }

    fn is_same_again(&self, tail: &str) -> bool {
        let task = self.attempt.task;
        let is_given = task.blocks.iter().any(|block| block.given.retries.is_some());
        let last = self.shell.last_failures.as_ref().filter(|_| !is_given);
        last.is_some_and(|last| last.is_same_again(&task.id, &self.report.outcome, tail))
    }

    fn finish(mut self) -> AttemptReport {
        let lost = self.capture.finish();
        self.shell.lost_log(lost);
        let mut report = self.report;
        report.output_bytes = self.capture.bytes;
        report.log = self.capture.log_name();
        if report.outcome.is_success() {
            report.tail = String::new();
            report.retry_after_ms = None;
            if !report.by_fallback {
                report.rule = None;
            }
        } else {
            report.verified = false;
        }
        report
    }
}

fn outcome(end: &End) -> AttemptOutcome {
    match (end.cause, end.ended.how) {
        (Cause::Stopped, _) => AttemptOutcome::Cancelled,
        (Cause::TimedOut(limit), _) => AttemptOutcome::TimedOut(limit.as_millis() as u64),
        (Cause::Itself, How::Exit(0)) => AttemptOutcome::Success,
        (Cause::Itself, How::Exit(code)) => AttemptOutcome::ExitCode(code),
        (Cause::Itself, How::Signal(signal)) => AttemptOutcome::Signalled(signal),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::source::Span;
    use crate::task::{Few, State, Task, TaskId};

    pub(in crate::exec) fn task(blocks: &[Block]) -> Task {
        let span = Span { start: 0, end: 0 };
        Task {
            id: TaskId::new("T001"),
            synthetic: false,
            line: 1,
            span,
            id_span: span,
            title: "try it".into(),
            checkbox: None,
            state: State::Open,
            parallel: false,
            stories: Few::new(),
            all_stories: false,
            priority: None,
            more: crate::task::Rare::default(),
            phase: None,
            group: None,
            is_group: false,
            checkpoint: false,
            files: Few::new(),
            blocks: blocks.to_vec(),
            body: span,
        }
    }
}

//! Running a plan: wires scheduler, journal, executors, boxes, state files and screen together, and nothing else.
//!
//! Threads: the pool's workers run attempts; the recorder makes events durable and everything that follows from
//! them visible; the caller's own thread controls (signals, timers, frames). They meet in the `hub`.
//! What to run, with which limits, and whether that was agreed to is decided before, by `cli`.

mod beginning;
pub mod commits;
mod control;
mod escapes;
mod files;
pub mod hooks;
mod hub;
mod integrate;
mod machine;
mod pool;
mod prompts;
mod recorder;
mod repairs;
pub mod rollback;
mod screen;
mod strays;
mod takeup;
mod ticker;
mod workspaces;

use crate::boxes::{Boxes, Edited};
use crate::clock::Clock;
use crate::event::{Event, RunInfo, RunOutcome};
use crate::exec::{
    AgentConfig, AgentExecutor, Executor, Guardian, Prompts, ShellConfig, ShellExecutor, kill_leftovers,
};
use crate::history::History;
use crate::history::checkpoints::Moments;
use crate::history::phases::Phases;
use crate::journal::{Journal, Loaded, RunId, Store};
use crate::plan::Plan;
use crate::policy::Floors;
use crate::projection::Projections;
use crate::schedule::{Limits, Scheduler, Session};
use crate::sink::Sink;
use crate::summary::Summary;
use crate::text::safe;
use crate::ui::theme;
use crate::ui::view::View;
pub use beginning::Begun;
use control::Control;
use files::StateFiles;
use hub::Hub;
pub use integrate::merge;
use machine::Machine;
use pool::Pool;
pub use prompts::{Briefing, Left};
use prompts::{HandedOn, Prompter};
use recorder::Recorder;
pub use repairs::{Saved, repairs};
use screen::{Screen, ScreenSink};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use takeup::{TakenUp, stamped, take_up_files};
use ticker::BoxTicker;
use workspaces::Workspaces;
pub use workspaces::{Repository, Trees, User};

/// Plans the file as others left it.
pub type Replan = Box<dyn Fn(Edited) -> Result<Replanned, String> + Send>;

/// The file as it reads now.
pub struct Replanned {
    pub plan: Plan,
    pub warnings: Vec<String>,
}

/// Everything a session needs, decided and agreed to.
pub struct Request {
    pub project: PathBuf,
    pub store: Store,
    /// The project's lock is held by the caller, for as long as this runs.
    pub run: RunId,
    /// Wall time of the session's beginning, in milliseconds; in its token too.
    pub started: u64,
    pub journal: Journal,
    /// What the journal held when it was opened; none for a new run.
    pub loaded: Option<Loaded>,
    pub info: RunInfo,
    pub plan: Arc<Plan>,
    /// The task file, as it was when it was planned.
    pub boxes: Boxes,
    pub replan: Replan,
    pub limits: Limits,
    pub shell: ShellConfig,
    /// For tasks without work of their own; none if there are none.
    pub agents: Option<AgentConfig>,
    /// What their prompts are built from.
    pub prompts: Option<Briefing>,
    /// Where progress goes.
    pub screen: theme::Screen,
    pub header: Vec<String>,
    /// Where the session is on record already.
    pub begun: Option<Begun>,
    /// Further consumers of events.
    pub sinks: Vec<Box<dyn Sink>>,
    /// Whether work that nothing checked ticks its box.
    pub tick_unverified: bool,
    /// Nothing starts before the record of its start is on disk.
    pub strict: bool,
    /// What stays free on the machine.
    pub floors: Floors,
    /// Where files are saved and attempts get working trees of their own; none: neither.
    pub repository: Option<Repository>,
}

/// A path as it is stored in events.
fn unix_words(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// How a session ended.
pub struct Ended {
    pub outcome: RunOutcome,
    pub plan: Arc<Plan>,
    pub summary: Summary,
    /// Derived files that were written, relative to the project.
    pub files: Vec<String>,
    /// Derived files that could not be written, tasks whose box is not ticked: said after the summary.
    pub problems: Vec<String>,
    /// The task file could not be read or written: it does not show what is recorded as done.
    pub is_behind: bool,
}

/// A session that could not be begun or recorded. The journal on disk is whole up to there.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error("cannot start the worker machinery: {0}")]
    Start(#[source] io::Error),
    #[error("the run's record cannot be written any more: {0}")]
    Record(#[source] io::Error),
}

/// By which a session's processes are known, to its guardian and to the next start. Not the run's id alone: the guardian
/// of a killed session may still be at work when the next session of the same run starts its first tasks. Nor with the
/// number alone: a session that was killed before its first event stood in the journal gives its number to the next.
/// `started` is wall time in milliseconds.
pub fn session_token(run: &RunId, session: u32, started: u64) -> String {
    format!("{run}.{session}.{started}")
}

/// Ends what the killed last session of this run may have left running: older ones were cleared when it began, and one
/// that is not in the journal had started nothing yet. To be called before the journal is taken up.
pub fn clear_leftovers(run: &RunId, history: &History) -> usize {
    kill_leftovers(&session_token(run, history.sessions, history.session_started))
}

/// Runs until everything selected is settled or the run is stopped. To be called while the process has one thread.
pub fn run(request: Request, mut guardian: Guardian) -> Result<Ended, DriverError> {
    guardian.guard(&request.shell.run).map_err(DriverError::Start)?;
    let clock = request.begun.as_ref().map_or_else(Clock::start, |begun| begun.clock);
    let parts = Parts::new(request, &guardian, &clock)?;
    let ended = parts.run(&mut guardian);
    guardian.finish();
    ended
}

struct Parts {
    hub: Arc<Hub>,
    screen: Arc<Screen>,
    executor: Arc<Executor>,
    recorder: Recorder,
    workspaces: Arc<Workspaces>,
    machine: Option<Machine>,
    jobs: usize,
    clock: Clock,
    run_dir: PathBuf,
}

impl Parts {
    fn new(request: Request, guardian: &Guardian, clock: &Clock) -> Result<Parts, DriverError> {
        let Request { project, store, plan, mut info, limits, begun, .. } = request;
        let earlier: Vec<Event> = request.loaded.map(|loaded| loaded.events).unwrap_or_default();
        let history = History::from_events(&earlier);
        let run_dir = store.run_dir(&request.run);
        let speckit = project.join(".specify").is_dir();
        let (projections, summary) = if earlier.is_empty() {
            (Projections::new(speckit), Summary::new(&plan))
        } else {
            Projections::resumed(&plan, &earlier, speckit)
        };
        info.run = request.run.as_str().to_owned();
        let seed = info.seed;
        let jobs = limits.jobs as usize;
        let unticked = repairs(&plan.tasks, &earlier, request.tick_unverified, Saved::After);
        let trees = request.repository.as_ref().and_then(Repository::trees_dir);
        let dirs = [project.clone(), store.dir().to_owned()].into_iter().chain(trees.clone()).collect();
        let machine = Machine::new(request.floors, dirs);
        let within = request.repository.as_ref().map(Repository::within).unwrap_or_default();
        let workspaces =
            Workspaces::start(request.repository, &request.shell.run, workspaces::parked(&earlier))
                .map_err(DriverError::Start)?;
        let moments = workspaces.saves().then(|| Moments::resumed(&plan, &earlier));
        let phases = workspaces.is_by_phase().then(|| Phases::resumed(&plan, &earlier));
        let view = if earlier.is_empty() { View::new() } else { View::resumed(&summary) };
        let secrets = request.agents.as_ref().map(AgentConfig::secrets).unwrap_or_default();
        let providers = request.agents.as_ref().map(AgentConfig::providers).unwrap_or_default();
        let chain = request.agents.as_ref().map(|agents| agents.chain.clone()).unwrap_or_default();
        let handed_on = request.agents.is_some().then(|| HandedOn::of(&earlier));
        let prompts = request.prompts.map(|briefing| {
            let handed_on = handed_on.clone().unwrap_or_default();
            Arc::new(Prompter { briefing, project: project.clone(), handed_on }) as Arc<dyn Prompts>
        });
        let agents = request.agents.map(|agents| {
            let prompts = prompts.unwrap_or_else(|| Arc::clone(&agents.prompts));
            AgentExecutor::new(AgentConfig { prompts, ..agents }, &earlier)
        });
        drop(earlier);
        let mut session =
            Session { within, providers, chain, ..Session::after(&history, info, request.started, seed) };
        if let Some(begun) = &begun {
            (session.is_begun, session.first_seq) = (true, begun.last_seq() + 1);
            session.spent = begun.spent();
        }
        let last_seq = begun.as_ref().map_or(history.last_seq, Begun::last_seq);
        let scheduler = Scheduler::new(Arc::clone(&plan), limits, &history, session);
        let syncer = request.journal.syncer().map_err(DriverError::Start)?;
        let hub = Hub::new(scheduler, Arc::clone(&plan), request.journal, *clock, last_seq, request.strict)
            .saving_at(moments)
            .watching(phases)
            .handing_on(handed_on)
            .going_on_from(begun.map(|begun| begun.events).unwrap_or_default());
        let hub = Arc::new(hub);
        let out = Box::new(io::stderr());
        let screen = Arc::new(Screen::new(request.screen, &plan, view, &request.header, out));
        let guard = Some((guardian.pid(), guardian.live()));
        let shell = ShellExecutor::new(ShellConfig { secrets, guard, ..request.shell })
            .map_err(DriverError::Start)?;
        let mut sinks = request.sinks;
        sinks.push(Box::new(ScreenSink(Arc::clone(&screen))));
        let ticker = BoxTicker::new(request.boxes, request.replan, unticked, request.tick_unverified);
        let within_reach = agents.is_some() && trees.is_none();
        let recorder = Recorder {
            hub: Arc::clone(&hub),
            syncer,
            sinks,
            screen: Arc::clone(&screen),
            ticker: if within_reach { ticker.within_reach_of_agents() } else { ticker },
            files: StateFiles::new(&project, store.dir(), projections, summary),
            problems: Vec::new(),
        };
        let executor = match agents {
            None => Executor::Shell(shell),
            Some(agents) => Executor::Agents(shell, agents),
        };
        let (executor, workspaces) = (Arc::new(executor), Arc::new(workspaces));
        let clock = *clock;
        Ok(Parts { hub, screen, executor, recorder, workspaces, machine, jobs, clock, run_dir })
    }

    fn run(self, guardian: &mut Guardian) -> Result<Ended, DriverError> {
        let Parts { hub, screen, executor, recorder, workspaces, machine, jobs, clock, run_dir } = self;
        let recording = std::thread::Builder::new().name("recorder".to_owned());
        let recording = recording.spawn(move || recorder.run()).map_err(DriverError::Start)?;
        let observer = Arc::clone(&screen) as Arc<_>;
        let pool =
            Pool::new(Arc::clone(&hub), Arc::clone(&executor), Arc::clone(&workspaces), observer, jobs);
        let (answers, screen_of) = (Vec::new(), Arc::clone(&screen));
        let control =
            Control { hub: Arc::clone(&hub), pool, screen: screen_of, machine, clock, run_dir, answers };
        let controlled = control.run();
        // Every attempt has ended, and with it all it started.
        guardian.dismiss();
        let answers = match controlled {
            Ok(answers) => answers,
            Err(error) => {
                hub.fail(io::Error::new(error.kind(), error.to_string()));
                Vec::new()
            }
        };
        let left = executor.clear_orphans();
        let kept = workspaces.finish();
        let recorder = recording.join();
        // The terminal is given back whatever happened; what cannot be shown any more is not worth an error.
        let _ = screen.finish();
        if let Some(error) = hub.take_failure() {
            return Err(DriverError::Record(error));
        }
        match (recorder, hub.outcome()) {
            (Ok(mut recorder), Some(outcome)) => {
                crate::journal::answers::forget(&answers);
                recorder.problems.extend(kept);
                Ok(ended(recorder, outcome, hub.plan(), &left))
            }
            // The panic hook has said where; the journal is whole up to there.
            _ => panic!("the recorder stopped before the run was over"),
        }
    }
}

fn ended(recorder: Recorder, outcome: RunOutcome, plan: Arc<Plan>, left: &[String]) -> Ended {
    let Recorder { mut problems, ticker, files, .. } = recorder;
    problems
        .extend(left.iter().map(|process| format!("left behind by a task, and ended: {}", safe(process))));
    problems.extend(ticker.pending());
    let is_behind = ticker.is_behind();
    let ended = Ended { outcome, plan, files: files.names(), summary: files.summary, problems, is_behind };
    // The process ends soon: what it knew of each box need not be given back piece by piece.
    std::mem::forget(ticker);
    ended
}

/// Writes every derived file of a run again, from its events alone: for one whose files were deleted after it ended.
/// Returns what could not be written.
pub fn rebuild(project: &Path, store: &Store, plan: &Plan, events: &[Event]) -> Vec<String> {
    let speckit = project.join(".specify").is_dir();
    let (projections, summary) = Projections::resumed(plan, events, speckit);
    StateFiles::new(project, store.dir(), projections, summary).write(plan, true)
}

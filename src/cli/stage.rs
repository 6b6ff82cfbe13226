//! The steps that commands share: configuration, reading and planning a file, the screen, findings.

use super::args::{Global, Implement};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::hints;
use super::target::Target;
use crate::config::{self, Config, Environment, Invalid, Override, Sources};
use crate::diagnostic::{Code, Diagnostic};
use crate::fs;
use crate::journal::Store;
use crate::plan::observed::{self, Observed};
use crate::plan::{self, Plan};
use crate::projection::history;
use crate::source::{MAX_BYTES, NotText, SourceText};
use crate::task::{Document, State};
use crate::text::{file_name, safe};
use crate::ui::diagnostics;
use crate::ui::theme::{Choice, ColorChoice, Screen, Surroundings};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// A task file as it was read, and what it says.
pub(super) struct TaskFile {
    pub(super) identity: fs::Identity,
    pub(super) source: SourceText,
    pub(super) document: Document,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// All layers of configuration; findings in files are printed here.
pub(super) fn configuration(
    global: &Global,
    target: &Target,
    overrides: &[Override],
) -> Result<config::Loaded, Error> {
    let mut all = global.overrides();
    all.extend_from_slice(overrides);
    let env = Environment::of_process();
    let sources =
        Sources { env, root: Some(&target.project), config: global.config.as_deref(), overrides: &all };
    let mut loaded = config::load(&sources).map_err(|invalid| invalid_configuration(global, invalid))?;
    hints::apply(&mut loaded.config)?;
    Ok(loaded)
}

fn invalid_configuration(global: &Global, invalid: Invalid) -> Error {
    let Invalid::Findings(findings) = &invalid else {
        let kind = if matches!(invalid, Invalid::Flag { .. }) { Kind::Usage } else { Kind::Config };
        return Error::new(kind, invalid);
    };
    let screen = screen(global, &Config::default(), Stream::Err);
    for of_one_file in findings.chunk_by(|a, b| a.source.name() == b.source.name()) {
        let diagnostics: Vec<Diagnostic> =
            of_one_file.iter().map(|finding| finding.diagnostic.clone()).collect();
        print_findings(&screen, &of_one_file[0].source, &diagnostics);
    }
    Error::message(Kind::Config, "the configuration is invalid; nothing was done")
        .hint("`specter config --schema` lists all settings and their values")
}

/// Where state is kept, if not in the project.
///
/// `--state-dir` is taken as typed. What is configured holds for all of a user's projects, so each gets a directory of
/// its own in it: what one project finished must never tick a box of another.
pub(super) fn state_dir(global: &Global, config: &Config, target: &Target) -> Result<Option<PathBuf>, Error> {
    let dir = match (&global.state_dir, &config.state_dir) {
        (Some(typed), _) => typed.clone(),
        (None, Some(dir)) if dir.is_absolute() => dir.join(file_name(&target.project.to_string_lossy())),
        (None, Some(dir)) => target.project.join(dir),
        (None, None) => return Ok(None),
    };
    match fs::read(&dir.join(OWNER), 1 << 16) {
        Ok(owner) if owner.bytes != owner_of(target) => {
            let whose = String::from_utf8_lossy(&owner.bytes);
            let what = format!(
                "`{}` holds the state of another project: {}",
                fs::shown(&dir),
                safe(whose.trim_end())
            );
            Err(Error::message(Kind::Io, what)
                .hint("name another directory with `--state-dir`")
                .hint(format!("or, if the project was moved, remove `{OWNER}` in it")))
        }
        _ => Ok(Some(dir)),
    }
}

/// Names the project in a state directory that is not in it.
const OWNER: &str = "project";

fn owner_of(target: &Target) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    [target.project.as_os_str().as_bytes(), b"\n"].concat()
}

/// The project's state directory, made if need be; one elsewhere says from now on whose it is.
pub(super) fn open_store(global: &Global, config: &Config, target: &Target) -> Result<Store, Error> {
    let dir = state_dir(global, config, target)?;
    let store = Store::open(&target.project, dir.as_deref())?;
    if dir.is_some() && !store.dir().join(OWNER).exists() {
        fs::atomic_replace(&store.dir().join(OWNER), &owner_of(target), fs::Access::Private)?;
    }
    Ok(store)
}

/// The project's state directory for reading, if there is one.
pub(super) fn find_store(global: &Global, config: &Config, target: &Target) -> Result<Option<Store>, Error> {
    Ok(Store::find(&target.project, state_dir(global, config, target)?.as_deref())?)
}

pub(super) fn read(target: &Target) -> Result<TaskFile, Error> {
    read_path(&target.file, &target.name)
}

/// Reads and parses. That a file cannot be read is an error; that it makes no sense is a finding.
pub(super) fn read_path(path: &Path, name: &str) -> Result<TaskFile, Error> {
    let contents = fs::read(path, MAX_BYTES as u64).map_err(|error| unreadable(&error))?;
    parsed(name, contents)
}

/// Files from this size on are worth asking for memory ahead, and how much a byte of them comes to when planned.
const LARGE: usize = 1 << 20;
const PLANNED: usize = 8;

fn parsed(name: &str, contents: fs::Contents) -> Result<TaskFile, Error> {
    let fs::Contents { bytes, identity } = contents;
    if bytes.len() >= LARGE {
        crate::sys::expect_memory(bytes.len() * PLANNED);
    }
    let source = SourceText::from_bytes(name, bytes).map_err(|error| not_text(name, &error))?;
    let (document, diagnostics) = crate::parse::parse(&source);
    Ok(TaskFile { identity, source, document, diagnostics })
}

fn unreadable(error: &fs::Error) -> Error {
    let hint = match error {
        fs::Error::NotAFile { what: "a directory", .. } => "name the task file in it",
        fs::Error::NotAFile { .. } => "name a regular file",
        fs::Error::TooLarge { .. } => "a task file of this size is not planned; split it",
        error if error.is_not_found() => "check the path",
        fs::Error::Io { .. } => "check its permissions",
    };
    Error::message(Kind::Input, error.to_string()).hint(hint)
}

fn not_text(name: &str, error: &NotText) -> Error {
    let name = safe(name);
    let message = match error {
        NotText::TooLarge { bytes } => format!("`{name}` is too large: {bytes} bytes"),
        NotText::WideEncoding => format!("`{name}` is not UTF-8: it looks like UTF-16 or UTF-32"),
        NotText::Nul { line } => format!("`{name}` is not text: line {line} holds a NUL byte"),
        NotText::InvalidUtf8 { line, column, byte } => {
            format!("`{name}` is not UTF-8: line {line}, column {column} holds the byte 0x{byte:02x}")
        }
    };
    Error::message(Kind::Input, format!("{message} [{}]", Code::NotText.as_str()))
        .hint("save it as UTF-8 text")
}

/// Everything besides the document that decides a plan.
pub(super) fn plan_options(
    args: &Implement,
    config: &Config,
    target: &Target,
    store: Option<&Store>,
) -> plan::Options {
    let earlier = store.map(earlier_runs).unwrap_or_default();
    plan::Options {
        file: target.name.clone(),
        selection: args.select.selection(),
        mode: config.mode,
        treat: config.treat.clone(),
        prose: config.prose,
        tdd: config.tdd(),
        estimates: history::estimates(&earlier, &target.name),
        observed_files: observed_files(&earlier, target),
    }
}

/// What earlier runs noted; nothing if that cannot be read: neither an estimate nor an order by it is worth an error.
fn earlier_runs(store: &Store) -> String {
    let read = fs::read(&store.dir().join("history.ndjson"), 256 << 20);
    read.map_or_else(|_| String::new(), |contents| String::from_utf8_lossy(&contents.bytes).into_owned())
}

/// What tasks were seen to write, as paths from the project.
fn observed_files(earlier: &str, target: &Target) -> Vec<Observed> {
    let mut seen = history::observed(earlier, &target.name);
    if !seen.is_empty() {
        let within = within_repository(&target.project);
        for path in seen.iter_mut().flat_map(|seen| &mut seen.files) {
            *path = observed::from_project(path, &within);
        }
    }
    seen
}

/// Where a project lies in its repository, with a slash at its end; nothing at the root, or without a repository.
fn within_repository(project: &Path) -> String {
    let root = project.ancestors().find(|dir| super::target::is_repository(dir));
    let below = root.and_then(|root| project.strip_prefix(root).ok()).and_then(Path::to_str);
    below.filter(|below| !below.is_empty()).map_or_else(String::new, |below| format!("{below}/"))
}

/// Whether every task of the file is done: then nothing of it can be run, however it is planned.
pub(super) fn is_all_done(document: &Document) -> bool {
    document.tasks.iter().all(|task| task.is_group || task.state == State::Done)
}

/// A plan of the document that `source` was read as, with all warnings; with an error anywhere, the findings are printed
/// and there is none.
pub(super) fn planned(
    source: &SourceText,
    (document, diagnostics): (Document, Vec<Diagnostic>),
    options: &plan::Options,
    strict: bool,
    screen: &Screen,
) -> Result<(Plan, Vec<Diagnostic>), Exit> {
    match plan_document(source, document, diagnostics, options) {
        (Some(plan), findings) if !strict || findings.is_empty() => Ok((plan, findings)),
        (plan, findings) => {
            // What ends the command is told to quiet screens too.
            let screen = Screen { quiet: screen.quiet && plan.is_none(), ..*screen };
            print_findings(&screen, source, &findings);
            if plan.is_some() {
                write_err("warnings are errors here (`--strict`)\n");
            }
            Err(exit_for(&findings))
        }
    }
}

/// The file is wrong, unless all that is wrong is what was asked of it.
pub(super) fn exit_for(findings: &[Diagnostic]) -> Exit {
    let of_selection = |finding: &Diagnostic| {
        use Code::{BadFilter, NotSelected, NothingSelected, UnknownSelection};
        matches!(finding.code, BadFilter | NotSelected | NothingSelected | UnknownSelection)
    };
    let mut errors = findings.iter().filter(|finding| finding.is_error()).peekable();
    if errors.peek().is_some() && errors.all(of_selection) { Exit::Usage } else { Exit::BadInput }
}

/// The plan, if there is one, and everything there is to say of the file.
pub(super) fn plan_with_findings(
    file: &TaskFile,
    options: &plan::Options,
) -> (Option<Plan>, Vec<Diagnostic>) {
    plan_document(&file.source, file.document.clone(), file.diagnostics.clone(), options)
}

/// As [`plan_with_findings`], where nobody needs the document itself afterwards.
pub(super) fn plan_document(
    source: &SourceText,
    document: Document,
    mut findings: Vec<Diagnostic>,
    options: &plan::Options,
) -> (Option<Plan>, Vec<Diagnostic>) {
    findings.retain(|finding| !is_decided(source, finding, options));
    let plan = if findings.iter().any(Diagnostic::is_error) {
        None
    } else {
        match plan::plan(document, options) {
            Ok((plan, more)) => {
                findings.extend(more);
                Some(plan)
            }
            Err(more) => {
                findings.extend(more);
                None
            }
        }
    };
    (plan, findings)
}

/// An unclear mark is no longer unclear once `--treat` says what it means.
fn is_decided(source: &SourceText, finding: &Diagnostic, options: &plan::Options) -> bool {
    let mark = finding.span().map(|span| source.slice(span).trim());
    finding.code == Code::UnclearMark && options.treat.iter().any(|(own, _)| Some(own.trim()) == mark)
}

/// On stderr; quiet screens are told errors only.
pub(super) fn print_findings(screen: &Screen, source: &SourceText, findings: &[Diagnostic]) {
    let shown: Vec<Diagnostic> =
        findings.iter().filter(|finding| finding.is_error() || !screen.quiet).cloned().collect();
    write_err(&diagnostics::render(screen, source, &shown));
}

/// A reader of stderr that is gone is nobody to tell.
pub(super) fn write_err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// A line about what specter does, unless it was asked to be quiet.
pub(super) fn note(config: &Config, text: &str) {
    if config.verbosity >= 0 {
        write_err(&format!("{text}\n"));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// What a stream can show.
pub(super) fn screen(global: &Global, config: &Config, stream: Stream) -> Screen {
    let is_terminal = match stream {
        Stream::Out => std::io::stdout().is_terminal(),
        Stream::Err => std::io::stderr().is_terminal(),
    };
    let env = Environment::of_process();
    let color = match config.color {
        config::Color::Auto => ColorChoice::Auto,
        config::Color::Always => ColorChoice::Always,
        config::Color::Never => ColorChoice::Never,
    };
    let choice = Choice {
        color,
        ascii: config.ascii || global.ascii,
        quiet: config.verbosity < 0,
        verbose: u8::try_from(config.verbosity.max(0)).unwrap_or(u8::MAX),
    };
    let size = is_terminal.then(|| crate::sys::terminal_size(stream == Stream::Err)).flatten();
    let surroundings = Surroundings {
        env: &|name| env.get(name).map(|value| value.to_string_lossy().into_owned()),
        is_terminal,
        size,
    };
    Screen::detect(&surroundings, choice)
}

/// The state directory as people name it.
pub(super) fn shown(path: &Path, project: &Path) -> String {
    let relative: PathBuf = path.strip_prefix(project).map_or_else(|_| path.to_owned(), Path::to_owned);
    safe(&relative.to_string_lossy())
}

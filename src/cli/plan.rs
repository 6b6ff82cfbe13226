//! `specter plan`, also `implement --dry-run`: shows what would run, in which order and why. Writes nothing at all.

use super::args::{Format, Global, Implement, PlanOnly};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::stage::{self, Stream, TaskFile};
use super::target::Target;
use super::{hints, hooks, limits, out, prompt};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::domains::Rules;
use crate::journal::Store;
use crate::plan::export::PlanJson;
use crate::plan::{self, Plan, PlannedTask, Role};
use crate::schedule::FORECAST_CAP;
use crate::text::json_safe;
use crate::ui;
use crate::ui::header::Manner;
use crate::ui::plan::plan_text;
use crate::ui::theme::Screen;
use std::io::Write;
use std::time::Duration;

/// The command as typed, as far as it decides a plan.
pub(super) fn plan(global: &Global, given: &PlanOnly) -> Result<Exit, Error> {
    let implement = Implement {
        target: given.target.clone(),
        words: given.words.clone(),
        hint: given.hint.clone(),
        select: given.select.clone(),
        shape: given.shape.clone(),
        format: given.format,
        ..Implement::default()
    };
    match &given.prompt {
        Some(task) => prompt::print(global, &implement, task),
        None => dry_run(global, &implement),
    }
}

pub(super) fn dry_run(global: &Global, given: &Implement) -> Result<Exit, Error> {
    crate::sys::prepare_memory();
    let planned = Planned::new(global, given)?;
    let screen = stage::screen(global, &planned.config, Stream::Out);
    let strict = planned.config.strict && !planned.findings.is_empty();
    if given.format == Format::Json {
        print_json(&planned.json())?;
    } else {
        let err = stage::screen(global, &planned.config, Stream::Err);
        stage::print_findings(
            &Screen { quiet: err.quiet && !strict, ..err },
            &planned.file.source,
            &planned.findings,
        );
        if let Some(plan) = planned.plan.as_ref().filter(|_| !strict) {
            let hooks = hooks::read(&planned.target, &err);
            let hooks = ui::hooks::hooks(&screen, &hooks, &hooks::environment());
            let text = plan_text(&screen, plan, &planned.manner(given), planned.expected(plan));
            let rules = Rules::new(&planned.config.domains);
            out::text(
                &(text + &ui::domains::domains(&screen, plan, &rules, &hints::of(&planned.config)?) + &hooks),
            )?;
        }
    }
    let fails = strict || planned.plan.is_none();
    let exit = if fails { stage::exit_for(&planned.findings) } else { Exit::Done };
    // The process ends here: its memory need not be given back piece by piece.
    std::mem::forget(planned);
    Ok(exit)
}

/// As [`out::json`] prints it, but piece by piece: the text of a large plan takes more room than the plan.
fn print_json(json: &PlanJson) -> Result<(), Error> {
    let mut out = SafeJson { out: std::io::stdout().lock(), held: Vec::with_capacity(2 * PIECE) };
    match serde_json::to_writer_pretty(&mut out, json) {
        Err(error) if !error.is_io() => return Err(Error::new(Kind::Internal, error)),
        written => written.map_err(std::io::Error::from)?,
    }
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Bytes that are held back until they are worth writing.
const PIECE: usize = 64 << 10;

/// Writes JSON without a character that could steer a terminal.
struct SafeJson<W> {
    out: W,
    held: Vec<u8>,
}

impl<W: Write> SafeJson<W> {
    /// Writes what is held, up to a character that is not complete yet.
    fn pass_on(&mut self) -> std::io::Result<()> {
        let whole = self.held.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        self.out.write_all(json_safe(whole).as_bytes())?;
        let len = whole.len();
        self.held.drain(..len);
        Ok(())
    }
}

impl<W: Write> Write for SafeJson<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE {
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.pass_on()?;
        self.out.flush()
    }
}

/// A file with its plan, for the commands that only look.
pub(super) struct Planned {
    pub(super) target: Target,
    pub(super) config: Config,
    pub(super) file: TaskFile,
    pub(super) plan: Option<Plan>,
    pub(super) findings: Vec<Diagnostic>,
    pub(super) store: Option<Store>,
}

impl Planned {
    pub(super) fn new(global: &Global, given: &Implement) -> Result<Planned, Error> {
        let target = Target::find(given.target.as_deref(), global)?;
        let config = stage::configuration(global, &target, &given.overrides())?.config;
        let store = stage::find_store(global, &config, &target)?;
        let mut file = stage::read(&target)?;
        let options = stage::plan_options(given, &config, &target, store.as_ref());
        let document = std::mem::take(&mut file.document);
        let (plan, findings) =
            stage::plan_document(&file.source, document, std::mem::take(&mut file.diagnostics), &options);
        Ok(Planned { target, config, file, plan, findings, store })
    }

    fn json(&self) -> PlanJson {
        let source = &self.file.source;
        match &self.plan {
            Some(plan) => PlanJson::new(plan, source, &self.findings),
            None => PlanJson::without_plan(source.name(), self.config.mode, source, &self.findings),
        }
    }

    fn manner(&self, given: &Implement) -> Manner {
        Manner {
            run: String::new(),
            mode: plan::export::mode_name(self.config.mode).to_owned(),
            jobs: limits::jobs(&self.config),
            selection: given.select.to_options(),
            executors: Vec::new(),
            session: 1,
        }
    }

    /// How long the run should take by what is known of durations.
    fn expected(&self, plan: &Plan) -> Option<Duration> {
        // Nothing is played through beyond the cap, so the scheduler's copy of the plan need not be made either. Of
        // what waits for a task that is left out only the scheduler knows whether it counts.
        let is_left_out = |planned: &PlannedTask| matches!(planned.role, Role::LeftOut(_));
        let too_many = plan.runnable().nth(FORECAST_CAP).is_some() && !plan.planned.iter().any(is_left_out);
        if too_many { None } else { limits::expected(plan, &self.config) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::is_unsafe;

    #[test]
    fn json_in_pieces_is_the_json_of_the_whole() {
        let mut data: Vec<String> = (0..400).map(|n| format!("{}\u{202e}日\u{7f}é", "x".repeat(n))).collect();
        data.push("\u{9b}日本語".repeat(20_000));
        let mut out = SafeJson { out: Vec::new(), held: Vec::new() };
        // One byte at a time cuts every character there is.
        let whole = serde_json::to_string_pretty(&data).unwrap();
        whole.as_bytes().iter().for_each(|byte| out.write_all(&[*byte]).unwrap());
        out.flush().unwrap();
        let text = String::from_utf8(out.out).unwrap();
        assert_eq!(text, json_safe(&whole));
        assert!(!text.contains(|c: char| c > ' ' && is_unsafe(c)));
    }
}

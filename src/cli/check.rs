//! `specter check`: what was understood of task files, what was not and why. Executes and writes nothing.

use super::args::{Check, CheckFormat, Global, Implement};
use super::error::{Error, Kind};
use super::exit::Exit;
use super::stage::{self, Stream};
use super::target::Target;
use super::{out, prompt};
use crate::config::Config;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan;
use crate::plan::export::{DiagnosticJson, IgnoredJson, diagnostics_json, ignored_json};
use crate::report::sarif::sarif;
use crate::source::SourceText;
use crate::task::Document;
use crate::text::{nearest, safe};
use crate::ui::check::{self, Account, FileRow};
use serde::Serialize;

/// One file, checked.
struct Checked {
    name: String,
    source: SourceText,
    account: Account,
    ignored: Vec<IgnoredJson>,
    found: Vec<Diagnostic>,
    /// As the file's own project is configured.
    strict: bool,
}

#[derive(Serialize)]
struct CheckJson<'a> {
    schema: u32,
    files: Vec<FileJson<'a>>,
}

#[derive(Serialize)]
struct FileJson<'a> {
    file: &'a str,
    tasks: usize,
    groups: usize,
    ignored: &'a [IgnoredJson],
    diagnostics: Vec<DiagnosticJson>,
}

pub(super) fn check(global: &Global, given: &Check) -> Result<Exit, Error> {
    if let Some(code) = &given.explain {
        return explain(code);
    }
    let results = files(global, given)?;
    let strict = given.strict;
    let is_bad =
        |checked: &Checked| checked.found.iter().any(|found| strict || checked.strict || found.is_error());
    let bad = results.iter().any(|result| result.as_ref().map_or(true, is_bad));
    match given.format {
        _ if given.table => out::text(&check::table(&screen(global), &rows(given, &results)))?,
        CheckFormat::Text => text(global, &results)?,
        CheckFormat::Json => json(&results)?,
        CheckFormat::Sarif => {
            let files: Vec<_> =
                results.iter().flatten().map(|file| (file.source.clone(), file.found.clone())).collect();
            out::text(&sarif(&files))?;
        }
    }
    if !given.table {
        // The last unreadable file decides what is told; all were told of.
        if let Some(error) = results.into_iter().find_map(Result::err) {
            return Err(error);
        }
    }
    Ok(if bad { Exit::BadInput } else { Exit::Done })
}

fn screen(global: &Global) -> crate::ui::theme::Screen {
    let verbosity = i32::from(global.verbose) - i32::from(global.quiet);
    stage::screen(global, &Config { verbosity, ..Config::default() }, Stream::Out)
}

fn files(global: &Global, given: &Check) -> Result<Vec<Result<Checked, Error>>, Error> {
    if given.files.is_empty() {
        let target = Target::find(None, global)?;
        let checked = vec![one(global, &target, &target.name)];
        return Ok(with_templates(global, checked, &[target]));
    }
    let mut targets = Vec::new();
    let one_of = |path: &std::path::PathBuf| {
        let target = Target::find(Some(path), global)?;
        let checked = one(global, &target, &path.to_string_lossy());
        targets.push(target);
        checked
    };
    let checked = given.files.iter().map(one_of).collect();
    Ok(with_templates(global, checked, &targets))
}

/// Templates of prompts that something is wrong with, each as a file of its own behind the task files; once per project.
fn with_templates(
    global: &Global,
    mut checked: Vec<Result<Checked, Error>>,
    targets: &[Target],
) -> Vec<Result<Checked, Error>> {
    let mut projects = std::collections::BTreeSet::new();
    for target in targets.iter().filter(|target| projects.insert(&target.project)) {
        // What is wrong with the configuration was said with its task file.
        let Ok(loaded) = stage::configuration(global, target, &[]) else { continue };
        let (_, findings) = prompt::templates(&loaded.config, target);
        checked.extend(findings.into_iter().map(|finding| {
            Ok(Checked {
                name: finding.source.name().to_owned(),
                source: finding.source,
                account: Account::of(&Document::default()),
                ignored: Vec::new(),
                found: finding.found,
                strict: loaded.config.strict,
            })
        }));
    }
    checked
}

/// What `plan` and `implement` would find: the project's configuration has its say.
fn one(global: &Global, target: &Target, name: &str) -> Result<Checked, Error> {
    let config = stage::configuration(global, target, &[])?.config;
    let file = stage::read_path(&target.file, name)?;
    let account = Account::of(&file.document);
    let ignored = ignored_json(&file.document.ignored);
    let options = stage::plan_options(&Implement::default(), &config, target, None);
    let options = plan::Options { file: name.to_owned(), ..options };
    let (_, found) = stage::plan_with_findings(&file, &options);
    Ok(Checked { name: name.to_owned(), source: file.source, account, ignored, found, strict: config.strict })
}

fn text(global: &Global, results: &[Result<Checked, Error>]) -> Result<(), Error> {
    let screen = screen(global);
    for checked in results.iter().flatten() {
        out::text(&check::check(&screen, &checked.source, &checked.account, &checked.found))?;
    }
    Ok(())
}

fn json(results: &[Result<Checked, Error>]) -> Result<(), Error> {
    let files = results.iter().flatten().map(|checked| FileJson {
        file: &checked.name,
        tasks: checked.account.tasks,
        groups: checked.account.groups,
        ignored: &checked.ignored,
        diagnostics: diagnostics_json(&checked.source, &checked.found),
    });
    out::json(&CheckJson { schema: 1, files: files.collect() })
}

fn rows(given: &Check, results: &[Result<Checked, Error>]) -> Vec<FileRow> {
    let name =
        |n: usize| given.files.get(n).map_or_else(String::new, |path| path.to_string_lossy().into_owned());
    let row = |(n, result): (usize, &Result<Checked, Error>)| match result {
        Ok(checked) => {
            let errors = checked.found.iter().filter(|found| found.is_error()).count();
            let warnings = checked.found.len() - errors;
            FileRow { file: checked.name.clone(), account: Ok(checked.account.clone()), warnings, errors }
        }
        Err(error) => {
            FileRow { file: name(n), account: Err(error.source.to_string()), warnings: 0, errors: 1 }
        }
    };
    results.iter().enumerate().map(row).collect()
}

fn explain(code: &str) -> Result<Exit, Error> {
    let Some(known) = Code::from_name(code) else {
        let names = Code::ALL.iter().map(|code| code.as_str());
        let hint = nearest(code, names).map(|name| format!("did you mean `{name}`?"));
        return Err(
            Error::message(Kind::Usage, format!("no finding has the code `{}`", safe(code))).maybe_hint(hint)
        );
    };
    out::text(&format!("{}: {}\n", known.as_str(), known.explain()))?;
    Ok(Exit::Done)
}

//! Reports over real files. Reads the folder named by `SPECTER_CORPUS`; says so and does nothing where there is none.

use super::support::is_clean;
use specter::parse::parse;
use specter::plan::{Options, Plan, plan};
use specter::source::SourceText;
use specter::task::TaskIx;
use specter::ui::check::{Account, FileRow, check, table};
use specter::ui::header::Manner;
use specter::ui::plan::{order, plan_text};
use specter::ui::theme::Screen;
use specter::ui::why::{Known, why};

fn sources() -> Vec<SourceText> {
    let Ok(folder) = std::env::var("SPECTER_CORPUS") else {
        println!("skipped: SPECTER_CORPUS is not set");
        return Vec::new();
    };
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        SourceText::from_bytes(name, std::fs::read(&path).ok()?).ok()
    };
    files.filter(|path| path.extension().is_some_and(|ext| ext == "md")).filter_map(read).collect()
}

/// Every task that is run stands in the order once, behind all it waits for.
fn assert_ordered(plan: &Plan) {
    let steps = order(plan);
    assert_eq!(steps.len(), plan.runnable().count(), "{}", plan.file);
    let place = |task: TaskIx| steps.iter().position(|step| step.task == task);
    for step in steps.iter().take(30) {
        for link in specter::ui::edges::before(plan, step.task) {
            assert!(place(link.task) < place(step.task), "{}", plan.file);
        }
    }
}

#[test]
fn real_files_are_reported_safely_at_every_width() {
    let mut rows = Vec::new();
    for source in sources() {
        let (document, mut found) = parse(&source);
        let account = Account::of(&document);
        let planned = plan(document, &Options::default());
        let (plan, further) = match planned {
            Ok((plan, further)) => (Some(plan), further),
            Err(further) => (None, further),
        };
        found.extend(further);
        let known = Known { summary: None, obstacles: &[], run_dir: "" };
        for width in [1, 20, 80, 200] {
            let screen = Screen::plain(width);
            assert!(is_clean(&check(&screen, &source, &account, &found)), "{}", source.name());
            if let Some(plan) = &plan {
                assert!(is_clean(&plan_text(&screen, plan, &Manner::default(), None)), "{}", plan.file);
                assert!(
                    is_clean(&why(&screen, plan, TaskIx(plan.tasks.len() as u32 - 1), known)),
                    "{}",
                    plan.file
                );
            }
        }
        plan.iter().for_each(assert_ordered);
        let errors = found.iter().filter(|diagnostic| diagnostic.is_error()).count();
        let warnings = found.len() - errors;
        rows.push(FileRow { file: source.name().to_owned(), account: Ok(account), warnings, errors });
    }
    let text = table(&Screen::plain(100), &rows);
    assert!(is_clean(&text));
    println!("{text}");
}

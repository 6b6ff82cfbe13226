//! Plans of real files. Reads the folder named by `SPECTER_CORPUS`; says so and does nothing where there is none.

use super::*;
use crate::diagnostic::Code;
use crate::parse::parse;
use crate::source::SourceText;

/// Name and text of each file that is text.
fn texts() -> Vec<SourceText> {
    let Ok(folder) = std::env::var("SPECTER_CORPUS") else {
        println!("skipped: SPECTER_CORPUS is not set");
        return Vec::new();
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let source = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        SourceText::from_bytes(name, std::fs::read(path).unwrap()).ok()
    };
    paths.iter().filter(|path| path.extension().is_some_and(|ext| ext == "md")).filter_map(source).collect()
}

const MODES: [Mode; 4] = [Mode::Sequential, Mode::Parallel, Mode::Stories, Mode::Graph];

#[test]
fn every_file_whose_dependencies_are_free_of_circles_has_a_plan_in_every_mode() {
    let (mut planned, mut refused) = (0, 0);
    for source in texts() {
        let (document, _) = parse(&source);
        for mode in MODES {
            let options = Options { mode, tdd: mode == Mode::Stories, ..Options::default() };
            match plan(document.clone(), &options) {
                Ok((plan, _)) => {
                    planned += 1;
                    check(&plan);
                }
                Err(found) => {
                    refused += 1;
                    let errors: Vec<_> = found.iter().filter(|found| found.is_error()).collect();
                    assert!(!errors.is_empty());
                    assert!(errors.iter().all(|error| error.code != Code::NotSelected), "{}", source.name());
                    if mode == Mode::Graph {
                        println!("{}: {} {}", source.name(), errors.len(), errors[0].message);
                    }
                }
            }
        }
    }
    println!("{planned} plans, {refused} refused");
}

/// Acyclic, and one task at a time where that is the mode.
fn check(plan: &Plan) {
    let order = order::Order::smallest(&plan.graph, |task| u64::from(task.0), |_| false);
    assert!(order.is_ok(), "{}", plan.file);
    if plan.mode == Mode::Sequential {
        let order = order.unwrap();
        let run: Vec<TaskIx> =
            order.sequence.into_iter().filter(|task| plan.planned(*task).role == Role::Run).collect();
        for pair in run.windows(2) {
            assert!(plan.waits_for(pair[1]).iter().any(|link| link.task == pair[0]), "{}", plan.file);
        }
    }
}

//! One-way dependencies, checked: a module may name only modules of a lower rank, and the core does nothing by itself.

use std::path::{Path, PathBuf};

/// Rank of each top-level module, as in `src/ARCHITECTURE.md`. Same rank: may not know of each other.
const RANKS: &[(&str, u32)] = &[
    ("source", 0),
    ("policy", 0),
    ("text", 0),
    ("diagnostic", 1),
    ("task", 1),
    ("event", 2),
    ("hooks", 2),
    ("parse", 2),
    ("plan", 3),
    ("classify", 3),
    ("agent", 4),
    ("history", 4),
    ("summary", 4),
    ("domains", 4),
    ("prompt", 4),
    ("writeback", 4),
    ("schedule", 5),
    ("projection", 5),
    ("sink", 5),
    ("clock", 6),
    ("fs", 6),
    ("sys", 6),
    ("config", 7),
    ("documents", 7),
    ("journal", 7),
    ("boxes", 7),
    ("exec", 7),
    ("git", 7),
    ("report", 7),
    ("ui", 7),
    ("driver", 8),
    ("cli", 9),
];

const LAST_CORE_RANK: u32 = 5;

/// Third-party crates that only some files may name.
const LOCALISED: &[(&str, &[&str])] = &[
    ("petgraph::", &["plan/graph.rs"]),
    ("pulldown_cmark", &["parse/blocks.rs", "prompt/outline.rs"]),
    ("minijinja", &["prompt/template.rs"]),
    ("indicatif", &["ui/progress.rs"]),
    ("annotate_snippets", &["ui/diagnostics.rs"]),
    ("tokio::", &["driver/"]),
    ("anyhow", &["cli/"]),
    ("landlock::", &["sys/"]),
    ("libgit2_sys::", &["sys/"]),
    ("git2::", &["git/", "cli/target.rs"]),
];

/// Where text leaves the program. Every one of them is shown to be safe by what runs through it (`run::hostile_output`);
/// this list only sees to it that there is no other one that nobody looks at.
const STREAMS: &[&str] = &[
    "cli/consent.rs",
    "cli/error.rs",
    "cli/implement/around.rs",
    "cli/implement/request.rs",
    "cli/mod.rs",
    "cli/out.rs",
    "cli/plan.rs",
    "cli/report.rs",
    "cli/stage.rs",
    "driver/mod.rs",
];

struct Source {
    path: String,
    module: String,
    code: String,
}

#[test]
fn modules_only_look_down() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| s.module != "lib" && s.module != "main") {
        let own = rank(&source.module);
        for used in named_modules(&source.code) {
            if used != source.module && rank(&used) >= own {
                wrong.push(format!("{}: `{}` may not name `{used}`", source.path, source.module));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_core_reads_no_clock_and_does_no_io() {
    const BANNED: &[&str] =
        &["tokio::", "std::fs", "std::process", "std::env", "Instant::now", "SystemTime", "Timestamp::now"];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|s| s.module != "lib" && s.module != "main") {
        if rank(&source.module) <= LAST_CORE_RANK {
            let named = BANNED.iter().filter(|banned| source.code.contains(**banned));
            wrong.extend(named.map(|banned| format!("{} names {banned}", source.path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, homes) in LOCALISED {
            if source.code.contains(name) && !homes.iter().any(|home| source.path.starts_with(home)) {
                wrong.push(format!("{} names {name}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn text_leaves_the_program_in_known_places_only() {
    const WAYS: &[&str] = &["stdout()", "stderr()", "println!", "eprintln!", "print!(", "dbg!", "/dev/tty"];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !STREAMS.contains(&source.path.as_str())) {
        let ways = WAYS.iter().filter(|way| source.code.contains(**way));
        wrong.extend(ways.map(|way| format!("{} has {way}", source.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_about() {
    let silent: Vec<String> = rust_files(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").as_path())
        .into_iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            !text.starts_with("//!") && !text.starts_with("#![doc")
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no `//!` on top of: {}", silent.join(", "));
}

#[test]
fn unsafe_code_stands_in_one_module() {
    let wrong: Vec<String> = sources()
        .into_iter()
        .filter(|source| source.module != "sys" && source.code.contains("unsafe "))
        .map(|source| source.path)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rank(module: &str) -> u32 {
    RANKS.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("no rank for `{module}`")).1
}

/// Names after `crate::`, also inside `crate::{…}`.
fn named_modules(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut named = Vec::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => named.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut at_name = true;
                for (n, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => at_name = true,
                        c if at_name && c.is_alphanumeric() => {
                            named.push(word(&list[n..]));
                            at_name = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    named.retain(|name| RANKS.iter().any(|(known, _)| known == name));
    named
}

/// Every source file without comments and without its tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let tests = test_modules(&root);
    rust_files(&root)
        .into_iter()
        .filter_map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            let module = path.split('/').next().unwrap().trim_end_matches(".rs").to_owned();
            let is_test = tests.iter().any(|test| path.starts_with(test));
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
            let code: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (!is_test).then(|| Source { path, module, code: code.join("\n") })
        })
        .collect()
}

/// Files and directories of modules that are compiled for tests only, relative to `root`.
fn test_modules(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in rust_files(root) {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let own_dir = path.strip_suffix("mod.rs").map_or_else(
            || {
                if path.contains('/') || path != "lib.rs" {
                    format!("{}/", path.trim_end_matches(".rs"))
                } else {
                    String::new()
                }
            },
            str::to_owned,
        );
        let text = std::fs::read_to_string(&file).unwrap();
        for rest in text.split("#[cfg(test)]\n").skip(1) {
            let line = rest.lines().next().unwrap_or_default();
            let name = line.split_once("mod ").and_then(|(_, name)| name.strip_suffix(';'));
            found.extend(name.map(|name| format!("{own_dir}{name}")));
        }
    }
    found
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => dirs.push(path),
                false if path.extension().is_some_and(|e| e == "rs") => files.push(path),
                false => {}
            }
        }
    }
    files.sort();
    files
}

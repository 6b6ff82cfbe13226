//! Every rule over the merge of lines that comes before it: what the common cases come to, what stays a conflict, and
//! that no line of either side is ever lost.

use super::super::merge::{Text, merge_texts};
use indoc::indoc;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn merge(path: &str, base: &str, there: &str, attempt: &str) -> Option<String> {
    // Elsewhere there is a repository, which makes libgit2 ready.
    crate::sys::sync_git_objects();
    match merge_texts(path.as_bytes(), base.as_bytes(), there.as_bytes(), attempt.as_bytes()).unwrap() {
        Text::Merged(bytes) => Some(String::from_utf8(bytes).unwrap()),
        Text::ByRule(text, _) => Some(text),
        Text::Conflict(_) => None,
    }
}

/// Lines at a marker of the base.
fn with(base: &str, lines: &str) -> String {
    base.replace("@\n", lines)
}

/// Merges what both sides put at the marker; in both directions it is the same but for the order.
fn both(path: &str, base: &str, there: &str, attempt: &str) -> Option<String> {
    let base_text = with(base, "");
    let (there, attempt) = (with(base, there), with(base, attempt));
    let merged = merge(path, &base_text, &there, &attempt);
    let mirrored = merge(path, &base_text, &attempt, &there);
    let sorted = |text: &Option<String>| {
        text.as_ref().map(|text| {
            let mut lines: Vec<String> =
                text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
            lines.sort();
            lines
        })
    };
    assert_eq!(sorted(&merged), sorted(&mirrored));
    if let Some(merged) = &merged {
        holds_all(merged, &there);
        holds_all(merged, &attempt);
    }
    merged
}

/// Every line, but for commas.
fn holds_all(merged: &str, side: &str) {
    let lines = |text: &str| -> BTreeSet<String> {
        text.lines().map(|line| line.trim().trim_end_matches(',').to_owned()).collect()
    };
    let missing: Vec<String> = lines(side).difference(&lines(merged)).cloned().collect();
    assert!(missing.is_empty(), "{missing:?} is missing in\n{merged}");
}

const CARGO: &str =
    "[package]\nname = \"x\"\n\n[dependencies]\nserde = \"1\"\n@\n\n[profile.release]\nlto = true\n";

#[test]
fn dependencies_that_both_added_to_a_manifest_are_united() {
    let merged =
        both("Cargo.toml", CARGO, "tokio = { version = \"1\", features = [\"rt\"] }\n", "toml = \"1\"\n");
    let expected = with(CARGO, "tokio = { version = \"1\", features = [\"rt\"] }\ntoml = \"1\"\n");
    assert_eq!(merged.unwrap(), expected);
    // With its own comment, and a new table.
    let merged =
        both("a/Cargo.toml", CARGO, "# for speed\nahash = \"1\"\n", "\n[dev-dependencies]\ninsta = \"1\"\n");
    assert!(merged.unwrap().contains("# for speed\nahash = \"1\"\n\n[dev-dependencies]\ninsta = \"1\"\n"));
}

#[test]
fn one_dependency_in_two_versions_is_a_conflict() {
    assert_eq!(both("Cargo.toml", CARGO, "toml = \"1\"\n", "toml = \"2\"\n"), None);
    assert_eq!(both("Cargo.toml", CARGO, "toml = \"1\"\na = \"1\"\n", "b = \"1\"\ntoml = \"2\"\n"), None);
    // Changed in two ways.
    let versions = |v: &str| with(CARGO, "").replace("serde = \"1\"", &format!("serde = \"{v}\""));
    assert_eq!(merge("Cargo.toml", &versions("1"), &versions("2"), &versions("3")), None);
    // Not a file that is known.
    assert_eq!(both("other.toml", CARGO, "a = \"1\"\n", "b = \"1\"\n"), None);
}

#[test]
fn one_name_added_in_two_places_of_a_table_is_no_merge() {
    let base = "[dependencies]\na = \"1\"\nb = \"1\"\nc = \"1\"\nd = \"1\"\ne = \"1\"\nf = \"1\"\n";
    let there = base.replace("a =", "toml = \"1\"\na =");
    let attempt = format!("{base}toml = \"2\"\n");
    assert_eq!(merge("Cargo.toml", base, &there, &attempt), None);
    assert!(merge("notes.txt", base, &there, &attempt).is_some());
}

#[test]
fn what_one_side_removed_stays_removed() {
    let base = "[dependencies]\nold = \"1\"\nserde = \"1\"\n";
    let there = "[dependencies]\nserde = \"1\"\n";
    let attempt = "[dependencies]\nnew = \"1\"\nold = \"1\"\nserde = \"1\"\n";
    assert_eq!(
        merge("Cargo.toml", base, there, attempt).unwrap(),
        "[dependencies]\nnew = \"1\"\nserde = \"1\"\n"
    );
    let changed = "[dependencies]\nold = \"2\"\nserde = \"1\"\n";
    assert_eq!(merge("Cargo.toml", base, there, changed), None);
}

#[test]
fn lists_of_requirements_in_a_project_file_are_united() {
    let base = "[project]\nname = \"x\"\ndependencies = [\n    \"attrs>=2\",\n@\n]\n";
    let merged = both("pyproject.toml", base, "    \"httpx\",\n", "    \"rich>=13\",\n").unwrap();
    assert_eq!(merged, with(base, "    \"httpx\",\n    \"rich>=13\",\n"));
    assert_eq!(both("pyproject.toml", base, "    \"Rich>=12\",\n", "    \"rich>=13\",\n"), None);
    let line = |list: &str| format!("[project]\ndependencies = [{list}]\n");
    let merged = merge("pyproject.toml", &line(""), &line("\"httpx\""), &line("\"rich\"")).unwrap();
    assert_eq!(merged, line("\"httpx\", \"rich\""));
    let workspace = |list: &str| format!("[workspace]\nmembers = [{list}]\n");
    let merged =
        merge("Cargo.toml", &workspace("\"a\""), &workspace("\"a\", \"b\""), &workspace("\"a\", \"c\""));
    assert_eq!(merged.unwrap(), workspace("\"a\", \"b\", \"c\""));
    // An order that may matter.
    let arguments = |list: &str| format!("[tool.x]\nargs = [{list}]\n");
    let merged =
        merge("pyproject.toml", &arguments("\"a\""), &arguments("\"a\", \"b\""), &arguments("\"a\", \"c\""));
    assert_eq!(merged, None);
}

#[test]
fn entries_of_package_json_are_united_with_their_commas() {
    let base =
        "{\n  \"name\": \"x\",\n  \"dependencies\": {\n    \"a\": \"1\"@\n  },\n  \"scripts\": {}\n}\n";
    let put = |more: &str| base.replace('@', more);
    let (there, attempt) = (put(",\n    \"b\": \"^2\""), put(",\n    \"c\": \"^3\""));
    let merged = merge("web/package.json", &put(""), &there, &attempt).unwrap();
    assert_eq!(merged, put(",\n    \"b\": \"^2\",\n    \"c\": \"^3\""));
    assert_eq!(merge("package.json", &put(""), &there, &put(",\n    \"b\": \"^3\"")), None);
    // One in the middle, where all are followed by others.
    let middle = |more: &str| format!("{{\n  \"scripts\": {{\n{more}    \"z\": \"z\"\n  }}\n}}\n");
    let merged =
        merge("package.json", &middle(""), &middle("    \"b\": \"1\",\n"), &middle("    \"a\": \"1\",\n"));
    assert_eq!(merged.unwrap(), middle("    \"a\": \"1\",\n    \"b\": \"1\",\n"));
    let lists = |more: &str| format!("{{\n  \"args\": [\n{more}    \"z\"\n  ]\n}}\n");
    assert_eq!(merge("package.json", &lists(""), &lists("    \"b\",\n"), &lists("    \"a\",\n")), None);
}

#[test]
fn a_name_that_json_would_have_twice_is_no_merge() {
    let base = "{\n  \"a\": 1,\n  \"b\": 1,\n  \"c\": 1,\n  \"d\": 1,\n  \"e\": 1\n}\n";
    let there = base.replace("  \"a\"", "  \"new\": 1,\n  \"a\"");
    let attempt = base.replace("  \"e\"", "  \"new\": 2,\n  \"e\"");
    assert_eq!(merge("package.json", base, &there, &attempt), None);
}

#[test]
fn packages_of_an_npm_lock_are_united() {
    let base = "{\n  \"packages\": {\n    \"a\": {\n      \"version\": \"1\"\n    }@\n  }\n}\n";
    let put =
        |name: &str| base.replace('@', &format!(",\n    \"{name}\": {{\n      \"version\": \"1\"\n    }}"));
    let merged = merge("package-lock.json", &base.replace('@', ""), &put("b"), &put("c"));
    let merged: serde_json::Value = serde_json::from_str(&merged.unwrap()).unwrap();
    assert_eq!(merged["packages"].as_object().unwrap().len(), 3);
}

const LOCK: &str = indoc! {r#"
    # It is not intended for manual editing.
    version = 4

    [[package]]
    name = "base"
    version = "1.0.0"

    @
    [[package]]
    name = "x"
    version = "0.1.0"
    dependencies = [
     "base",%
    ]
"#};

fn locked(name: &str, version: &str) -> String {
    let package =
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry\"\n\n");
    with(LOCK, &package).replace('%', &format!("\n \"{name}\","))
}

#[test]
fn locked_packages_of_both_are_united_and_so_is_what_the_project_needs() {
    let base = with(LOCK, "").replace('%', "");
    let merged = merge("Cargo.lock", &base, &locked("serde", "1.0.1"), &locked("toml", "2.0.0")).unwrap();
    let names: Vec<&str> = merged.lines().filter(|line| line.starts_with("name")).collect();
    assert_eq!(names, ["name = \"base\"", "name = \"serde\"", "name = \"toml\"", "name = \"x\""]);
    assert!(merged.contains(" \"base\",\n \"serde\",\n \"toml\",\n]"), "{merged}");
    assert!(merged.starts_with("# It is not") && merged.ends_with("]\n"));
}

#[test]
fn two_versions_of_a_locked_package_need_its_tool() {
    let base = with(LOCK, "").replace('%', "");
    assert_eq!(merge("Cargo.lock", &base, &locked("serde", "1.0.1"), &locked("serde", "1.0.2")), None);
    // Gone on one side, needed on the other.
    let old = locked("old", "1.0.0");
    let needs_old = old.replace("[[package]]\nname = \"x\"", "[[package]]\nname = \"user\"\nversion = \"1.0.0\"\ndependencies = [\n \"old\",\n]\n\n[[package]]\nname = \"x\"");
    assert_eq!(merge("Cargo.lock", &old, &locked("serde", "1.0.0"), &needs_old), None);
    for name in ["Cargo.lock", "x/pnpm-lock.yaml", "yarn.lock", "go.sum"] {
        assert!(super::advice(name.as_bytes()).unwrap().contains('`'));
    }
}

#[test]
fn sums_are_united_and_a_module_with_two_digests_is_refused() {
    let base = "a.org/a v1.0.0 h1:aaa=\na.org/a v1.0.0/go.mod h1:aab=\n";
    let put = |line: &str| format!("{base}{line}\n");
    let merged = merge("go.sum", base, &put("c.org/c v1.0.0 h1:c="), &put("b.org/b v1.0.0 h1:b="));
    assert_eq!(merged.unwrap(), format!("{base}b.org/b v1.0.0 h1:b=\nc.org/c v1.0.0 h1:c=\n"));
    assert_eq!(merge("go.sum", base, &put("b.org/b v1.0.0 h1:evil="), &put("b.org/b v1.0.0 h1:b=")), None);
}

#[test]
fn blocks_of_a_yarn_lock_are_united() {
    let base = "# yarn lockfile v1\n\n\na@^1:\n  version \"1.0.0\"\n\n@\n\nz@^1:\n  version \"1.0.0\"\n";
    let block = |name: &str| format!("{name}:\n  version \"1.2.0\"\n");
    let merged = both("yarn.lock", base, &block("c@^1"), &block("b@^1, b@^1.2")).unwrap();
    assert!(
        merged.contains("b@^1, b@^1.2:\n  version \"1.2.0\"\n\nc@^1:\n  version \"1.2.0\"\n\nz@^1"),
        "{merged}"
    );
    assert_eq!(both("yarn.lock", base, &block("b@^1.2"), &block("b@^1, b@^1.2")), None);
}

#[test]
fn requirements_by_line_are_united() {
    let base = "attrs\n@\n";
    let merged = both("requirements-dev.txt", base, "httpx==1\n", "# shows\nrich>=2 \\\n  --hash=sha256:x\n");
    assert_eq!(merged.unwrap(), "attrs\nhttpx==1\n# shows\nrich>=2 \\\n  --hash=sha256:x\n");
    assert_eq!(both("requirements.txt", base, "httpx==1\n", "HTTPX==2\n"), None);
    let base = "module x\n\nrequire (\n\ta.org/a v1.0.0\n@\n)\n\nreplace (\n)\n";
    let merged = both("go.mod", base, "\tb.org/b v1.0.0\n", "\tc.org/c v1.0.0 // indirect\n").unwrap();
    assert!(merged.contains("\tb.org/b v1.0.0\n\tc.org/c v1.0.0 // indirect\n)"));
    assert_eq!(both("go.mod", base, "\tb.org/b v1.0.0\n", "\tb.org/b v1.1.0\n"), None);
    let replaced = base.replace("@\n)\n\nreplace (\n", ")\n\nreplace (\n@\n");
    assert_eq!(both("go.mod", &replaced, "\tb.org/b v1.0.0\n", "\tc.org/c v1.0.0\n"), None);
}

#[test]
fn imports_that_both_added_are_united() {
    let cases = [
        ("src/lib.rs", "mod a;\n@\n\nfn f() {}\n", "pub mod b;\n", "#[cfg(test)]\nmod tests;\n"),
        (
            "src/lib.rs",
            "use a::b;\n@\n\nfn f() {}\n",
            "use c::{\n    d,\n    e,\n};\n",
            "pub(crate) use g::*;\n",
        ),
        ("x/__init__.py", "@\n", "from .a import A\n", "from .b import (\n    B,\n    C as D,\n)\n"),
        ("a.py", "import os\n@\n\nx = 1\n", "import re\n", "import sys as s\n"),
        ("index.ts", "export * from './a';\n@\n", "export * from './b';\n", "export { c } from './c';\n"),
        ("a.tsx", "@\n\nconst x = 1;\n", "import React from \"react\";\n", "import type { A } from './a'\n"),
        ("A.java", "import a.B;\n@\n\nclass A {}\n", "import a.C;\n", "import static b.D.e;\n"),
        ("a.go", "import (\n\t\"fmt\"\n@\n)\n", "\t\"os\"\n", "\tx \"a.org/y\"\n"),
        ("a.c", "#include <stdio.h>\n@\n\nint x;\n", "#include <stdlib.h>\n", "#include \"a.h\"\n"),
    ];
    for (path, base, there, attempt) in cases {
        let merged = both(path, base, there, attempt);
        let merged = merged.unwrap_or_else(|| panic!("{path}: {there} and {attempt} are a conflict"));
        assert_eq!(
            merged.lines().count(),
            with(base, &format!("{there}{attempt}")).lines().count(),
            "{merged}"
        );
    }
}

#[test]
fn names_that_both_added_to_one_statement_are_united() {
    let cases = [
        (
            "a.rs",
            "use a::{b};\n",
            "use a::{b, c};\n",
            "use a::{b, d::{e, f}};\n",
            "use a::{b, c, d::{e, f}};\n",
        ),
        (
            "a.py",
            "from a import b\n",
            "from a import b, c\n",
            "from a import b, d\n",
            "from a import b, c, d\n",
        ),
        (
            "a.js",
            "import { b } from 'a';\n",
            "import { b, c } from 'a';\n",
            "import { b, d as e } from 'a';\n",
            "import { b, c, d as e } from 'a';\n",
        ),
        (
            "a.rs",
            "use a::{\n    b,\n};\n",
            "use a::{\n    b,\n    c,\n};\n",
            "use a::{\n    b,\n    d,\n};\n",
            "use a::{\n    b,\n    c,\n    d,\n};\n",
        ),
    ];
    for (path, base, there, attempt, expected) in cases {
        assert_eq!(merge(path, base, there, attempt).as_deref(), Some(expected), "{there}");
    }
}

#[test]
fn imports_that_may_not_go_together_stay_a_conflict() {
    let cases = [
        // One name from two origins.
        ("a.rs", "@\n\nfn f() {}\n", "use a::X;\n", "use b::X;\n"),
        ("a.py", "@\n\nx = 1\n", "from a import x\n", "from b import y as x\n"),
        ("a.ts", "@\n\nlet x;\n", "import { X } from 'a';\n", "import X from 'b';\n"),
        // Not imports only.
        ("a.rs", "@\n\nfn g() {}\n", "use a::X;\n", "fn f() {}\n"),
        ("a.py", "@\n\nx = 1\n", "import os\n", "print('x')\n"),
        ("a.js", "@\n\nlet x;\n", "import './a.css';\n", "import './b.css';\n"),
        ("a.go", "var x = []string{\n@\n}\n", "\t\"os\"\n", "\t\"fmt\"\n"),
        ("a.rs", "@\n\nfn g() {}\n", "mod a { fn x() {} }\n", "mod b;\n"),
    ];
    for (path, base, there, attempt) in cases {
        assert_eq!(both(path, base, there, attempt), None, "{there}");
    }
    // The same line changed to two others.
    assert_eq!(merge("a.rs", "use a::b;\n", "use a::c;\n", "use a::d;\n"), None);
}

#[test]
fn a_last_line_without_an_end_grows_together_with_nothing() {
    let merged =
        merge("Cargo.toml", "[dependencies]", "[dependencies]\na = \"1\"", "[dependencies]\nb = \"1\"");
    assert_eq!(merged.unwrap(), "[dependencies]\na = \"1\"\nb = \"1\"\n");
    let merged = merge("a.rs", "mod a;\r\n", "mod a;\r\nmod b;\r\n", "mod a;\r\nmod c;\r\n");
    assert_eq!(merged.unwrap(), "mod a;\r\nmod b;\r\nmod c;\r\n");
}

/// A list of names in one version, and what each side makes of it.
fn lists() -> impl Strategy<Value = [Vec<u8>; 3]> {
    let base = prop::collection::btree_set(0_u8..12, 0..6);
    let edits = || prop::collection::vec((any::<bool>(), 0_u8..24, 0_u8..12), 0..4);
    (base, edits(), edits()).prop_map(|(base, there, attempt)| {
        let base: Vec<u8> = base.into_iter().collect();
        let edit = |edits: Vec<(bool, u8, u8)>| {
            let mut list = base.clone();
            for (is_added, name, at) in edits {
                match list.iter().position(|n| *n == name) {
                    Some(at) if !is_added => drop(list.remove(at)),
                    // Not one that was removed just now: what one side moves and the other removes may stay.
                    None if is_added && !base.contains(&name) => {
                        list.insert(usize::from(at) % (list.len() + 1), name);
                    }
                    _ => {}
                }
            }
            list
        };
        let (there, attempt) = (edit(there), edit(attempt));
        [base, there, attempt]
    })
}

type Written = fn(&[u8]) -> String;

const WRITTEN: &[(&str, Written)] = &[
    ("Cargo.toml", |list| {
        let lines: String = list.iter().map(|n| format!("dep{n} = \"{n}\"\n")).collect();
        format!("[package]\nname = \"x\"\n\n[dependencies]\n{lines}\n[features]\n")
    }),
    ("pyproject.toml", |list| {
        let lines: String = list.iter().map(|n| format!("  \"dep{n}>={n}\",\n")).collect();
        format!("[project]\ndependencies = [\n{lines}]\n")
    }),
    ("package.json", |list| {
        let lines: Vec<String> = list.iter().map(|n| format!("    \"dep{n}\": \"{n}\"")).collect();
        format!("{{\n  \"dependencies\": {{\n{}\n  }}\n}}\n", lines.join(",\n"))
    }),
    ("requirements.txt", |list| list.iter().map(|n| format!("dep{n}=={n}\n")).collect()),
    ("go.sum", |list| list.iter().map(|n| format!("dep{n} v{n} h1:{n}=\n")).collect()),
    ("go.mod", |list| {
        let lines: String = list.iter().map(|n| format!("\tdep{n} v{n}\n")).collect();
        format!("module x\n\nrequire (\n{lines})\n")
    }),
    ("Cargo.lock", |list| {
        let packages: String =
            list.iter().map(|n| format!("\n[[package]]\nname = \"dep{n}\"\nversion = \"{n}\"\n")).collect();
        let needed: String = list.iter().map(|n| format!(" \"dep{n}\",\n")).collect();
        format!(
            "version = 4\n{packages}\n[[package]]\nname = \"x\"\nversion = \"1\"\ndependencies = [\n{needed}]\n"
        )
    }),
    ("yarn.lock", |list| {
        let blocks: String = list.iter().map(|n| format!("\ndep{n}@^{n}:\n  version \"{n}\"\n")).collect();
        format!("# yarn lockfile v1\n{blocks}\n")
    }),
    ("lib.rs", |list| {
        list.iter().map(|n| format!("pub mod dep{n};\n")).collect::<String>() + "\nfn f() {}\n"
    }),
    ("a.py", |list| {
        list.iter().map(|n| format!("from .dep{n} import C{n}\n")).collect::<String>() + "\nx = 1\n"
    }),
    ("a.ts", |list| list.iter().map(|n| format!("export * from './dep{n}';\n")).collect()),
];

/// Names of the list in a text.
fn names_in(text: &str) -> BTreeSet<u8> {
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    text.split("dep").skip(1).filter_map(digits).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_entry_of_either_side_is_lost_and_only_what_one_removed_is_gone(lists in lists(), which in 0..WRITTEN.len()) {
        let (path, write) = WRITTEN[which];
        let [base, there, attempt] = lists;
        let set = |list: &[u8]| -> BTreeSet<u8> { list.iter().copied().collect() };
        let (in_base, in_there, in_attempt) = (set(&base), set(&there), set(&attempt));
        let merged = merge(path, &write(&base), &write(&there), &write(&attempt));
        if let Some(merged) = merged {
            let expected: BTreeSet<u8> = in_there
                .union(&in_attempt)
                .copied()
                .filter(|n| !in_base.contains(n) || (in_there.contains(n) && in_attempt.contains(n)))
                .collect();
            prop_assert_eq!(names_in(&merged), expected, "{}", merged);
            let mirrored = merge(path, &write(&base), &write(&attempt), &write(&there));
            prop_assert_eq!(mirrored.map(|text| names_in(&text)), Some(names_in(&merged)));
        }
    }

    #[test]
    fn what_both_only_added_to_a_list_always_merges(
        base in prop::collection::btree_set(0_u8..10, 1..5),
        there in prop::collection::btree_set(10_u8..20, 1..4),
        attempt in prop::collection::btree_set(20_u8..30, 1..4),
        which in 0..WRITTEN.len(),
    ) {
        let (path, write) = WRITTEN[which];
        let list = |more: &BTreeSet<u8>| -> Vec<u8> { base.union(more).copied().collect() };
        let merged = merge(path, &write(&list(&BTreeSet::new())), &write(&list(&there)), &write(&list(&attempt)));
        let merged = merged.ok_or_else(|| TestCaseError::fail(format!("{path} is a conflict")))?;
        let all: BTreeSet<u8> = base.iter().chain(&there).chain(&attempt).copied().collect();
        prop_assert_eq!(names_in(&merged), all);
    }

    #[test]
    fn texts_of_any_kind_never_lose_a_line_that_a_side_added(
        lines in prop::collection::vec("[a-z\\[\\]{}\"',:=# ()]{0,9}", 0..6),
        there in prop::collection::vec((0_usize..7, "[a-z\\[\\]{}\"',:=# ()/;*]{1,12}"), 0..4),
        attempt in prop::collection::vec((0_usize..7, "[a-z\\[\\]{}\"',:=# ()/;*]{1,12}"), 0..4),
        which in 0..WRITTEN.len(),
    ) {
        let (path, _) = WRITTEN[which];
        let put = |edits: &[(usize, String)]| {
            let mut list = lines.clone();
            for (at, line) in edits {
                list.insert(at % (list.len() + 1), line.clone());
            }
            list.iter().map(|line| format!("{line}\n")).collect::<String>()
        };
        let (base, there_text, attempt_text) = (put(&[]), put(&there), put(&attempt));
        if let Some(merged) = merge(path, &base, &there_text, &attempt_text) {
            for (_, line) in there.iter().chain(&attempt).filter(|(_, line)| !line.trim().is_empty()) {
                let bare = line.trim().trim_end_matches(',').trim_end();
                prop_assert!(merged.contains(bare), "{:?} is missing in {:?}", bare, merged);
            }
        }
    }
}

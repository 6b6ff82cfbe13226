//! Which kind of work a task is, by its words and paths, and what is worth knowing for that kind.
//!
//! Chosen by rules in a set order, the most telling first: a test of an endpoint is a test, a migration for a model is a
//! migration.

use crate::task::NamedPath;
use serde::Serialize;

/// A kind of work with its advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pattern {
    pub name: &'static str,
    pub text: &'static str,
}

struct Rule {
    name: &'static str,
    text: &'static str,
    /// Beginnings of words in the title.
    words: &'static [&'static str],
    /// Two words one behind the other.
    pairs: &'static [(&'static str, &'static str)],
    /// Parts of paths, in small letters.
    paths: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        name: "bug fix",
        text: include_str!("patterns/bugfix.md"),
        words: &["bug", "fix", "fixes", "hotfix", "regression", "repair"],
        pairs: &[],
        paths: &[],
    },
    Rule {
        name: "migration",
        text: include_str!("patterns/migration.md"),
        words: &["migration", "migrations", "backfill"],
        pairs: &[("schema", "change"), ("database", "schema"), ("db", "schema")],
        paths: &["migrations/", "migrate/", "alembic/", ".sql"],
    },
    Rule {
        name: "test",
        text: include_str!("patterns/test.md"),
        words: &["test", "tests", "testing", "e2e"],
        pairs: &[],
        paths: &["tests/", "test/", "__tests__/", "spec/", "_test.", ".test.", ".spec.", "test_"],
    },
    Rule {
        name: "refactoring",
        text: include_str!("patterns/refactoring.md"),
        words: &[
            "refactor",
            "refactoring",
            "rename",
            "extract",
            "restructure",
            "deduplicate",
            "cleanup",
            "simplify",
        ],
        pairs: &[("clean", "up"), ("move", "to"), ("split", "into")],
        paths: &[],
    },
    Rule {
        name: "docs",
        text: include_str!("patterns/docs.md"),
        words: &["document", "documentation", "docs", "readme", "changelog", "quickstart", "guide"],
        pairs: &[],
        paths: &["docs/", "doc/", "readme", "changelog", ".md", ".rst", ".adoc"],
    },
    Rule {
        name: "API endpoint",
        text: include_str!("patterns/endpoint.md"),
        words: &["endpoint", "endpoints", "route", "routes", "controller", "webhook", "handler"],
        pairs: &[("rest", "api"), ("api", "for")],
        paths: &["routes/", "controllers/", "endpoints/", "handlers/", "api/"],
    },
    Rule {
        name: "component with TDD",
        text: include_str!("patterns/component.md"),
        words: &["component", "components", "page", "form", "dialog", "modal", "widget", "screen", "view"],
        pairs: &[],
        paths: &["components/", "pages/", "views/", "widgets/", ".tsx", ".jsx", ".vue", ".svelte"],
    },
    Rule {
        name: "service",
        text: include_str!("patterns/service.md"),
        words: &["service", "services", "repository", "client", "worker", "manager"],
        pairs: &[("business", "logic")],
        paths: &["services/", "service/", "_service.", "service.", "repositories/"],
    },
    Rule {
        name: "file",
        text: include_str!("patterns/file.md"),
        words: &["create", "add", "write", "generate", "scaffold"],
        pairs: &[],
        paths: &[],
    },
];

/// The pattern that fits; none if nothing tells.
pub fn of(title: &str, files: &[NamedPath]) -> Option<Pattern> {
    let lower = title.to_lowercase();
    // A path's parts are no words of the sentence.
    let words: Vec<&str> = lower
        .split_whitespace()
        .filter(|word| !word.contains('/') && !word.trim_end_matches(['.', ',', ':']).contains('.'))
        .flat_map(|word| word.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let by_words = |rule: &&Rule| {
        words.iter().any(|word| rule.words.contains(word))
            || words.windows(2).any(|pair| rule.pairs.contains(&(pair[0], pair[1])))
    };
    let paths: Vec<String> = files.iter().map(|file| file.path.to_lowercase()).collect();
    let by_paths = |rule: &&Rule| paths.iter().any(|path| rule.paths.iter().any(|part| path.contains(part)));
    // The last rule fits nearly everything that is made, so paths speak before it.
    let (general, special) = RULES.split_last()?;
    let rule = special.iter().find(by_words).or_else(|| special.iter().find(by_paths));
    let is_new_file = || by_words(&general) && !files.is_empty();
    let rule = rule.or_else(|| is_new_file().then_some(general))?;
    Some(Pattern { name: rule.name, text: rule.text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::source::SourceText;

    fn name(title: &str) -> Option<&'static str> {
        let (document, _) = parse(&SourceText::new("t", format!("- [ ] T001 {title}\n")));
        let task = &document.tasks[0];
        of(&task.title, &task.files).map(|pattern| pattern.name)
    }

    #[test]
    fn each_kind_of_work_is_known_by_its_words_or_paths() {
        for (title, kind) in [
            ("Create the config in src/config.py", "file"),
            ("Build the sign-in form in web/SignIn.tsx", "component with TDD"),
            ("Add POST /users endpoint", "API endpoint"),
            ("Add users table in db/migrations/003_users.sql", "migration"),
            ("Implement AuthService in src/services/auth.py", "service"),
            ("Rename Foo to Bar", "refactoring"),
            ("Fix crash on empty input in src/a.rs", "bug fix"),
            ("Update README.md", "docs"),
            ("Contract test for POST /users in tests/test_users.py", "test"),
        ] {
            assert_eq!(name(title), Some(kind), "{title}");
        }
        assert_eq!(name("Think about it"), None);
    }

    #[test]
    fn advice_is_short() {
        for rule in RULES {
            assert!(rule.text.lines().count() <= 6 && rule.text.len() < 800, "{}", rule.name);
        }
    }
}

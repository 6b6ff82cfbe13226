//! How long a task probably takes (SPEC 12.2): measured, else the median of what was measured, else by its kind.
//!
//! Knows words of titles; reads no clock and no history file.

use super::{Estimates, Role};
use crate::task::Task;
use std::time::Duration;

/// What a task is about, by its words. In order of precedence: tests of a service are tests, docs of a model are docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Test,
    Migration,
    Docs,
    Controller,
    Route,
    Service,
    Model,
    Other,
}

/// The shortest and the longest of the words below.
const LENGTHS: std::ops::RangeInclusive<usize> = 3..=13;

/// Of each byte whether it is part of a word, and whether any of the words below begins with it.
const IN_WORD: u8 = 1;
const BEGINS: u8 = 2;
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = IN_WORD;
        }
        if matches!((byte as u8).to_ascii_lowercase(), b't' | b'e' | b'm' | b'd' | b'r' | b'c' | b's') {
            table[byte] = BEGINS;
        }
        byte += 1;
    }
    table
};

fn told_by(word: &[u8]) -> Option<Kind> {
    if !LENGTHS.contains(&word.len()) || CLASS[word[0] as usize] != BEGINS {
        return None;
    }
    let mut lower = [0; *LENGTHS.end()];
    let lower = &mut lower[..word.len()];
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    let tells = |known: &[&[u8]]| known.contains(&&*lower);
    match lower[0] {
        b't' => tells(&[b"test", b"tests", b"testing"]).then_some(Kind::Test),
        b'm' if tells(&[b"migration", b"migrations", b"migrate"]) => Some(Kind::Migration),
        b'm' => tells(&[b"model", b"models"]).then_some(Kind::Model),
        b'd' => tells(&[b"doc", b"docs", b"documentation"]).then_some(Kind::Docs),
        b'r' if lower == b"readme" => Some(Kind::Docs),
        b'r' => tells(&[b"route", b"routes", b"router", b"routers"]).then_some(Kind::Route),
        b'c' if lower == b"changelog" => Some(Kind::Docs),
        b'c' => tells(&[b"controller", b"controllers"]).then_some(Kind::Controller),
        b's' => tells(&[b"service", b"services"]).then_some(Kind::Service),
        b'e' if lower == b"e2e" => Some(Kind::Test),
        b'e' if tells(&[b"entity", b"entities"]) => Some(Kind::Model),
        b'e' => tells(&[b"endpoint", b"endpoints"]).then_some(Kind::Route),
        _ => None,
    }
}

impl Kind {
    /// The kind a title tells.
    pub fn of(title: &str) -> Kind {
        // `spec` alone is as often a document.
        let dotted = memchr::memchr(b'.', title.as_bytes()).is_some();
        if dotted && [".spec.", "_spec.", "-spec."].iter().any(|part| title.contains(part)) {
            return Kind::Test;
        }
        // The first of the list that any word tells; most words tell nothing.
        let told = if title.is_ascii() {
            // The same words, told apart faster.
            ascii_kind(title.as_bytes())
        } else {
            words(title).map(str::as_bytes).filter_map(told_by).min()
        };
        told.unwrap_or(Kind::Other)
    }

    /// Until something was measured.
    pub fn built_in(self) -> Duration {
        Duration::from_secs(match self {
            Kind::Model => 15,
            Kind::Service => 20,
            Kind::Route => 10,
            Kind::Test => 18,
            Kind::Migration => 8,
            Kind::Docs => 5,
            Kind::Controller | Kind::Other => 12,
        })
    }
}

/// The first of the list that any word tells.
fn ascii_kind(title: &[u8]) -> Option<Kind> {
    let mut told: Option<Kind> = None;
    let (mut rest, mut in_word) = (title, false);
    while let Some((byte, after)) = rest.split_first() {
        let class = CLASS[*byte as usize];
        if in_word || class != BEGINS {
            (rest, in_word) = (after, class != 0);
            continue;
        }
        let length = rest.iter().take_while(|byte| CLASS[**byte as usize] != 0).count();
        if let Some(kind) = told_by(&rest[..length]) {
            told = Some(told.map_or(kind, |before| before.min(kind)));
        }
        rest = &rest[length..];
    }
    told
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Expected durations, one per task; none for what is done.
pub(super) fn durations(tasks: &[Task], roles: &[Role], estimates: &Estimates) -> Vec<Duration> {
    let usual = median(estimates);
    let guess = |task: &Task| usual.unwrap_or_else(|| Kind::of(&task.title).built_in());
    let known = |task: &Task| estimates.by_task.get(&task.id).copied();
    let expected = |(task, role): (&Task, &Role)| match role {
        Role::Done => Duration::ZERO,
        _ => known(task).unwrap_or_else(|| guess(task)),
    };
    tasks.iter().zip(roles).map(expected).collect()
}

fn median(estimates: &Estimates) -> Option<Duration> {
    let mut known: Vec<Duration> = estimates.by_task.values().copied().collect();
    known.sort_unstable();
    let (low, high) = (known.get(known.len().checked_sub(1)? / 2)?, known.get(known.len() / 2)?);
    Some((*low + *high) / 2)
}

/// Whether the task writes tests, as opposed to running them or to anything else (`--tdd`).
pub(super) fn writes_tests(task: &Task) -> bool {
    let only_runs = ["run", "execute", "verify", "ensure", "confirm", "check", "validate", "rerun"];
    let first = words(&task.title).next();
    let says_so = Kind::of(&task.title) == Kind::Test;
    let in_tests = !task.files.is_empty() && task.files.iter().all(|file| Kind::of(&file.path) == Kind::Test);
    (says_so || in_tests)
        && !first.is_some_and(|first| only_runs.iter().any(|own| own.eq_ignore_ascii_case(first)))
}

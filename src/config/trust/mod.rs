//! Consent to what repository content would execute (SPEC 14.2).
//!
//! What counts is the *unit*: all executable blocks of one task, in order, with everything that decides how they run.
//! Titles, order of tasks, boxes and prose do not count, so plain edits never ask again; a block added to, changed in
//! or taken from a task makes a new unit. Units that were agreed to stay so when other tasks go away: nothing new runs.
//! Knows nothing of prompts; the decision is kept in the user's own directory by [`Store`].

mod store;

pub use store::{Known, Store};

use crate::task::{Block, BlockKind, Task};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt;

/// SHA-256: an attacker who writes both contents must not find two that look alike to us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Hash {
    /// From 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Hash> {
        let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|n| n as u8)).collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if digits.len() == 64 { bytes.try_into().ok().map(Hash) } else { None }
    }
}

/// Hashes fields so that no two different lists of fields give the same bytes.
struct Fields(Sha256);

impl Fields {
    fn new(domain: &str) -> Fields {
        let mut fields = Fields(Sha256::new());
        fields.add(domain.as_bytes());
        fields
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.add(&[u8::from(text.is_some())]);
        self.add(text.unwrap_or_default().as_bytes());
    }

    fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// What is agreed to or not as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    pub hash: Hash,
    /// Whom it belongs to, for people: `T001, line 12`. Not part of the hash.
    pub place: String,
    /// What would be executed, line by line, as it would be shown. Not escaped.
    pub text: Vec<String>,
}

impl Unit {
    fn of_task(task: &Task) -> Unit {
        let mut text = Vec::new();
        for block in &task.blocks {
            text.push(describe(block));
            // Not `lines`: a carriage return decides what runs, so it is shown.
            let code = block.code.strip_suffix('\n').unwrap_or(&block.code);
            text.extend(code.split('\n').map(|line| format!("  {line}")));
        }
        Unit { hash: hash_blocks(&task.blocks), place: format!("{}, line {}", task.id, task.line), text }
    }

    /// Something else that would be carried out: where it is asked for, and its text.
    fn of_request(place: &str, text: &[String]) -> Unit {
        let mut fields = Fields::new("specter request 1");
        text.iter().for_each(|line| fields.add(line.as_bytes()));
        Unit { hash: fields.finish(), place: place.to_owned(), text: text.to_vec() }
    }

    fn of_setting(key: &str, value: &str) -> Unit {
        let mut fields = Fields::new("specter setting 1");
        fields.add(key.as_bytes());
        fields.add(value.as_bytes());
        Unit {
            hash: fields.finish(),
            place: "project configuration".to_owned(),
            text: vec![format!("{key} = {value}")],
        }
    }
}

fn hash_blocks(blocks: &[Block]) -> Hash {
    let mut fields = Fields::new("specter task 1");
    for block in blocks {
        fields.add(kind(block.kind).as_bytes());
        fields.add(block.interpreter.as_bytes());
        fields.add(block.code.as_bytes());
        fields.maybe(block.given.timeout.map(|timeout| timeout.as_millis().to_string()).as_deref());
        fields.maybe(block.given.dir.as_deref());
        fields.maybe(block.given.retries.map(|retries| retries.to_string()).as_deref());
        fields.add(&(block.given.env.len() as u64).to_le_bytes());
        for (name, value) in &block.given.env {
            fields.add(name.as_bytes());
            fields.add(value.as_bytes());
        }
    }
    fields.finish()
}

fn kind(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Run => "run",
        BlockKind::Fallback => "fallback",
        BlockKind::Verify => "verify",
    }
}

/// The info string, in one spelling.
fn describe(block: &Block) -> String {
    let mut text = format!("{} {}", block.interpreter, kind(block.kind));
    if let Some(timeout) = block.given.timeout {
        text += &format!(" timeout={}ms", timeout.as_millis());
    }
    if let Some(dir) = &block.given.dir {
        text += &format!(" dir={dir}");
    }
    if let Some(retries) = block.given.retries {
        text += &format!(" retries={retries}");
    }
    for (name, value) in &block.given.env {
        text += &format!(" env.{name}={value}");
    }
    text
}

/// Everything in a task file and its project's configuration that would be executed.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// In document order, each content once.
    pub units: Vec<Unit>,
}

impl Commands {
    /// `settings` are the project's own values of settings that decide what is executed.
    pub fn of(tasks: &[Task], settings: &[(String, String)]) -> Commands {
        let with_blocks: Vec<&Task> = tasks.iter().filter(|task| !task.blocks.is_empty()).collect();
        if with_blocks.is_empty() {
            return Commands::default();
        }
        let settings = settings.iter().map(|(key, value)| Unit::of_setting(key, value));
        let mut seen = BTreeSet::new();
        let units = settings.chain(with_blocks.into_iter().map(Unit::of_task));
        Commands { units: units.filter(|unit| seen.insert(unit.hash)).collect() }
    }

    /// With what is to be carried out besides: whom it belongs to, and its text.
    #[must_use]
    pub fn and(mut self, requests: &[(String, Vec<String>)]) -> Commands {
        for (place, text) in requests {
            let unit = Unit::of_request(place, text);
            if self.units.iter().all(|known| known.hash != unit.hash) {
                self.units.push(unit);
            }
        }
        self
    }

    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Of the whole content, whatever the order of tasks.
    pub fn hash(&self) -> Hash {
        let mut fields = Fields::new("specter commands 1");
        let hashes: BTreeSet<Hash> = self.units.iter().map(|unit| unit.hash).collect();
        hashes.iter().for_each(|hash| fields.add(&hash.0));
        fields.finish()
    }
}

/// How the user stands to some [`Commands`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Agreed to, or nothing would be executed.
    Trusted,
    /// Nothing of this project was agreed to.
    New,
    /// Something was, and this is different.
    Changed { added: Vec<Unit>, removed: Vec<Unit> },
}

/// What may be executed in this run. Blocks that come into the file later are not covered.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    units: BTreeSet<Hash>,
}

impl Trust {
    pub fn of(commands: &Commands) -> Trust {
        Trust { units: commands.units.iter().map(|unit| unit.hash).collect() }
    }

    /// In everything that these tasks would execute.
    pub fn of_tasks(tasks: &[Task]) -> Trust {
        let with_blocks = tasks.iter().filter(|task| !task.blocks.is_empty());
        Trust { units: with_blocks.map(|task| hash_blocks(&task.blocks)).collect() }
    }

    /// Whether everything this task would execute was agreed to; a task without blocks executes nothing.
    pub fn covers(&self, task: &Task) -> bool {
        task.blocks.is_empty() || self.units.contains(&hash_blocks(&task.blocks))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::source::{Excerpt, Span};
    use crate::task::{Few, Given, Rare, State as TaskState, TaskId};

    pub(crate) fn block(kind: BlockKind, code: &str) -> Block {
        Block {
            kind,
            interpreter: "sh".into(),
            code: code.into(),
            given: crate::task::Rare::default(),
            line: 1,
            span: Span::default(),
        }
    }

    pub(crate) fn task(id: &str, blocks: Vec<Block>) -> Task {
        Task {
            id: TaskId::new(id),
            synthetic: false,
            line: 1,
            span: Span::default(),
            id_span: Span::default(),
            title: Excerpt::default(),
            checkbox: None,
            state: TaskState::Open,
            parallel: false,
            stories: Few::new(),
            all_stories: false,
            priority: None,
            more: crate::task::Rare::default(),
            phase: None,
            group: None,
            is_group: false,
            checkpoint: false,
            files: Few::new(),
            blocks,
            body: Span::default(),
        }
    }

    fn given(given: Given) -> Block {
        Block { given: Rare::new(given), ..block(BlockKind::Run, "make") }
    }

    fn hash(blocks: Vec<Block>) -> Hash {
        Commands::of(&[task("T1", blocks)], &[]).hash()
    }

    #[test]
    fn everything_that_decides_what_runs_is_in_the_hash() {
        use BlockKind::{Run, Verify};
        let base = || block(Run, "make");
        let variants = [
            vec![base()],
            vec![block(Verify, "make")],
            vec![block(Run, "make ")],
            vec![Block { interpreter: "bash".into(), ..base() }],
            vec![given(Given { dir: Some("web".to_owned()), ..Given::default() })],
            vec![given(Given { dir: Some(String::new()), ..Given::default() })],
            vec![given(Given { retries: Some(0), ..Given::default() })],
            vec![given(Given { timeout: Some(std::time::Duration::from_secs(1)), ..Given::default() })],
            vec![given(Given { env: vec![("A".to_owned(), "B".to_owned())].into(), ..Given::default() })],
            vec![given(Given { env: vec![("AB".to_owned(), String::new())].into(), ..Given::default() })],
            vec![base(), base()],
            vec![base(), block(Run, "true")],
            vec![block(Run, "true"), base()],
        ];
        let hashes: BTreeSet<Hash> = variants.iter().cloned().map(hash).collect();
        assert_eq!(hashes.len(), variants.len());
    }

    #[test]
    fn plain_edits_change_nothing() {
        let a = || task("T1", vec![block(BlockKind::Run, "a")]);
        let b = || task("T2", vec![block(BlockKind::Run, "b")]);
        let renamed =
            Task { id: TaskId::new("T9"), title: "new".into(), state: TaskState::Done, line: 7, ..a() };
        let before = Commands::of(&[a(), b()], &[]);
        let after = Commands::of(&[task("T0", Vec::new()), b(), renamed], &[]);
        assert_eq!(before.hash(), after.hash());
    }

    #[test]
    fn a_file_without_blocks_asks_for_nothing() {
        let settings = [("shell".to_owned(), "bash".to_owned())];
        assert!(Commands::of(&[task("T1", Vec::new())], &settings).is_empty());
        assert_eq!(Commands::of(&[task("T1", vec![block(BlockKind::Run, "a")])], &settings).units.len(), 2);
    }

    #[test]
    fn blocks_that_come_later_are_not_covered() {
        let known = task("T1", vec![block(BlockKind::Run, "a")]);
        let trust = Trust::of(&Commands::of(std::slice::from_ref(&known), &[]));
        assert!(trust.covers(&known) && trust.covers(&task("T2", Vec::new())));
        let grown = task("T1", vec![block(BlockKind::Run, "a"), block(BlockKind::Run, "b")]);
        assert!(!trust.covers(&grown) && !trust.covers(&task("T3", vec![block(BlockKind::Verify, "a")])));
    }

    #[test]
    fn hashes_read_back() {
        let hash = hash(vec![block(BlockKind::Run, "a")]);
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        assert_eq!(Hash::parse("12ab"), None);
        assert_eq!(Hash::parse(&"x".repeat(64)), None);
    }
}

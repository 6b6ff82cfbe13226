//! Something to tell a person about the file they wrote: what, where, why, what to do (SPEC 2.7).
//!
//! Plain data. Who renders it (terminal, JSON, SARIF) and where it came from are not known here.

use crate::source::Span;
use serde::{Serialize, Serializer};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// A place in the file and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One finding. The first label is the place; further ones give context (the other duplicate, the next edge of a cycle).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    /// Lower case, present tense, no full stop, backticks around what the user wrote.
    pub message: String,
    pub labels: Vec<Label>,
    /// What to do, one sentence each.
    pub help: Vec<String>,
}

impl Diagnostic {
    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: Vec::new(),
            help: Vec::new(),
        }
    }

    pub fn warning(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help.push(help.into());
        self
    }

    pub fn span(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

macro_rules! codes {
    ($($name:ident $code:literal $explain:literal;)*) => {
        /// A stable name for each kind of finding, explained by `specter check --explain CODE`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($name,)* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The kebab-case name, as printed.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// What it means and what to do, for a person.
            pub fn explain(self) -> &'static str {
                match self { $(Code::$name => $explain,)* }
            }
        }
    };
}

codes! {
    NotText "not-text" "The file is not UTF-8 text: it is binary, has NUL bytes, is UTF-16, or is cut in the middle of a character. Save it as UTF-8.";
    NoTasks "no-tasks" "No task was recognised. A task is a checkbox item such as `- [ ] T001 Do something`, or a heading such as `### T001: Do something`.";
    DuplicateId "duplicate-id" "Two tasks have the same id, so a dependency or a tick could mean either. Give each task its own id.";
    ConfusableId "confusable-id" "Two ids look alike, or an id holds characters that look like others (another script, full-width, invisible). Write ids with ASCII letters and digits.";
    UnknownDependency "unknown-dependency" "A task depends on an id that no task of this file has.";
    SelfDependency "self-dependency" "A task depends on itself, so it could never start.";
    Cycle "cycle" "Tasks wait for one another in a circle, so none of them could start. Remove one of the dependencies shown.";
    BadRange "bad-range" "A range of ids is reversed, too long, or mixes id styles.";
    BadDependency "bad-dependency" "A dependency could not be read: write ids separated by commas, or a range such as `T001-T004`.";
    UnclosedFence "unclosed-fence" "A fenced code block is opened and never closed, so everything after it would be code. Close it with a line of the same backticks.";
    UnclosedComment "unclosed-comment" "A comment is opened with `<!--` and never closed, so everything after it is hidden. Close it with `-->`.";
    BadAttribute "bad-attribute" "A fence attribute is unknown or its value cannot be read. Known: `timeout=30s`, `dir=web`, `retries=0`, `env.NAME=value`.";
    EmptyBlock "empty-block" "A `run`, `fallback` or `verify` block has no command in it.";
    StrayBlock "stray-block" "A `run`, `fallback` or `verify` block stands outside every task, so nothing would run it. Indent it under its task.";
    UnclearMark "unclear-mark" "The mark in the box means different things to different people, so the task is neither run nor counted as done. `--treat '~=open'` decides.";
    NoBox "no-box" "A task heading has no box, so nothing in the file can show that it is done; only the journal knows. Write `### [ ] T001: Text`.";
    OddBox "odd-box" "The box is not written as `[ ]` or `[x]`; it was read as best as possible.";
    DroppedTask "dropped-task" "The task is open, but its text says that it is deferred, skipped, removed or struck out. It is skipped unless named with --only.";
    ManualTask "manual-task" "The task asks for a person. specter never runs or ticks it; what needs it waits.";
    MissingId "missing-id" "A checkbox among tasks with ids has no id itself; it is not run.";
    NoIds "no-ids" "No task of the file has an id; ids were made from place and text.";
    RangeTask "range-task" "One line stands for several ids. Split it before it is run.";
    TaskInFence "task-in-fence" "A line inside a code block or comment looks like a task; it is not one.";
    IgnoredSection "ignored-section" "A checkbox stands in a checklist or note section and is not a task.";
    SquashedLine "squashed-line" "The spaces between box, id and text are missing; the line was read as best as possible.";
    CountMismatch "count-mismatch" "The file states a number of tasks that differs from what was found.";
    SameFile "same-file" "Two tasks marked [P] name the same file; they will not overlap.";
    OutsidePath "outside-path" "A path leads outside the project.";
    PhaseConflict "phase-conflict" "An explicit dependency goes against the order of phases or tasks; the explicit one wins.";
    ProseDropped "prose-dropped" "An order told in prose contradicts the rest of the plan and was not used.";
    DoneNeedsOpen "done-needs-open" "A ticked task depends on one that is still open.";
    NeedsUnclear "needs-unclear" "A task depends on one that is neither run nor done.";
    WavesIncomplete "waves-incomplete" "The waves block does not place every task; the missing ones follow document order.";
    NotSelected "not-selected" "A selected task needs one that is open and not selected. `--with-needs` takes it in.";
    NothingSelected "nothing-selected" "The selection matches no task.";
    UnknownSelection "unknown-selection" "A story, phase, id or tag in the selection does not exist in this file.";
    BadFilter "bad-filter" "The filter expression could not be read.";
    NoWork "no-work" "A task says neither which command to run nor which agent does it.";
    GitTask "git-task" "The task commits, pushes or switches branches itself, which collides with running others beside it.";
    HiddenCharacters "hidden-characters" "The text holds invisible or direction-changing characters; they are shown escaped.";
    TooDeep "too-deep" "The list is nested deeper than the limit; deeper items belong to the body of their task.";
    BadConfig "bad-config" "A configuration file is not valid TOML or JSON.";
    UnknownKey "unknown-key" "A configuration file has a key that is no setting. `specter config` lists all settings.";
    BadValue "bad-value" "A setting in a configuration file has a value that cannot be used.";
    UserOnlyKey "user-only-key" "A project's configuration sets what only the user's own configuration may decide.";
    BadTemplate "bad-template" "A template of prompts cannot be used: it does not parse, or uses something that is not defined.";
    TooMany "too-many" "There are more findings of one kind than are worth printing.";
}

impl Code {
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

//! From meaning to looks: labels to styles, signs to characters, and what the screen can show.
//!
//! No other file names a colour or a special character. Knows nothing of tasks or events.

use anstyle::{AnsiColor, Style};
use std::fmt::{self, Write as _};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Done,
    Failed,
    Warning,
    Running,
    Waiting,
    Heading,
    Id,
    /// A command to type.
    Command,
    Dim,
}

impl Label {
    fn style(self) -> Style {
        match self {
            Label::Done => AnsiColor::Green.on_default(),
            Label::Failed => AnsiColor::Red.on_default().bold(),
            Label::Warning => AnsiColor::Yellow.on_default(),
            Label::Running | Label::Command => AnsiColor::Cyan.on_default(),
            Label::Waiting => AnsiColor::Blue.on_default(),
            Label::Heading | Label::Id => Style::new().bold(),
            Label::Dim => Style::new().dimmed(),
        }
    }
}

/// A sign with a plain-ASCII twin, so that nothing depends on a font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Done,
    Failed,
    Blocked,
    Retry,
    Skipped,
    Open,
    Running,
    Manual,
    Unclear,
    Ellipsis,
    Arrow,
    Bullet,
    /// Between a line's parts.
    Dot,
    /// Before a line of a task's output.
    Bar,
    BarFull,
    BarEmpty,
}

impl Sign {
    fn pair(self) -> (&'static str, &'static str) {
        match self {
            Sign::Done => ("✓", "ok"),
            Sign::Failed => ("✗", "FAIL"),
            Sign::Blocked => ("⊘", "!"),
            Sign::Retry => ("↻", "retry"),
            Sign::Skipped => ("–", "-"),
            Sign::Open => ("○", "o"),
            Sign::Running => ("▶", ">"),
            Sign::Manual => ("☞", "@"),
            Sign::Unclear => ("?", "?"),
            Sign::Ellipsis => ("…", "..."),
            Sign::Arrow => ("→", "->"),
            Sign::Bullet => ("•", "*"),
            Sign::Dot => ("·", "-"),
            Sign::Bar => ("│", "|"),
            Sign::BarFull => ("█", "#"),
            Sign::BarEmpty => ("░", "."),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    #[default]
    Auto,
    Always,
    Never,
}

/// What the user asked for by flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    pub color: ColorChoice,
    pub ascii: bool,
    pub quiet: bool,
    /// How often `-v` was given.
    pub verbose: u8,
}

/// Where output goes. One per stream: stdout may be a pipe while stderr is a terminal.
pub struct Surroundings<'a> {
    /// Reads one environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub is_terminal: bool,
    /// Columns and rows of the terminal, if it has any.
    pub size: Option<(u16, u16)>,
}

/// What the screen can show and how much is wanted on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    pub color: bool,
    pub unicode: bool,
    /// At least 1.
    pub width: usize,
    /// At least 1.
    pub height: usize,
    /// A person looks at a terminal that can move its cursor.
    pub interactive: bool,
    pub quiet: bool,
    pub verbose: u8,
}

/// Width for streams that are no terminal and say nothing of theirs.
const PLAIN_WIDTH: usize = 120;

impl Screen {
    pub fn detect(around: &Surroundings<'_>, choice: Choice) -> Screen {
        let env = |name: &str| (around.env)(name).filter(|value| !value.is_empty());
        let is_dumb = env("TERM").as_deref() == Some("dumb");
        let in_ci = env("CI").is_some_and(|value| value != "false" && value != "0");
        let (columns, rows) = around.size.unwrap_or_default();
        let fallback = if around.is_terminal { 80 } else { PLAIN_WIDTH };
        let number = |name: &str| env(name).and_then(|value| value.parse::<usize>().ok()).filter(|n| *n > 0);
        Screen {
            color: wants_color(choice.color, around, &env, is_dumb),
            unicode: !choice.ascii && speaks_utf8(&env),
            width: pick(columns).or_else(|| number("COLUMNS")).unwrap_or(fallback),
            height: pick(rows).or_else(|| number("LINES")).unwrap_or(24),
            interactive: around.is_terminal && !is_dumb && !in_ci,
            quiet: choice.quiet,
            verbose: choice.verbose,
        }
    }

    /// No colour, Unicode, of this width: for tests and files.
    pub fn plain(width: usize) -> Screen {
        Screen {
            color: false,
            unicode: true,
            width: width.max(1),
            height: 24,
            interactive: false,
            quiet: false,
            verbose: 0,
        }
    }

    pub fn sign(&self, sign: Sign) -> &'static str {
        let (unicode, ascii) = sign.pair();
        if self.unicode { unicode } else { ascii }
    }

    /// `text` in the style of `label`, if there is colour.
    pub fn paint<T: fmt::Display>(&self, label: Label, text: T) -> Painted<T> {
        Painted { style: if self.color { label.style() } else { Style::new() }, text }
    }

    /// A sign in the style of what it says.
    pub fn mark(&self, sign: Sign) -> Painted<&'static str> {
        let label = match sign {
            Sign::Done => Label::Done,
            Sign::Failed => Label::Failed,
            Sign::Blocked | Sign::Retry | Sign::Unclear | Sign::Manual => Label::Warning,
            Sign::Running => Label::Running,
            _ => Label::Dim,
        };
        self.paint(label, self.sign(sign))
    }
}

fn pick(size: u16) -> Option<usize> {
    (size > 0).then_some(size as usize)
}

/// The flag, then `NO_COLOR`, then `CLICOLOR_FORCE`, then whether anybody looks.
fn wants_color(
    choice: ColorChoice,
    around: &Surroundings<'_>,
    env: &dyn Fn(&str) -> Option<String>,
    is_dumb: bool,
) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if env("NO_COLOR").is_some() => false,
        ColorChoice::Auto if env("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => around.is_terminal && !is_dumb && env("CLICOLOR").as_deref() != Some("0"),
    }
}

/// The first of these variables that is set decides, as in POSIX.
fn speaks_utf8(env: &dyn Fn(&str) -> Option<String>) -> bool {
    let locale = env("LC_ALL").or_else(|| env("LC_CTYPE")).or_else(|| env("LANG"));
    locale.is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

/// Text with its style; shows nothing but the text if the style is empty.
#[derive(Clone, Copy, Debug)]
pub struct Painted<T> {
    style: Style,
    text: T,
}

impl Painted<&str> {
    /// What `to_string` says; without colour, as most logs are, without the formatting machinery.
    pub fn push_to(&self, out: &mut String) {
        if self.style.is_plain() {
            out.push_str(self.text);
        } else {
            let _ = write!(out, "{self}");
        }
    }
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.style.render(), self.text, self.style.render_reset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(vars: &[(&str, &str)], is_terminal: bool, choice: Choice) -> Screen {
        let env =
            |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Screen::detect(&Surroundings { env: &env, is_terminal, size: None }, choice)
    }

    #[test]
    fn colour_follows_flag_then_environment_then_terminal() {
        let auto = Choice::default();
        let always = Choice { color: ColorChoice::Always, ..auto };
        let never = Choice { color: ColorChoice::Never, ..auto };
        type Vars<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(Vars<'_>, bool, Choice, bool)] = &[
            (&[], true, auto, true),
            (&[], false, auto, false),
            (&[("NO_COLOR", "1")], true, auto, false),
            (&[("NO_COLOR", "")], true, auto, true),
            (&[("CLICOLOR_FORCE", "1")], false, auto, true),
            (&[("CLICOLOR_FORCE", "0")], false, auto, false),
            (&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, auto, false),
            (&[("CLICOLOR", "0")], true, auto, false),
            (&[("TERM", "dumb")], true, auto, false),
            (&[("NO_COLOR", "1")], false, always, true),
            (&[("CLICOLOR_FORCE", "1")], true, never, false),
        ];
        for (vars, is_terminal, choice, expected) in cases {
            assert_eq!(
                detect(vars, *is_terminal, *choice).color,
                *expected,
                "{vars:?} {is_terminal} {choice:?}"
            );
        }
    }

    #[test]
    fn only_a_terminal_that_is_neither_dumb_nor_ci_is_interactive() {
        let interactive = |vars, is_terminal| detect(vars, is_terminal, Choice::default()).interactive;
        assert!(interactive(&[("TERM", "xterm")], true));
        assert!(interactive(&[("CI", "false")], true));
        assert!(!interactive(&[], false));
        assert!(!interactive(&[("TERM", "dumb")], true));
        assert!(!interactive(&[("CI", "true")], true));
    }

    #[test]
    fn the_first_locale_variable_that_is_set_decides_on_unicode() {
        let unicode = |vars| detect(vars, true, Choice::default()).unicode;
        assert!(unicode(&[("LANG", "de_DE.UTF-8")]));
        assert!(unicode(&[("LC_ALL", "C.utf8"), ("LANG", "C")]));
        assert!(!unicode(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(!unicode(&[]));
        let ascii = Choice { ascii: true, ..Choice::default() };
        assert!(!detect(&[("LANG", "C.UTF-8")], true, ascii).unicode);
    }

    #[test]
    fn a_terminal_without_a_size_gets_a_usable_one() {
        let zero = Surroundings { env: &|_| None, is_terminal: true, size: Some((0, 0)) };
        let screen = Screen::detect(&zero, Choice::default());
        assert_eq!((screen.width, screen.height), (80, 24));
        assert_eq!(detect(&[("COLUMNS", "33")], false, Choice::default()).width, 33);
        assert_eq!(detect(&[("COLUMNS", "0")], false, Choice::default()).width, PLAIN_WIDTH);
    }
}

//! Hints in plain words: `use clerk agents in parallel`, `sequential`, `run domain agents directly`.
//!
//! A small grammar, written down here, instead of a guess. What it does not know is refused with what it knows.
//!
//! ```text
//! hints  = clause { [ "," | ";" | "." | "and" | "then" | "but" ] clause }
//! clause = "use" ["all"] ["the"] NAME ["domain"] ["agent" | "agents"] [pace]
//!        | ["run"] ["all" | "tasks" | "it" | "them" | "everything"] pace
//!        | ["run"] ["the"] ["domain"] "agents" "directly" | "directly"
//! pace   = "in" "parallel" | "parallel" | "sequential" | "sequentially" | "serial" | "serially" | "in" "order"
//!        | "one" ("at" "a" "time" | "by" "one" | "after" "another")
//! NAME   = a domain or an agent
//! ```

use crate::text::nearest;

/// Whether tasks may overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Parallel,
    Sequential,
}

/// What hints ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    pub pace: Option<Pace>,
    /// Domains that come first where several hold.
    pub prefer: Vec<String>,
    /// For all tasks that name none themselves.
    pub agent: Option<String>,
    /// Agents by their domain, without hooks before and after.
    pub directly: bool,
}

/// What of a hint means nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    /// From here on, as typed.
    pub at: String,
    /// One line each.
    pub help: Vec<String>,
}

/// `domains` and `agents` are the names that can be used.
pub fn parse(text: &str, domains: &[&str], agents: &[&str]) -> Result<Hints, NotUnderstood> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let words: Vec<&str> = text.split(|c: char| !is_part(c)).filter(|word| !word.is_empty()).collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let mut reader = Reader { words: &lower, at: 0, domains, agents, hints: Hints::default() };
    while reader.at < lower.len() {
        let start = reader.at;
        if reader.word(&["and", "then", "but"]) {
            continue;
        }
        if !reader.clause() {
            reader.at = start;
            return Err(reader.refused(&words));
        }
    }
    Ok(reader.hints)
}

struct Reader<'a> {
    words: &'a [String],
    at: usize,
    domains: &'a [&'a str],
    agents: &'a [&'a str],
    hints: Hints,
}

impl Reader<'_> {
    fn word(&mut self, any: &[&str]) -> bool {
        let is_there = self.words.get(self.at).is_some_and(|word| any.contains(&word.as_str()));
        self.at += usize::from(is_there);
        is_there
    }

    fn row(&mut self, row: &[&str]) -> bool {
        let next = self.words.get(self.at..self.at + row.len());
        let is_there = next.is_some_and(|next| next.iter().zip(row).all(|(word, known)| word == known));
        self.at += if is_there { row.len() } else { 0 };
        is_there
    }

    fn clause(&mut self) -> bool {
        if self.word(&["use"]) {
            return self.usage();
        }
        let start = self.at;
        self.word(&["run"]);
        if self.directly() {
            return true;
        }
        self.at = start;
        self.word(&["run"]);
        self.word(&["all"]);
        self.word(&["tasks", "it", "them", "everything"]);
        self.pace()
    }

    /// Behind `use`.
    fn usage(&mut self) -> bool {
        self.word(&["all"]);
        self.word(&["the"]);
        let Some(name) = self.words.get(self.at).cloned() else { return false };
        self.at += 1;
        let bare = name.strip_suffix('s').unwrap_or(&name);
        if let Some(domain) = self.domains.iter().find(|domain| same(domain, &name) || same(domain, bare)) {
            self.hints.prefer.push((*domain).to_owned());
        } else if let Some(agent) = self.agents.iter().find(|agent| same(agent, &name)) {
            // Two agents for all tasks are none.
            if self.hints.agent.replace((*agent).to_owned()).is_some_and(|before| before != *agent) {
                return false;
            }
        } else {
            return false;
        }
        self.word(&["domain"]);
        self.word(&["agent", "agents"]);
        let start = self.at;
        if !self.pace() {
            self.at = start;
        }
        true
    }

    fn directly(&mut self) -> bool {
        let start = self.at;
        self.word(&["the"]);
        self.word(&["domain"]);
        self.word(&["agent", "agents"]);
        if self.word(&["directly"]) {
            self.hints.directly = true;
            return true;
        }
        self.at = start;
        false
    }

    fn pace(&mut self) -> bool {
        let pace = if self.row(&["in", "parallel"]) || self.word(&["parallel"]) {
            Pace::Parallel
        } else if self.word(&["sequential", "sequentially", "serial", "serially"])
            || self.row(&["in", "order"])
            || self.row(&["one", "at", "a", "time"])
            || self.row(&["one", "by", "one"])
            || self.row(&["one", "after", "another"])
        {
            Pace::Sequential
        } else {
            return false;
        };
        // Both at once is neither.
        self.hints.pace.replace(pace).is_none_or(|before| before == pace)
    }

    fn refused(&self, words: &[&str]) -> NotUnderstood {
        let at = words.get(self.at..).unwrap_or_default().join(" ");
        let names: Vec<&str> = self.domains.iter().chain(self.agents).copied().collect();
        let named =
            self.words.get(self.at..).unwrap_or_default().iter().skip(1).find(|word| {
                !["all", "the", "in", "run", "domain", "agent", "agents"].contains(&word.as_str())
            });
        let near = named.and_then(|word| nearest(word, names.iter().copied()));
        let near = near.map(|near| format!("did you mean `{near}`?"));
        let list =
            |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let mut help: Vec<String> = near.into_iter().collect();
        help.push(
            "hints are `sequential`, `in parallel`, `run domain agents directly`, `use NAME agents`"
                .to_owned(),
        );
        help.push(format!("domains are {}", list(self.domains)));
        if !self.agents.is_empty() {
            help.push(format!("agents are {}", list(self.agents)));
        }
        NotUnderstood { at, help }
    }
}

fn same(name: &str, typed: &str) -> bool {
    name.eq_ignore_ascii_case(typed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOMAINS: &[&str] = &["clerk", "frontend", "cache"];
    const AGENTS: &[&str] = &["claude", "codex"];

    fn read(text: &str) -> Result<Hints, NotUnderstood> {
        parse(text, DOMAINS, AGENTS)
    }

    #[test]
    fn hints_are_read_as_they_are_said() {
        let prefer = |name: &str| Hints { prefer: vec![name.to_owned()], ..Hints::default() };
        for (text, hints) in [
            ("use clerk agents in parallel", Hints { pace: Some(Pace::Parallel), ..prefer("clerk") }),
            ("Sequential", Hints { pace: Some(Pace::Sequential), ..Hints::default() }),
            ("run one at a time", Hints { pace: Some(Pace::Sequential), ..Hints::default() }),
            ("run domain agents directly", Hints { directly: true, ..Hints::default() }),
            ("use all the frontend agents", prefer("frontend")),
            (
                "run all tasks in parallel, directly",
                Hints { pace: Some(Pace::Parallel), directly: true, ..Hints::default() },
            ),
            (
                "use codex and run sequentially",
                Hints { pace: Some(Pace::Sequential), agent: Some("codex".to_owned()), ..Hints::default() },
            ),
            ("", Hints::default()),
        ] {
            assert_eq!(read(text), Ok(hints), "{text}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused_with_what_is_known() {
        let refused = read("use clark agents in parallel").unwrap_err();
        assert_eq!(refused.at, "use clark agents in parallel");
        assert_eq!(refused.help[0], "did you mean `clerk`?");
        for text in ["please hurry", "sequential and in parallel", "use", "use codex, use claude", "run"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("sequential, please").unwrap_err().at, "please");
    }

    proptest! {
        #[test]
        fn every_hint_is_read_or_refused(text in "(use|run|all|agents|directly|in|parallel|clerk|codex|one|and|,| |é){0,12}") {
            if let Err(refused) = read(&text) {
                prop_assert!(!refused.at.is_empty() && !refused.help.is_empty());
            }
        }
    }
}

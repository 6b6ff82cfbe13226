//! Which agent does a task, by what the task is about (SPEC 9.4): rules over words, paths, stories and layers.
//!
//! Pure. Says who and why; whether that agent is there, and what is started, is decided elsewhere. A task's own `agent:`
//! line is stronger than a hint, a hint than a rule, a project's rule than the usual ones. The usual ones name no agent:
//! they only give advice.

mod hint;

pub use hint::{Hints, NotUnderstood, Pace, parse as parse_hint};

use crate::plan::glob::Glob;
use crate::task::{Story, Task};

/// What decides, and what follows from it. Words or paths, if any are given, must match; so must story and layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// In the title or as a tag; small letters count like capitals. Several words count where they stand in a row.
    pub words: Vec<String>,
    /// As globs.
    pub paths: Vec<String>,
    pub stories: Vec<String>,
    pub layers: Vec<u8>,
    pub agent: Option<String>,
    pub model: Option<String>,
    pub instructions: Vec<String>,
}

/// All rules, in the order they are asked.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Compiled>,
}

#[derive(Clone, Debug)]
struct Compiled {
    rule: Rule,
    /// Each as its words.
    words: Vec<Vec<String>>,
    paths: Vec<Glob>,
}

/// Who does a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The rule's name.
    pub domain: Option<String>,
    /// None: whatever agent the run is given.
    pub agent: Option<String>,
    pub model: Option<String>,
    pub instructions: Vec<String>,
    /// In words, for people.
    pub because: String,
}

const USUAL: &[(&str, &[&str], &str)] = &[
    (
        "auth",
        &[
            "clerk",
            "auth",
            "oauth",
            "authentication",
            "authorization",
            "login",
            "sign in",
            "session",
            "jwt",
            "password",
        ],
        "keep secrets and tokens out of logs and out of files that are committed; refuse by default, and test who must not get in",
    ),
    (
        "database",
        &["supabase", "database", "schema", "migration", "migrations", "sql", "postgres", "sqlite"],
        "keep migrations apart from code that reads the new form; parameters, never pasted values, go into queries",
    ),
    (
        "frontend",
        &["component", "components", "ui", "frontend", "page", "css", "react", "vue", "svelte"],
        "make it usable by keyboard and screen readers, and show loading, empty and failed states",
    ),
    (
        "backend",
        &["endpoint", "endpoints", "api", "backend", "controller", "middleware", "webhook"],
        "validate at the border, keep to the contract's names and status codes, and let no internals out in errors",
    ),
    (
        "cache",
        &["redis", "cache", "caching"],
        "say when an entry becomes wrong and what removes it; everything works, slower, without the cache",
    ),
    (
        "retrieval",
        &["rag", "vector", "embedding", "embeddings"],
        "pin the model and the size of its vectors in one place, and keep tests free of network calls",
    ),
    (
        "observability",
        &["sentry", "monitoring", "telemetry", "logging", "metrics", "tracing"],
        "record no personal data and no secrets, and never let a failure to record fail the work",
    ),
];

impl Default for Rules {
    fn default() -> Rules {
        Rules::new(&[])
    }
}

impl Rules {
    /// A project's rules, then the usual ones; a usual one gives way to a project's of the same name.
    pub fn new(own: &[Rule]) -> Rules {
        let usual = USUAL.iter().filter(|(name, ..)| own.iter().all(|rule| rule.name != *name));
        let usual = usual.map(|(name, words, advice)| Rule {
            name: (*name).to_owned(),
            words: words.iter().map(ToString::to_string).collect(),
            instructions: vec![(*advice).to_owned()],
            ..Rule::default()
        });
        Rules { rules: own.iter().cloned().chain(usual).map(Compiled::new).collect() }
    }

    /// Whether any of them says who does a task.
    pub fn decide(&self) -> bool {
        self.rules.iter().any(|compiled| compiled.rule.agent.is_some() || compiled.rule.model.is_some())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|compiled| compiled.rule.name.as_str())
    }

    /// Agents that rules name, each once.
    pub fn agents(&self) -> Vec<&str> {
        let mut agents: Vec<&str> =
            self.rules.iter().filter_map(|compiled| compiled.rule.agent.as_deref()).collect();
        agents.sort_unstable();
        agents.dedup();
        agents
    }
}

impl Compiled {
    fn new(rule: Rule) -> Compiled {
        let words = rule.words.iter().map(|phrase| words(phrase)).filter(|words| !words.is_empty()).collect();
        let paths = rule.paths.iter().map(|path| Glob::new(path)).collect();
        Compiled { rule, words, paths }
    }

    /// Why it holds for a task, if it does.
    fn holds(&self, task: &Task, title: &[String]) -> Option<String> {
        let rule = &self.rule;
        let story =
            |wanted: &String| task.stories.iter().any(|Story(story)| story.eq_ignore_ascii_case(wanted));
        let in_story = rule.stories.is_empty() || rule.stories.iter().any(story);
        let in_layer =
            rule.layers.is_empty() || task.more.layer.is_some_and(|layer| rule.layers.contains(&layer));
        if !in_story || !in_layer {
            return None;
        }
        let stands =
            |phrase: &&Vec<String>| title.windows(phrase.len()).any(|window| window == phrase.as_slice());
        if let Some(phrase) = self.words.iter().find(stands) {
            return Some(format!("\"{}\" stands in its title", phrase.join(" ")));
        }
        let file = |glob: &Glob| task.files.iter().find(|file| glob.fits(&file.path));
        if let Some(file) = self.paths.iter().find_map(file) {
            return Some(format!("it names {}", file.path));
        }
        let by_place = self.words.is_empty() && self.paths.is_empty();
        let has_place = !rule.stories.is_empty() || !rule.layers.is_empty();
        (by_place && has_place).then(|| "of its story or layer".to_owned())
    }
}

/// Who does this task, and why.
pub fn assign(task: &Task, rules: &Rules, hints: &Hints) -> Assignment {
    let mut title = words(&task.title);
    // Between tags no words stand in a row.
    task.more.tags.iter().for_each(|tag| {
        title.push(String::new());
        title.extend(words(tag));
    });
    let holding: Vec<(&Rule, String)> = rules
        .rules
        .iter()
        .filter_map(|compiled| compiled.holds(task, &title).map(|why| (&compiled.rule, why)))
        .collect();
    let hinted = |name: &str| hints.prefer.iter().any(|hint| hint == name);
    let chosen = holding.iter().find(|(rule, _)| hinted(&rule.name)).or_else(|| holding.first());
    let mut assignment = chosen.map_or_else(Assignment::default, |(rule, why)| Assignment {
        domain: Some(rule.name.clone()),
        agent: rule.agent.clone(),
        model: rule.model.clone(),
        instructions: rule.instructions.clone(),
        because: format!("{why} (domain {})", rule.name),
    });
    let mut by = |agent: &str, because: &str| {
        // Another agent's models are not its own.
        if assignment.agent.as_deref().is_some_and(|own| own != agent) {
            assignment.model = None;
        }
        assignment.agent = Some(agent.to_owned());
        because.clone_into(&mut assignment.because);
    };
    match (&task.more.agent, &hints.agent) {
        (Some(agent), _) => by(agent, "its `agent:` line says so"),
        (None, Some(agent)) => by(agent, "the hint says so"),
        (None, None) => {}
    }
    assignment
}

/// In small letters, without what stands between them.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::source::SourceText;

    fn task(line: &str) -> Task {
        let (document, _) = parse(&SourceText::new("t", format!("- [ ] T001 {line}\n")));
        document.tasks[0].clone()
    }

    fn of(line: &str, own: &[Rule], hint: &str) -> Assignment {
        let rules = Rules::new(own);
        let hints = parse_hint(hint, &rules.names().collect::<Vec<_>>(), &["claude", "codex"]).unwrap();
        assign(&task(line), &rules, &hints)
    }

    fn rule(name: &str, words: &[&str], agent: &str) -> Rule {
        let words = words.iter().map(ToString::to_string).collect();
        Rule {
            name: name.to_owned(),
            words,
            agent: Some(agent.to_owned()),
            model: Some("m".to_owned()),
            ..Rule::default()
        }
    }

    #[test]
    fn the_usual_domains_advise_and_name_no_agent() {
        for (line, domain) in [
            ("Add Clerk sign-in", Some("auth")),
            ("Create the users table migration", Some("database")),
            ("Build the settings page", Some("frontend")),
            ("Add POST endpoint for orders", Some("backend")),
            ("Invalidate Redis entries", Some("cache")),
            ("Compute embeddings", Some("retrieval")),
            ("Send errors to Sentry", Some("observability")),
            ("Author a guide", None),
        ] {
            let found = of(line, &[], "");
            assert_eq!(found.domain.as_deref(), domain, "{line}");
            assert_eq!(found.agent, None);
            assert_eq!(found.instructions.len(), usize::from(domain.is_some()));
        }
    }

    #[test]
    fn a_projects_rule_is_stronger_and_says_why() {
        let own = [Rule { paths: vec!["src/auth/**".to_owned()], ..rule("identity", &["clerk"], "claude") }];
        let found = of("Tidy up src/auth/token.rs", &own, "");
        assert_eq!((found.agent.as_deref(), found.model.as_deref()), (Some("claude"), Some("m")));
        assert_eq!(found.because, "it names src/auth/token.rs (domain identity)");
        assert_eq!(of("Add Clerk", &own, "").because, "\"clerk\" stands in its title (domain identity)");
    }

    #[test]
    fn stories_and_layers_narrow_a_rule_or_are_all_of_it() {
        let narrowed = Rule { stories: vec!["us2".to_owned()], ..rule("a", &["api"], "claude") };
        assert_eq!(of("[US1] Add API", std::slice::from_ref(&narrowed), "").agent, None);
        assert_eq!(of("[US2] Add API", &[narrowed], "").agent.as_deref(), Some("claude"));
        let layer = Rule { layers: vec![0], ..rule("base", &[], "codex") };
        assert_eq!(of("[L0] Lay ground", std::slice::from_ref(&layer), "").agent.as_deref(), Some("codex"));
        assert_eq!(of("[L1] Build on it", &[layer], "").agent, None);
    }

    #[test]
    fn a_line_is_stronger_than_a_hint_and_a_hint_than_a_rule() {
        let own = [rule("web", &["page"], "claude"), rule("forms", &["form"], "codex")];
        assert_eq!(of("Page with a form", &own, "").agent.as_deref(), Some("claude"));
        assert_eq!(of("Page with a form", &own, "use forms agents").agent.as_deref(), Some("codex"));
        let hinted = of("Page with a form", &own, "use codex");
        assert_eq!((hinted.agent.as_deref(), hinted.model), (Some("codex"), None));
        let mut told = task("Page");
        told.more.agent = Some("gemini".into());
        let rules = Rules::new(&own);
        let assignment =
            assign(&told, &rules, &Hints { agent: Some("codex".to_owned()), ..Hints::default() });
        assert_eq!(assignment.agent.as_deref(), Some("gemini"));
    }
}

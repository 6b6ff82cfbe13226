//! The table of settings: name, meaning, where it may be set, how it is read and shown.

mod own;
mod values;

use super::{Color, Commit, Config, Durability, Isolation, Profile, Sandbox, Tick, UserEdits};
use super::{domains, machine, spend};
use crate::plan::{Mode, ProseDeps};
use crate::policy::FailurePolicy;
use serde_json::{Value, json};
use std::time::Duration;
use values::{
    count_schema, read_count, read_list, read_maybe, read_text, read_time, read_word, show_time, wants,
};

/// One setting.
pub struct Setting {
    /// As written in files; dots are tables.
    pub key: &'static str,
    pub doc: &'static str,
    /// Not from a project's files: repository content must not decide it.
    pub user_only: bool,
    /// A project's value decides what is executed, so it is part of what is agreed to.
    pub executes: bool,
    /// How strict a value is, where a project may only be stricter than what the user configured.
    pub(super) strictness: Option<fn(&Config) -> usize>,
    pub(super) access: Access,
}

type At<T> = fn(&mut Config) -> &mut T;

/// How a setting's value is reached, read and shown.
pub(super) enum Access {
    Flag(At<bool>),
    Text(At<String>),
    Texts(At<Vec<String>>),
    Time(At<Duration>),
    MaybeTime(At<Option<Duration>>),
    Times(At<Vec<Duration>>),
    MaybeCount(At<Option<u32>>),
    Count(At<u32>),
    Words {
        words: &'static [&'static str],
        get: fn(&Config) -> usize,
        set: fn(&mut Config, usize),
    },
    Own {
        get: fn(&Config) -> Value,
        set: fn(&mut Config, &Value) -> Result<(), String>,
        schema: fn() -> Value,
    },
}

const fn setting(key: &'static str, doc: &'static str, access: Access) -> Setting {
    Setting { key, doc, user_only: false, executes: false, strictness: None, access }
}

const MODES: [Mode; 4] = [Mode::Sequential, Mode::Parallel, Mode::Stories, Mode::Graph];
const FAILURES: [FailurePolicy; 3] =
    [FailurePolicy::KeepGoing, FailurePolicy::FailFast, FailurePolicy::ContinueOnError];
const PROSE: [ProseDeps; 3] = [ProseDeps::Ignore, ProseDeps::After, ProseDeps::Needs];
const TICKS: [Tick; 2] = [Tick::Verified, Tick::Unverified];
const DURABILITIES: [Durability; 2] = [Durability::Group, Durability::Strict];
const PROFILES: [Profile; 3] = [Profile::Fast, Profile::Standard, Profile::Enterprise];
const SANDBOXES: [Sandbox; 4] = [Sandbox::Off, Sandbox::Auto, Sandbox::Write, Sandbox::Require];
const SANDBOX_WORDS: [&str; 4] = ["off", "auto", "write", "require"];
const ISOLATIONS: [Isolation; 3] = [Isolation::None, Isolation::Auto, Isolation::Worktree];
const USER_EDITS: [UserEdits; 3] = [UserEdits::Expected, UserEdits::Auto, UserEdits::None];
const COMMITS: [Commit; 3] = [Commit::Off, Commit::Task, Commit::Phase];
const COLORS: [Color; 3] = [Color::Auto, Color::Always, Color::Never];

fn place<T: PartialEq>(all: &[T], value: &T) -> usize {
    all.iter().position(|other| other == value).unwrap_or_default()
}

/// Every setting there is, in the order it is shown.
pub static SETTINGS: &[Setting] = &[
    setting(
        "mode",
        "which tasks may overlap",
        Access::Words {
            words: &["sequential", "parallel", "stories", "graph"],
            get: |c| place(&MODES, &c.mode),
            set: |c, n| c.mode = MODES[n],
        },
    ),
    setting(
        "jobs",
        "how many tasks may run at once; `auto` is one per core",
        Access::Own { get: |c| own::show_jobs(c.jobs), set: own::set_jobs, schema: own::jobs_schema },
    ),
    setting(
        "jobserver",
        "how many processes builds in tasks may run at once, all together, by make's jobserver; `auto` is one per core \
         where tasks may overlap, `off` leaves each build to itself",
        Access::Own {
            get: machine::show_jobserver,
            set: machine::set_jobserver,
            schema: machine::jobserver_schema,
        },
    ),
    setting(
        "parallel-make",
        "a plain `make` takes part in the jobserver, and runs in parallel then; `make -j` never does",
        Access::Flag(|c| &mut c.parallel_make),
    ),
    setting(
        "profile",
        "how much is proven; `enterprise` puts tests first, the rest waits for further gates",
        Access::Words {
            words: &["fast", "standard", "enterprise"],
            get: |c| place(&PROFILES, &c.profile),
            set: |c, n| c.profile = PROFILES[n],
        },
    ),
    setting(
        "retries",
        "how often a failed task is tried again",
        Access::Own {
            get: |c| (c.retry.max_attempts - 1).into(),
            set: own::set_retries,
            schema: count_schema,
        },
    ),
    setting("retry.base", "wait before the first retry", Access::Time(|c| &mut c.retry.base)),
    setting(
        "retry.factor",
        "what each further wait is multiplied by",
        Access::Own {
            get: |c| json!(c.retry.factor),
            set: own::set_factor,
            schema: || json!({ "type": "number", "minimum": 1 }),
        },
    ),
    setting("retry.cap", "the longest wait", Access::Time(|c| &mut c.retry.cap)),
    setting("retry.jitter", "up to this much is added at random", Access::Time(|c| &mut c.retry.jitter)),
    setting(
        "retry.delays",
        "waits one by one, instead of base and factor",
        Access::Times(|c| &mut c.retry.delays),
    ),
    setting(
        "retryable-errors",
        "words in the output that make a failure worth a retry",
        Access::Texts(|c| &mut c.retryable),
    ),
    setting(
        "non-retryable-errors",
        "words in the output that make a failure final",
        Access::Texts(|c| &mut c.non_retryable),
    ),
    setting(
        "try-alternatives",
        "try known alternatives of a command that failed for good",
        Access::Flag(|c| &mut c.try_alternatives),
    ),
    setting(
        "failure",
        "what a failed task does to the rest",
        Access::Words {
            words: &["keep-going", "fail-fast", "continue-on-error"],
            get: |c| place(&FAILURES, &c.failure),
            set: |c, n| c.failure = FAILURES[n],
        },
    ),
    Setting {
        executes: true,
        ..setting(
            "agent",
            "who does tasks without a `run` block: an agent's name, several with commas between them that take over from one \
             another, `auto` for the first that is installed, or `none`",
            Access::Own {
                get: |c| own::show_name(&c.agent),
                set: |c, value| own::read_name(value).map(|name| c.agent = name),
                schema: || json!({ "type": "string" }),
            },
        )
    },
    setting(
        "model",
        "the model that agents use, or `none` for their own choice",
        Access::Own {
            get: |c| own::show_name(&c.model),
            set: |c, value| own::read_name(value).map(|name| c.model = name),
            schema: || json!({ "type": "string" }),
        },
    ),
    setting(
        "stall",
        "how long an agent may show no progress, or `none` for what is usual with it",
        Access::MaybeTime(|c| &mut c.stall),
    ),
    setting("timeout", "longest time of one attempt, or `none`", Access::MaybeTime(|c| &mut c.timeout)),
    setting("grace", "how long a task may take to end after it was asked to", Access::Time(|c| &mut c.grace)),
    setting(
        "max-time",
        "longest time of a run, resumes counted, or `none`",
        Access::MaybeTime(|c| &mut c.budgets.max_time),
    ),
    setting(
        "max-dispatches",
        "most attempts of a run, resumes counted, or `none`",
        Access::MaybeCount(|c| &mut c.budgets.max_dispatches),
    ),
    setting(
        "max-tokens",
        "most tokens that agents send and receive in a run, resumes counted, by what they tell of it: a number such as \
         `500k` or `2M`, or `none`",
        Access::Own { get: spend::show_tokens, set: spend::set_tokens, schema: spend::tokens_schema },
    ),
    setting(
        "max-cost",
        "most dollars that agents spend in a run, resumes counted, by what they tell of it, or `none`",
        Access::Own { get: spend::show_cost, set: spend::set_cost, schema: spend::cost_schema },
    ),
    setting(
        "on-limit",
        "what a usage limit of a model's provider does: `wait` until it ends, by the wall clock; `failover`: the next agent of \
         `agent` takes over, if `doctor --agents` proved it; `stop` the run cleanly",
        Access::Own { get: spend::show_on_limit, set: spend::set_on_limit, schema: spend::on_limit_schema },
    ),
    setting(
        "blocked",
        "what an agent's question does to its task: `park`: it waits for `specter answer`, and what needs it with it; \
         `default`: it goes on with what the agent would take by itself; `fail`",
        Access::Own { get: spend::show_blocked, set: spend::set_blocked, schema: spend::blocked_schema },
    ),
    setting(
        "max-wait",
        "a provider's limit that lasts longer ends the run cleanly, once there is nothing else to do",
        Access::Time(|c| &mut c.budgets.max_wait),
    ),
    setting(
        "max-no-change",
        "most attempts of a task that change nothing",
        Access::Count(|c| &mut c.budgets.max_no_change),
    ),
    setting(
        "min-free-memory",
        "nothing more is started while less memory is available: a size such as `256 MiB`, `auto` (that, or less on a \
         small machine) or `none`",
        Access::Own {
            get: |c| machine::show_floor(c.floors.memory),
            set: |c, value| machine::read_floor(value).map(|floor| c.floors.memory = floor),
            schema: machine::floor_schema,
        },
    ),
    setting(
        "min-free-disk",
        "nothing more is started while a disk that is written to has less room: a size, `auto` (`512 MiB`, or less on a \
         small disk) or `none`",
        Access::Own {
            get: |c| machine::show_floor(c.floors.disk),
            set: |c, value| machine::read_floor(value).map(|floor| c.floors.disk = floor),
            schema: machine::floor_schema,
        },
    ),
    setting(
        "max-load",
        "nothing more is started while the load over the last minute is higher, or `none`",
        Access::Own { get: machine::show_load, set: machine::set_load, schema: machine::load_schema },
    ),
    setting(
        "tick",
        "which results tick a box",
        Access::Words {
            words: &["verified", "unverified"],
            get: |c| place(&TICKS, &c.tick),
            set: |c, n| c.tick = TICKS[n],
        },
    ),
    setting(
        "durability",
        "what waits for the disk: `group`: no task; `strict`: each start, so that after power loss only what was \
         running runs again",
        Access::Words {
            words: &["group", "strict"],
            get: |c| place(&DURABILITIES, &c.durability),
            set: |c, n| c.durability = DURABILITIES[n],
        },
    ),
    setting("strict", "warnings are errors", Access::Flag(|c| &mut c.strict)),
    setting("tdd", "test tasks of a story come before its other tasks", Access::Flag(|c| &mut c.test_first)),
    setting(
        "prose-deps",
        "what an order told in prose becomes",
        Access::Words {
            words: &["ignore", "after", "needs"],
            get: |c| place(&PROSE, &c.prose),
            set: |c, n| c.prose = PROSE[n],
        },
    ),
    setting(
        "treat",
        "how unclear marks are read: a table of mark and `open`, `done` or `skip`",
        Access::Own { get: own::show_treat, set: own::set_treat, schema: own::treat_schema },
    ),
    Setting {
        executes: true,
        ..setting("shell", "what `sh` blocks are run with", Access::Text(|c| &mut c.shell))
    },
    setting(
        "force-shell",
        "start plain commands by the shell too, instead of directly",
        Access::Flag(|c| &mut c.force_shell),
    ),
    Setting {
        user_only: true,
        ..setting(
            "env.pass",
            "variables that tasks get although they look like secrets",
            Access::Texts(|c| &mut c.env_pass),
        )
    },
    Setting {
        strictness: Some(|c| place(&SANDBOXES, &c.sandbox)),
        ..setting(
            "sandbox",
            "`auto`: tasks in working trees change neither others' trees nor the project; `write`: tasks change files only in \
             the project; `require`: or nothing is run; `off`",
            Access::Own {
                get: own::show_sandbox,
                set: own::set_sandbox,
                schema: || json!({ "enum": SANDBOX_WORDS }),
            },
        )
    },
    Setting {
        user_only: true,
        ..setting(
            "sandbox-write",
            "where tasks in the sandbox may change files besides the project",
            Access::Texts(|c| &mut c.sandbox_write),
        )
    },
    Setting {
        strictness: Some(|c| place(&ISOLATIONS, &c.isolation)),
        ..setting(
            "isolation",
            "where attempts work: `worktree`: each in a working tree of its own, from which its changes are integrated; \
             `none`: in the project; `auto`: agents that may overlap in working trees",
            Access::Words {
                words: &["none", "auto", "worktree"],
                get: |c| place(&ISOLATIONS, &c.isolation),
                set: |c, n| c.isolation = ISOLATIONS[n],
            },
        )
    },
    setting(
        "worktrees.carry",
        "what git ignores and working trees need: names, or `NAME=HOW` with `reflink`, `hardlink`, `symlink`, `copy`, `auto`",
        Access::Own { get: |c| json!(c.carry), set: own::set_carry, schema: own::carry_schema },
    ),
    setting(
        "worktrees.keep",
        "so many idle working trees are kept for the next run",
        Access::Count(|c| &mut c.keep_trees),
    ),
    Setting {
        user_only: true,
        ..setting(
            "worktrees.dir",
            "where working trees are made instead of in your state directory",
            Access::Own {
                get: own::show_trees_dir,
                set: own::set_trees_dir,
                schema: || json!({ "type": "string" }),
            },
        )
    },
    setting(
        "protected",
        "paths that you look at before an attempt's change to them is integrated, besides the usual ones",
        Access::Texts(|c| &mut c.protected),
    ),
    Setting {
        user_only: true,
        ..setting(
            "user-edits",
            "who changed what changed outside of working trees while tasks ran: `expected`: you; `none`: a task that \
             escaped; `auto`: you, if another program works in the project",
            Access::Words {
                words: &["expected", "auto", "none"],
                get: |c| place(&USER_EDITS, &c.user_edits),
                set: |c, n| c.user_edits = USER_EDITS[n],
            },
        )
    },
    setting(
        "checkpoints",
        "save the project's files under hidden references of git, so that `specter rollback` can go back",
        Access::Flag(|c| &mut c.checkpoints),
    ),
    setting(
        "max-saved",
        "files are not saved if that would copy more than this into the repository at once: a size, `auto` (`4 GiB`) or \
         `none`",
        Access::Own {
            get: |c| machine::show_floor(c.max_saved),
            set: |c, value| machine::read_floor(value).map(|limit| c.max_saved = limit),
            schema: machine::floor_schema,
        },
    ),
    setting(
        "commit",
        "commit what is integrated from working trees on the branch that is checked out: `task`: each task; `phase`: \
         each finished phase, with all that is integrated by then. What else has changed is not in the commits, hooks are not run, nothing is signed",
        Access::Words {
            words: &["off", "task", "phase"],
            get: |c| place(&COMMITS, &c.commit),
            set: |c, n| c.commit = COMMITS[n],
        },
    ),
    setting(
        "tag",
        "a tag for each such commit, such as `done/{task}` or `{run}/{phase}`; `none`",
        Access::Own {
            get: |c| c.tag.clone().unwrap_or_else(|| "none".to_owned()).into(),
            set: own::set_tag,
            schema: || json!({ "type": "string" }),
        },
    ),
    Setting {
        user_only: true,
        ..setting(
            "state-dir",
            "where state is kept instead of `.specter` in the project",
            Access::Own {
                get: own::show_state_dir,
                set: own::set_state_dir,
                schema: || json!({ "type": "string" }),
            },
        )
    },
    setting(
        "prompt-tokens",
        "most tokens of an agent's prompt, by estimate: parts of documents that do not fit are named in it instead",
        Access::Own {
            get: |c| c.prompt_tokens.into(),
            set: own::set_prompt_tokens,
            schema: own::prompt_tokens_schema,
        },
    ),
    setting(
        "prompts-dir",
        "where the project's own templates of prompts are: `prefix.md.j2` and `task.md.j2`",
        Access::Own {
            get: |c| json!(c.prompts_dir),
            set: own::set_prompts_dir,
            schema: || json!({ "type": "string" }),
        },
    ),
    Setting {
        executes: true,
        ..setting(
            "domains",
            "which agent does tasks about what: tables with `name`, what decides (`words`, `paths`, `stories`, `layers`) \
             and what follows (`agent`, `model`, `instructions`)",
            Access::Own { get: domains::show, set: domains::set, schema: domains::schema },
        )
    },
    Setting {
        executes: true,
        ..setting(
            "hint",
            "how it is done, in plain words: `sequential`, `use auth agents in parallel`, `run domain agents directly`, or \
             `none`",
            Access::Own { get: own::show_hint, set: own::set_hint, schema: || json!({ "type": "string" }) },
        )
    },
    setting(
        "color",
        "when to colour",
        Access::Words {
            words: &["auto", "always", "never"],
            get: |c| place(&COLORS, &c.color),
            set: |c, n| c.color = COLORS[n],
        },
    ),
    setting("ascii", "draw with ASCII characters only", Access::Flag(|c| &mut c.ascii)),
    setting(
        "verbosity",
        "above 0 says more, below 0 less",
        Access::Own {
            get: |c| c.verbosity.into(),
            set: own::set_verbosity,
            schema: || json!({ "type": "integer" }),
        },
    ),
];

impl Setting {
    /// The setting of that name, and its place in [`SETTINGS`].
    pub fn find(key: &str) -> Option<(usize, &'static Setting)> {
        SETTINGS.iter().enumerate().find(|(_, setting)| setting.key == key)
    }

    /// `SPECTER_RETRY_BASE`
    pub fn env_name(&self) -> String {
        format!("SPECTER_{}", self.key.replace(['-', '.'], "_").to_ascii_uppercase())
    }

    /// Lays a value over `config`, or says what is wrong with it.
    pub(super) fn set(&self, config: &mut Config, value: &Value) -> Result<(), String> {
        match &self.access {
            Access::Flag(at) => {
                *at(config) = value.as_bool().ok_or_else(|| wants("`true` or `false`", value))?;
            }
            Access::Text(at) => *at(config) = read_text(value)?,
            Access::Texts(at) => *at(config) = read_list(value, read_text)?,
            Access::Time(at) => *at(config) = read_time(value)?,
            Access::MaybeTime(at) => *at(config) = read_maybe(value, read_time)?,
            Access::Times(at) => *at(config) = read_list(value, read_time)?,
            Access::MaybeCount(at) => *at(config) = read_maybe(value, read_count)?,
            Access::Count(at) => *at(config) = read_count(value)?,
            Access::Words { words, set, .. } => set(config, read_word(value, words)?),
            Access::Own { set, .. } => set(config, value)?,
        }
        Ok(())
    }

    /// The value as it would be written in a file.
    pub fn show(&self, config: &Config) -> Value {
        // The accessors give a place to write to; reading through them needs a copy. Asked by `specter config` only.
        let config = &mut config.clone();
        match &self.access {
            Access::Flag(at) => (*at(config)).into(),
            Access::Text(at) => at(config).clone().into(),
            Access::Texts(at) => at(config).clone().into(),
            Access::Time(at) => show_time(*at(config)),
            Access::MaybeTime(at) => at(config).map_or_else(|| "none".into(), show_time),
            Access::Times(at) => at(config).iter().map(|time| show_time(*time)).collect(),
            Access::MaybeCount(at) => at(config).map_or_else(|| "none".into(), Value::from),
            Access::Count(at) => (*at(config)).into(),
            Access::Words { words, get, .. } => words[get(config)].into(),
            Access::Own { get, .. } => get(config),
        }
    }

    /// What an environment variable's text means for this setting.
    pub(super) fn from_text(&self, text: &str) -> Value {
        match &self.access {
            Access::Flag(_) => match text {
                "1" | "true" | "yes" | "on" => true.into(),
                "0" | "false" | "no" | "off" | "" => false.into(),
                other => other.into(),
            },
            Access::Texts(_) | Access::Times(_) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
            }
            Access::Text(_) | Access::Time(_) | Access::MaybeTime(_) | Access::Words { .. } => text.into(),
            Access::MaybeCount(_) | Access::Count(_) | Access::Own { .. } => text
                .parse::<i64>()
                .map(Value::from)
                .or_else(|_| text.parse::<f64>().map(Value::from))
                .unwrap_or(text.into()),
        }
    }

    pub(super) fn schema(&self) -> Value {
        let time = || json!({ "type": "string", "examples": ["500ms", "90s", "5m", "1h 30m"] });
        match &self.access {
            Access::Flag(_) => json!({ "type": "boolean" }),
            Access::Text(_) => json!({ "type": "string" }),
            Access::Texts(_) => json!({ "type": "array", "items": { "type": "string" } }),
            Access::Time(_) | Access::MaybeTime(_) => time(),
            Access::Times(_) => json!({ "type": "array", "items": time() }),
            Access::MaybeCount(_) => json!({ "anyOf": [count_schema(), { "const": "none" }] }),
            Access::Count(_) => count_schema(),
            Access::Words { words, .. } => json!({ "enum": words }),
            Access::Own { schema, .. } => schema(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Jobs;
    use crate::plan::Treat;
    use std::num::NonZeroU32;

    fn set(key: &str, value: Value) -> Result<Config, String> {
        let mut config = Config::default();
        let (_, setting) = Setting::find(key).expect("known");
        setting.set(&mut config, &value).map(|()| config)
    }

    #[test]
    fn every_setting_reads_back_what_it_shows() {
        for setting in SETTINGS.iter().filter(|setting| setting.key != "treat") {
            let mut config = Config::default();
            let shown = setting.show(&config);
            setting.set(&mut config, &shown).unwrap_or_else(|error| panic!("{}: {error}", setting.key));
            assert_eq!(setting.show(&config), shown, "{}", setting.key);
        }
    }

    #[test]
    fn a_time_needs_its_unit() {
        assert_eq!(set("timeout", "1m 30s".into()).expect("reads").timeout, Some(Duration::from_secs(90)));
        assert_eq!(set("timeout", "none".into()).expect("reads").timeout, None);
        assert!(set("timeout", 30.into()).is_err() && set("grace", "30".into()).is_err());
        assert!(set("grace", "-3s".into()).is_err());
    }

    #[test]
    fn retries_are_the_attempts_after_the_first() {
        assert_eq!(set("retries", 0.into()).expect("reads").retry.max_attempts, 1);
        assert_eq!(set("retries", 5.into()).expect("reads").retry.max_attempts, 6);
    }

    #[test]
    fn jobs_are_auto_or_at_least_one() {
        assert_eq!(set("jobs", "auto".into()).expect("reads").jobs, Jobs::Auto);
        assert_eq!(set("jobs", "4".into()).expect("reads").jobs, Jobs::Count(NonZeroU32::new(4).expect("4")));
        assert!(set("jobs", 0.into()).is_err() && set("jobs", "many".into()).is_err());
    }

    #[test]
    fn marks_are_treated_as_told_and_the_last_word_counts() {
        let config = set("treat", "~=open,[-]=skip,~=done".into()).expect("reads");
        assert_eq!(config.treat, [("-".to_owned(), Treat::Skip), ("~".to_owned(), Treat::Done)]);
        assert!(set("treat", "x=open".into()).is_err());
        assert!(set("treat", "~=opn".into()).is_err_and(|error| error.contains("did you mean `open`")));
    }
}

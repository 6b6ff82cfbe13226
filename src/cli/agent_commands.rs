//! `specter init --agent-commands`: commands in people's own coding agents that hand over to `specter implement`.
//!
//! Each agent has its form: Claude Code commands in Markdown, Gemini CLI in TOML, Codex as a skill, Spec Kit as an
//! extension. What is there already stays as it is.

use super::admin::create;
use super::error::{Doing as _, Error};
use std::path::Path;

/// What an agent is to do; `ARGUMENTS` stands for the agent's own placeholder.
const BODY: &str = "\
Hand this implementation over to the program `specter`. It plans the task file, runs its tasks, each by an agent of its
own, checks them, ticks their boxes and keeps the record. Do not do the tasks yourself, and do not tick boxes.

What was asked for, as options, a feature or a hint in plain words (may be empty): ARGUMENTS

1. Run `specter check`, and tell what it finds. Stop if it finds an error.
2. Run `specter plan` with what was asked for behind it, and show the plan.
3. Run `specter implement` with the same behind it. It may take hours: run it in the background if you can, and look at
   it by `specter status`. Do not end it because it is quiet.
4. If it asks for consent to commands (exit code 77), show them, and go on only if the user agrees.
5. When it has ended, tell its summary. `specter why TASK` says why a task did not run, `specter log TASK` what it
   printed, `specter resume` goes on.
";

const DESCRIPTION: &str = "Run the tasks of a feature by specter, planned, checked and resumable";

const EXTENSION: &str = "\
schema_version: \"1.0\"

extension:
  id: \"specter\"
  name: \"specter\"
  version: \"1.0.0\"
  description: \"Hands implementation over to the program specter\"
  category: \"process\"
  effect: \"read-write\"
  author: \"specter\"
  license: \"MIT\"

requires:
  speckit_version: \">=0.1.0\"

provides:
  commands:
    - name: \"speckit.specter.implement\"
      file: \"commands/implement.md\"
      description: \"Run the tasks of the feature by specter\"

tags:
  - \"implementation\"
";

/// Where Spec Kit's extension is put, for its own installer.
const EXTENSION_DIR: &str = ".specify/specter-extension";

/// Writes what is not there, and says of each file what became of it.
pub(super) fn write(here: &Path) -> Result<Vec<String>, Error> {
    let mut files = vec![
        (".claude/commands/specter.implement.md".to_owned(), claude()),
        (".gemini/commands/specter/implement.toml".to_owned(), gemini()),
        (".agents/skills/specter-implement/SKILL.md".to_owned(), skill()),
    ];
    let has_speckit = here.join(".specify").is_dir();
    if has_speckit {
        files.push((format!("{EXTENSION_DIR}/extension.yml"), EXTENSION.to_owned()));
        files.push((format!("{EXTENSION_DIR}/commands/implement.md"), speckit()));
    }
    let mut done = Vec::new();
    for (name, text) in &files {
        let path = here.join(name);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).doing(|| format!("making the directory of `{name}`"))?;
        }
        done.push(create(here, name, text)?);
    }
    done.push("in Claude Code: `/specter.implement`; in Gemini CLI: `/specter:implement`; in Codex: `$specter-implement`".to_owned());
    if has_speckit {
        done.push(format!(
            "in Spec Kit: `specify extension add --dev {EXTENSION_DIR}`, then `/speckit.specter.implement`"
        ));
    }
    Ok(done)
}

fn body(arguments: &str) -> String {
    BODY.replace("ARGUMENTS", arguments)
}

fn claude() -> String {
    format!(
        "---\ndescription: {DESCRIPTION}\nargument-hint: \"[feature] [options] [hint]\"\nallowed-tools: Bash(specter:*)\n---\n\n{}",
        body("$ARGUMENTS")
    )
}

fn speckit() -> String {
    format!("---\ndescription: {DESCRIPTION}\n---\n\n{}", body("$ARGUMENTS"))
}

fn skill() -> String {
    format!(
        "---\nname: specter-implement\ndescription: {DESCRIPTION}. Use it when the user asks to implement a feature's \
         tasks.md with specter.\n---\n\n{}",
        body("what the user said")
    )
}

fn gemini() -> String {
    format!("description = \"{DESCRIPTION}\"\nprompt = '''\n{}'''\n", body("{{args}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_can_be_read_by_its_agent() {
        let table: toml::Table = gemini().parse().unwrap();
        assert!(table["prompt"].as_str().unwrap().contains("empty): {{args}}"));
        for text in [claude(), speckit(), skill()] {
            let (front, rest) =
                text.strip_prefix("---\n").and_then(|text| text.split_once("\n---\n")).unwrap();
            // Plain YAML: a key in each line, and no colon that would begin another.
            assert!(front.lines().all(|line| line.matches(": ").count() == 1), "{front}");
            assert!(rest.contains("specter implement") && !rest.contains("ARGUMENTS\n2"));
        }
    }

    #[test]
    fn what_is_there_stays_and_spec_kit_gets_its_extension_only_where_it_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join(".claude/commands/specter.implement.md");
        std::fs::create_dir_all(own.parent().unwrap()).unwrap();
        std::fs::write(&own, "mine").unwrap();
        let done = write(dir.path()).unwrap().join("\n");
        assert!(done.contains("specter.implement.md: there already, left as it is"), "{done}");
        assert_eq!(std::fs::read_to_string(&own).unwrap(), "mine");
        assert!(dir.path().join(".gemini/commands/specter/implement.toml").exists());
        assert!(!dir.path().join(".specify").exists() && !done.contains("Spec Kit"));
        std::fs::create_dir(dir.path().join(".specify")).unwrap();
        let done = write(dir.path()).unwrap().join("\n");
        assert!(dir.path().join(EXTENSION_DIR).join("commands/implement.md").exists());
        assert!(done.contains("specify extension add"), "{done}");
    }
}

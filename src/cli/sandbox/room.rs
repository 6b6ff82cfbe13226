//! Places that programs make for themselves when they are first used: which there are, where they are on this machine, and
//! making those that a sandboxed program could not make. Knows no sandbox but by what it is asked for.
//!
//! Landlock allows by hierarchy alone: a new name directly in a directory above a protected one could be allowed only
//! with everything below, and a second ruleset only takes away. So that a program used for the first time finds its
//! place, it is made before. What coding agents need stands in their presets, everything else in [`FIRST_USED`].

use crate::config::Environment;
use crate::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// What programs that are no agents of a preset make below the home directory, by the name of the program; the empty one
/// stands for all. Left out is what lies in `~/.cache`, `~/.config` and `~/.local/share`, where everything can be made
/// (`~/.local/state` is above specter's own), and who needs an account, and so has its place from logging in. So is what
/// a program takes instead of its usual place as soon as it is there (`~/.ccache`, `~/.gem`).
const FIRST_USED: &[(&str, &[&str])] = &[
    ("", &["~/.cache/", "~/.config/", "~/.local/bin/", "~/.local/lib/", "~/.local/share/"]),
    ("bun", &["~/.bun/"]),
    ("bundle", &["~/.bundle/"]),
    ("cabal", &["~/.local/state/cabal/"]),
    ("cargo", &["~/.cargo/"]),
    ("conan", &["~/.conan2/"]),
    ("conda", &["~/.conda/"]),
    ("cpan", &["~/.cpan/"]),
    ("dart", &["~/.dart-tool/", "~/.pub-cache/"]),
    ("deno", &["~/.deno/"]),
    ("docker", &["~/.docker/"]),
    ("dotnet", &["~/.dotnet/", "~/.nuget/", "~/.templateengine/"]),
    ("gh", &["~/.local/state/gh/"]),
    ("go", &["~/go/"]),
    ("gradle", &["~/.gradle/"]),
    ("ipython", &["~/.ipython/"]),
    ("java", &["~/.gradle/", "~/.java/", "~/.m2/"]),
    ("julia", &["~/.julia/"]),
    ("jupyter", &["~/.jupyter/", "~/.ipython/"]),
    ("kimi", &["~/.kimi/"]),
    ("mise", &["~/.local/state/mise/"]),
    ("mix", &["~/.hex/", "~/.mix/"]),
    ("mvn", &["~/.m2/"]),
    ("nix", &["~/.local/state/nix/"]),
    ("npm", &["~/.npm/", "~/.node-gyp/"]),
    ("opam", &["~/.opam/"]),
    ("pipx", &["~/.local/state/pipx/"]),
    ("pnpm", &["~/.local/state/pnpm/"]),
    ("rustup", &["~/.rustup/"]),
    ("sbt", &["~/.ivy2/", "~/.sbt/"]),
    ("stack", &["~/.stack/"]),
    ("swift", &["~/.swiftpm/"]),
    ("terraform", &["~/.terraform.d/"]),
    ("uv", &["~/.local/state/uv/"]),
    ("yarn", &["~/.yarn/"]),
    ("yarnpkg", &["~/.yarn/"]),
];

/// Made by nobody: with one of them its program would no longer find what it keeps elsewhere.
#[cfg(test)]
const TURNS: [&str; 6] = [".cabal", ".ccache", ".gem", ".ghc", ".local/pipx", ".pnpm-store"];

/// Base directories that a variable moves, by how they are written when it does not.
const BASES: [(&str, &str); 4] = [
    ("~/.cache", "XDG_CACHE_HOME"),
    ("~/.config", "XDG_CONFIG_HOME"),
    ("~/.local/share", "XDG_DATA_HOME"),
    ("~/.local/state", "XDG_STATE_HOME"),
];

/// A place as the table and the presets write it, on this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) is_dir: bool,
}

impl Place {
    /// None where nothing says where that is.
    pub(super) fn of(written: &str, env: &Environment) -> Option<Place> {
        let is_dir = written.ends_with('/');
        let written = written.trim_end_matches('/');
        let below = |base: &str| {
            let rest = written.strip_prefix(base)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
        };
        let based = BASES
            .iter()
            .find_map(|(base, xdg)| Some(env.base_dir(xdg, base.strip_prefix("~/")?)?.join(below(base)?)));
        let path = if let Some(path) = based {
            path
        } else if let Some(rest) = below("~") {
            Path::new(env.get("HOME")?).join(rest)
        } else if let Some(named) = written.strip_prefix('$') {
            let (name, rest) = named.split_once('/').unwrap_or((named, ""));
            Path::new(env.get(name)?).join(rest)
        } else {
            PathBuf::from(written)
        };
        // Joined with nothing a path ends in a slash, which is no other place.
        path.is_absolute().then(|| Place { path: path.components().collect(), is_dir })
    }
}

/// What programs of the table that are installed make when they are first used.
pub(super) fn of_programs(env: &Environment, is_installed: impl Fn(&str) -> bool) -> Vec<Place> {
    let installed = FIRST_USED.iter().filter(|(program, _)| program.is_empty() || is_installed(program));
    installed.flat_map(|(_, places)| *places).filter_map(|written| Place::of(written, env)).collect()
}

/// Directories that are to be made once that was agreed to.
#[derive(Debug, Default)]
pub(in crate::cli) struct Room(Vec<PathBuf>);

impl Room {
    /// Of these the directories that are not there.
    pub(super) fn missing_of(places: impl IntoIterator<Item = Place>) -> Room {
        let dirs = places.into_iter().filter(|place| place.is_dir).map(|place| place.path);
        let mut missing: Vec<PathBuf> = dirs.filter(|path| path.symlink_metadata().is_err()).collect();
        missing.sort();
        missing.dedup();
        Room(missing)
    }

    pub(in crate::cli) fn make(&self) {
        for path in &self.0 {
            let mut dirs = std::fs::DirBuilder::new();
            // Where it cannot be made, nor can the program, which says so itself.
            let _made = dirs.recursive(true).mode(fs::PRIVATE_DIR).create(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Presets;

    fn env(vars: &[(&str, &str)]) -> Environment {
        Environment::new(vars.iter().copied())
    }

    fn path(written: &str, vars: &[(&str, &str)]) -> Option<String> {
        Place::of(written, &env(vars)).map(|place| place.path.display().to_string())
    }

    #[test]
    fn a_place_is_below_the_home_directory_or_where_a_variable_says() {
        let home = ("HOME", "/h");
        assert_eq!(path("~/.npm/", &[home]).as_deref(), Some("/h/.npm"));
        assert_eq!(path("~/.config/gh/", &[home]).as_deref(), Some("/h/.config/gh"));
        assert_eq!(path("~/.config/gh/", &[home, ("XDG_CONFIG_HOME", "/c")]).as_deref(), Some("/c/gh"));
        assert_eq!(path("~/.cache/", &[("XDG_CACHE_HOME", "/c")]).as_deref(), Some("/c"));
        assert_eq!(
            path("~/.configured", &[home, ("XDG_CONFIG_HOME", "/c")]).as_deref(),
            Some("/h/.configured")
        );
        assert_eq!(path("$CODEX_HOME/", &[("CODEX_HOME", "/x")]).as_deref(), Some("/x"));
        assert_eq!(path("$CODEX_HOME/a/", &[("CODEX_HOME", "/x")]).as_deref(), Some("/x/a"));
        assert_eq!(path("$CODEX_HOME/", &[home]), None);
        assert_eq!(path("$CODEX_HOME/", &[("CODEX_HOME", "here")]), None);
        assert_eq!(path("~/.npm/", &[]), None);
    }

    #[test]
    fn every_place_of_the_table_is_a_directory_below_the_home_directory_and_each_program_is_named_once() {
        let mut programs: Vec<&str> = FIRST_USED.iter().map(|(program, _)| *program).collect();
        let in_order = programs.clone();
        programs.sort_unstable();
        programs.dedup();
        assert_eq!(programs, in_order);
        for place in of_programs(&env(&[("HOME", "/h")]), |_| true) {
            assert!(TURNS.iter().all(|turns| place.path != Path::new("/h").join(turns)), "{place:?}");
            assert!(
                place.is_dir && place.path.starts_with("/h") && place.path != Path::new("/h"),
                "{place:?}"
            );
        }
    }

    #[test]
    fn every_preset_says_where_its_agent_keeps_its_own_state() {
        let env = env(&[("HOME", "/h")]);
        for (name, preset) in Presets::compiled_in().iter() {
            let places: Vec<Place> =
                preset.writes.iter().filter_map(|written| Place::of(written, &env)).collect();
            assert!(places.iter().any(|place| place.is_dir), "{name}");
            assert!(
                places.iter().all(|place| place.path.starts_with("/h") && place.path != Path::new("/h")),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_made_and_what_is_there_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let place = |name: &str, is_dir| Place { path: dir.path().join(name), is_dir };
        std::fs::write(dir.path().join("there"), "kept").expect("written");
        let room = Room::missing_of([
            place("there", true),
            place("a/b", true),
            place("f.json", false),
            place("f.json", false),
        ]);
        assert_eq!(room.0, [dir.path().join("a/b")]);
        room.make();
        assert!(dir.path().join("a/b").is_dir() && !dir.path().join("f.json").exists());
        assert_eq!(std::fs::read_to_string(dir.path().join("there")).expect("read"), "kept");
    }
}

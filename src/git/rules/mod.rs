//! Files of known kinds merge by rule where their lines alone conflict: lists to which both sides added become one list
//! with everything of both. One file for each rule; [`merge`] chooses by the name of the path.
//!
//! A rule never takes a side wholesale and never guesses: an entry that both sides changed differently, or anything it
//! does not understand, leaves the conflict as it was. What comes out is read again by a parser of the format where
//! there is one. No program runs here: lock files that need their tool stay conflicts that say so.

mod element;
mod imports;
mod json;
mod lines;
mod lock;
mod parts;
mod semantic;
mod table;
#[cfg(test)]
mod tests;
mod unite;

pub(super) use parts::{Part, parts};
use serde_json::Value;

/// Three versions of a file's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides<'a> {
    pub base: &'a str,
    pub there: &'a str,
    pub attempt: &'a str,
}

impl<'a> Sides<'a> {
    /// Nothing but text, or there is no rule for it.
    pub(super) fn of(base: &'a [u8], there: &'a [u8], attempt: &'a [u8]) -> Option<Sides<'a>> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        Some(Sides { base: text(base)?, there: text(there)?, attempt: text(attempt)? })
    }

    fn all(&self) -> [&'a str; 3] {
        [self.base, self.there, self.attempt]
    }
}

/// What a file is, as far as rules know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `Cargo.toml`, `pyproject.toml`: tables of dependencies.
    Toml,
    /// `package.json`: objects of dependencies.
    Json,
    /// `Cargo.lock`, `uv.lock`, `poetry.lock`: an array of packages.
    TomlLock,
    /// `package-lock.json`, `composer.lock`: an object of packages.
    JsonLock,
    /// `yarn.lock`: blocks.
    Blocks,
    /// `go.sum`: lines in order.
    Sums,
    Requirements,
    GoMod,
    /// A lock file that only its tool can merge.
    Tool,
    Imports(imports::Language),
}

fn format_of(path: &[u8]) -> Option<Format> {
    let name = std::str::from_utf8(super::disk::name_of(path)).ok()?;
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    Some(match name {
        "Cargo.toml" | "pyproject.toml" => Format::Toml,
        "package.json" => Format::Json,
        "Cargo.lock" | "uv.lock" | "poetry.lock" => Format::TomlLock,
        "package-lock.json" | "npm-shrinkwrap.json" | "composer.lock" => Format::JsonLock,
        "yarn.lock" => Format::Blocks,
        "go.sum" => Format::Sums,
        "go.mod" => Format::GoMod,
        "pnpm-lock.yaml" | "Gemfile.lock" => Format::Tool,
        _ if name.starts_with("requirements") && extension == "txt" => Format::Requirements,
        _ => Format::Imports(imports::Language::of(extension)?),
    })
}

/// The merged text, and by which rule. `parts` is what a merge of lines made of it.
pub(super) fn merge(path: &[u8], sides: &Sides<'_>, parts: &[Part]) -> Option<(String, &'static str)> {
    let format = format_of(path)?;
    let (text, rule) = match format {
        Format::Toml => (table::merge(parts)?, "entries of tables united"),
        Format::Json | Format::JsonLock => (json::merge(parts)?, "entries of objects united"),
        Format::TomlLock => (lock::packages(sides)?, "locked packages united"),
        Format::Blocks => (lock::blocks(sides)?, "locked packages united"),
        Format::Sums => (lines::sums(sides)?, "lines united and sorted"),
        Format::Requirements => (lines::requirements(parts)?, "requirements united"),
        Format::GoMod => (lines::go_mod(parts)?, "requirements united"),
        Format::Imports(language) => (imports::merge(language, parts)?, "imports united"),
        Format::Tool => return None,
    };
    is_sound(format, sides, &text).then_some((text, rule))
}

/// True if the text says what both sides said, as far as the format has a parser.
fn is_sound(format: Format, sides: &Sides<'_>, text: &str) -> bool {
    let parse = match format {
        Format::Toml => semantic::toml,
        Format::Json | Format::JsonLock => semantic::json,
        Format::TomlLock => return semantic::toml(text).is_some(),
        _ => return true,
    };
    let [base, there, attempt] =
        sides.all().map(|side| if side.is_empty() { None } else { Some(parse(side)) });
    // A side that cannot be read has no meaning that could be kept.
    let read = |side: Option<Option<Value>>| match side {
        Some(None) => Err(()),
        Some(value) => Ok(value),
        None => Ok(None),
    };
    let (Ok(base), Ok(there), Ok(attempt)) = (read(base), read(there), read(attempt)) else { return false };
    let expected = semantic::three_way(base.as_ref(), there.as_ref(), attempt.as_ref());
    let (Some(Some(expected)), Some(found)) = (expected, parse(text)) else { return false };
    semantic::is_same(&expected, &found)
}

/// True if lines that merge make a file that is none: both sides can be read, what came of them cannot, or it lacks
/// what it needs.
pub(super) fn is_broken(path: &[u8], sides: &Sides<'_>, merged: &str) -> bool {
    let parse: fn(&str) -> Option<Value> = match format_of(path) {
        Some(Format::Toml) => semantic::toml,
        Some(Format::TomlLock) => |text| semantic::toml(text).filter(lock::has_all_it_needs),
        Some(Format::Json | Format::JsonLock) => semantic::json,
        _ => return false,
    };
    parse(sides.there).is_some() && parse(sides.attempt).is_some() && parse(merged).is_none()
}

/// What to do about a conflict in a file that a program writes.
pub(super) fn advice(path: &[u8]) -> Option<&'static str> {
    let name = std::str::from_utf8(super::disk::name_of(path)).ok()?;
    Some(match name {
        "Cargo.lock" => "let cargo write it again: `cargo update --workspace`",
        "package-lock.json" | "npm-shrinkwrap.json" => {
            "let npm write it again: `npm install --package-lock-only`"
        }
        "yarn.lock" => "let yarn write it again: `yarn install`",
        "pnpm-lock.yaml" => "let pnpm write it again: `pnpm install --lockfile-only`",
        "poetry.lock" => "let poetry write it again: `poetry lock`",
        "uv.lock" => "let uv write it again: `uv lock`",
        "go.sum" => "let go write it again: `go mod tidy`",
        "Gemfile.lock" => "let bundler write it again: `bundle lock`",
        "composer.lock" => "let composer write it again: `composer update --lock`",
        _ => return None,
    })
}

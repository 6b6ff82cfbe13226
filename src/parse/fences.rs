//! Fenced blocks that say they are to be executed: `sh run timeout=30s dir=web env.K=V` (SPEC 2.2).
//!
//! Reads one fence; which task it belongs to is decided by who asks. Other fences are prose and yield nothing.

use super::blocks::Fence;
use super::scan;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Excerpt, SourceText, Span};
use crate::task::{Block, BlockKind, EcoString, Rare};
use crate::text;
use std::time::Duration;

/// The info string of a fence and its place.
pub(super) fn info<'s>(source: &'s SourceText, fence: &Fence) -> (&'s str, Span) {
    let line = source.line_text(fence.first);
    let at = marks(line).unwrap_or(line.len());
    let rest = line[at..].trim_start_matches(['`', '~']);
    let start = source.line_span(fence.first).start as usize + line.len() - rest.len();
    let trimmed = rest.trim();
    let start = start + rest.len() - rest.trim_start().len();
    (trimmed, Span::new(start, start + trimmed.len()))
}

/// Where a line's fence begins.
fn marks(line: &str) -> Option<usize> {
    line.bytes().position(|b| matches!(b, b'`' | b'~'))
}

/// The kind a fence's info string asks for, if any.
pub(super) fn kind(info: &str) -> Option<BlockKind> {
    bare(info).map(|(_, kind)| kind).or_else(|| info.split_whitespace().skip(1).find_map(kind_word))
}

fn kind_word(word: &str) -> Option<BlockKind> {
    match word {
        "run" => Some(BlockKind::Run),
        "fallback" => Some(BlockKind::Fallback),
        "verify" => Some(BlockKind::Verify),
        _ => None,
    }
}

/// Reads an executable fence, whose info string stands at `span` and asks for `kind`; what is wrong with it goes to
/// `findings`.
pub(super) fn block(
    source: &SourceText,
    fence: &Fence,
    (info, span): (&str, Span),
    kind: BlockKind,
    findings: &mut Vec<Diagnostic>,
) -> Block {
    let code = code(source, fence);
    let bare = bare(info);
    let last = if fence.closed { fence.last } else { fence.last.max(fence.first) };
    let mut block = Block {
        kind,
        interpreter: EcoString::from(bare.map_or_else(|| first_word(info), |(interpreter, _)| interpreter)),
        code,
        given: Rare::default(),
        line: fence.first,
        span: Span { start: source.line_span(fence.first).start, end: source.line_span(last).end },
    };
    if bare.is_none() {
        attributes(&mut block, info, span, findings);
    }
    if block.code.trim().is_empty() {
        let name = text::safe(info);
        findings.push(
            Diagnostic::error(Code::EmptyBlock, format!("block `{name}` has no command"))
                .at(span, "opened here"),
        );
    }
    block
}

/// The lines between the fences, without the opening fence's indentation and with plain line ends.
fn code(source: &SourceText, fence: &Fence) -> Excerpt {
    let first = source.line_text(fence.first);
    let at = marks(first).unwrap_or(0);
    let mut columns = scan::indent(first).0;
    if first[..at].bytes().any(|b| !b.is_ascii_whitespace()) {
        // The fence stands directly behind a bullet.
        columns = first[..at].chars().count() as u32;
    }
    let last = if fence.closed { fence.last } else { fence.last + 1 };
    let end = source.line_span(last.saturating_sub(1)).end;
    let start = source.line_span(fence.first + 1).start;
    if last == fence.first + 2
        && let Some(code) = one_line(source, fence.first + 1, columns)
    {
        return code;
    }
    let mut code = String::with_capacity((end.saturating_sub(start) as usize + 1).min(source.text().len()));
    for line in fence.first + 1..last.min(source.line_count() + 1) {
        code.push_str(strip(source.line_text(line), columns));
        code.push('\n');
    }
    code.into()
}

/// A line with its end as it stands in the file, if that is a plain one.
fn one_line(source: &SourceText, line: u32, columns: u32) -> Option<Excerpt> {
    let (span, text) = (source.line_span(line), source.line_text(line));
    let start = span.start as usize + text.len() - strip(text, columns).len();
    let is_plain = source.text().as_bytes().get(span.end as usize) == Some(&b'\n');
    is_plain.then(|| source.excerpt(Span::new(start, span.end as usize + 1)))
}

/// Takes up to `columns` columns of white space off a line.
fn strip(line: &str, columns: u32) -> &str {
    let mut seen = 0;
    for (at, byte) in line.bytes().enumerate() {
        if seen >= columns || (byte != b' ' && byte != b'\t') {
            return &line[at..];
        }
        seen = if byte == b'\t' { seen / 4 * 4 + 4 } else { seen + 1 };
    }
    ""
}

fn attributes(block: &mut Block, info: &str, span: Span, findings: &mut Vec<Diagnostic>) {
    let bad = |word: &str, why: &str| {
        let message = format!("attribute `{}` {why}", text::safe(word));
        Diagnostic::error(Code::BadAttribute, message)
            .at(span, "in this info string")
            .help("known attributes: `timeout=30s`, `dir=web`, `retries=0`, `env.NAME=value`")
    };
    let Some(words) = shlex::split(info) else {
        findings.push(bad(info, "has a quote that is not closed"));
        return;
    };
    let mut kinds = 0;
    for word in words.iter().skip(1) {
        if kind_word(word).is_some() {
            kinds += 1;
            if kinds > 1 {
                findings.push(bad(word, "says a second time what the block is for"));
            }
            continue;
        }
        let Some((key, value)) = word.split_once('=') else {
            findings.push(bad(word, "is unknown"));
            continue;
        };
        if let Err(why) = attribute(block, key, value) {
            findings.push(bad(word, why));
        }
    }
}

/// `sh run` and nothing else, as most fences are: there is nothing more to split or to say.
fn bare(info: &str) -> Option<(&str, BlockKind)> {
    let (interpreter, word) = info.split_at(memchr::memchr(b' ', info.as_bytes())?);
    let is_plain = !interpreter.is_empty() && interpreter.bytes().all(|b| b.is_ascii_alphanumeric());
    is_plain.then(|| kind_word(&word[1..]).map(|kind| (interpreter, kind))).flatten()
}

fn first_word(info: &str) -> &str {
    info.split_whitespace().next().unwrap_or_default()
}

fn attribute(block: &mut Block, key: &str, value: &str) -> Result<(), &'static str> {
    if value.contains('\0') {
        return Err("holds a NUL byte");
    }
    match key {
        "timeout" => {
            block.given.timeout =
                Some(duration(value).ok_or("is no duration such as `30s`, `5m` or `1h30m`")?);
        }
        "retries" => block.given.retries = Some(value.parse().map_err(|_| "is no whole number")?),
        "dir" => {
            let climbs =
                value.starts_with(['/', '~', '\\']) || value.split(['/', '\\']).any(|part| part == "..");
            if value.is_empty() || climbs || value.get(1..2) == Some(":") {
                return Err("is no directory inside the project");
            }
            block.given.dir = Some(value.to_owned());
        }
        _ => {
            let name = key.strip_prefix("env.").ok_or("is unknown")?;
            let fine = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !fine {
                return Err("has no good variable name");
            }
            block.given.env.push((name.to_owned(), value.to_owned()));
        }
    }
    Ok(())
}

/// `30s`, `500ms`, `5m`, `1h30m`, or seconds alone.
fn duration(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<u32>() {
        return (seconds > 0).then(|| Duration::from_secs(seconds.into()));
    }
    let mut rest = value;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..digits].parse::<u32>().ok()?;
        rest = &rest[digits..];
        let unit = ["ms", "s", "m", "h"].into_iter().find(|unit| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            _ => 3_600_000,
        };
        total = total.checked_add(Duration::from_millis(u64::from(number) * millis))?;
    }
    (!total.is_zero()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::blocks;

    fn read(text: &str) -> (Option<Block>, Vec<Diagnostic>) {
        let source = SourceText::new("t", text);
        let blocks = blocks::read(&source);
        let mut findings = Vec::new();
        let fence = &blocks.fences[0];
        let info = info(&source, fence);
        let block = kind(info.0).map(|kind| block(&source, fence, info, kind, &mut findings));
        (block, findings)
    }

    #[test]
    fn attributes_and_code_are_read() {
        let (block, findings) = read(
            "- a\n  ```bash run timeout=1h30m dir=web retries=0 env.K='a b'\n  one\n    two\n\n  three\n  ```\n",
        );
        let block = block.unwrap();
        assert_eq!(findings, []);
        assert_eq!((block.kind, block.interpreter.as_str()), (BlockKind::Run, "bash"));
        assert_eq!(block.code, "one\n  two\n\nthree\n");
        assert_eq!(block.given.timeout, Some(Duration::from_mins(90)));
        assert_eq!((block.given.dir.as_deref(), block.given.retries), (Some("web"), Some(0)));
        assert_eq!(*block.given.env, [("K".to_owned(), "a b".to_owned())]);
    }

    #[test]
    fn line_ends_of_code_are_plain() {
        let (block, _) = read("```sh run\r\necho a\r\n```\r\n");
        assert_eq!(block.unwrap().code, "echo a\n");
    }

    #[test]
    fn only_the_info_string_makes_a_block_executable() {
        for text in ["```sh\nrun\n```", "```\nrun\n```", "```run\nx\n```", "```sh running\nx\n```"] {
            assert_eq!(read(text), (None, vec![]), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for attribute in [
            "timeout=soon",
            "timeout=0s",
            "retries=-1",
            "dir=../up",
            "dir=/abs",
            "env.=x",
            "env.1=x",
            "tiemout=3s",
            "verify",
            "env.A='x",
        ] {
            let (_, findings) = read(&format!("```sh run {attribute}\nx\n```"));
            assert_eq!(
                findings.iter().map(|f| f.code).collect::<Vec<_>>(),
                [Code::BadAttribute],
                "{attribute}"
            );
        }
        let (_, findings) = read("```sh verify\n\n```");
        assert_eq!(findings[0].code, Code::EmptyBlock);
    }
}

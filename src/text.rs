//! Text that is safe to show and names that are safe on disk. Pure; knows no terminal.
//!
//! Everything specter did not write itself (titles, ids, paths, output) reaches people only through [`Untrusted`].

use std::fmt::{self, Write as _};
use std::path::{Component, Path, PathBuf};

/// Shows text that others wrote: control, invisible and direction-changing characters appear escaped, on one line, and
/// what a continuous-integration service would take for a command (`::error::…`, `##[…]`, `##vso[…]`) is none any more.
#[derive(Clone, Copy, Debug)]
pub struct Untrusted<'a>(pub &'a str);

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        // GitHub looks at the beginning of a line, spaces or not.
        if let Some(command) = rest.trim_start().strip_prefix("::") {
            write!(f, "{}\\x3a:", Untrusted(&rest[..rest.len() - command.len() - 2]))?;
            rest = command;
        }
        // Azure and older GitHub look anywhere in a line.
        while let Some(at) = rest.find(|c| c == '#' || is_unsafe(c)) {
            f.write_str(&rest[..at])?;
            let Some(c) = rest[at..].chars().next() else { break };
            match c {
                '#' if is_ci_command(&rest[at..]) => f.write_str("\\x23")?,
                '#' => f.write_char('#')?,
                '\t' => f.write_char(' ')?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\x1b' => f.write_str("\\e")?,
                c if (c as u32) < 0x100 => write!(f, "\\x{:02x}", c as u32)?,
                c => write!(f, "\\u{{{:x}}}", c as u32)?,
            }
            rest = &rest[at + c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// Rendered text in which excerpts of others' lines hold no command to a service; see [`Untrusted`]. None of them begins
/// a line.
pub fn no_commands(text: String) -> String {
    if !text.contains("##") {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        match c {
            '#' if is_ci_command(&text[at..]) => out.push_str("\\x23"),
            c => out.push(c),
        }
    }
    out
}

fn is_ci_command(text: &str) -> bool {
    text.starts_with("##[") || text.starts_with("##vso[") || text.starts_with("##teamcity[")
}

/// Characters that can move the cursor, hide, or reorder text.
pub fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'           // C0, DEL, C1
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}'                     // zero width, LRM, RLM
        | '\u{2028}'..='\u{202e}'                     // separators, embeddings, overrides
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0e}'                     // text variation selectors; U+FE0F (emoji) is harmless
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// `text` with every unsafe character escaped; see [`Untrusted`].
pub fn safe(text: &str) -> String {
    Untrusted(text).to_string()
}

/// JSON text whose strings hold no unsafe character raw: `\u202e` instead. Outside strings JSON has none of them, and
/// those below 0x20 are either escaped by the serializer or its own line ends.
pub fn json_safe(json: &str) -> std::borrow::Cow<'_, str> {
    let is_raw = |c: char| c > ' ' && is_unsafe(c);
    if !json.contains(is_raw) && !json.contains("##") {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for (at, c) in json.char_indices() {
        if is_raw(c) || (c == '#' && is_ci_command(&json[at..])) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                let _ = write!(out, "\\u{unit:04x}");
            });
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// What a text would need before it can stand somewhere; see [`needs`]. Nothing: it reads the same everywhere.
pub const ESCAPES: u8 = 1;
/// In inline Markdown: a character that is structure there.
pub const MARKDOWN: u8 = 2;
/// In a JSON string: a quote or a backslash.
pub const JSON: u8 = 4;
/// On a stream that a service reads: it might be a command to it.
pub const COMMANDS: u8 = 8;

const NEEDS: [u8; 256] = {
    let mut table = [ESCAPES; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        table[byte] = match byte as u8 {
            b'`' | b'|' | b'<' | b'[' | b']' | b'&' => MARKDOWN,
            b'"' | b'\\' => JSON,
            b'#' => COMMANDS,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// What any byte of `text` needs. Most ids and titles are plain ASCII and need nothing: this says so in three
/// instructions a byte, and without it each of the files that name a task would look at every character.
pub fn needs(text: &str) -> u8 {
    text.bytes().fold(0, |needs, byte| needs | NEEDS[byte as usize])
}

/// The longest file name made from an id, in bytes.
const SLUG_BYTES: usize = 80;

/// A name for files and directories made from an id: never empty, hidden, reserved or too long, and different for
/// different ids also on file systems that fold case. Plain ids (`T001`, `1.2`) stay readable as they are.
pub fn file_name(id: &str) -> String {
    let plain = !id.is_empty()
        && id.len() <= SLUG_BYTES
        && id
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'))
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !id.ends_with('.')
        && id.bytes().any(|b| b.is_ascii_digit())
        && !is_reserved(id);
    if plain {
        return id.to_owned();
    }
    let keep = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let stem: String = id.chars().take(SLUG_BYTES - 20).map(keep).collect();
    format!("{stem}~{:016x}", fnv1a(id.as_bytes()))
}

/// Device names of Windows and their like.
fn is_reserved(id: &str) -> bool {
    let stem = id.split('.').next().unwrap_or_default();
    matches!(stem.len(), 3 | 4)
        && ["CON", "PRN", "AUX", "NUL", "COM", "LPT"].iter().any(|name| stem.starts_with(name))
}

/// `256 MiB`, `13.1 MiB`, `0 B`: in the largest unit that leaves a whole number before the point.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = (bytes.checked_ilog2().unwrap_or(0) as usize / 10).min(UNITS.len() - 1);
    let one = 1u64 << (10 * unit);
    let tenths = bytes % one / one.div_ceil(10);
    match (bytes / one, tenths) {
        (whole, 0) => format!("{whole} {}", UNITS[unit]),
        (whole, tenths) => format!("{whole}.{tenths} {}", UNITS[unit]),
    }
}

/// FNV-1a: stable across versions and machines, for names and synthetic ids; no security is asked of it.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Tells contents of one process apart, eight bytes a step; not for names and not for disk, unlike [`fnv1a`].
pub fn fingerprint(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
    words.fold(bytes.len() as u64, |hash, word| {
        let mixed = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    })
}

/// The digits of 0 to 99: half the divisions.
static PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut n = 0;
    while n < 100 {
        pairs[n] = [b'0' + (n / 10) as u8, b'0' + (n % 10) as u8];
        n += 1;
    }
    pairs
};

/// A number's decimal digits, at the end of the array, and where they begin. Without `fmt`, which takes longer than
/// all the rest of a small record.
fn digits(number: u64) -> ([u8; 20], usize) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    while rest >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[(rest % 100) as usize]);
        rest /= 100;
    }
    let [tens, ones] = PAIRS[rest as usize];
    digits[at - 1] = ones;
    if rest < 10 {
        return (digits, at - 1);
    }
    digits[at - 2] = tens;
    (digits, at - 2)
}

/// Appends decimal digits.
#[inline]
pub fn put_number(out: &mut Vec<u8>, number: u64) {
    if number < 10 {
        return out.push(b'0' + number as u8); // most of them
    }
    put_longer(out, number);
}

/// Of two digits or more. Up to four are put pair by pair: a copy of known length is no call.
fn put_longer(out: &mut Vec<u8>, number: u64) {
    if number >= 10_000 {
        let (digits, at) = digits(number);
        return out.extend_from_slice(&digits[at..]);
    }
    let (high, low) = (number as usize / 100, number as usize % 100);
    let [tens, ones] = PAIRS[high];
    if high >= 10 {
        out.extend_from_slice(&[tens, ones]);
    } else if high > 0 {
        out.push(ones);
    }
    out.extend_from_slice(&PAIRS[low]);
}

/// Appends decimal digits.
pub fn push_number(out: &mut String, number: u64) {
    let digit = |n: u64| char::from(b'0' + (n % 10) as u8);
    match number {
        // Most of them: cheaper one by one than checked as text.
        0..10 => return out.push(digit(number)),
        10..1000 => {
            if number >= 100 {
                out.push(digit(number / 100));
            }
            out.push(digit(number / 10));
            return out.push(digit(number));
        }
        _ => {}
    }
    let (digits, at) = digits(number);
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

/// `1 task`, `2 tasks`.
pub fn count(n: impl Into<u64>, one: &str) -> String {
    let n = n.into();
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// The candidate nearest to what was typed, if it is near enough to be a slip.
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (typed.chars().count() / 3).max(1) + 1;
    candidates
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&typed.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// An absolute path without `.` and `..`, by its words alone: links are not followed, and nothing of it need exist.
pub fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            // Above the root is the root.
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_nothing_is_plain_ascii_without_a_meaning_of_its_own() {
        assert_eq!(needs("Do the work of part 7: (a) b, c/d.e"), 0);
        for (text, need) in [
            ("a\u{202e}", ESCAPES),
            ("a\x1b", ESCAPES),
            ("\x7f", ESCAPES),
            ("`a`", MARKDOWN),
            ("a|b<c[d]e&f", MARKDOWN),
            ("a\"b\\c", JSON),
            ("##[x", COMMANDS | MARKDOWN),
        ] {
            assert_eq!(needs(text), need, "{text:?}");
        }
    }

    #[test]
    fn numbers_have_their_digits() {
        let edges = (0..20).flat_map(|n| [10u64.pow(n), 10u64.pow(n) - 1, 37 * 10u64.pow(n.min(17))]);
        for number in edges.chain([0, u64::MAX]) {
            let (mut text, mut bytes) = (String::new(), Vec::new());
            push_number(&mut text, number);
            put_number(&mut bytes, number);
            assert_eq!(
                (text.as_str(), bytes.as_slice()),
                (&*number.to_string(), number.to_string().as_bytes())
            );
        }
    }

    #[test]
    fn one_byte_more_or_other_makes_another_fingerprint() {
        let text = b"a derived file of some length\0\0".as_slice();
        for n in 0..text.len() {
            let mut other = text.to_vec();
            other[n] ^= 1;
            assert_ne!(fingerprint(&other), fingerprint(text));
            assert_ne!(fingerprint(&text[..n]), fingerprint(text));
        }
        assert_ne!(fingerprint(b"\0"), fingerprint(b""));
    }

    #[test]
    fn what_could_fool_a_terminal_is_escaped() {
        assert_eq!(safe("a\x1b[31mb\r\u{9b}2J\u{202e}x\u{2028}"), "a\\e[31mb\\r\\x9b2J\\u{202e}x\\u{2028}");
        assert_eq!(safe("日本語 ⚠️ é"), "日本語 ⚠️ é");
    }

    #[test]
    fn no_text_is_a_command_to_the_service_that_reads_it() {
        for (text, shown) in [
            ("::error::x", "\\x3a:error::x"),
            (" \t::set-output name=a::b", "  \\x3a:set-output name=a::b"),
            ("std::fs ::a", "std::fs ::a"),
            (
                "a ##[error]b ##vso[task.x]##teamcity[y]",
                "a \\x23#[error]b \\x23#vso[task.x]\\x23#teamcity[y]",
            ),
            ("# a ## b ###[c]", "# a ## b #\\x23#[c]"),
        ] {
            assert_eq!(safe(text), shown);
        }
        assert_eq!(json_safe("{\"a\":\"##[error]\"}"), "{\"a\":\"\\u0023#[error]\"}");
    }

    #[test]
    fn json_keeps_its_meaning_and_holds_nothing_raw() {
        let text = "a\u{7f}\u{9b}\u{202e}\u{e0041}b\n\"日";
        let json = serde_json::to_string(text).unwrap();
        let safe = json_safe(&json);
        assert!(!safe.contains(is_unsafe), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        assert_eq!(json_safe("{\n}"), "{\n}");
    }

    #[test]
    fn ids_that_differ_never_share_a_file() {
        let long = |end: &str| format!("T{}{end}", "a".repeat(300));
        let ids = [
            "T001",
            "t001",
            "T001a",
            "T001A",
            "..",
            "a/b",
            "CON1",
            "CON",
            "",
            &long("1"),
            &long("2"),
            ".git",
        ];
        let names: std::collections::BTreeSet<String> =
            ids.iter().map(|id| file_name(id).to_lowercase()).collect();
        assert_eq!(names.len(), ids.len());
        assert!(names.iter().all(|name| name.len() < 100 && !name.starts_with('.') && !name.contains('/')));
        assert_eq!(file_name("T001"), "T001");
    }

    #[test]
    fn slips_find_their_name() {
        assert_eq!(nearest("T09", ["T009", "T100"]), Some("T009"));
        assert_eq!(nearest("--paralel", ["--parallel", "--phase"]), Some("--parallel"));
        assert_eq!(nearest("zzz", ["T009"]), None);
    }

    #[test]
    fn a_path_is_the_same_with_and_without_its_dots() {
        for (path, plain) in [
            ("/a/b/../c", "/a/c"),
            ("/a/./b/", "/a/b"),
            ("//a//b", "/a/b"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a/..b/c..", "/a/..b/c.."),
        ] {
            assert_eq!(without_dots(Path::new(path)), Path::new(plain), "{path}");
        }
    }
}

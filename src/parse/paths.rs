//! Files and directories that a text names (SPEC 2.5). Looks at words; whether the files exist is not known here.

use super::path_words::{ABSOLUTE, NAMES, ROOTS, VAGUE, is_known};
use crate::source::Span;
use crate::task::NamedPath;

/// No task names more files than this; more is a listing, not a claim.
const LIMIT: usize = 200;
const LONGEST: usize = 300;

/// Adds every path of `text` (which stands at `base`) to `found`; a path already there is not added again.
/// In a list (`Files:` field) plain words with an extension count even without a `/`, as they do in titles.
pub(super) fn find(text: &str, base: usize, found: &mut Vec<NamedPath>) {
    let signed = || memchr::memchr3(b'/', b'.', b'\\', text.as_bytes()).is_some();
    let named = || may_name(text) && NAMES.iter().any(|name| text.contains(name));
    if !(signed() || named()) {
        return;
    }
    let mut at = 0;
    while at < text.len() && found.len() < LIMIT {
        at = step(text, at, base, found);
    }
}

/// Whether what every one of [`NAMES`] holds occurs, unless it holds a full stop; spares most titles sixteen searches.
fn may_name(text: &str) -> bool {
    let text = text.as_bytes();
    let begins = |at: usize| matches!(text.get(at..at + 4), Some(b"file" | b"LICE" | b"CODE"));
    memchr::memchr3_iter(b'f', b'L', b'C', text).any(begins)
}

/// Takes one link, code span or word; returns where the next begins.
fn step(text: &str, at: usize, base: usize, found: &mut Vec<NamedPath>) -> usize {
    let rest = &text[at..];
    let Some(c) = rest.chars().next() else { return text.len() };
    match c {
        '`' => {
            let ticks = rest.bytes().take_while(|b| *b == b'`').count();
            let inside = &rest[ticks..];
            let Some(len) = inside.bytes().take(LONGEST * 4).position(|b| b == b'`') else {
                return at + ticks;
            };
            code(&inside[..len], base + at + ticks, found);
            at + ticks + len + ticks.min(1)
        }
        '[' => link(text, at, base, found).unwrap_or(at + 1),
        c if starts_word(c) => {
            let len = word(rest);
            // `検索/表示`: a slash before text without spaces parts words, it ends no directory.
            let parted = rest[..len].ends_with('/') && rest[len..].starts_with(is_cjk);
            if !parted {
                bare(&rest[..len], base + at, found);
            }
            at + len.max(1)
        }
        c => at + c.len_utf8(),
    }
}

fn starts_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, '.' | '/' | '_' | '~' | '@' | '$' | '{' | '*' | '-')
        || (c.is_alphabetic() && !is_cjk(c))
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

/// The bytes of a word: up to white space, a backtick, CJK text, or a bracket that the word did not open.
fn word(rest: &str) -> usize {
    let mut open = Vec::new();
    for (at, c) in rest.char_indices() {
        match c {
            '[' | '(' | '{' => {
                if c == '(' && at > 0 && !rest[..at].ends_with('/') {
                    return at;
                }
                open.push(c);
            }
            ']' | ')' | '}' => {
                let opened = open.pop();
                if opened.is_none() {
                    return at;
                }
            }
            ',' | ';' if open.is_empty() => return at,
            '`' | '"' | '\'' | '<' | '>' | '|' => return at,
            c if c.is_whitespace() || is_cjk(c) || matches!(c, '—' | '–' | '→') => return at,
            _ => {}
        }
        if open.len() > 8 {
            return at.max(1);
        }
    }
    rest.len()
}

/// `[text](target)`: the text if it is a path, else the target.
fn link(text: &str, at: usize, base: usize, found: &mut Vec<NamedPath>) -> Option<usize> {
    let inside = &text[at + 1..];
    let mut depth = 0;
    let close = inside.bytes().take(LONGEST).position(|b| {
        match b {
            b'[' => depth += 1,
            b']' if depth == 0 => return true,
            b']' => depth -= 1,
            _ => {}
        }
        false
    })?;
    let target = inside.get(close + 1..)?.strip_prefix('(')?;
    let end = target.bytes().take(LONGEST * 2).position(|b| b == b')')?;
    let before = found.len();
    let label = inside[..close].trim_matches('`');
    let start = base + at + 1 + inside[..close].find(label).unwrap_or(0);
    if !code(label, start, found) {
        let url = target[..end].trim();
        let inside_project = !url.starts_with(['#', '/'])
            && !url.contains("://")
            && !url.starts_with("..")
            && !url.starts_with("mailto:");
        if inside_project && found.len() == before {
            code(url, base + at + 1 + close + 2, found);
        }
    }
    Some(at + 1 + close + 2 + end + 1)
}

/// A code span: one path, or nothing. Commands, routes, code and expressions hold spaces, brackets or signs.
fn code(inner: &str, base: usize, found: &mut Vec<NamedPath>) -> bool {
    let trimmed = inner.trim();
    let base = base + inner.len() - inner.trim_start().len();
    if trimmed.is_empty()
        || trimmed.len() > LONGEST
        || trimmed.contains(char::is_whitespace) && !quoted_spaces(trimmed)
    {
        return false;
    }
    accept(trimmed, base, found, true)
}

/// `docs/My File.md`: a space is fine when the whole is plainly a path.
fn quoted_spaces(text: &str) -> bool {
    let known = extension(text).is_some_and(is_known);
    known
        && text.contains('/')
        && text.matches(' ').count() <= 2
        && !text.contains([':', '=', '"', '\'', '|', '&', '>'])
        && {
            let first = text.split(' ').next().unwrap_or_default();
            first.contains('/')
                && extension(first).is_none()
                && text.split(' ').all(|part| !part.starts_with('-'))
        }
}

fn bare(word: &str, base: usize, found: &mut Vec<NamedPath>) {
    // Most words are just words.
    let sign = word.bytes().any(|b| matches!(b, b'/' | b'.' | b'\\'));
    if !sign && !NAMES.contains(&word.trim_end_matches([':', ',', '!', '?', '*', '_'])) {
        return;
    }
    let end = word.trim_end_matches(['.', ':', ',', ';', '!', '?', '*', '_', '"', '\'']).len();
    let mut end = end;
    // `**src/a.rs**` is bold, `src/**` is a glob.
    if word[..end].len() < word.len() && word[end..].starts_with("**") && word[..end].ends_with('/') {
        end += 2;
    }
    let start = word.len() - word.trim_start_matches(['*', '_', '"', '\'']).len();
    if start < end && !(word.starts_with("**/") || word.starts_with("*.")) {
        accept(&word[start..end], base + start, found, false);
    } else if start < end {
        accept(&word[..end], base, found, false);
    }
}

fn accept(text: &str, base: usize, found: &mut Vec<NamedPath>, quoted: bool) -> bool {
    if is_plain(text) {
        let span = Span::new(base, base + text.len());
        let known = found.iter().any(|f| f.path == text && f.pattern.is_none());
        if !known && found.len() < LIMIT {
            found.push(NamedPath {
                path: text.to_owned(),
                is_dir: false,
                pattern: None,
                outside: false,
                span,
            });
        }
        return true;
    }
    let stripped = without_lines(text);
    if !is_path(stripped, quoted) {
        return false;
    }
    let span = Span::new(base, base + stripped.len());
    for part in expand(stripped).iter().flat_map(|part| alternatives(part)) {
        let named = normalise(part, span);
        if !found.iter().any(|f| f.path == named.path && f.pattern == named.pattern) && found.len() < LIMIT {
            found.push(named);
        }
    }
    true
}

/// `src/models/user.py`: what most paths look like, decided in one look at each byte.
fn is_plain(text: &str) -> bool {
    let (mut dots, mut slashes, mut before) = (0, 0, b'/');
    for byte in text.bytes() {
        let fine = match byte {
            b'/' => before != b'/' && dots == 0,
            b'.' => before.is_ascii_alphanumeric(),
            _ => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
        };
        if !fine {
            return false;
        }
        dots += u32::from(byte == b'.');
        slashes += u32::from(byte == b'/');
        before = byte;
    }
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic());
    dots == 1 && slashes > 0 && starts && text.len() <= LONGEST && extension(text).is_some_and(is_known)
}

/// Takes `:158-169`, `#L10`, `::test_name` off the end.
fn without_lines(text: &str) -> &str {
    if !text.bytes().any(|b| matches!(b, b':' | b'#')) {
        return text;
    }
    let text = text.find("::").map_or(text, |at| &text[..at]);
    let text = text.find("#L").map_or(text, |at| &text[..at]);
    let text = text.find('#').filter(|at| *at > 0).map_or(text, |at| &text[..at]);
    match text.rfind(':') {
        Some(at) if at > 1 => {
            let tail = &text[at + 1..];
            let digits = tail.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b','))
                || tail.starts_with(|c: char| c.is_ascii_digit());
            if digits { without_lines_again(&text[..at]) } else { text }
        }
        _ => text,
    }
}

/// `file.ts:12:5` has two numbers.
fn without_lines_again(text: &str) -> &str {
    match text.rfind(':') {
        Some(at) if at > 1 && text[at + 1..].bytes().all(|b| b.is_ascii_digit()) => &text[..at],
        _ => text,
    }
}

fn extension(text: &str) -> Option<&str> {
    let name = text.rsplit(['/', '\\']).next()?;
    let (stem, ext) = name.rsplit_once('.')?;
    (!ext.is_empty() && ext.len() <= 12 && (!stem.is_empty() || name.len() > 1)).then_some(ext)
}

fn is_path(text: &str, quoted: bool) -> bool {
    let sign = |b: u8| {
        matches!(b, b'=' | b'<' | b'>' | b'|' | b';' | b'"' | b'\'' | b'^' | b'!' | b'%' | b'`' | b'&')
    };
    let text_ok = !text.is_empty()
        && text.len() <= LONGEST
        && !text.bytes().any(|b| sign(b) || b < b' ')
        && (text.is_ascii() || !text.chars().any(crate::text::is_unsafe))
        && !text.starts_with(['-', '@', '#', '?', '+', ':'])
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
        && !text.starts_with("www.");
    if !text_ok || looks_like_a_pattern(text) {
        return false;
    }
    let windows = text.contains('\\') || drive(text);
    if windows {
        return is_windows(text);
    }
    if text.contains(['(', ')']) && !(text.contains("/(") && text.contains(")/")) || text.contains(':') {
        return false;
    }
    if text.contains('/') { is_slashed(text, quoted) } else { is_name(text, quoted) }
}

/// A regular expression or code rather than a path.
fn looks_like_a_pattern(text: &str) -> bool {
    let windows = drive(text);
    let escape = |b: u8| matches!(b, b'd' | b's' | b'n' | b'w') || b == b'b' && !windows;
    text.as_bytes()
        .windows(2)
        .any(|pair| matches!(pair, b"//" | b"${" | b"]+" | b".*") || pair[0] == b'\\' && escape(pair[1]))
        || text.contains("...")
}

fn drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() > 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\')
}

fn is_windows(text: &str) -> bool {
    let body = if drive(text) { &text[2..] } else { text };
    let plain = body.bytes().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'\\' | b'/' | b'.' | b'_' | b'-' | b' ') || b >= 0x80
    });
    plain && (drive(text) || extension(text).is_some_and(is_known))
}

fn is_slashed(text: &str, quoted: bool) -> bool {
    let known = extension(text).is_some_and(is_known);
    if text.starts_with('/') {
        return text.len() > 1 && (known || ABSOLUTE.iter().any(|root| text.starts_with(root)));
    }
    if text.starts_with("~/")
        || text.starts_with("$HOME/")
        || text.starts_with("../")
        || text.starts_with("./")
    {
        return text.len() > 3;
    }
    if text.contains('$') {
        return false;
    }
    let first = text.split('/').next().unwrap_or_default();
    if ["application", "text", "image", "origin", "http:", "https:", "refs"].contains(&first) && !known {
        return false;
    }
    if known && text.is_ascii() && !first.contains('.') && !text.contains('{') {
        return true;
    }
    let domain = [".com", ".org", ".io", ".dev", ".net", ".ai"].iter().any(|end| first.ends_with(end));
    if domain {
        return false;
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    // `T036/T037`, `US1/US2`, `1/2`, `FR-001/FR-002`
    let ids = parts.iter().all(|part| {
        let digits = part.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
        digits.len() < part.len()
            && (digits.is_empty() || digits.bytes().all(|b| b.is_ascii_uppercase() || b == b'-'))
    });
    if ids || parts.is_empty() {
        return false;
    }
    let params = text.contains('{') && !text.contains(',');
    if known || has_glob(text) && !params {
        return true;
    }
    let rooted = first.starts_with('.') && first.len() > 1 || ROOTS.contains(&first);
    if params {
        return false;
    }
    let wordly = parts.iter().all(|part| {
        part.chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '[' | ']' | '(' | ')' | '+'))
    });
    if !wordly {
        return false;
    }
    // `spec/plan`, `tools/list`: words more often than directories.
    let vague =
        parts.len() == 2 && VAGUE.contains(&first) && (!quoted || matches!(first, "tools" | "resources"));
    text.ends_with('/') || rooted && parts.len() > 1 && !vague || parts.iter().any(|p| NAMES.contains(p))
}

fn has_glob(text: &str) -> bool {
    text.contains(['*', '?']) || text.contains('{') && text.contains(',')
}

fn is_name(text: &str, quoted: bool) -> bool {
    if NAMES.contains(&text) {
        return true;
    }
    let Some(ext) = extension(text) else { return false };
    let known = is_known(ext);
    let stem = &text[..text.len() - ext.len() - 1];
    if text.starts_with('.') {
        // `.gitignore`, `.env.example`; not `.map` or `.length`.
        return quoted
            && text.len() > 3
            && (known && !stem.is_empty()
                || [
                    "gitignore",
                    "dockerignore",
                    "npmrc",
                    "nvmrc",
                    "editorconfig",
                    "env",
                    "envrc",
                    "prettierrc",
                    "eslintrc",
                    "gitattributes",
                    "mcp",
                ]
                .contains(&ext));
    }
    if !known || text.contains(['{', '}', '[', ']', '$', '+', ',', '~', '@']) && !has_glob(text) {
        return false;
    }
    let starts_upper = stem.starts_with(|c: char| c.is_ascii_uppercase());
    // `Node.js`, `Next.js`, `e.g.`, `Foo.h` as prose: a bare capitalised `.js` is a product.
    let product = !quoted
        && starts_upper
        && matches!(ext, "js" | "c" | "h" | "m" | "r" | "http" | "env" | "service" | "properties");
    let short = !quoted
        && (stem.len() < 2
            || matches!(
                ext,
                "c" | "h"
                    | "m"
                    | "r"
                    | "example"
                    | "sample"
                    | "service"
                    | "properties"
                    | "http"
                    | "env"
                    | "targets"
                    | "props"
            ));
    // `process.env`, `req.http`, `this.service`: members of something.
    let member =
        matches!(ext, "env" | "service" | "properties" | "http" | "props" | "targets" | "lock" | "r" | "m")
            && !stem.contains(['-', '_', '/'])
            && !(ext == "lock" && quoted);
    let member = member
        && !matches!(
            text,
            "Cargo.lock"
                | "yarn.lock"
                | "poetry.lock"
                | "flake.lock"
                | "uv.lock"
                | "composer.lock"
                | "Gemfile.lock"
        );
    !product && !short && !member
}

/// `src/{A,B}.php` names two files; other patterns stay one.
fn expand(text: &str) -> Vec<String> {
    let braces = text.bytes().filter(|b| *b == b'{').count();
    let single = braces == 1 && !text.contains(['*', '?']);
    let parts = single.then(|| {
        let open = text.find('{')?;
        let close = open + text[open..].find('}')?;
        let inner = &text[open + 1..close];
        let many = inner.split(',').count();
        let all = (2..=16).contains(&many);
        all.then(|| {
            inner
                .split(',')
                .map(|part| format!("{}{}{}", &text[..open], part.trim(), &text[close + 1..]))
                .collect::<Vec<_>>()
        })
    });
    parts.flatten().unwrap_or_else(|| vec![text.to_owned()])
}

/// `loader.py/evaluator.py` names two files: no part but the last of a real path has an extension.
fn alternatives(path: &str) -> Vec<&str> {
    let first = path.split('/').next().unwrap_or_default();
    let files = first.contains('.') && path.split('/').all(|part| extension(part).is_some_and(is_known));
    if files && path.contains('/') { path.split('/').collect() } else { vec![path] }
}

/// Forward slashes, no `./`, `..` resolved as far as it goes; a pattern becomes its fixed prefix.
fn normalise(text: &str, span: Span) -> NamedPath {
    let windows = text.contains('\\') || drive(text);
    let text = if windows { text.replace('\\', "/") } else { text.to_owned() };
    let meta = text.find(['*', '?']).or_else(|| text.find('{').filter(|_| text.contains(',')));
    let fixed = meta.map_or(text.as_str(), |at| &text[..text[..at].rfind('/').map_or(0, |n| n + 1)]);
    let absolute = fixed.starts_with(['/', '~']) || fixed.starts_with("$HOME") || drive(fixed);
    let mut parts: Vec<&str> = Vec::new();
    let mut climbs = false;
    for part in fixed.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." => {
                climbs = true;
                parts.push(part);
            }
            part => parts.push(part),
        }
    }
    let root = if fixed.starts_with('/') { "/" } else { "" };
    NamedPath {
        path: format!("{root}{}", parts.join("/")),
        is_dir: meta.is_some() || fixed.ends_with('/'),
        pattern: meta.is_some().then(|| text.clone()),
        outside: absolute || climbs,
        span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        find(text, 0, &mut found);
        let show = |p: &NamedPath| {
            let dir = if p.is_dir { "/" } else { "" };
            let out = if p.outside { "!" } else { "" };
            format!("{out}{}{dir}", p.path)
        };
        found.iter().map(show).collect()
    }

    #[test]
    fn every_name_without_a_full_stop_passes_the_first_look() {
        assert!(NAMES.iter().all(|name| name.contains('.') || may_name(name)));
    }

    #[test]
    fn paths_are_found_backticked_bare_linked_and_several() {
        assert_eq!(paths("Create User in src/models/user.py"), ["src/models/user.py"]);
        assert_eq!(paths("Create `src/a.ts` and `src/b.ts`."), ["src/a.ts", "src/b.ts"]);
        assert_eq!(paths("Create phase1-console/ directory"), ["phase1-console/"]);
        assert_eq!(paths("in [src/a.ts](../../src/a.ts) per x"), ["src/a.ts"]);
        assert_eq!(paths("in [`src/a.ts`](../../src/a.ts)"), ["src/a.ts"]);
        assert_eq!(paths("in app/services/[id]/page.tsx"), ["app/services/[id]/page.tsx"]);
        assert_eq!(
            paths("in `src/app/(auth)/projects/[id]/page.tsx`"),
            ["src/app/(auth)/projects/[id]/page.tsx"]
        );
        assert_eq!(paths("in `src/index.ts:158-169` and src/a.rs:12"), ["src/index.ts", "src/a.rs"]);
        assert_eq!(paths("创建 `backend/pyproject.toml`（uv）"), ["backend/pyproject.toml"]);
        assert_eq!(paths("创建src/index.ts文件"), ["src/index.ts"]);
        assert_eq!(paths("Create Dockerfile and package.json"), ["Dockerfile", "package.json"]);
        assert_eq!(paths("in src/models/{A,B}.php"), ["src/models/A.php", "src/models/B.php"]);
        assert_eq!(paths("all of `src/**/*.ts`"), ["src/"]);
        assert_eq!(paths("[src/a.rs, ./src/b.rs]"), ["src/a.rs", "src/b.rs"]);
        assert_eq!(paths(r"in src\Foo\Bar.cs"), ["src/Foo/Bar.cs"]);
        assert_eq!(paths("run tests/test_x.py::test_y"), ["tests/test_x.py"]);
        assert_eq!(paths("**src/a.rs**"), ["src/a.rs"]);
    }

    #[test]
    fn routes_urls_commands_and_words_are_no_paths() {
        for text in [
            "Implement GET /api/users/{id}",
            "see https://a.b/c.html",
            "run `npm run test src/a.ts`",
            "read/write and/or I/O",
            "T036/T037 US1/US2",
            "Node.js and Next.js e.g. this",
            "`console.log(x)` `foo.bar()`",
            "`application/json`",
            "`@testing-library/svelte`",
            "`/api/v1/dbs`",
            "version 1.2.3",
            "`^\\d+/x$`",
            "`a => b/c`",
            "`process.env`",
            "FR-001/FR-002",
            "`x?.y`",
        ] {
            assert_eq!(paths(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_leads_outside_is_marked() {
        assert_eq!(
            paths("write `../../.ssh/authorized_keys` `/etc/cron.d/x` `~/.bashrc`"),
            ["!../../.ssh/authorized_keys", "!/etc/cron.d/x", "!~/.bashrc"]
        );
        assert_eq!(paths("`src/../../x.rs`"), ["!../x.rs"]);
        assert_eq!(paths("`src/../lib/x.rs`"), ["lib/x.rs"]);
        assert_eq!(paths("in F:/Projects/a.cs"), ["!F:/Projects/a.cs"]);
    }
}

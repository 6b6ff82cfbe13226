//! Secrets out of everything that is kept or shown: one funnel, for text that comes in pieces.
//!
//! Known are the values of secret-named variables of specter's own environment, and texts that are secrets by their
//! form: private keys, JSON web tokens, access keys of well-known services, passwords in URLs. What could be the
//! beginning of one is held back until the next piece shows whether it is. Encoded secrets are not found.

use super::environment::{is_listed, is_secret_name};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// Stands for a secret.
const MASK: &[u8] = b"***";
/// Shorter values would be found everywhere.
const SHORTEST_VALUE: usize = 8;
/// A token that has not ended by then is masked as far as it goes.
const LONGEST_TOKEN: usize = 4096;
const LONGEST_AUTHORITY: usize = 512;
const LONGEST_PEM_LABEL: usize = 64;
/// A private key without an end is not searched for further.
const LONGEST_PEM: usize = 64 * 1024;

/// What a secret of a known form looks like after its prefix.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Letters, digits, `_` and `-`, at least this many, some upper case, some digits.
    Mixed(usize),
    /// Letters, digits and `_`, at least this many.
    Word(usize),
    /// Exactly this many upper-case letters and digits.
    Upper(usize),
    /// Exactly this many letters and digits.
    Alnum(usize),
    /// Three parts joined by dots.
    Jwt,
    Pem,
    Url,
}

const FORMS: &[(&[u8], Form)] = &[
    (b"sk-", Form::Mixed(20)),
    (b"glpat-", Form::Mixed(20)),
    (b"xoxb-", Form::Mixed(20)),
    (b"xoxp-", Form::Mixed(20)),
    (b"AIza", Form::Mixed(30)),
    (b"ghp_", Form::Word(30)),
    (b"gho_", Form::Word(30)),
    (b"ghu_", Form::Word(30)),
    (b"ghs_", Form::Word(30)),
    (b"ghr_", Form::Word(30)),
    // Names of variables that npm itself prints begin so too, and have underscores.
    (b"npm_", Form::Alnum(36)),
    (b"hf_", Form::Alnum(34)),
    (b"sk_live_", Form::Word(16)),
    (b"rk_live_", Form::Word(16)),
    (b"xoxa-", Form::Mixed(20)),
    (b"github_pat_", Form::Word(22)),
    (b"AKIA", Form::Upper(16)),
    (b"ASIA", Form::Upper(16)),
    (b"eyJ", Form::Jwt),
    (b"-----BEGIN ", Form::Pem),
    (b"://", Form::Url),
];

/// Knows what is secret; shared by all attempts of a run.
#[derive(Clone)]
pub struct Masker {
    values: Vec<Vec<u8>>,
    /// For the first three bytes of every needle: in which of eight groups a byte may stand.
    first: [[u8; 256]; 3],
    /// By the last byte of three: how many bytes further a needle may stand at the earliest (Horspool's table).
    shift: [u8; 256],
    /// Per group: values and forms, by index.
    groups: [Vec<Needle>; 8],
}

#[derive(Clone, Copy, Debug)]
enum Needle {
    Value(usize),
    Form(usize),
}

/// What stands at a place.
enum Found {
    Nothing,
    /// Possibly a secret; more text is needed to know.
    Perhaps,
    /// Mask these bytes, then go on like that.
    Secret(usize, usize, Within),
}

/// What the text that follows is part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    /// A token too long to hold.
    Token,
    /// A private key; so many bytes are still believed.
    Pem(usize),
}

impl Masker {
    /// `secrets` are values; too short ones are left out.
    pub fn new(secrets: impl IntoIterator<Item = Vec<u8>>) -> Masker {
        let mut values: Vec<Vec<u8>> = secrets.into_iter().filter(|v| v.len() >= SHORTEST_VALUE).collect();
        values.sort();
        values.dedup();
        let mut masker = Masker { values, first: [[0; 256]; 3], shift: [3; 256], groups: Default::default() };
        for at in 0..masker.values.len() {
            let start: [u8; 3] = std::array::from_fn(|n| masker.values[at][n]);
            masker.add(at % 8, start, Needle::Value(at));
        }
        for (at, (prefix, _)) in FORMS.iter().enumerate() {
            masker.add(at % 8, [prefix[0], prefix[1], prefix[2]], Needle::Form(at));
        }
        masker
    }

    /// Of the values of secret-named variables, as they are and as programs usually print them, and of passwords in
    /// the addresses that other variables hold. `also` lists further variables whose values are secret.
    pub fn of_environment(vars: &[(OsString, OsString)], also: &[String]) -> Masker {
        let mut secrets = Vec::new();
        for (name, value) in vars {
            let value = value.as_bytes().trim_ascii();
            let name = String::from_utf8_lossy(name.as_bytes());
            if is_secret_name(&name) || is_listed(&name, also) {
                add_spellings(value, &mut secrets);
            }
            for password in passwords(value) {
                add_spellings(password, &mut secrets);
            }
        }
        Masker::new(secrets)
    }

    fn add(&mut self, group: usize, start: [u8; 3], needle: Needle) {
        for (place, byte) in start.into_iter().enumerate() {
            self.first[place][byte as usize] |= 1 << group;
            let shift = &mut self.shift[byte as usize];
            *shift = (*shift).min(2 - place as u8);
        }
        self.groups[group].push(needle);
    }

    /// `text` with its secrets masked.
    pub fn mask(&self, text: &str) -> String {
        let mut masked = Vec::with_capacity(text.len());
        let mut stream = MaskStream::default();
        stream.push(self, text.as_bytes(), &mut |piece| masked.extend_from_slice(piece));
        stream.finish(self, &mut |piece| masked.extend_from_slice(piece));
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// The next place from `from` on where a needle's first three bytes may stand.
    fn candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        let [a, b, c] = &self.first;
        let mut last = from + 2;
        while let Some(byte) = text.get(last) {
            let shift = self.shift[*byte as usize] as usize;
            if shift > 0 {
                last += shift;
                continue;
            }
            let groups = c[*byte as usize] & b[text[last - 1] as usize] & a[text[last - 2] as usize];
            if groups != 0 {
                return Some(last - 2);
            }
            last += 1;
        }
        None
    }

    /// Where, in the last two bytes, a needle may begin.
    fn edge(&self, text: &[u8], from: usize) -> usize {
        let [a, b, _] = &self.first;
        let n = text.len();
        if n >= from + 2 && a[text[n - 2] as usize] & b[text[n - 1] as usize] != 0 {
            return n - 2;
        }
        if n > from && a[text[n - 1] as usize] != 0 { n - 1 } else { n }
    }

    /// What begins at `at`; `before` is the byte in front of `text`.
    fn look(&self, text: &[u8], at: usize, before: u8, is_end: bool) -> Found {
        let start = self.first.iter().zip(&text[at..]);
        let groups = start.fold(u8::MAX, |groups, (table, byte)| groups & table[*byte as usize]);
        let mut best = Found::Nothing;
        for needle in (0..8).filter(|g| groups & (1 << g) != 0).flat_map(|g| &self.groups[g]) {
            let found = match *needle {
                Needle::Value(n) => look_value(&self.values[n], text, at, is_end),
                Needle::Form(n) => {
                    let previous = if at == 0 { before } else { text[at - 1] };
                    look_form(FORMS[n], text, at, previous, is_end)
                }
            };
            match (&best, &found) {
                // A longer one may still turn out to begin here.
                (_, Found::Perhaps) => return found,
                (Found::Secret(_, old, _), Found::Secret(_, new, _)) if new <= old => {}
                (_, Found::Secret(..)) => best = found,
                (_, Found::Nothing) => {}
            }
        }
        best
    }
}

fn look_value(value: &[u8], text: &[u8], at: usize, is_end: bool) -> Found {
    let rest = &text[at..];
    if rest.starts_with(value) {
        return Found::Secret(at, at + value.len(), Within::Nothing);
    }
    if !is_end && value.starts_with(rest) { Found::Perhaps } else { Found::Nothing }
}

fn look_form((prefix, form): (&[u8], Form), text: &[u8], at: usize, before: u8, is_end: bool) -> Found {
    let rest = &text[at..];
    if !rest.starts_with(prefix) {
        return if !is_end && prefix.starts_with(rest) { Found::Perhaps } else { Found::Nothing };
    }
    let from = at + prefix.len();
    match form {
        Form::Pem => look_pem(text, at, from, is_end),
        Form::Url => look_url(text, from, is_end),
        // In the middle of a word it is part of that word.
        _ if is_word(before) => Found::Nothing,
        _ => look_token(form, text, at, from, is_end),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_token(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'.')
}

fn look_token(form: Form, text: &[u8], at: usize, from: usize, is_end: bool) -> Found {
    let allowed: fn(u8) -> bool = match form {
        Form::Upper(_) => |b| b.is_ascii_uppercase() || b.is_ascii_digit(),
        Form::Word(_) => is_word,
        Form::Alnum(_) => |b| b.is_ascii_alphanumeric(),
        Form::Jwt => is_token,
        _ => |b| is_word(b) || b == b'-',
    };
    let length = text[from..].iter().take_while(|b| allowed(**b)).count();
    let to = from + length;
    let is_open = to == text.len() && !is_end;
    if is_open && length <= LONGEST_TOKEN {
        return Found::Perhaps;
    }
    let is_word_over = text.get(to).is_none_or(|b| !is_word(*b));
    if !is_token_of(form, &text[from..to], is_word_over) {
        return Found::Nothing;
    }
    Found::Secret(at, to, if is_open { Within::Token } else { Within::Nothing })
}

/// Whether `run`, which follows the form's prefix, makes it a secret.
fn is_token_of(form: Form, run: &[u8], is_word_over: bool) -> bool {
    let length = run.len();
    match form {
        Form::Mixed(least) => {
            length >= least && run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_uppercase)
        }
        Form::Word(least) => length >= least,
        Form::Upper(exactly) | Form::Alnum(exactly) => length == exactly && is_word_over,
        // Much that is no token is JSON in base64 (source maps above all), but has no parts.
        Form::Jwt => {
            let mut parts = run.split(|b| *b == b'.');
            let mut next_is_long = || parts.next().is_some_and(|part| part.len() >= 5);
            next_is_long() && next_is_long()
        }
        Form::Pem | Form::Url => false,
    }
}

fn look_pem(text: &[u8], at: usize, from: usize, is_end: bool) -> Found {
    let label = &text[from..text.len().min(from + LONGEST_PEM_LABEL)];
    let in_label = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b' ';
    let length = label.iter().take_while(|b| in_label(b)).count();
    let (name, rest) = (&label[..length], &text[from + length..]);
    if !is_end && length < LONGEST_PEM_LABEL && rest.len() < 5 && b"-----".starts_with(rest) {
        return Found::Perhaps;
    }
    let is_key = rest.starts_with(b"-----") && find(name, b"PRIVATE KEY").is_some();
    let to = from + length + 5;
    if is_key { Found::Secret(at, to, Within::Pem(LONGEST_PEM)) } else { Found::Nothing }
}

/// `://user:password@`: only the password.
fn look_url(text: &[u8], from: usize, is_end: bool) -> Found {
    let rest = &text[from..text.len().min(from + LONGEST_AUTHORITY)];
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`' | 0);
    let length = rest.iter().position(ends);
    if length.is_none() && !is_end && rest.len() < LONGEST_AUTHORITY {
        return Found::Perhaps;
    }
    let authority = &rest[..length.unwrap_or(rest.len())];
    let Some(host) = authority.iter().rposition(|b| *b == b'@') else { return Found::Nothing };
    let Some(colon) = authority[..host].iter().position(|b| *b == b':') else { return Found::Nothing };
    if colon + 1 == host {
        return Found::Nothing;
    }
    Found::Secret(from + colon + 1, from + host, Within::Nothing)
}

/// Lines of one value that are known by themselves.
const MOST_LINES: usize = 256;

/// A value, its lines (an unquoted variable loses its line ends), and as JSON and URLs write it.
fn add_spellings(value: &[u8], secrets: &mut Vec<Vec<u8>>) {
    secrets.push(value.to_vec());
    let lines = value.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| line.len() < value.len());
    secrets.extend(lines.take(MOST_LINES).map(<[u8]>::to_vec));
    if let Ok(text) = std::str::from_utf8(value)
        && let Ok(json) = serde_json::to_string(text)
    {
        secrets.push(json.trim_matches('"').as_bytes().to_vec());
    }
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let encoded: Vec<String> = value
        .iter()
        .map(|b| if is_plain(b) { char::from(*b).to_string() } else { format!("%{b:02X}") })
        .collect();
    secrets.push(encoded.concat().into_bytes());
}

/// Passwords in the addresses that stand in `text`.
fn passwords(text: &[u8]) -> Vec<&[u8]> {
    const MARK: &[u8] = b"://";
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = find(&text[at..], MARK) {
        at += next + MARK.len();
        if let Found::Secret(from, to, _) = look_url(text, at, true) {
            found.push(&text[from..to]);
        }
    }
    found
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}

/// Where one stream of text stands.
#[derive(Clone, Debug, Default)]
pub struct MaskStream {
    /// Held back: may be the beginning of a secret.
    held: Vec<u8>,
    /// The last byte before `held`.
    before: u8,
    within: Within,
}

impl MaskStream {
    /// Takes a piece and gives what is certain, in order.
    pub fn push(&mut self, masker: &Masker, piece: &[u8], out: &mut dyn FnMut(&[u8])) {
        if self.held.is_empty() {
            self.scan(masker, piece, false, out);
        } else {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(piece);
            self.scan(masker, &text, false, out);
        }
    }

    /// Gives what was held back; the stream is as new then.
    pub fn finish(&mut self, masker: &Masker, out: &mut dyn FnMut(&[u8])) {
        let text = std::mem::take(&mut self.held);
        self.scan(masker, &text, true, out);
        *self = MaskStream::default();
    }

    fn scan(&mut self, masker: &Masker, text: &[u8], is_end: bool, out: &mut dyn FnMut(&[u8])) {
        let mut given = 0;
        let mut at = 0;
        // A password further on, in the address that begins at the first place: what stands before it is looked at too.
        let mut later: Option<(usize, usize, usize)> = None;
        loop {
            if self.within != Within::Nothing {
                let Some(after) = self.skip(text, at) else { return };
                (given, at) = (after, after);
            }
            let next = masker.candidate(text, at);
            if let Some((_, from, to)) = later.take_if(|(_, from, _)| next.is_none_or(|next| next >= *from)) {
                if to > given {
                    out(&text[given..from.max(given)]);
                    out(MASK);
                    (given, at) = (to, to);
                }
                continue;
            }
            let Some(next) = next else { break };
            match masker.look(text, next, self.before, is_end) {
                Found::Nothing => at = next + 1,
                Found::Perhaps => match later {
                    None => return self.hold(text, given, next, out),
                    Some((start, ..)) if given <= start => return self.hold(text, given, start, out),
                    Some(_) => at = next + 1,
                },
                Found::Secret(from, to, _) if from > next => {
                    later = later.or(Some((next, from, to)));
                    at = next + 1;
                }
                Found::Secret(from, to, within) => {
                    out(&text[given..from]);
                    out(MASK);
                    (given, at) = (to, to);
                    self.within = within;
                }
            }
        }
        let edge = if is_end { text.len() } else { masker.edge(text, at.max(given)) };
        self.hold(text, given, edge, out);
    }

    /// Gives `text` up to `edge` and holds the rest.
    fn hold(&mut self, text: &[u8], given: usize, edge: usize, out: &mut dyn FnMut(&[u8])) {
        if edge > given {
            out(&text[given..edge]);
        }
        if edge > 0 {
            self.before = text[edge - 1];
        }
        self.held.extend_from_slice(&text[edge..]);
    }

    /// Past the secret that the text is within; `None` if it goes on.
    fn skip(&mut self, text: &[u8], at: usize) -> Option<usize> {
        let rest = &text[at..];
        let after = match self.within {
            Within::Nothing => Some(0),
            Within::Token => rest.iter().position(|b| !is_token(*b)),
            Within::Pem(left) => self.skip_pem(rest, left),
        };
        if let Some(after) = after {
            self.within = Within::Nothing;
            if at + after > 0 {
                self.before = text[at + after - 1];
            }
        }
        after.map(|after| at + after)
    }

    fn skip_pem(&mut self, rest: &[u8], left: usize) -> Option<usize> {
        const END: &[u8] = b"-----END ";
        if let Some(end) = find(rest, END) {
            let label = &rest[end + END.len()..];
            if let Some(dashes) = find(label, b"-----") {
                return Some(end + END.len() + dashes + 5);
            }
            if label.len() > LONGEST_PEM_LABEL {
                return Some(end + END.len());
            }
            self.held.extend_from_slice(&rest[end..]);
            return None;
        }
        let keep = rest.len().min(END.len() - 1);
        let dropped = rest.len() - keep;
        if dropped >= left {
            return Some(left);
        }
        self.within = Within::Pem(left - dropped);
        self.held.extend_from_slice(&rest[dropped..]);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "hunter2-hunter2";
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
    const PEM: &str =
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----";

    fn masker() -> Masker {
        Masker::new([SECRET, "hunter2-hunter2-longer", "short"].map(|s| s.as_bytes().to_vec()))
    }

    fn in_pieces(masker: &Masker, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut stream = MaskStream::default();
        for piece in pieces {
            stream.push(masker, piece, &mut |given| out.extend_from_slice(given));
        }
        stream.finish(masker, &mut |given| out.extend_from_slice(given));
        out
    }

    fn cases() -> Vec<(String, String)> {
        let key = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
        vec![
            (format!("a {SECRET} b"), "a *** b".into()),
            (format!("{SECRET}{SECRET}"), "******".into()),
            ("x hunter2-hunter2-longer y".into(), "x *** y".into()),
            ("x hunter2-hunter2-long".into(), "x ***-long".into()),
            ("hunter2-hunter".into(), "hunter2-hunter".into()),
            (format!("token={key}\n"), "token=***\n".into()),
            (format!("Authorization: Bearer {JWT}"), "Authorization: Bearer ***".into()),
            (format!("k:\n{PEM}\nend"), "k:\n***\nend".into()),
            ("-----BEGIN CERTIFICATE-----\nMII".into(), "-----BEGIN CERTIFICATE-----\nMII".into()),
            ("postgres://bob:pa55@db:5432/x".into(), "postgres://bob:***@db:5432/x".into()),
            (format!("https://{SECRET}:x@h/?a={SECRET}"), "https://***:***@h/?a=***".into()),
            (format!("https://u:{SECRET}@h {SECRET}://a:b@c"), "https://u:***@h ***://a:***@c".into()),
            ("see https://a.b/c@d and http://x:80/".into(), "see https://a.b/c@d and http://x:80/".into()),
            ("AKIAIOSFODNN7EXAMPLE.".into(), "***.".into()),
            ("AKIAIOSFODNN7EXAMPLEX".into(), "AKIAIOSFODNN7EXAMPLEX".into()),
            ("a task-0123456789ABCDEFGHIJKLMNOP".into(), "a task-0123456789ABCDEFGHIJKLMNOP".into()),
            ("sk-proj-0123456789ABCDEFGHIJ x".into(), "*** x".into()),
            ("sk-folding-cube-and-some-more x".into(), "sk-folding-cube-and-some-more x".into()),
            ("eyJ is no token, short".into(), "eyJ is no token, short".into()),
            (
                "npm_package_devDependencies_babel_plugin_transform_runtime=x".into(),
                "npm_package_devDependencies_babel_plugin_transform_runtime=x".into(),
            ),
            (format!("npm_{} x", "a1".repeat(18)), "*** x".into()),
        ]
    }

    #[test]
    fn secrets_are_masked_and_ordinary_text_is_not() {
        for (text, expected) in cases() {
            assert_eq!(masker().mask(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_cut_at_any_place_is_masked_all_the_same() {
        let masker = masker();
        for (text, expected) in cases() {
            for at in 0..=text.len() {
                let (a, b) = text.as_bytes().split_at(at);
                assert_eq!(String::from_utf8_lossy(&in_pieces(&masker, &[a, b])), expected, "{text} at {at}");
            }
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(
                String::from_utf8_lossy(&in_pieces(&masker, &single)),
                expected,
                "{text} byte by byte"
            );
        }
    }

    #[test]
    fn a_value_is_known_in_the_spellings_that_programs_print() {
        let vars = [
            ("API_KEY", "line-one/first\nline \"two\" +second"),
            ("DATABASE_URL", "postgres://bob:pa55-w0rd!@db:5432/x postgres://eve:eves-secret@db/y"),
            ("PLAIN", "nothing-secret"),
        ];
        let masker = Masker::of_environment(&vars.map(|(name, value)| (name.into(), value.into())), &[]);
        for (text, expected) in [
            ("line-one/first\nline \"two\" +second.", "***."),
            ("line-one/first line \"two\" +second.", "*** ***."),
            (r#"{"a":"line-one/first\nline \"two\" +second"}"#, r#"{"a":"***"}"#),
            ("?a=line-one%2Ffirst%0Aline%20%22two%22%20%2Bsecond&b=1", "?a=***&b=1"),
            ("password pa55-w0rd! eves-secret nothing-secret", "password *** *** nothing-secret"),
        ] {
            assert_eq!(masker.mask(text), expected);
        }
    }

    #[test]
    fn a_source_map_is_no_token_however_long() {
        let map = format!("//# data:application/json;base64,eyJ{}\n", "2ZXJzaW9u".repeat(20_000));
        let out = in_pieces(&masker(), &map.as_bytes().chunks(4000).collect::<Vec<_>>());
        assert_eq!(String::from_utf8_lossy(&out), map);
    }

    #[test]
    fn a_token_without_an_end_is_masked_and_not_gathered() {
        let masker = masker();
        let long = format!("ghp_{}", "a1".repeat(100_000));
        let pieces: Vec<&[u8]> = long.as_bytes().chunks(1000).collect();
        assert_eq!(in_pieces(&masker, &pieces), b"***");
        let unended = format!("-----BEGIN PRIVATE KEY-----{}", "x".repeat(100_000));
        let out = in_pieces(&masker, &unended.as_bytes().chunks(1000).collect::<Vec<_>>());
        assert!(out.starts_with(b"***xxx") && out.len() < 100_000 - LONGEST_PEM + 100);
    }

    proptest! {
        #[test]
        fn pieces_never_change_the_result(
            parts in proptest::collection::vec(
                prop_oneof![
                    "[ -~\n]{0,12}",
                    Just(SECRET.to_owned()),
                    Just("hunter2-hunter2-longer".to_owned()),
                    Just("AKIAIOSFODNN7EXAMPLE".to_owned()),
                    Just(PEM.to_owned()),
                    Just("://u:p@h".to_owned()),
                    Just(JWT[..40].to_owned()),
                ],
                0..12,
            ),
            cuts in proptest::collection::vec(0usize..400, 0..12),
        ) {
            let masker = masker();
            let text = parts.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &text.as_bytes()[w[0]..w[1]]).collect();
            let whole = in_pieces(&masker, &[text.as_bytes()]);
            let split = in_pieces(&masker, &pieces);
            prop_assert_eq!(String::from_utf8_lossy(&split), String::from_utf8_lossy(&whole));
            prop_assert!(!String::from_utf8_lossy(&split).contains(SECRET));
        }
    }
}

//! Does a path fit a pattern? `*` and `?` stay within one component, `**` goes over any number, `{a,b}` is either.
//!
//! Knows text only. Linear in path times pattern, without recursion: the set of places in the pattern that a prefix
//! of the path can have reached is moved along the path.

/// Alternatives that braces may make before the rest is taken literally.
const ALTERNATIVES: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Char(char),
    /// `?`
    One,
    /// `*`
    Some,
    /// `**` at the end, or glued to a name.
    Any,
    /// `**/`: any number of whole components.
    Dirs,
}

/// A pattern made ready.
#[derive(Clone, Debug)]
pub struct Glob {
    alternatives: Vec<Vec<Item>>,
}

impl Glob {
    pub fn new(pattern: &str) -> Glob {
        let pattern = pattern.trim_start_matches("./");
        Glob { alternatives: braces(pattern).iter().map(|one| items(one)).collect() }
    }

    /// Whether the path, or a directory above it, fits.
    pub fn fits(&self, path: &str) -> bool {
        let path = path.trim_start_matches("./").trim_end_matches('/');
        self.alternatives.iter().any(|items| fits(items, path))
    }
}

fn items(pattern: &str) -> Vec<Item> {
    let mut items = Vec::with_capacity(pattern.len());
    let mut chars = pattern.trim_end_matches('/').chars().peekable();
    while let Some(c) = chars.next() {
        items.push(match c {
            '*' if chars.next_if_eq(&'*').is_some() => Item::Any,
            '*' => Item::Some,
            '?' => Item::One,
            c => Item::Char(c),
        });
        // `a/**/b` fits `a/b`: the slash belongs to what `**` may leave out.
        if items.last() == Some(&Item::Any) && chars.next_if_eq(&'/').is_some() {
            items.pop();
            items.push(Item::Dirs);
        }
    }
    items
}

fn fits(items: &[Item], path: &str) -> bool {
    let mut reached = vec![false; items.len() + 1];
    reached[0] = true;
    skip_stars(items, &mut reached, true);
    for c in path.chars() {
        // What is below something that fits, fits.
        if c == '/' && reached[items.len()] {
            return true;
        }
        let mut next = vec![false; items.len() + 1];
        for (n, item) in items.iter().enumerate().filter(|(n, _)| reached[*n]) {
            match item {
                Item::Char(own) => next[n + 1] |= *own == c,
                Item::One => next[n + 1] |= c != '/',
                Item::Some => next[n] |= c != '/',
                Item::Any | Item::Dirs => next[n] = true,
            }
        }
        reached = next;
        skip_stars(items, &mut reached, c == '/');
    }
    reached[items.len()] || ends_in_any(items, &reached)
}

/// `src/**` fits `src` itself.
fn ends_in_any(items: &[Item], reached: &[bool]) -> bool {
    match items {
        [before @ .., Item::Char('/'), Item::Any] => reached[before.len()],
        _ => false,
    }
}

/// Stars may stand for nothing; whole components end where one begins.
fn skip_stars(items: &[Item], reached: &mut [bool], at_start: bool) {
    for (n, item) in items.iter().enumerate() {
        let may_end = matches!(item, Item::Some | Item::Any) || (*item == Item::Dirs && at_start);
        if reached[n] && may_end {
            reached[n + 1] = true;
        }
    }
}

/// `a{b,c}d` as `abd` and `acd`; nested braces from the inside out.
fn braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(one) = open.pop() {
        let inner =
            one.rfind('{').and_then(|start| one[start..].find('}').map(|length| (start, start + length)));
        match inner {
            Some((start, end)) if done.len() + open.len() < ALTERNATIVES => {
                let each = one[start + 1..end].split(',');
                open.extend(each.map(|part| format!("{}{part}{}", &one[..start], &one[end + 1..])));
            }
            _ => done.push(one),
        }
    }
    done
}

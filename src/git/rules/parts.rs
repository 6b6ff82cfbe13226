//! What a merge of lines says, taken apart: text that all agree on, and places where both sides changed something.
//! Knows the markers, not what the lines mean.

/// A stretch of a merged file. Every text is whole lines with their ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::git) enum Part {
    Agreed(String),
    Differs { base: String, there: String, attempt: String },
}

/// Takes a merge in diff3 style apart. `size`: of the markers, which no line of the files looks like.
pub(in crate::git) fn parts(merged: &str, size: u16) -> Vec<Part> {
    let marker = |c: &str| c.repeat(usize::from(size));
    let (start, base, middle, end) = (marker("<"), marker("|"), marker("="), marker(">"));
    let mut parts = Vec::new();
    let mut agreed = String::new();
    // The three sides of an open place, as they come: there, base, attempt.
    let mut open: Option<([String; 3], usize)> = None;
    for line in merged.split_inclusive('\n') {
        match &mut open {
            None if line.starts_with(&start) => {
                if !agreed.is_empty() {
                    parts.push(Part::Agreed(std::mem::take(&mut agreed)));
                }
                open = Some((Default::default(), 0));
            }
            None => agreed.push_str(line),
            Some((_, side)) if line.starts_with(&base) => *side = 1,
            Some((_, side)) if line.starts_with(&middle) => *side = 2,
            Some(_) if line.starts_with(&end) => {
                if let Some(([there, base, attempt], _)) = open.take() {
                    parts.push(Part::Differs { base, there, attempt });
                }
            }
            Some((sides, side)) => sides[*side].push_str(line),
        }
    }
    if !agreed.is_empty() {
        parts.push(Part::Agreed(agreed));
    }
    parts
}

/// Puts the parts together again, with what `resolve` makes of the places that differ. It is given what stands before
/// the place (already resolved) and the agreed text behind it.
pub(super) fn rejoin(
    parts: &[Part],
    mut resolve: impl FnMut(&Differing<'_>) -> Option<Resolved>,
) -> Option<String> {
    let mut text = String::new();
    let mut taken = 0;
    for (n, part) in parts.iter().enumerate() {
        match part {
            Part::Agreed(agreed) => text.push_str(&agreed[std::mem::take(&mut taken)..]),
            Part::Differs { base, there, attempt } => {
                let after = match parts.get(n + 1) {
                    Some(Part::Agreed(after)) => after.as_str(),
                    _ => "",
                };
                let resolved = resolve(&Differing { before: &text, after, base, there, attempt })?;
                text.truncate(text.len() - resolved.from_before);
                text.push_str(&resolved.text);
                taken = resolved.from_after;
            }
        }
    }
    Some(text)
}

/// A place where both sides changed something, and where it is.
pub(super) struct Differing<'a> {
    pub before: &'a str,
    pub after: &'a str,
    pub base: &'a str,
    pub there: &'a str,
    pub attempt: &'a str,
}

impl<'a> Differing<'a> {
    pub(super) fn sides(&self) -> [&'a str; 3] {
        [self.base, self.there, self.attempt]
    }
}

/// What comes in place of a place that differs.
pub(super) struct Resolved {
    pub text: String,
    /// How many bytes before it and behind it are part of the text.
    pub from_before: usize,
    pub from_after: usize,
}

impl From<String> for Resolved {
    fn from(text: String) -> Resolved {
        Resolved { text, from_before: 0, from_after: 0 }
    }
}

//! A piece of a text that keeps the text: titles and commands are most of a task file, so they are not copied out of it.

use super::Span;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A part of a [`SourceText`](super::SourceText), or a text of its own. Cheap to clone.
#[derive(Clone, Default)]
pub struct Excerpt {
    /// Also behind an empty part of one: what is beside it can be asked for.
    text: Option<Arc<String>>,
    span: Span,
}

impl Excerpt {
    pub(super) fn new(text: &Arc<String>, span: Span) -> Excerpt {
        Excerpt { text: Some(Arc::clone(text)), span }
    }

    #[cfg(test)]
    pub(crate) fn shares_text(&self, other: &Excerpt) -> bool {
        match (&self.text, &other.text) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Another part of the text that it is a part of.
    pub fn beside(&self, span: Span) -> &str {
        self.text.as_deref().and_then(|text| text.get(span.range())).unwrap_or_default()
    }

    pub fn as_str(&self) -> &str {
        self.text.as_deref().and_then(|text| text.get(self.span.range())).unwrap_or_default()
    }
}

impl From<String> for Excerpt {
    fn from(text: String) -> Excerpt {
        if text.is_empty() {
            return Excerpt::default();
        }
        let span = Span::new(0, text.len());
        Excerpt::new(&Arc::new(text), span)
    }
}

impl From<&str> for Excerpt {
    fn from(text: &str) -> Excerpt {
        Excerpt::from(text.to_owned())
    }
}

impl Deref for Excerpt {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Excerpt {
    fn eq(&self, other: &Excerpt) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Excerpt {}

impl Hash for Excerpt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for Excerpt {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Excerpt {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceText;

    #[test]
    fn an_excerpt_outlives_its_source() {
        let source = SourceText::new("t", "one two");
        let excerpt = source.excerpt(Span::new(4, 7));
        drop(source);
        assert_eq!(excerpt, Excerpt::from("two"));
        assert_eq!(excerpt.beside(Span::new(0, 3)), "one");
        assert_eq!(Excerpt::from(""), Excerpt::default());
        assert_eq!(size_of::<Excerpt>(), 16);
    }
}

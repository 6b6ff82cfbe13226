//! Filter expressions: `P1 and not (US3 or path:src/**)` (SPEC 3.3).
//!
//! Knows the words of an expression; what a name means is asked of the caller. Operators go through a stack, so that
//! parentheses of any depth need no recursion.

/// A name in an expression and where it stands, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// An expression in the order in which it is worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Name(Word<'a>),
    Not,
    And,
    Or,
}

/// Why an expression cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadFilter {
    pub(super) at: usize,
    pub(super) why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Not,
    And,
    Or,
    Open,
    Close,
}

/// Reads an expression into steps.
pub(super) fn parse(text: &str) -> Result<Vec<Step<'_>>, BadFilter> {
    let mut reader = Reader { steps: Vec::new(), waiting: Vec::new(), wants_name: true };
    for (at, token) in tokens(text) {
        reader.token(at, token)?;
    }
    reader.end(text.len())
}

struct Reader<'a> {
    steps: Vec<Step<'a>>,
    /// Operators and open parentheses whose right side is still being read.
    waiting: Vec<(usize, Token<'a>)>,
    wants_name: bool,
}

impl<'a> Reader<'a> {
    fn token(&mut self, at: usize, token: Token<'a>) -> Result<(), BadFilter> {
        match token {
            Token::Name(text) => {
                self.expect(true, at, text)?;
                self.steps.push(Step::Name(Word { text, at }));
                self.wants_name = false;
            }
            Token::Not | Token::Open => {
                self.expect(true, at, if token == Token::Not { "not" } else { "(" })?;
                self.waiting.push((at, token));
            }
            Token::And | Token::Or => {
                self.expect(false, at, if token == Token::And { "and" } else { "or" })?;
                self.settle(|waiting| strength(waiting) >= strength(token));
                self.waiting.push((at, token));
                self.wants_name = true;
            }
            Token::Close => {
                self.expect(false, at, ")")?;
                self.settle(|waiting| waiting != Token::Open);
                self.waiting.pop().ok_or_else(|| bad(at, "a `)` without its `(`"))?;
            }
        }
        Ok(())
    }

    /// Moves waiting operators to the steps while `binds` says that they come first.
    fn settle(&mut self, binds: impl Fn(Token<'a>) -> bool) {
        while let Some((_, token)) = self.waiting.pop_if(|(_, token)| binds(*token)) {
            self.steps.extend(match token {
                Token::Not => Some(Step::Not),
                Token::And => Some(Step::And),
                Token::Or => Some(Step::Or),
                _ => None,
            });
        }
    }

    fn expect(&self, name: bool, at: usize, found: &str) -> Result<(), BadFilter> {
        match (self.wants_name, name) {
            (true, false) => Err(bad(at, &format!("a name is missing before `{found}`"))),
            (false, true) => Err(bad(at, &format!("`and` or `or` is missing before `{found}`"))),
            _ => Ok(()),
        }
    }

    fn end(mut self, at: usize) -> Result<Vec<Step<'a>>, BadFilter> {
        if self.wants_name {
            return Err(bad(at, "a name is missing at the end"));
        }
        if let Some((at, _)) = self.waiting.iter().find(|(_, token)| *token == Token::Open) {
            return Err(bad(*at, "a `(` without its `)`"));
        }
        self.settle(|_| true);
        Ok(self.steps)
    }
}

fn bad(at: usize, why: &str) -> BadFilter {
    BadFilter { at, why: why.to_owned() }
}

fn strength(token: Token<'_>) -> u8 {
    match token {
        Token::Not => 3,
        Token::And => 2,
        Token::Or => 1,
        _ => 0,
    }
}

fn tokens(text: &str) -> Vec<(usize, Token<'_>)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            c if c.is_whitespace() => c.len_utf8(),
            '(' | ')' | '!' | '&' | '|' | ',' => {
                tokens.push((at, symbol(first)));
                // `&&` and `||` are one.
                if matches!(first, '&' | '|') && rest[1..].starts_with(first) { 2 } else { 1 }
            }
            _ => {
                let length = word_length(rest);
                tokens.push((at, word(&rest[..length])));
                length
            }
        };
        at += length;
    }
    tokens
}

fn symbol(c: char) -> Token<'static> {
    match c {
        '(' => Token::Open,
        ')' => Token::Close,
        '!' => Token::Not,
        '&' => Token::And,
        _ => Token::Or,
    }
}

fn word(text: &str) -> Token<'_> {
    match text {
        _ if text.eq_ignore_ascii_case("and") => Token::And,
        _ if text.eq_ignore_ascii_case("or") => Token::Or,
        _ if text.eq_ignore_ascii_case("not") => Token::Not,
        _ => Token::Name(text),
    }
}

/// Up to a space or symbol. Quotes hold spaces together (`tag:"needs review"`), braces commas (`path:{a,b}.rs`), and
/// a path has its own parentheses (`path:app/(auth)/page.tsx`).
fn word_length(text: &str) -> usize {
    let (mut quoted, mut depth) = (false, 0usize);
    let is_path = text.starts_with("path:");
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' => depth += 1,
            '(' if is_path => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ')' if is_path && depth > 0 => depth -= 1,
            c if c.is_whitespace() => return at,
            '(' | ')' | '|' | '&' => return at,
            ',' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

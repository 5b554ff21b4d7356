//! Refuses what would nest too deep to be parsed: hostile input must cost an error, not the stack.

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Tokens on the way from the top of a file to its deepest expression, not counting statements passed by.
///
/// The parser goes one step down for a bracket, and may for each operator, `<`, `|` or `else`; the stack of
/// [`STACK_BYTES`] holds as many steps several times over. Code that people write stays below 1,000.
pub const STEPS_MAX: usize = 10_000;

/// The stack of a thread that parses. Only what is used is real memory.
pub const STACK_BYTES: usize = 1024 * 1024 * 1024;

/// One bracket that is open.
struct Level {
    rest: IntoIter,
    /// Steps to its begin.
    from: usize,
    /// Steps since its last statement, element or item.
    steps: usize,
    /// Those of them that a comma does not end: `A<B, A<B, ..`.
    openers: usize,
    after_brace: bool,
    /// `1 <` opens nothing, and is frequent in tables.
    after_literal: bool,
}

impl Level {
    fn new(tokens: TokenStream, from: usize) -> Self {
        Self {
            rest: tokens.into_iter(),
            from,
            steps: 0,
            openers: 0,
            after_brace: false,
            after_literal: false,
        }
    }

    fn depth(&self) -> usize {
        self.from + self.steps + self.openers
    }

    fn see(&mut self, token: &TokenTree) {
        let goes_on = match token {
            TokenTree::Punct(punct) => punct.as_char() != '#',
            TokenTree::Ident(ident) => ident == "else",
            _ => false,
        };
        if std::mem::take(&mut self.after_brace) && !goes_on {
            (self.steps, self.openers) = (0, 0);
        }
        match token {
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => (self.steps, self.openers) = (0, 0),
                ',' => self.steps = 0,
                '<' | '|' if !self.after_literal => self.openers += 1,
                _ => self.steps += 1,
            },
            TokenTree::Group(group) => {
                self.steps += 1;
                self.after_brace = group.delimiter() == Delimiter::Brace;
            }
            _ => self.steps += 1,
        }
        let is_doubled = matches!(token, TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint);
        self.after_literal = matches!(token, TokenTree::Literal(_)) || (self.after_literal && is_doubled);
    }
}

/// Whether `tokens` can be parsed on [`STACK_BYTES`].
pub fn is_parseable(tokens: TokenStream) -> bool {
    let mut open = vec![Level::new(tokens, 0)];
    while let Some(level) = open.last_mut() {
        let Some(token) = level.rest.next() else {
            open.pop();
            continue;
        };
        level.see(&token);
        let depth = level.depth();
        if depth > STEPS_MAX {
            return false;
        }
        if let TokenTree::Group(group) = token {
            open.push(Level::new(group.stream(), depth));
        }
    }
    true
}

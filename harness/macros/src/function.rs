//! The head of a test function: read by hand, since its body is nobody's business here.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// A test as it was written, in parts.
pub struct Function {
    /// `#[..]` and doc comments above it, as they stand.
    pub attributes: Vec<TokenStream>,
    /// `pub` and the like.
    pub visibility: TokenStream,
    pub name: Ident,
    /// `-> Result<(), Error>`; empty: none.
    pub output: TokenStream,
    pub body: Group,
}

impl Function {
    /// Reads `item`.
    pub fn read(item: TokenStream) -> syn::Result<Self> {
        let mut tokens = item.into_iter().peekable();
        let attributes = attributes(&mut tokens);
        let mut head: Vec<TokenTree> = Vec::new();
        let name = loop {
            match tokens.next() {
                Some(TokenTree::Ident(word)) if word == "fn" => break name_after(&word, tokens.next())?,
                Some(token) => head.push(token),
                None => return Err(wrong(Span::call_site(), "expected a function")),
            }
        };
        let Some(at) = head.iter().position(|token| is_word(token, "async")) else {
            return Err(wrong(name.span(), "the `async` keyword is missing from the function declaration"));
        };
        if head.len() != at + 1 {
            return Err(wrong(name.span(), "a test is neither `unsafe`, `const` nor `extern`"));
        }
        let rest: Vec<TokenTree> = tokens.collect();
        let (arguments, output, body) = in_parts(&name, rest)?;
        if !arguments.stream().is_empty() {
            return Err(wrong(arguments.span(), "the test function takes no arguments"));
        }
        head.truncate(at);
        Ok(Self { attributes, visibility: head.into_iter().collect(), name, output, body })
    }

    /// Whether one of its attributes is `word`, alone or with arguments.
    pub fn has_attribute(&self, word: &str) -> bool {
        self.attributes.iter().any(|attribute| last_word_of_path(attribute).as_deref() == Some(word))
    }
}

/// Outer attributes: `#` and a group in square brackets each. Doc comments come as such, too.
fn attributes(tokens: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>) -> Vec<TokenStream> {
    let mut attributes = Vec::new();
    while let Some(hash) =
        tokens.next_if(|token| matches!(token, TokenTree::Punct(sign) if sign.as_char() == '#'))
    {
        attributes.push([hash].into_iter().chain(tokens.next()).collect());
    }
    attributes
}

fn name_after(word: &Ident, token: Option<TokenTree>) -> syn::Result<Ident> {
    match token {
        Some(TokenTree::Ident(name)) => Ok(name),
        _ => Err(wrong(word.span(), "expected a function's name")),
    }
}

/// What follows the name: arguments, return type and bounds, body.
fn in_parts(name: &Ident, mut rest: Vec<TokenTree>) -> syn::Result<(Group, TokenStream, Group)> {
    let body = match rest.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body,
        _ => return Err(wrong(name.span(), "a test has a body")),
    };
    let mut rest = rest.into_iter();
    match rest.next() {
        Some(TokenTree::Group(arguments)) if arguments.delimiter() == Delimiter::Parenthesis => {
            Ok((arguments, rest.collect(), body))
        }
        _ => Err(wrong(name.span(), "a test has no type parameters")),
    }
}

fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(found) if found == word)
}

/// `test` of `#[tokio::test(flavor = ..)]`.
fn last_word_of_path(attribute: &TokenStream) -> Option<String> {
    let group = attribute.clone().into_iter().find_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    })?;
    let path = group.into_iter().take_while(|token| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(sign) => sign.as_char() == ':',
        _ => false,
    });
    path.filter(|token| matches!(token, TokenTree::Ident(_)))
        .last()
        .map(|word| word.to_token_stream().to_string())
}

fn wrong(span: Span, text: &str) -> syn::Error {
    syn::Error::new(span, text)
}

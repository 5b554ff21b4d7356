//! What stands in macros that rules must see into: the parser takes a macro's body for mere tokens.

use std::collections::HashMap;

use proc_macro2::{LineColumn, TokenStream};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, Item, Macro, MacroDelimiter, Pat, Stmt, Token};

/// What a macro's body is.
pub enum MacroBody {
    /// `select!`, tokio's and the one of futures.
    Select(Box<Select>),
    /// `join!(a, b)`, `vec![..]`, `assert!(..)`.
    Exprs(Vec<Expr>),
    /// `cfg_rt! { fn .. }`.
    Items(Vec<Item>),
    /// `pin! { let a = b; }`, and others whose body is a block's.
    Stmts(Vec<Stmt>),
}

/// A `select!`.
pub struct Select {
    /// Whether `biased;` stands first.
    pub is_biased: bool,
    /// Its branches, without `else` and `complete`.
    pub arms: Vec<Arm>,
    /// What is done when every branch is disabled.
    pub otherwise: Option<Expr>,
}

/// `pattern = future, if guard => handler`.
pub struct Arm {
    /// What the future's value must match, or the branch is disabled.
    pub pat: Pat,
    /// What is waited for.
    pub future: Expr,
    /// Behind `, if`.
    pub guard: Option<Expr>,
    /// What is done then.
    pub handler: Expr,
}

impl MacroBody {
    /// Has `visitor` visit everything in it.
    pub fn visit<'a>(&'a self, visitor: &mut (impl Visit<'a> + ?Sized)) {
        match self {
            Self::Exprs(exprs) => exprs.iter().for_each(|expr| visitor.visit_expr(expr)),
            Self::Items(items) => items.iter().for_each(|item| visitor.visit_item(item)),
            Self::Stmts(stmts) => stmts.iter().for_each(|stmt| visitor.visit_stmt(stmt)),
            Self::Select(select) => select.visit(visitor),
        }
    }
}

impl Select {
    fn visit<'a>(&'a self, visitor: &mut (impl Visit<'a> + ?Sized)) {
        for arm in &self.arms {
            visitor.visit_pat(&arm.pat);
            visitor.visit_expr(&arm.future);
            arm.guard.iter().for_each(|guard| visitor.visit_expr(guard));
            visitor.visit_expr(&arm.handler);
        }
        self.otherwise.iter().for_each(|expr| visitor.visit_expr(expr));
    }
}

/// The bodies of a file's macros, by where the macro stands.
#[derive(Default)]
pub(crate) struct Bodies(HashMap<(usize, usize), MacroBody>);

/// Macros in macros in macros: what is deeper stays tokens.
const DEPTH_MAX: usize = 8;

impl Bodies {
    pub(crate) fn of(ast: &syn::File) -> Self {
        let mut bodies = Self::default();
        let mut found = Macros::default();
        found.visit_file(ast);
        for _depth in 0..DEPTH_MAX {
            let mut deeper = Macros::default();
            for (at, body) in found.bodies.drain(..) {
                body.visit(&mut deeper);
                bodies.0.insert(at, body);
            }
            found = deeper;
        }
        bodies
    }

    pub(crate) fn get(&self, mac: &Macro) -> Option<&MacroBody> {
        self.0.get(&key(mac))
    }
}

fn key(mac: &Macro) -> (usize, usize) {
    let LineColumn { line, column } = mac.path.span().start();
    (line, column)
}

/// Parses the macros that it comes by, without going into them.
#[derive(Default)]
struct Macros {
    bodies: Vec<((usize, usize), MacroBody)>,
}

impl<'a> Visit<'a> for Macros {
    fn visit_macro(&mut self, mac: &'a Macro) {
        self.bodies.extend(parse(mac).map(|body| (key(mac), body)));
        visit::visit_macro(self, mac);
    }
}

/// Macros whose arguments are formatted, told or compared: nothing that leaks is started in them.
const DULL: &[&str] = &[
    "format",
    "print",
    "println",
    "eprint",
    "eprintln",
    "write",
    "writeln",
    "panic",
    "todo",
    "unreachable",
    "unimplemented",
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "span",
    "concat",
    "stringify",
    "env",
    "include_str",
    "include_bytes",
    "include",
    "macro_rules",
    "json",
    "quote",
    "matches",
    "line",
    "file",
    "cfg",
];

fn parse(mac: &Macro) -> Option<MacroBody> {
    let name = mac.path.segments.last()?.ident.to_string();
    if DULL.contains(&name.as_str()) || mac.tokens.is_empty() {
        return None;
    }
    let tokens = || mac.tokens.clone();
    if name == "select" || name == "select_biased" {
        return syn::parse2(tokens()).ok().map(|select| MacroBody::Select(Box::new(select)));
    }
    if !matches!(mac.delimiter, MacroDelimiter::Brace(_)) {
        return exprs(tokens()).map(MacroBody::Exprs);
    }
    if let Some(items) = items(tokens()) {
        return Some(MacroBody::Items(items));
    }
    Block::parse_within.parse2(tokens()).ok().map(MacroBody::Stmts)
}

fn exprs(tokens: TokenStream) -> Option<Vec<Expr>> {
    let list = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(tokens).ok()?;
    Some(list.into_iter().collect())
}

fn items(tokens: TokenStream) -> Option<Vec<Item>> {
    let file: syn::File = syn::parse2(tokens).ok()?;
    Some(file.items)
}

impl Parse for Select {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let is_biased = biased(input)?;
        let (mut arms, mut otherwise) = (Vec::new(), None);
        while !input.is_empty() {
            if is_last(input) {
                input
                    .call(syn::ext::IdentExt::parse_any as fn(ParseStream<'_>) -> syn::Result<syn::Ident>)?;
                input.parse::<Token![=>]>()?;
                otherwise = Some(handler(input)?);
            } else {
                arms.push(input.parse()?);
            }
        }
        Ok(Self { is_biased, arms, otherwise })
    }
}

fn biased(input: ParseStream<'_>) -> syn::Result<bool> {
    let ahead = input.fork();
    let is_biased = ahead.parse::<syn::Ident>().is_ok_and(|word| word == "biased") && ahead.peek(Token![;]);
    if is_biased {
        input.parse::<syn::Ident>()?;
        input.parse::<Token![;]>()?;
    }
    Ok(is_biased)
}

/// `else =>`, and what futures call `complete =>` and `default =>`.
fn is_last(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let word = ahead.call(<syn::Ident as syn::ext::IdentExt>::parse_any);
    word.is_ok_and(|word| ["else", "complete", "default"].iter().any(|last| word == *last))
        && ahead.peek(Token![=>])
}

impl Parse for Arm {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let pat = Pat::parse_multi_with_leading_vert(input)?;
        input.parse::<Token![=]>()?;
        let future = input.parse()?;
        let mut guard = None;
        if input.peek(Token![,]) && input.peek2(Token![if]) {
            input.parse::<Token![,]>()?;
            input.parse::<Token![if]>()?;
            guard = Some(input.parse()?);
        }
        input.parse::<Token![=>]>()?;
        Ok(Self { pat, future, guard, handler: handler(input)? })
    }
}

/// A block needs no comma behind it.
fn handler(input: ParseStream<'_>) -> syn::Result<Expr> {
    let expr = if input.peek(syn::token::Brace) { Expr::Block(input.parse()?) } else { input.parse()? };
    if input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
    }
    Ok(expr)
}

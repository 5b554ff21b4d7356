//! One file as rules see it: its text, its syntax tree, and what macros hide of it.

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use syn::{Block, Item, Macro};

use crate::depth;
use crate::macros::{Bodies, MacroBody};
use crate::shape::{Function, Shapes};

/// A source file that parses.
pub struct SourceFile {
    /// As findings name it.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
    /// Its syntax tree. Macros are leaves: see [`SourceFile::body`].
    pub ast: syn::File,
    bodies: Bodies,
}

/// Why a file cannot be read as Rust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct ParseError {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// In words.
    pub what: String,
}

impl SourceFile {
    /// Parses `text`. To be called on a thread with a stack of [`crate::STACK_BYTES`].
    ///
    /// # Errors
    /// If it is no Rust, or nests too deep to be parsed.
    pub fn parse(path: &Path, text: String) -> Result<Self, ParseError> {
        let tokens: TokenStream = text.parse().map_err(lexed)?;
        if !depth::is_parseable(tokens.clone()) {
            let what = format!("nests deeper than {} steps: not analysed", depth::STEPS_MAX);
            return Err(ParseError { line: 1, column: 1, what });
        }
        let ast = syn::parse2(tokens).map_err(parsed)?;
        let bodies = Bodies::of(&ast);
        Ok(Self { path: path.to_owned(), text, ast, bodies })
    }

    /// What stands in `mac`, where that is known to be Rust: `select!`, `join!`, `assert!`, `cfg_rt! { .. }`.
    ///
    /// A visitor that wants to see it says so: `fn visit_macro(..) { if let Some(body) = file.body(mac) { body.visit(self) } }`.
    pub fn body(&self, mac: &Macro) -> Option<&MacroBody> {
        self.bodies.get(mac)
    }

    /// Its items, with those of inline modules and of macros.
    pub fn items(&self) -> Vec<&Item> {
        crate::shape::items(self)
    }

    /// Every function with a body, methods and nested ones too.
    pub fn functions(&self) -> Vec<Function<'_>> {
        crate::shape::functions(self)
    }

    /// The structs, enums and aliases of the file.
    pub fn shapes(&self) -> Shapes<'_> {
        Shapes::of(self)
    }
}

impl std::fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The last expression of a block, which is its value.
pub fn tail(block: &Block) -> Option<&syn::Expr> {
    match block.stmts.last() {
        Some(syn::Stmt::Expr(expr, None)) => Some(expr),
        _ => None,
    }
}

fn lexed(error: proc_macro2::LexError) -> ParseError {
    at(error.span(), "expected a token of Rust")
}

fn parsed(error: syn::Error) -> ParseError {
    at(error.span(), &error.to_string())
}

fn at(span: proc_macro2::Span, what: &str) -> ParseError {
    let at = crate::finding::At::from(span);
    ParseError { line: at.line, column: at.column, what: what.to_owned() }
}

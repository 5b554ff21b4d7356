//! What is in scope while an async function waits.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAwait, Local, Macro, Pat, Stmt};

use crate::names::mentioned;
use crate::source::SourceFile;
use crate::syntax::callee;

/// A `let` in async code, and what comes after it in its block.
pub struct Held<'f> {
    /// The variable.
    pub name: String,
    /// The statement.
    pub local: &'f Local,
    /// Up to where the variable is dropped by name, or to the end of the block.
    pub rest: &'f [Stmt],
}

/// Has `look` look at each `let` of one variable that stands in async code of `file`.
pub fn each_held<'f>(file: &'f SourceFile, mut look: impl FnMut(&Held<'f>)) {
    for function in file.functions() {
        let is_async = function.signature.asyncness.is_some();
        Scopes { file, is_async, look: &mut look }.visit_block(function.block);
    }
}

struct Scopes<'f, 'l> {
    file: &'f SourceFile,
    is_async: bool,
    look: &'l mut dyn FnMut(&Held<'f>),
}

impl<'f> Scopes<'f, '_> {
    fn within(&mut self, is_async: bool, look: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_async, is_async);
        look(self);
        self.is_async = outer;
    }
}

impl<'f> Visit<'f> for Scopes<'f, '_> {
    fn visit_block(&mut self, block: &'f Block) {
        for (at, stmt) in block.stmts.iter().enumerate() {
            let Stmt::Local(local) = stmt else { continue };
            let Some(name) = variable_of(&local.pat).filter(|_| self.is_async) else { continue };
            let rest = &block.stmts[at + 1..];
            let end = rest.iter().position(|stmt| drops(stmt, &name)).unwrap_or(rest.len());
            (self.look)(&Held { name, local, rest: &rest[..end] });
        }
        visit::visit_block(self, block);
    }

    fn visit_expr_async(&mut self, task: &'f syn::ExprAsync) {
        self.within(true, |scopes| visit::visit_expr_async(scopes, task));
    }

    fn visit_expr_closure(&mut self, closure: &'f syn::ExprClosure) {
        self.within(closure.asyncness.is_some(), |scopes| visit::visit_expr_closure(scopes, closure));
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

/// `mut buffer: Buffer` is `buffer`.
fn variable_of(pat: &Pat) -> Option<String> {
    match pat {
        Pat::Ident(name) => Some(name.ident.to_string()),
        Pat::Type(typed) => variable_of(&typed.pat),
        _ => None,
    }
}

/// `drop(name);`, and `f(name);` that takes it.
fn drops(stmt: &Stmt, name: &str) -> bool {
    let Stmt::Expr(Expr::Call(call), _) = stmt else { return false };
    call.args.iter().any(|arg| matches!(arg, Expr::Path(path) if path.path.is_ident(name)))
}

/// What is waited for at an `.await`.
#[derive(Debug)]
pub struct Wait {
    /// The `await`.
    pub span: Span,
    /// What is called last: `recv`.
    pub what: String,
    /// It gets no arguments: `read()` takes a lock, and reads nothing.
    pub is_bare: bool,
    /// Every name in it.
    pub names: std::collections::BTreeSet<String>,
}

/// The waits in `rest` that happen here: not those of tasks and closures that are made here.
pub fn waits<'f>(file: &'f SourceFile, rest: &'f [Stmt]) -> Vec<Wait> {
    let mut waits = Waits { file, found: Vec::new() };
    rest.iter().for_each(|stmt| waits.visit_stmt(stmt));
    waits.found
}

/// The same for one expression.
pub fn waits_in<'f>(file: &'f SourceFile, expr: &'f Expr) -> Vec<Wait> {
    let mut waits = Waits { file, found: Vec::new() };
    waits.visit_expr(expr);
    waits.found
}

/// What `base` calls last, and whether it gives it nothing.
fn called(base: &Expr) -> (String, bool) {
    match crate::syntax::strip(base) {
        Expr::MethodCall(call) => (call.method.to_string(), call.args.is_empty()),
        Expr::Call(call) => {
            let name = callee(call).and_then(|path| path.segments.last()).map(|last| last.ident.to_string());
            (name.unwrap_or_default(), call.args.is_empty())
        }
        _ => (String::new(), true),
    }
}

struct Waits<'f> {
    file: &'f SourceFile,
    found: Vec<Wait>,
}

impl<'f> Visit<'f> for Waits<'f> {
    fn visit_expr_await(&mut self, one: &'f ExprAwait) {
        visit::visit_expr_await(self, one);
        let (what, is_bare) = called(&one.base);
        let names = mentioned(|names| names.visit_expr(&one.base));
        self.found.push(Wait { span: one.await_token.span(), what, is_bare, names });
    }

    fn visit_expr_async(&mut self, _task: &'f syn::ExprAsync) {}

    fn visit_expr_closure(&mut self, _closure: &'f syn::ExprClosure) {}

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

//! Small questions about syntax, asked by several rules.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, Ident, Path, Type};

/// Whether `path` ends with `parts`, `mem::forget` for example; a path that is shorter matches if it is all of the end that
/// stands there, but for functions that is left to the caller: `forget` alone may be anything.
pub fn ends_with(path: &Path, parts: &[&str]) -> bool {
    path.segments.len() >= parts.len()
        && path.segments.iter().rev().zip(parts.iter().rev()).all(|(segment, part)| segment.ident == part)
}

/// The path that `call` calls: `tokio::spawn`.
pub fn callee(call: &ExprCall) -> Option<&Path> {
    match strip(&call.func) {
        Expr::Path(path) => Some(&path.path),
        _ => None,
    }
}

/// `expr` without parentheses, references and invisible groups.
pub fn strip(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => strip(&inner.expr),
        Expr::Group(inner) => strip(&inner.expr),
        Expr::Reference(inner) => strip(&inner.expr),
        _ => expr,
    }
}

/// The variable that `expr` is, if it is one.
pub fn variable(expr: &Expr) -> Option<&Ident> {
    match strip(expr) {
        Expr::Path(path) => path.path.get_ident(),
        _ => None,
    }
}

/// The names on the way to a value: `self.inner.lock().unwrap().map` is `self`, `inner`, `map`; methods are left out.
pub fn way(expr: &Expr) -> Vec<String> {
    match strip(expr) {
        Expr::Path(path) => {
            path.path.segments.last().map(|last| last.ident.to_string()).into_iter().collect()
        }
        Expr::Field(field) => {
            let mut names = way(&field.base);
            names.push(match &field.member {
                syn::Member::Named(name) => name.to_string(),
                syn::Member::Unnamed(index) => index.index.to_string(),
            });
            names
        }
        Expr::MethodCall(call) => way(&call.receiver),
        Expr::Await(inner) => way(&inner.base),
        Expr::Try(inner) => way(&inner.expr),
        Expr::Index(inner) => way(&inner.expr),
        Expr::Unary(inner) => way(&inner.expr),
        _ => Vec::new(),
    }
}

/// The last name of a type's path, behind references: `&mut a::B<C>` is `B`.
pub fn type_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        Type::Reference(inner) => type_name(&inner.elem),
        Type::Paren(inner) => type_name(&inner.elem),
        Type::Group(inner) => type_name(&inner.elem),
        _ => None,
    }
}

/// Every name in `ty`: `Arc<Mutex<VecDeque<Bytes>>>` is `Arc`, `Mutex`, `VecDeque`, `Bytes`.
pub fn names_in_type(ty: &Type) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'a> Visit<'a> for Names {
        fn visit_path(&mut self, path: &'a Path) {
            self.0.extend(path.segments.last().map(|last| last.ident.to_string()));
            visit::visit_path(self, path);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_type(ty);
    names.0
}

/// Every identifier in `tokens`, in order, those in brackets too.
pub fn idents(tokens: TokenStream) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![tokens.into_iter()]);
    while let Some(level) = open.last_mut() {
        match level.next() {
            Some(TokenTree::Ident(ident)) => found.push(ident.to_string()),
            Some(TokenTree::Group(group)) => open.push(group.stream().into_iter()),
            Some(_) => {}
            None => {
                open.pop();
            }
        }
    }
    found
}

//! Which names a piece of syntax binds, and which it mentions.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ExprClosure, Ident, Macro, Pat, PatIdent};

/// The variables that a pattern binds.
pub fn names_of(pat: &Pat) -> Vec<String> {
    let mut bound = Bound(Vec::new());
    bound.visit_pat(pat);
    bound.0
}

/// The names that a closure takes from around it.
pub fn captured(closure: &ExprClosure) -> BTreeSet<String> {
    let mut bound = Bound(Vec::new());
    bound.visit_expr_closure(closure);
    let names = mentioned(|names| names.visit_expr(&closure.body));
    names.into_iter().filter(|name| !bound.0.contains(name)).collect()
}

struct Bound(Vec<String>);

impl<'a> Visit<'a> for Bound {
    fn visit_pat_ident(&mut self, pat: &'a PatIdent) {
        self.0.push(pat.ident.to_string());
        visit::visit_pat_ident(self, pat);
    }
}

/// Every name that `look` has the visitor come by: `mentioned(|names| names.visit_block(block))`. Macros are looked into, and
/// texts in them too, for `"{answer}"` mentions `answer`.
pub fn mentioned(look: impl FnOnce(&mut Mentions)) -> BTreeSet<String> {
    let mut mentions = Mentions(BTreeSet::new());
    look(&mut mentions);
    mentions.0
}

/// Collects names.
pub struct Mentions(BTreeSet<String>);

impl Mentions {
    fn add(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => self.0.extend([ident.to_string()]),
                TokenTree::Group(group) => self.add(group.stream()),
                TokenTree::Literal(text) => self.0.extend(formatted(&text.to_string())),
                TokenTree::Punct(_) => {}
            }
        }
    }
}

/// The names in `"{answer} of {peer:?}"`.
fn formatted(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let parts =
        text.split('{').skip(1).map(|part| part.split(|c| !is_part(c)).next().unwrap_or_default().to_owned());
    parts.filter(|name| !name.is_empty()).collect()
}

impl<'a> Visit<'a> for Mentions {
    fn visit_ident(&mut self, ident: &'a Ident) {
        self.0.insert(ident.to_string());
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        self.add(mac.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_macros_and_in_their_texts_is_mentioned() {
        let expr: syn::Expr =
            syn::parse_str(r#"f(a, || info!(b = c.d, "{e:?} of {f} {{}}"))"#).expect("an expression");
        let names = mentioned(|names| names.visit_expr(&expr));
        assert_eq!(names.into_iter().collect::<Vec<_>>().join(" "), "a b c d e f");
    }

    #[test]
    fn what_a_closure_binds_itself_it_does_not_capture() {
        let closure = syn::parse_str("move |a| if let Some(b) = c { a(b, d) }").expect("a closure");
        assert_eq!(captured(&closure).into_iter().collect::<Vec<_>>().join(" "), "Some c d");
    }
}

//! What an expression leads to, as the names on its way: `lock(&self.seen).entry(peer)` is `self`, `seen`, `lock()`, `entry()`.

use syn::{Expr, ExprCall, Member};

use crate::syntax::callee;

/// One name on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A variable, a constant or a field; fields of tuples are `0`, `1`.
    Name(String),
    /// A method or function that is called on what comes before.
    Call(String),
}

/// The names on the way to a value; none, if the expression begins with something else than a name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain(pub Vec<Step>);

impl Chain {
    /// That of `expr`. References, `?`, `.await`, indices and parentheses leave no trace.
    pub fn of(expr: &Expr) -> Self {
        let mut chain = Self::default();
        chain.add(expr);
        chain
    }

    fn add(&mut self, expr: &Expr) {
        match expr {
            Expr::Path(path) => self.0.extend(path.path.segments.last().map(|last| name(&last.ident))),
            Expr::Field(field) => {
                self.add(&field.base);
                self.0.push(match &field.member {
                    Member::Named(ident) => name(ident),
                    Member::Unnamed(index) => Step::Name(index.index.to_string()),
                });
            }
            Expr::MethodCall(call) => {
                self.add(&call.receiver);
                self.0.push(Step::Call(call.method.to_string()));
            }
            Expr::Call(call) => self.add_call(call),
            Expr::Reference(inner) => self.add(&inner.expr),
            Expr::Paren(inner) => self.add(&inner.expr),
            Expr::Group(inner) => self.add(&inner.expr),
            Expr::Unary(inner) => self.add(&inner.expr),
            Expr::Try(inner) => self.add(&inner.expr),
            Expr::Await(inner) => self.add(&inner.base),
            Expr::Index(inner) => self.add(&inner.expr),
            _ => {}
        }
    }

    /// `lock(&self.seen)` and `Arc::clone(&x)` lead on from their first argument.
    fn add_call(&mut self, call: &ExprCall) {
        if let Some(first) = call.args.first() {
            self.add(first);
        }
        let called = callee(call).and_then(|path| path.segments.last());
        self.0.extend(called.map(|last| Step::Call(last.ident.to_string())));
    }

    /// The variable that it begins with.
    pub fn root(&self) -> Option<&str> {
        match self.0.first() {
            Some(Step::Name(root)) => Some(root),
            _ => None,
        }
    }

    /// Whether it is a variable and nothing more.
    pub fn is_variable(&self) -> bool {
        self.0.len() == 1 && self.root().is_some()
    }

    /// What is called last, if nothing comes behind.
    pub fn last_call(&self) -> Option<&str> {
        match self.0.last() {
            Some(Step::Call(call)) => Some(call),
            _ => None,
        }
    }

    /// What is called on the way, in order.
    pub fn calls(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Call(call) => Some(call.as_str()),
            Step::Name(_) => None,
        })
    }

    /// Variables and fields on the way, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Name(name) => Some(name.as_str()),
            Step::Call(_) => None,
        })
    }

    /// Whether `name` is a variable or a field on the way.
    pub fn passes(&self, name: &str) -> bool {
        self.names().any(|one| one == name)
    }
}

fn name(ident: &syn::Ident) -> Step {
    Step::Name(ident.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(expr: &str) -> String {
        let chain = Chain::of(&syn::parse_str(expr).expect("an expression"));
        let told = chain.0.iter().map(|step| match step {
            Step::Name(name) => name.clone(),
            Step::Call(call) => format!("{call}()"),
        });
        told.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_chain_is_the_names_on_the_way() {
        assert_eq!(told("self.seen.lock().unwrap().entry(peer)"), "self seen lock() unwrap() entry()");
        assert_eq!(told("lock(&self.seen)"), "self seen lock()");
        assert_eq!(told("(*rx.lock().await?).recv().await"), "rx lock() recv()");
        assert_eq!(told("Arc::clone(&self.0[3])"), "self 0 clone()");
        assert_eq!(told("SEEN.len()"), "SEEN len()");
        assert_eq!(told("{ 1 }.f()"), "f()");
    }
}

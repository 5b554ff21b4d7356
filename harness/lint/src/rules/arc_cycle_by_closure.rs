//! An `Arc` that is stored in what it leads to.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprAssign, ExprCall, ExprClosure, ExprMethodCall, FnArg, Item, Local, Macro, Pat, Type};

use crate::chain::Chain;
use crate::finding::{Confidence, Sink};
use crate::kept::Keep;
use crate::names::{captured, mentioned};
use crate::rule::Rule;
use crate::shape::Function;
use crate::source::SourceFile;

pub(super) const RULE: Rule = Rule {
    name: "arc-cycle-by-closure",
    title: "an `Arc` is stored in what it leads to",
    why: "what a stored closure or field owns lives as long as its owner; if that is its owner's owner, both live for ever",
    hint: "make one of the two directions weak: `Arc::downgrade`, `Arc::new_cyclic`, and `upgrade` where it is used",
    confidence: Confidence::High,
    scenario: "reconnect-storm",
    page: include_str!("../../rules/arc-cycle-by-closure.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    if !file.text.contains("Arc") && !file.text.contains("Rc") {
        return;
    }
    if file.text.contains("move |") || file.text.contains("async move") {
        for function in file.functions() {
            let mut seen = Seen { file, clones: shared_inputs(&function), sink };
            seen.visit_block(function.block);
        }
    }
    between_types(file, sink);
}

/// Variables that hold an `Arc`, and the variable of which each is a clone.
type Clones = BTreeMap<String, String>;

fn shared_inputs(function: &Function<'_>) -> Clones {
    let inputs = function.signature.inputs.iter().filter_map(|input| match input {
        FnArg::Receiver(receiver) => is_shared_self(receiver).then(|| "self".to_owned()),
        FnArg::Typed(input) => match &*input.pat {
            Pat::Ident(name) => is_shared(&input.ty).then(|| name.ident.to_string()),
            _ => None,
        },
    });
    inputs.map(|name| (name.clone(), name)).collect()
}

/// `self: Arc<Self>`, `self: &Arc<Self>`.
fn is_shared_self(receiver: &syn::Receiver) -> bool {
    let names = mentioned(|names| names.visit_receiver(receiver));
    names.contains("Arc") || names.contains("Rc")
}

fn is_shared(ty: &Type) -> bool {
    crate::syntax::type_name(ty).is_some_and(|name| name == "Arc" || name == "Rc")
}

/// Looks for closures that are put into what they own.
struct Seen<'s, 'f, 'r> {
    file: &'f SourceFile,
    clones: Clones,
    sink: &'s mut Sink<'r>,
}

/// Parts of names of functions that keep what they are given.
const STORE: &[&str] = &[
    "add", "attach", "append", "callback", "handler", "hook", "insert", "install", "observe", "push", "register", "replace",
    "set", "store", "subscribe", "get_or_init", "listen",
];

fn stores(method: &str) -> bool {
    method.starts_with("on_") || method.split('_').any(|part| STORE.contains(&part)) || STORE.contains(&method)
}

impl Seen<'_, '_, '_> {
    /// Follows `Arc::new(..)`, `Arc::clone(&x)` and `x.clone()`.
    fn note(&mut self, name: &str, init: &Expr) {
        let chain = Chain::of(init);
        let is_arc = matches!(crate::syntax::strip(init), Expr::Call(call) if is_of_arc(call));
        let root = chain.root().filter(|_| chain.0.len() == 2 && chain.last_call() == Some("clone"));
        let of = root.and_then(|root| self.clones.get(root).cloned());
        match (of, root) {
            (Some(of), _) => self.clones.insert(name.to_owned(), of),
            (None, Some(root)) if is_arc => self.clones.insert(name.to_owned(), root.to_owned()),
            _ if is_arc && chain.last_call() == Some("new") => self.clones.insert(name.to_owned(), name.to_owned()),
            _ => self.clones.remove(name),
        };
    }

    /// `into` is where something is stored, `what` is that.
    fn stored(&mut self, into: &Chain, what: &Expr) {
        let Some(owner) = into.root().and_then(|root| self.clones.get(root)).cloned() else { return };
        let mut closures = Closures { found: Vec::new() };
        closures.visit_expr(what);
        for (span, names) in closures.found {
            let owned = names.iter().find(|name| self.clones.get(*name) == Some(&owner));
            if let Some(owned) = owned {
                let message = format!("this closure owns `{owned}`, and is stored in what `{owned}` leads to");
                self.sink.report(span, message);
            }
        }
    }
}

/// `Arc::new(..)`, `Rc::clone(..)`.
fn is_of_arc(call: &ExprCall) -> bool {
    let Some(path) = crate::syntax::callee(call) else { return false };
    path.segments.iter().rev().nth(1).is_some_and(|of| of.ident == "Arc" || of.ident == "Rc")
}

impl<'f> Visit<'f> for Seen<'_, 'f, '_> {
    fn visit_local(&mut self, local: &'f Local) {
        visit::visit_local(self, local);
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init) {
            self.note(&name.ident.to_string(), &init.expr);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        if stores(&call.method.to_string()) {
            let into = Chain::of(&call.receiver);
            call.args.iter().for_each(|arg| self.stored(&into, arg));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_assign(&mut self, assign: &'f ExprAssign) {
        let into = Chain::of(&assign.left);
        if into.0.len() > 1 {
            self.stored(&into, &assign.right);
        }
        visit::visit_expr_assign(self, assign);
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    fn visit_item(&mut self, _item: &'f Item) {}
}

/// `move` closures and what they mention, without those that are called or spawned at once.
struct Closures {
    found: Vec<(Span, Vec<String>)>,
}

impl<'f> Visit<'f> for Closures {
    fn visit_expr_closure(&mut self, closure: &'f ExprClosure) {
        if closure.capture.is_some() {
            self.found.push((closure.span(), captured(closure).into_iter().collect()));
        }
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let is_done = ["map", "for_each", "filter", "and_then", "unwrap_or_else", "spawn"].iter().any(|name| call.method == name);
        if !is_done {
            visit::visit_expr_method_call(self, call);
        }
    }
}

/// A field that holds an `Arc` of another type of the file.
struct Edge {
    from: String,
    to: String,
    field: String,
    span: Span,
    /// It can be set when both are there already.
    is_late: bool,
}

/// What lets an `Arc` be put into something that is shared already.
const LATE: &[&str] = &["Mutex", "RwLock", "RefCell", "OnceLock", "OnceCell", "ArcSwap", "ArcSwapOption", "AtomicCell"];

/// Two types of which each holds an `Arc` of the other: at least one must have been set late.
fn between_types(file: &SourceFile, sink: &mut Sink<'_>) {
    let edges = edges(file);
    for (at, edge) in edges.iter().enumerate() {
        let back = edges[at + 1..].iter().find(|back| back.from == edge.to && back.to == edge.from);
        let Some(back) = back.filter(|back| back.is_late || edge.is_late) else { continue };
        let (late, other) = if edge.is_late { (edge, back) } else { (back, edge) };
        let message = format!(
            "`{}` holds an `Arc` of `{}` in `{}`, which holds one of `{}` in `{}`",
            late.from, late.to, late.field, other.to, other.field
        );
        sink.report(late.span, message).confidence(Confidence::Medium).note(other.span, "and back");
    }
}

fn edges(file: &SourceFile) -> Vec<Edge> {
    let keep = Keep::of(file);
    let shapes = file.shapes();
    let mut edges = Vec::new();
    for (from, fields) in &shapes.fields {
        for (field, ty) in fields {
            let names = keep.names(ty);
            let Some(to) = owned(&names).filter(|to| shapes.fields.contains_key(*to) && *to != from) else { continue };
            let is_late = names.iter().take_while(|name| *name != to).any(|name| LATE.contains(&name.as_str()));
            edges.push(Edge { from: from.clone(), to: to.clone(), field: field.clone(), span: ty.span(), is_late });
        }
    }
    edges
}

/// In `OnceLock`, `Arc`, `Handler` it is `Handler`: what an `Arc` holds, be it behind a lock.
fn owned(names: &[String]) -> Option<&String> {
    if names.iter().any(|name| name == "Weak" || name == "dyn") {
        return None;
    }
    let at = names.iter().rposition(|name| name == "Arc" || name == "Rc")?;
    names[at + 1..].iter().find(|name| !LATE.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn a_closure_that_is_stored_in_what_it_owns_is_found() {
        check(
            &RULE,
            r#"
            impl Session {
                fn start(self: &Arc<Self>) {
                    let me = Arc::clone(self);
                    self.callbacks.lock().unwrap().push(Box::new(move || me.end())); //~ arc-cycle-by-closure
                }
            }
            fn wire(hub: Arc<Hub>, other: Arc<Hub>) {
                let inner = hub.clone();
                let again = Arc::clone(&inner);
                hub.on_event(move |event| info!("{event} {again:?}")); //~ arc-cycle-by-closure
                let window = Arc::new(Window::new());
                let shown = window.clone();
                *window.close.lock().unwrap() = Some(Box::new(move || shown.hide())); //~ arc-cycle-by-closure
            }
            "#,
        );
    }

    #[test]
    fn a_weak_one_another_one_and_one_that_is_not_stored_are_not() {
        check(
            &RULE,
            r#"
            fn wire(hub: Arc<Hub>, other: Arc<Hub>) {
                let weak = Arc::downgrade(&hub);
                hub.on_event(move |event| if let Some(hub) = weak.upgrade() { hub.end(); });
                let theirs = Arc::clone(&other);
                hub.on_event(move |event| theirs.end());
                let mine = hub.clone();
                tokio::spawn(async move { mine.run().await });
                let mine = hub.clone();
                hub.pool.spawn(move || mine.run());
                let count = hub.count();
                hub.on_event(move |event| count);
                let name = hub.name.clone();
                hub.set_all(hub.list.iter().map(move |one| mine.len()));
            }
            "#,
        );
    }

    #[test]
    fn two_types_that_hold_each_other_are_found_where_one_is_set_late() {
        check(
            &RULE,
            r#"
            struct Session { handler: OnceLock<Arc<Handler>> } //~ arc-cycle-by-closure
            struct Handler { session: Arc<Session> }
            struct Parent { children: Vec<Arc<Child>> }
            struct Child { parent: Arc<Parent> }
            struct Hub { consumers: Mutex<Vec<Arc<Consumer>>> }
            struct Consumer { hub: Weak<Hub> }
            struct Node { next: Mutex<Option<Arc<Node>>> }
            "#,
        );
    }
}

//! A `JoinSet` from which nobody takes what has ended, and a `TaskTracker` that is waited for and never closed.

use std::collections::BTreeSet;

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, Local, Macro, Pat};

use crate::finding::{Confidence, Sink};
use crate::names::names_of;
use crate::rule::Rule;
use crate::shape::Function;
use crate::source::SourceFile;
use crate::syntax::{callee, ends_with, idents, variable, way};

pub(super) const RULE: Rule = Rule {
    name: "join-set-never-joined",
    title: "tasks that have ended are never taken out of their set",
    why: "a `JoinSet` keeps each task that has ended until it is joined, and a `TaskTracker` is not done before it is closed",
    hint: "join what has ended before each spawn (`while set.try_join_next().is_some() {}`), or use a `TaskTracker`; `close` it before `wait`",
    confidence: Confidence::High,
    scenario: "reconnect-storm",
    page: include_str!("../../rules/join-set-never-joined.md"),
    check,
};

const SETS: &[&str] = &["JoinSet", "JoinMap", "JoinQueue"];
const SPAWNS: &[&str] = &["spawn", "spawn_on", "spawn_local", "spawn_blocking"];
const JOINS: &[&str] = &[
    "join_next", "join_next_with_id", "try_join_next", "try_join_next_with_id", "poll_join_next", "poll_join_next_with_id",
    "join_all", "shutdown", "detach_all",
];

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    for function in file.functions() {
        of_variables(file, &function, sink);
    }
    let mut seen = Seen { file, sets: BTreeSet::new(), trackers: BTreeSet::new(), uses: Vec::new(), names: Vec::new() };
    seen.fields();
    seen.visit_file(&file.ast);
    for one in &seen.uses {
        match one {
            Use::Joins(name, span) => sink.fact(*span, format!("join-set-never-joined:joined:{name}")),
            Use::Closes(name, span) => sink.fact(*span, format!("join-set-never-joined:closed:{name}")),
            Use::Spawns(name, span) if seen.sets.contains(name) => {
                let message = format!("what is spawned into `{name}` is never joined, so it keeps every task that has ended");
                sink.report(*span, message).unless(format!("join-set-never-joined:joined:{name}"));
            }
            Use::Waits(name, span) if seen.trackers.contains(name) => {
                let message = format!("nobody closes the tracker `{name}`, so `wait` never ends");
                sink.report(*span, message).unless(format!("join-set-never-joined:closed:{name}"));
            }
            Use::Spawns(..) | Use::Waits(..) => {}
        }
    }
}

/// Sets that a function has for itself, fills in a loop that nothing leaves by itself, and for all that is seen does nothing else with.
fn of_variables(file: &SourceFile, function: &Function<'_>, sink: &mut Sink<'_>) {
    let mut made = Sets { file, names: Vec::new() };
    made.visit_block(function.block);
    for name in made.names {
        let mut filled = Filled { file, name: &name, loops: 0, named: 0, spawns: Vec::new() };
        filled.visit_block(function.block);
        let in_loop = filled.spawns.iter().find(|(_, is_in_loop)| *is_in_loop);
        if let Some((span, _)) = in_loop.filter(|_| filled.named == filled.spawns.len()) {
            let message = format!("what is spawned into `{name}` is never joined, so it keeps every task that has ended");
            sink.report(*span, message);
        }
    }
}

/// Variables that are new sets.
struct Sets<'f> {
    file: &'f SourceFile,
    names: Vec<String>,
}

impl<'f> Visit<'f> for Sets<'f> {
    fn visit_local(&mut self, local: &'f Local) {
        visit::visit_local(self, local);
        let Some(init) = &local.init else { return };
        if let Expr::Call(call) = &*init.expr
            && callee(call).is_some_and(|path| SETS.iter().any(|set| ends_with(path, &[set, "new"])))
        {
            self.names.extend(names_of(&local.pat));
        }
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    /// Items in functions are functions of their own.
    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

/// What a function does with one set.
struct Filled<'f, 'n> {
    file: &'f SourceFile,
    name: &'n str,
    /// Those that turn as long as something comes; a `for` ends with what it goes over, and the set with the function.
    loops: usize,
    named: usize,
    /// Where something is spawned into it, and whether in such a loop.
    spawns: Vec<(Span, bool)>,
}

impl<'f> Visit<'f> for Filled<'f, '_> {
    fn visit_expr_path(&mut self, path: &'f syn::ExprPath) {
        self.named += usize::from(path.path.is_ident(self.name));
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let is_it = variable(&call.receiver).is_some_and(|name| name == self.name);
        if is_it && SPAWNS.iter().any(|name| call.method == name) {
            self.spawns.push((call.method.span(), self.loops > 0));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_loop(&mut self, one: &'f syn::ExprLoop) {
        self.loops += 1;
        visit::visit_expr_loop(self, one);
        self.loops -= 1;
    }

    fn visit_expr_while(&mut self, one: &'f syn::ExprWhile) {
        self.loops += 1;
        visit::visit_expr_while(self, one);
        self.loops -= 1;
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        match self.file.body(mac) {
            Some(body) => body.visit(self),
            None => self.named += idents(mac.tokens.clone()).iter().filter(|name| *name == self.name).count(),
        }
    }

    /// Items in functions are functions of their own.
    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

enum Use {
    Spawns(String, Span),
    Joins(String, Span),
    Waits(String, Span),
    Closes(String, Span),
}

struct Seen<'f> {
    file: &'f SourceFile,
    /// Fields and variables that are sets.
    sets: BTreeSet<String>,
    trackers: BTreeSet<String>,
    uses: Vec<Use>,
    /// Variables that stand for a field: `let mut serving = self.serving.lock()`.
    names: Vec<(String, String)>,
}

impl<'f> Seen<'f> {
    fn fields(&mut self) {
        let shapes = self.file.shapes();
        for (field, ty) in shapes.fields.values().flatten() {
            let names = shapes.names_in(ty);
            if names.iter().any(|name| SETS.contains(&name.as_str())) {
                self.sets.insert(field.clone());
            }
            if names.iter().any(|name| name == "TaskTracker") {
                self.trackers.insert(field.clone());
            }
        }
    }

    fn uses(&mut self, call: &ExprMethodCall) {
        let Some(name) = way(&call.receiver).pop() else { return };
        let stands_for = self.names.iter().rev().find(|(variable, _)| *variable == name).map(|(_, field)| field.clone());
        let name = stands_for.unwrap_or(name);
        let (method, span) = (call.method.to_string(), call.method.span());
        match method.as_str() {
            method if SPAWNS.contains(&method) => self.uses.push(Use::Spawns(name, span)),
            "wait" if call.args.is_empty() => self.uses.push(Use::Waits(name, span)),
            "close" if call.args.is_empty() => self.uses.push(Use::Closes(name, span)),
            method if JOINS.contains(&method) => self.uses.push(Use::Joins(name, span)),
            _ => {}
        }
    }
}

impl<'f> Visit<'f> for Seen<'f> {
    fn visit_local(&mut self, local: &'f Local) {
        let name = match &local.pat {
            Pat::Ident(name) => Some(name.ident.to_string()),
            _ => None,
        };
        if let (Some(name), Some(init)) = (name, &local.init) {
            if let Expr::Call(call) = &*init.expr
                && callee(call).is_some_and(|path| SETS.iter().any(|set| ends_with(path, &[set, "new"])))
            {
                // A variable of its own is no field of that name: see `of_variables`.
                self.sets.remove(&name);
            } else if let Some(field) = way(&init.expr).pop() {
                self.names.push((name, field));
            }
        }
        visit::visit_local(self, local);
    }

    // Whoever is handed a set may join it.
    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        for arg in &call.args {
            let is_lent = matches!(arg, Expr::Reference(one) if one.mutability.is_some());
            if let Some(name) = way(arg).pop().filter(|_| is_lent) {
                self.uses.push(Use::Joins(name, call.paren_token.span.open()));
            }
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        self.uses(call);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, found};

    #[test]
    fn a_set_of_a_type_that_nobody_joins_is_found() {
        check(
            &RULE,
            r#"
            struct Server { serving: Mutex<JoinSet<()>> }
            impl Server {
                fn receive(&self, one: Connection) {
                    let mut serving = self.serving.lock().unwrap();
                    serving.spawn(one.serve()); //~ join-set-never-joined
                }
            }
            "#,
        );
    }

    #[test]
    fn a_set_that_is_joined_anywhere_in_the_crate_is_fine() {
        check(
            &RULE,
            r#"
            struct Server { serving: JoinSet<()>, asking: JoinSet<()> }
            impl Server {
                fn receive(&mut self, one: Connection) {
                    while self.serving.try_join_next().is_some() {}
                    self.serving.spawn(one.serve());
                    self.asking.spawn(one.ask());
                    reap(&mut self.asking);
                }
            }
            "#,
        );
        let text = "struct A { set: JoinSet<()> } impl A { fn f(&mut self) { self.set.spawn(g()); } }";
        assert_eq!(found(&RULE, text)[0].unless, ["join-set-never-joined:joined:set"]);
    }

    #[test]
    fn a_set_of_a_function_that_is_filled_for_ever_is_found() {
        check(
            &RULE,
            r#"
            async fn serve(listener: TcpListener) {
                let mut serving = JoinSet::new();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    serving.spawn(answer(stream)); //~ join-set-never-joined
                }
            }
            async fn select(stop: Stop) {
                let mut serving = tokio::task::JoinSet::new();
                loop {
                    tokio::select! {
                        stream = accept() => { serving.spawn(answer(stream)); } //~ join-set-never-joined
                        _ = stop.cancelled() => return,
                    }
                }
            }
            "#,
        );
    }

    #[test]
    fn a_set_that_is_joined_handed_on_or_filled_once_is_not() {
        check(
            &RULE,
            r#"
            async fn joined() {
                let mut serving = JoinSet::new();
                loop { tokio::select! {
                    stream = accept() => { serving.spawn(answer(stream)); }
                    Some(_) = serving.join_next() => {}
                } }
            }
            async fn counted() {
                let mut serving = JoinSet::new();
                while let Some(stream) = accept().await { serving.spawn(answer(stream)); trim(&mut serving); }
                let mut asking = JoinSet::new();
                while let Some(stream) = accept().await { asking.spawn(answer(stream)); }
                asking.join_all().await;
                let mut kept = JoinSet::new();
                loop { kept.spawn(answer(accept().await)); if is_done() { break kept } }
            }
            async fn once() {
                let mut serving = JoinSet::new();
                for port in ports() { serving.spawn(listen(port)); }
                forever().await;
            }
            "#,
        );
    }

    #[test]
    fn a_tracker_is_waited_for_after_it_is_closed() {
        check(
            &RULE,
            r#"
            struct House { inside: TaskTracker, yard: TaskTracker }
            impl House {
                async fn see_out(&self) {
                    let inside = self.inside.clone();
                    inside.wait().await; //~ join-set-never-joined
                    self.yard.close();
                    self.yard.wait().await;
                    child.wait().await;
                }
            }
            "#,
        );
    }
}

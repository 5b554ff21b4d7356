//! Queues without a bound: channels, and those that are made by hand of a `VecDeque`.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprBinary, ExprCall, ExprLoop, ExprMethodCall, ExprWhile, Local, Macro, Pat};

use crate::finding::{Confidence, Sink};
use crate::kept::{Keep, Kept};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::{callee, ends_with, way};

pub(super) const RULE: Rule = Rule {
    name: "unbounded-channel",
    title: "a queue without a bound",
    why: "whatever is sent faster than it is received waits in memory: one slow or stuck reader is enough",
    hint: "give it a bound, and decide what happens when it is full: wait, drop the oldest, drop the newest, disconnect",
    confidence: Confidence::Low,
    scenario: "slow-consumer",
    page: include_str!("../../rules/unbounded-channel.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    let mut seen = Seen { file, function: String::new(), loops: 0, made: Vec::new(), sends: BTreeMap::new(), queues: BTreeMap::new() };
    seen.visit_file(&file.ast);
    for made in &seen.made {
        let report = sink.report(made.span, "this channel has no bound");
        if let Some(send) = made.sender.as_ref().and_then(|sender| seen.sends.get(sender)) {
            report.confidence(Confidence::Medium).note(*send, "sent to in a loop");
        }
    }
    by_hand(file, &seen, sink);
}

/// Fields that are a `VecDeque`, in at one end and out at the other, of which nobody asks how much there is.
fn by_hand(file: &SourceFile, seen: &Seen<'_>, sink: &mut Sink<'_>) {
    if !file.text.contains("VecDeque") && !file.text.contains("LinkedList") {
        return;
    }
    let shapes = file.shapes();
    // What one owner has for itself is filled and emptied in one place; a lock says that others fill it than those who empty it.
    let keep = Keep::of(file);
    let is_shared = |of: &str, field: &str| {
        let is_it = |kept: &&Kept| kept.owner.as_deref() == Some(of) && kept.name == field;
        keep.all.iter().find(is_it).is_some_and(|kept| kept.is_shared)
    };
    for (of, fields) in &shapes.fields {
        for (field, ty) in fields {
            let is_queue = shapes.mentions(ty, "VecDeque") || shapes.mentions(ty, "LinkedList");
            let Some(queue) = seen.queues.get(field).filter(|_| is_queue) else { continue };
            let Some((span, pusher)) = queue.pushes.first() else { continue };
            // Whoever takes one out for each that it puts in keeps the number.
            let is_elsewhere = !queue.pops.is_empty() && !queue.pops.contains(pusher);
            if is_elsewhere && !queue.is_measured && is_shared(of, field) {
                let message = format!("`{of}.{field}` is a queue without a bound: nothing looks at its length");
                sink.report(*span, message).confidence(Confidence::Medium);
            }
        }
    }
}

/// A channel that is made.
struct Made {
    span: Span,
    /// The name of its sending half.
    sender: Option<String>,
}

/// What is done with a field of one name.
#[derive(Default)]
struct Queue {
    /// Where, and in which function.
    pushes: Vec<(Span, String)>,
    pops: Vec<String>,
    /// Whether its length is compared with something.
    is_measured: bool,
}

struct Seen<'f> {
    file: &'f SourceFile,
    function: String,
    loops: usize,
    made: Vec<Made>,
    /// Senders that are used in loops.
    sends: BTreeMap<String, Span>,
    queues: BTreeMap<String, Queue>,
}

/// Functions that make channels without a bound.
fn is_unbounded(call: &ExprCall) -> bool {
    let Some(path) = callee(call) else { return false };
    let name = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
    let of_std = ends_with(path, &["mpsc", "channel"]) && call.args.is_empty();
    let is_named = matches!(name.as_str(), "unbounded_channel" | "unbounded");
    (of_std || is_named) && call.args.is_empty()
}

/// The name of the first of two: `let (sender, receiver) =`.
fn sender(pat: &Pat) -> Option<String> {
    let Pat::Tuple(pair) = pat else { return None };
    match pair.elems.first()? {
        Pat::Ident(name) => Some(name.ident.to_string()),
        _ => None,
    }
}

impl<'f> Seen<'f> {
    fn in_function(&mut self, name: &syn::Ident, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.function, format!("{name}@{:?}", name.span().start()));
        let loops = std::mem::take(&mut self.loops);
        visit(self);
        (self.function, self.loops) = (outer, loops);
    }

    fn in_loop(&mut self, visit: impl FnOnce(&mut Self)) {
        self.loops += 1;
        visit(self);
        self.loops -= 1;
    }

    fn measured(&mut self, expr: &Expr) {
        struct Lengths(Vec<String>);
        impl<'a> Visit<'a> for Lengths {
            fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
                if call.method == "len" {
                    self.0.extend(way(&call.receiver).pop());
                }
                visit::visit_expr_method_call(self, call);
            }
        }
        let mut lengths = Lengths(Vec::new());
        lengths.visit_expr(expr);
        lengths.0.into_iter().for_each(|name| self.queues.entry(name).or_default().is_measured = true);
    }
}

impl<'f> Visit<'f> for Seen<'f> {
    fn visit_item_fn(&mut self, item: &'f syn::ItemFn) {
        self.in_function(&item.sig.ident, |this| visit::visit_item_fn(this, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'f syn::ImplItemFn) {
        self.in_function(&item.sig.ident, |this| visit::visit_impl_item_fn(this, item));
    }

    fn visit_local(&mut self, local: &'f Local) {
        // What is put aside is compared later, or told: either way somebody looks at it.
        local.init.iter().for_each(|init| self.measured(&init.expr));
        let before = self.made.len();
        visit::visit_local(self, local);
        if let [made] = &mut self.made[before..] {
            made.sender = sender(&local.pat);
        }
    }

    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        if is_unbounded(call) {
            self.made.push(Made { span: call.span(), sender: None });
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let name = way(&call.receiver).pop();
        let method = call.method.to_string();
        if let Some(name) = name {
            let function = self.function.clone();
            match method.as_str() {
                "push_back" => self.queues.entry(name).or_default().pushes.push((call.span(), function)),
                "pop_front" => self.queues.entry(name).or_default().pops.push(function),
                "truncate" | "drain" | "split_off" => self.queues.entry(name).or_default().is_measured = true,
                "send" | "unbounded_send" if self.loops > 0 => {
                    self.sends.entry(name).or_insert(call.span());
                }
                _ => {}
            }
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_binary(&mut self, binary: &'f ExprBinary) {
        use syn::BinOp::{Eq, Ge, Gt, Le, Lt, Ne};
        if matches!(binary.op, Eq(_) | Ge(_) | Gt(_) | Le(_) | Lt(_) | Ne(_)) {
            self.measured(&binary.left);
            self.measured(&binary.right);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_loop(&mut self, one: &'f ExprLoop) {
        self.in_loop(|this| visit::visit_expr_loop(this, one));
    }

    fn visit_expr_while(&mut self, one: &'f ExprWhile) {
        self.in_loop(|this| visit::visit_expr_while(this, one));
    }

    fn visit_expr_for_loop(&mut self, one: &'f syn::ExprForLoop) {
        self.in_loop(|this| visit::visit_expr_for_loop(this, one));
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
    fn channels_without_a_bound_are_found() {
        check(
            &RULE,
            r#"
            fn f() {
                let (tx, rx) = tokio::sync::mpsc::unbounded_channel(); //~ unbounded-channel
                let (a, b) = std::sync::mpsc::channel::<u8>(); //~ unbounded-channel
                let (c, d) = flume::unbounded(); //~ unbounded-channel
                let (e, f) = mpsc::channel(16);
                let (g, h) = oneshot::channel();
                let range = (Bound::Unbounded, Bound::Unbounded);
            }
            "#,
        );
    }

    #[test]
    fn a_loop_that_sends_makes_it_surer() {
        let text = "fn f() { let (tx, rx) = unbounded_channel(); spawn(async move { loop { tx.send(read().await) } }); }";
        let one = found(&RULE, text).remove(0);
        assert_eq!((one.confidence, one.notes.len()), (Confidence::Medium, 1));
    }

    #[test]
    fn a_queue_made_by_hand_is_one_too_unless_its_length_is_looked_at() {
        let queue = |push: &str| {
            format!(
                "struct Q {{ lines: Mutex<VecDeque<String>> }}
                 impl Q {{
                     fn push(&self, line: String) {{ {push} }}
                     fn pop(&self) -> Option<String> {{ self.lines.lock().pop_front() }}
                     fn queued(&self) -> usize {{ self.lines.lock().len() }}
                 }}"
            )
        };
        let lines = |push: &str| found(&RULE, &queue(push)).len();
        assert_eq!(lines("self.lines.lock().push_back(line);"), 1);
        assert_eq!(lines("if self.lines.lock().len() < MAX { self.lines.lock().push_back(line); }"), 0);
        assert_eq!(lines("self.lines.lock().push_back(line); self.lines.lock().truncate(MAX);"), 0);
    }

    #[test]
    fn what_one_owner_fills_and_empties_is_not_found() {
        check(
            &RULE,
            r#"
            struct Lane { segments: VecDeque<Segment> }
            impl Lane {
                fn add(&mut self, one: Segment) { self.segments.push_back(one); }
                fn next(&mut self) -> Option<Segment> { self.segments.pop_front() }
            }
            "#,
        );
    }

    #[test]
    fn a_ring_takes_one_out_for_each_that_comes() {
        check(
            &RULE,
            r#"
            struct Ring { last: VecDeque<u8> }
            impl Ring { fn push(&mut self, x: u8) { self.last.pop_front(); self.last.push_back(x); } }
            "#,
        );
    }
}

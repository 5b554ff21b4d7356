//! Queues without a bound: channels, and those that are made by hand of a `VecDeque`.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprBinary, ExprCall, ExprLoop, ExprMethodCall, ExprWhile, Local, Macro, Pat};

use crate::finding::{Confidence, Sink};
use crate::kept::{Keep, Kept};
use crate::names::names_of;
use crate::rule::Rule;
use crate::shape::Function;
use crate::source::SourceFile;
use crate::syntax::{callee, ends_with, variable, way};

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
    let mut seen = Seen {
        file,
        function: String::new(),
        loops: 0,
        made: Vec::new(),
        sends: BTreeMap::new(),
        queues: BTreeMap::new(),
        added: BTreeSet::new(),
        compared: BTreeSet::new(),
    };
    seen.visit_file(&file.ast);
    let functions = file.functions();
    let one_only = |made: &&Made| functions.iter().any(|function| is_for_one_message(file, function, made));
    for made in seen.made.iter().filter(|made| !made.is_asked_for && !one_only(made)) {
        let report = sink.report(made.span, "this channel has no bound");
        if let Some(send) = made.halves.as_ref().and_then(|(sender, _)| seen.sends.get(sender)) {
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
            let is_bounded = queue.is_measured || queue.pushes.iter().all(|(_, pusher)| seen.counts(pusher));
            if is_elsewhere && !is_bounded && is_shared(of, field) {
                let message = format!("`{of}.{field}` is a queue without a bound: nothing looks at its length");
                sink.report(*span, message).confidence(Confidence::Medium);
            }
        }
    }
}

/// A channel that is made.
struct Made {
    span: Span,
    /// The name of its sending half, and of its receiving half.
    halves: Option<(String, String)>,
    /// The function that makes it is called so: who calls it knows.
    is_asked_for: bool,
}

/// Whether `made` is a local of `function` from which a single message is received before it goes, or to which one is sent.
fn is_for_one_message(file: &SourceFile, function: &Function<'_>, made: &Made) -> bool {
    let Some((sender, receiver)) = &made.halves else { return false };
    let mut ends = Ends { file, sender, receiver, made: made.span, is_inside: false, turns: 0, sent: Use::default(), received: Use::default() };
    ends.visit_block(function.block);
    ends.is_inside && (ends.sent.is_one() || ends.received.is_one())
}

/// How often one half of a channel is named, and how often it does its work outside of loops.
#[derive(Default)]
struct Use {
    named: usize,
    once: usize,
}

impl Use {
    /// All that is done with it is to send, or to receive, once.
    fn is_one(&self) -> bool {
        self.named == 1 && self.once == 1
    }
}

/// Looks at what becomes of both halves of a channel in the function that makes it.
struct Ends<'f, 'n> {
    file: &'f SourceFile,
    sender: &'n str,
    receiver: &'n str,
    made: Span,
    is_inside: bool,
    /// Loops, and closures that may be called again.
    turns: usize,
    sent: Use,
    received: Use,
}

impl Ends<'_, '_> {
    fn again(&mut self, visit: impl FnOnce(&mut Self)) {
        self.turns += 1;
        visit(self);
        self.turns -= 1;
    }

    fn name(&mut self, name: &str) {
        self.sent.named += usize::from(name == self.sender);
        self.received.named += usize::from(name == self.receiver);
    }
}

impl<'f> Visit<'f> for Ends<'f, '_> {
    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        self.is_inside |= call.span().byte_range() == self.made.byte_range();
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let name = variable(&call.receiver).filter(|_| self.turns == 0);
        if let Some(name) = name {
            let is = |methods: &[&str]| methods.iter().any(|method| call.method == method);
            self.sent.once += usize::from(name == self.sender && is(&["send"]));
            self.received.once += usize::from(name == self.receiver && is(&["recv", "recv_timeout", "blocking_recv"]));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_path(&mut self, path: &'f syn::ExprPath) {
        path.path.get_ident().into_iter().for_each(|name| self.name(&name.to_string()));
    }

    fn visit_expr_loop(&mut self, one: &'f ExprLoop) {
        self.again(|this| visit::visit_expr_loop(this, one));
    }

    fn visit_expr_while(&mut self, one: &'f ExprWhile) {
        self.again(|this| visit::visit_expr_while(this, one));
    }

    fn visit_expr_for_loop(&mut self, one: &'f syn::ExprForLoop) {
        self.again(|this| visit::visit_expr_for_loop(this, one));
    }

    fn visit_expr_closure(&mut self, one: &'f syn::ExprClosure) {
        self.again(|this| visit::visit_expr_closure(this, one));
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        match self.file.body(mac) {
            Some(body) => body.visit(self),
            None => crate::syntax::idents(mac.tokens.clone()).iter().for_each(|name| self.name(name)),
        }
    }

    /// Items in functions are functions of their own.
    fn visit_item(&mut self, _item: &'f syn::Item) {}
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
    /// Functions, and fields that they add to.
    added: BTreeSet<(String, String)>,
    /// Functions, and fields that they compare with something.
    compared: BTreeSet<(String, String)>,
}

/// The field that `expr` is: `self.bytes`.
fn field(expr: &Expr) -> Option<String> {
    matches!(expr, Expr::Field(_)).then(|| way(expr).pop())?
}

/// Functions that make channels without a bound.
fn is_unbounded(call: &ExprCall) -> bool {
    let Some(path) = callee(call) else { return false };
    let name = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
    let of_std = ends_with(path, &["mpsc", "channel"]) && call.args.is_empty();
    let is_named = matches!(name.as_str(), "unbounded_channel" | "unbounded");
    (of_std || is_named) && call.args.is_empty()
}

/// `let (sender, mut receiver) =`.
fn halves(pat: &Pat) -> Option<(String, String)> {
    match &names_of(pat)[..] {
        [sender, receiver] => Some((sender.clone(), receiver.clone())),
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

    /// Whether `function` counts what it puts in, by bytes for example, and compares the number with something.
    fn counts(&self, function: &str) -> bool {
        self.added.intersection(&self.compared).any(|(of, _)| of == function)
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
            made.halves = halves(&local.pat);
        }
    }

    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        if is_unbounded(call) {
            let is_asked_for = self.function.starts_with("unbounded");
            self.made.push(Made { span: call.span(), halves: None, is_asked_for });
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
        use syn::BinOp::{AddAssign, Eq, Ge, Gt, Le, Lt, Ne};
        if matches!(binary.op, Eq(_) | Ge(_) | Gt(_) | Le(_) | Lt(_) | Ne(_)) {
            self.measured(&binary.left);
            self.measured(&binary.right);
            let fields = [&binary.left, &binary.right].into_iter().filter_map(|side| field(side));
            self.compared.extend(fields.map(|field| (self.function.clone(), field)));
        }
        if let (AddAssign(_), Some(field)) = (&binary.op, field(&binary.left)) {
            self.added.insert((self.function.clone(), field));
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
    fn a_channel_for_one_message_and_one_that_is_asked_for_are_not() {
        check(
            &RULE,
            r#"
            fn ask(&self) -> u8 {
                let (answer, mut answered) = mpsc::channel();
                thread::spawn(|| run(answer));
                answered.recv().expect("an answer")
            }
            fn connect() -> Connection {
                let (close, closed) = std::sync::mpsc::channel();
                tokio::spawn(async move { let end = drive().await; close.send(end).ok(); });
                Connection { closed }
            }
            fn unbounded() -> Pair { let (a, b) = mpsc::unbounded_channel(); Pair { a, b } }
            fn all() -> u8 {
                let (answer, answered) = mpsc::channel(); //~ unbounded-channel
                for n in 0..9 { thread::spawn(|| run(answer.clone())); }
                loop { answered.recv(); }
            }
            fn each() -> Each {
                let (event, events) = mpsc::channel(); //~ unbounded-channel
                on_event(move |one| event.send(one));
                Each { events }
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
        assert_eq!(lines("self.bytes += line.len(); self.lines.lock().push_back(line); self.wants = self.bytes < MAX;"), 0);
        assert_eq!(lines("self.lines.lock().push_back(line); self.wants = self.bytes < line.max;"), 1);
        assert_eq!(lines("if line.capacity() > BYTES_MAX { self.lines.lock().push_back(line); }"), 1);
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

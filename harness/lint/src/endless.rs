//! Tasks that do not end by themselves: loops without a way out, waits for something that may never come.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprAwait, ExprCall, ExprMatch, Macro, Pat, Stmt};

use crate::finding::Confidence;
use crate::macros::MacroBody;
use crate::shape::Function;
use crate::source::SourceFile;
use crate::syntax::{callee, idents, strip};
use crate::task::{Names, Spawn};

/// Calls that are followed into functions of the same file.
const CALLS_MAX: usize = 4;

/// Words of what tells a task to end.
const WATCHED: &[&str] = &[
    "cancel",
    "shutdown",
    "shut_down",
    "stop",
    "closed",
    "abort",
    "quit",
    "kill",
    "terminat",
    "exit",
    "drain",
    "graceful",
];

/// Calls that end what they are given.
const BOUNDING: &[&str] = &[
    "timeout",
    "timeout_at",
    "run",
    "run_until_cancelled",
    "run_until_cancelled_owned",
    "run_until",
    "abortable",
    "select",
    "race",
    "take_until",
    "with_graceful_shutdown",
    "until",
];

/// Why a task goes on.
#[derive(Debug, Clone)]
pub struct Endless {
    /// The loop, or the wait.
    pub span: Span,
    /// In words.
    pub why: &'static str,
    /// How sure that is.
    pub confidence: Confidence,
}

/// Whether `word` is one of something that ends a task.
pub fn is_watched(word: &str) -> bool {
    let word = word.to_lowercase();
    WATCHED.iter().any(|part| word.contains(part))
}

/// The block that `task` runs, as far as the file shows it.
pub fn body<'a>(task: &'a Expr, names: &Names<'a>) -> Option<&'a Block> {
    match bare(task) {
        Expr::Async(block) => Some(&block.block),
        call => names.called(call).map(|called| called.block),
    }
}

/// `task` without what is wrapped around it: `task.instrument(span)`.
pub fn bare(task: &Expr) -> &Expr {
    match strip(task) {
        Expr::MethodCall(call) if WRAPPERS.iter().any(|name| call.method == name) => bare(&call.receiver),
        task => task,
    }
}

/// Methods whose future ends with the one that they are called on.
const WRAPPERS: &[&str] =
    &["instrument", "in_current_span", "or_current", "boxed", "boxed_local", "map", "with_subscriber"];

/// What keeps `spawn`'s task alive, if anything can be seen that does.
pub fn endless<'a>(file: &'a SourceFile, spawn: &Spawn<'a>, names: &Names<'a>) -> Option<Endless> {
    let block = body(spawn.task, names)?;
    in_block(file, block, names, CALLS_MAX).or_else(|| rearms(block, &spawn.function))
}

fn in_block<'a>(file: &'a SourceFile, block: &'a Block, names: &Names<'a>, calls: usize) -> Option<Endless> {
    let mut visitor = Waits { file, names, calls, found: None };
    visitor.visit_block(block);
    visitor.found
}

/// A task whose last step is to start the next one: `arm(..)` in `fn arm`.
fn rearms(block: &Block, own: &Function<'_>) -> Option<Endless> {
    let last = block.stmts.iter().rev().find_map(|stmt| match stmt {
        Stmt::Expr(expr, _) => Some(expr),
        _ => None,
    })?;
    let name = match strip(last) {
        // A method has no bare name: in `fn spawn(&self)`, `spawn(..)` is another function.
        Expr::Call(call) if own.of.is_some() && callee(call)?.segments.len() == 1 => return None,
        Expr::Call(call) => callee(call)?.segments.last()?.ident.to_string(),
        Expr::MethodCall(call) => call.method.to_string(),
        _ => return None,
    };
    let why = "the task ends by starting the next one, whatever became of it";
    (name == own.name()).then(|| Endless { span: last.span(), why, confidence: Confidence::High })
}

struct Waits<'a, 'n> {
    file: &'a SourceFile,
    names: &'n Names<'a>,
    calls: usize,
    found: Option<Endless>,
}

impl<'a> Waits<'a, '_> {
    fn found(&mut self, span: Span, why: &'static str, confidence: Confidence) {
        let is_surer = self.found.as_ref().is_none_or(|found| found.confidence < confidence);
        if is_surer {
            self.found = Some(Endless { span, why, confidence });
        }
    }

    fn turn(&mut self, span: Span, body: &'a Block, is_plain_loop: bool) {
        let turns = Turns::of(self.file, body);
        if turns.is_watching || turns.leaves || !turns.waits {
            return;
        }
        if is_plain_loop {
            let why =
                "a `loop` that nothing leaves: no `break`, no `return`, and no branch that is told to end";
            self.found(span, why, Confidence::High);
        } else if turns.notified {
            let why = "a loop that waits for a notification each time, and for ever for one that was missed";
            self.found(span, why, Confidence::Medium);
        } else if turns.ignores_send {
            let why =
                "a loop that ignores a failed send, which is how it would learn that nobody listens any more";
            self.found(span, why, Confidence::Low);
        }
    }
}

impl<'a> Visit<'a> for Waits<'a, '_> {
    // Another task's, or a future that something else may bound.
    fn visit_expr_async(&mut self, _block: &'a syn::ExprAsync) {}
    fn visit_expr_closure(&mut self, _closure: &'a syn::ExprClosure) {}
    fn visit_item(&mut self, _item: &'a syn::Item) {}

    fn visit_expr_loop(&mut self, one: &'a syn::ExprLoop) {
        self.turn(one.loop_token.span, &one.body, true);
        visit::visit_expr_loop(self, one);
    }

    fn visit_expr_while(&mut self, one: &'a syn::ExprWhile) {
        let is_true =
            matches!(&*one.cond, Expr::Lit(lit) if matches!(&lit.lit, syn::Lit::Bool(value) if value.value));
        let mut condition = Turns::new(self.file);
        condition.visit_expr(&one.cond);
        if !condition.is_watching {
            self.turn(one.while_token.span, &one.body, is_true);
        }
        visit::visit_expr_while(self, one);
    }

    fn visit_expr_for_loop(&mut self, one: &'a syn::ExprForLoop) {
        self.turn(one.for_token.span, &one.body, false);
        visit::visit_expr_for_loop(self, one);
    }

    fn visit_expr_match(&mut self, one: &'a ExprMatch) {
        if let (Expr::Await(wait), true) = (strip(&one.expr), one.arms.is_empty()) {
            let why = "it waits for a future that has no value to end with, and nothing else can end it";
            if !is_bounded(&wait.base) {
                self.found(one.span(), why, Confidence::High);
            }
        }
        visit::visit_expr_match(self, one);
    }

    fn visit_expr_await(&mut self, wait: &'a ExprAwait) {
        if is_bounded(&wait.base) {
            return;
        }
        if let Expr::Call(call) = strip(&wait.base)
            && is_copy(call)
        {
            let why = "it copies until a peer hangs up, and one that has vanished never does";
            self.found(call.func.span(), why, Confidence::Medium);
        }
        if let Some(called) = self.names.called(&wait.base).filter(|_| self.calls > 0)
            && called.signature.asyncness.is_some()
        {
            let found = in_block(self.file, called.block, self.names, self.calls - 1);
            found.into_iter().for_each(|found| self.found(found.span, found.why, found.confidence));
        }
        visit::visit_expr_await(self, wait);
    }

    // The other branches may end a `select!`; what is done in a branch is done by this task.
    fn visit_macro(&mut self, mac: &'a Macro) {
        match self.file.body(mac) {
            Some(MacroBody::Select(select)) => {
                select.arms.iter().for_each(|arm| self.visit_expr(&arm.handler))
            }
            Some(body) => body.visit(self),
            None => {}
        }
    }
}

/// `timeout(..)`, `token.run(..)`.
fn is_bounded(expr: &Expr) -> bool {
    match strip(expr) {
        Expr::Call(call) => callee(call)
            .and_then(|path| path.segments.last())
            .is_some_and(|last| BOUNDING.iter().any(|name| last.ident == name)),
        Expr::MethodCall(call) => {
            BOUNDING.iter().any(|name| call.method == name) || is_bounded(&call.receiver)
        }
        _ => false,
    }
}

fn is_copy(call: &ExprCall) -> bool {
    let copies = ["copy", "copy_buf", "copy_bidirectional"];
    callee(call).is_some_and(|path| {
        copies.iter().any(|name| path.segments.last().is_some_and(|last| last.ident == name))
    })
}

/// Whether a loop with this `body` is left anywhere in it, or watches something that tells it to end.
pub fn has_way_out(file: &SourceFile, body: &Block) -> bool {
    let turns = Turns::of(file, body);
    turns.leaves || turns.is_watching
}

/// What one turn of a loop does.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was seen")]
struct Turns<'a> {
    file: &'a SourceFile,
    depth: usize,
    waits: bool,
    leaves: bool,
    is_watching: bool,
    notified: bool,
    ignores_send: bool,
}

impl<'a> Turns<'a> {
    fn new(file: &'a SourceFile) -> Self {
        Self {
            file,
            depth: 0,
            waits: false,
            leaves: false,
            is_watching: false,
            notified: false,
            ignores_send: false,
        }
    }

    fn of(file: &'a SourceFile, body: &'a Block) -> Self {
        let mut turns = Self::new(file);
        turns.visit_block(body);
        turns
    }

    fn inner(&mut self, visit: impl FnOnce(&mut Self)) {
        self.depth += 1;
        visit(self);
        self.depth -= 1;
    }
}

impl<'a> Visit<'a> for Turns<'a> {
    fn visit_expr_async(&mut self, _block: &'a syn::ExprAsync) {}
    fn visit_expr_closure(&mut self, _closure: &'a syn::ExprClosure) {}
    fn visit_item(&mut self, _item: &'a syn::Item) {}

    fn visit_ident(&mut self, ident: &'a proc_macro2::Ident) {
        self.is_watching |= is_watched(&ident.to_string());
        self.notified |= ident == "notified";
    }

    fn visit_expr_await(&mut self, wait: &'a ExprAwait) {
        self.waits = true;
        visit::visit_expr_await(self, wait);
    }

    fn visit_expr_break(&mut self, one: &'a syn::ExprBreak) {
        self.leaves |= self.depth == 0 || one.label.is_some();
        visit::visit_expr_break(self, one);
    }

    fn visit_expr_return(&mut self, _one: &'a syn::ExprReturn) {
        self.leaves = true;
    }

    fn visit_expr_try(&mut self, _one: &'a syn::ExprTry) {
        self.leaves = true;
    }

    fn visit_expr_loop(&mut self, one: &'a syn::ExprLoop) {
        self.inner(|this| visit::visit_expr_loop(this, one));
    }

    fn visit_expr_while(&mut self, one: &'a syn::ExprWhile) {
        self.inner(|this| visit::visit_expr_while(this, one));
    }

    fn visit_expr_for_loop(&mut self, one: &'a syn::ExprForLoop) {
        self.inner(|this| visit::visit_expr_for_loop(this, one));
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        if let (Pat::Wild(_), Some(init)) = (&local.pat, &local.init) {
            self.ignores_send |= is_send(&init.expr);
        }
        visit::visit_local(self, local);
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        match self.file.body(mac) {
            Some(body) => {
                self.waits |= matches!(body, MacroBody::Select(_));
                body.visit(self);
            }
            None => {
                let words = idents(mac.tokens.clone());
                self.leaves |= words.iter().any(|word| word == "return" || word == "break");
                self.waits |= words.iter().any(|word| word == "await");
            }
        }
    }
}

fn is_send(expr: &Expr) -> bool {
    match strip(expr) {
        Expr::Await(wait) => is_send(&wait.base),
        Expr::MethodCall(call) => call.method == "send" || call.method == "try_send",
        _ => false,
    }
}

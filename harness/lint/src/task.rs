//! Spawned tasks: what is spawned, what becomes of the handle, and whether the task ever ends by itself.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprCall, ExprMethodCall, Local, Macro, Pat, Stmt};

use crate::shape::Function;
use crate::source::SourceFile;
use crate::syntax::{callee, ends_with, strip};

/// Who starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spawner {
    /// `tokio::spawn` and its like: what holds the task is the handle that is returned.
    Runtime,
    /// A `JoinSet` or a runtime's scope by name: ends its tasks when it is dropped.
    Set,
    /// Something of the crate's own, or a `TaskTracker`: it counts its tasks, and cannot end them.
    Own,
}

/// One spawn.
#[derive(Clone, Copy)]
pub struct Spawn<'a> {
    /// Where it is told from: `tokio::spawn`, or the method's name.
    pub span: Span,
    /// By whom.
    pub spawner: Spawner,
    /// What is to run.
    pub task: &'a Expr,
    /// Whether nobody has the handle: `tokio::spawn(..);`.
    pub is_dropped: bool,
    /// Whether it stands in a loop of its function.
    pub in_loop: Option<LoopKind>,
    /// The function that it stands in.
    pub function: Function<'a>,
}

/// What a loop turns on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopKind {
    /// The clock: `tick`, `sleep`.
    Clock,
    /// `accept`.
    Accept,
    /// Anything else.
    Other,
}

/// The functions of a file, by name. A name that several have is none.
pub struct Names<'a>(BTreeMap<String, Option<Function<'a>>>);

impl<'a> Names<'a> {
    /// Of `functions`.
    pub fn of(functions: &[Function<'a>]) -> Self {
        let mut names: BTreeMap<String, Option<Function<'a>>> = BTreeMap::new();
        for function in functions {
            let is_new = !names.contains_key(&function.name());
            names.insert(function.name(), is_new.then_some(*function));
        }
        Self(names)
    }

    /// The function that `call` calls, if it is one of the file's.
    pub fn called(&self, call: &Expr) -> Option<Function<'a>> {
        let name = match strip(call) {
            Expr::Call(call) => callee(call)?.segments.last()?.ident.to_string(),
            Expr::MethodCall(call) => call.method.to_string(),
            _ => return None,
        };
        *self.0.get(&name)?
    }
}

/// Every spawn of `file`.
pub fn spawns(file: &SourceFile) -> Vec<Spawn<'_>> {
    let has_bare_spawn = ["use tokio::spawn", "use tokio::task::spawn", "use tokio::{spawn"]
        .iter()
        .any(|text| file.text.contains(text));
    let mut found = Vec::new();
    for function in file.functions() {
        let mut visitor =
            Spawns { file, has_bare_spawn, function, loops: Vec::new(), dropped: None, found: &mut found };
        visitor.visit_block(function.block);
    }
    found
}

struct Spawns<'a, 'o> {
    file: &'a SourceFile,
    has_bare_spawn: bool,
    function: Function<'a>,
    loops: Vec<LoopKind>,
    /// The call whose value nobody takes.
    dropped: Option<Span>,
    found: &'o mut Vec<Spawn<'a>>,
}

impl<'a> Spawns<'a, '_> {
    fn add(&mut self, span: Span, spawner: Spawner, task: &'a Expr, call: Span) {
        let is_dropped = self.dropped.is_some_and(|dropped| same(dropped, call));
        let in_loop = self.loops.last().copied();
        self.found.push(Spawn { span, spawner, task, is_dropped, in_loop, function: self.function });
    }

    fn in_loop(&mut self, kind: LoopKind, body: impl FnOnce(&mut Self)) {
        self.loops.push(kind);
        body(self);
        self.loops.pop();
    }
}

fn same(one: Span, other: Span) -> bool {
    one.byte_range() == other.byte_range()
}

const SPAWNS: &[&str] = &["spawn", "spawn_local", "spawn_on", "spawn_local_on"];

/// `tokio::spawn`, and not `thread::spawn`.
fn is_runtime(call: &ExprCall, has_bare_spawn: bool) -> bool {
    let owners = ["tokio", "task", "async_std", "rt", "actix_rt", "smol", "runtime"];
    callee(call).is_some_and(|path| match path.segments.len() {
        1 => has_bare_spawn && path.is_ident("spawn"),
        _ => SPAWNS.iter().any(|name| owners.iter().any(|owner| ends_with(path, &[owner, name]))),
    })
}

/// By the name of what `spawn` is called on: no types are known here.
fn spawner_of(call: &ExprMethodCall) -> Spawner {
    if let Expr::Call(call) = strip(&call.receiver)
        && callee(call).is_some_and(|path| ends_with(path, &["Handle", "current"]))
    {
        return Spawner::Runtime;
    }
    let way = crate::syntax::way(&call.receiver);
    let name = way.last().map_or("", String::as_str);
    match name {
        "rt" | "runtime" | "handle" | "rt_handle" | "tokio_handle" => Spawner::Runtime,
        _ if name.contains("set") || name.contains("joins") || name == "scope" => Spawner::Set,
        _ => Spawner::Own,
    }
}

impl<'a> Visit<'a> for Spawns<'a, '_> {
    // Functions in functions are functions of their own.
    fn visit_item(&mut self, _item: &'a syn::Item) {}

    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        let outer = self.dropped.take();
        self.dropped = match stmt {
            Stmt::Expr(expr, Some(_)) => Some(dropped(expr).span()),
            Stmt::Local(local) => nobody(local).map(|expr| dropped(expr).span()),
            _ => None,
        };
        visit::visit_stmt(self, stmt);
        self.dropped = outer;
    }

    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        if is_runtime(call, self.has_bare_spawn)
            && let Some(task) = call.args.first()
        {
            self.add(call.func.span(), Spawner::Runtime, task, call.span());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a ExprMethodCall) {
        let is_spawn = SPAWNS.iter().any(|name| call.method == name);
        let task = call.args.iter().find(|arg| is_future(arg)).or(call.args.last());
        if let Some(task) = task.filter(|task| is_spawn && !matches!(strip(task), Expr::Closure(_))) {
            self.add(call.method.span(), spawner_of(call), task, call.span());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_loop(&mut self, one: &'a syn::ExprLoop) {
        let kind = kind_of(&one.body, None);
        self.in_loop(kind, |this| visit::visit_expr_loop(this, one));
    }

    fn visit_expr_while(&mut self, one: &'a syn::ExprWhile) {
        let kind = kind_of(&one.body, Some(&one.cond));
        self.in_loop(kind, |this| visit::visit_expr_while(this, one));
    }

    fn visit_expr_async(&mut self, block: &'a syn::ExprAsync) {
        // Its own loops count, those around it turn once for it.
        let outer = std::mem::take(&mut self.loops);
        visit::visit_expr_async(self, block);
        self.loops = outer;
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }
}

fn is_future(expr: &Expr) -> bool {
    matches!(strip(expr), Expr::Async(_))
}

/// `drop(x)` is `x`.
fn dropped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Call(call)
            if call.args.len() == 1 && callee(call).is_some_and(|path| ends_with(path, &["drop"])) =>
        {
            &call.args[0]
        }
        _ => expr,
    }
}

/// What `let _ = x` and `let _handle = x` drop.
fn nobody(local: &Local) -> Option<&Expr> {
    let is_nobody = match &local.pat {
        Pat::Wild(_) => true,
        Pat::Ident(name) => name.ident.to_string().starts_with('_'),
        _ => false,
    };
    local.init.as_ref().filter(|_| is_nobody).map(|init| &*init.expr)
}

fn kind_of(body: &Block, condition: Option<&Expr>) -> LoopKind {
    let mut words = Words::default();
    condition.into_iter().for_each(|expr| words.visit_expr(expr));
    words.visit_block(body);
    let has = |names: &[&str]| words.words.iter().any(|word| names.contains(&word.as_str()));
    match () {
        () if has(&["accept"]) => LoopKind::Accept,
        () if has(&["tick", "sleep", "sleep_until"]) => LoopKind::Clock,
        () => LoopKind::Other,
    }
}

/// Every identifier of what is visited, but for what stands in async blocks of its own.
#[derive(Default)]
pub struct Words {
    /// In order.
    pub words: Vec<String>,
}

impl Words {
    /// Those of `block`.
    pub fn of(block: &Block) -> Vec<String> {
        let mut words = Self::default();
        words.visit_block(block);
        words.words
    }
}

impl<'a> Visit<'a> for Words {
    fn visit_ident(&mut self, ident: &'a proc_macro2::Ident) {
        self.words.push(ident.to_string());
    }

    fn visit_expr_async(&mut self, _block: &'a syn::ExprAsync) {}

    fn visit_macro(&mut self, mac: &'a Macro) {
        self.words.extend(crate::syntax::idents(mac.tokens.clone()));
    }
}

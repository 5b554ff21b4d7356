//! A task that waits for the end of a channel which it holds open itself.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Arm, Block, Expr, ExprCall, ExprForLoop, ExprLoop, ExprMethodCall, ExprStruct, ExprWhile, Local, Macro, Pat, Token};

use crate::chain::{Chain, Step};
use crate::finding::{Confidence, Sink};
use crate::macros::MacroBody;
use crate::names::{mentioned, names_of};
use crate::rule::Rule;
use crate::shape::Function;
use crate::source::SourceFile;
use crate::syntax::callee;

pub(super) const RULE: Rule = Rule {
    name: "task-owns-its-sender",
    title: "a task waits for the end of a channel whose sender it owns",
    why: "`recv` gives `None` when the last sender is gone; the one that the receiving task holds goes when the task ends, so never",
    hint: "give the task a `WeakSender` (`sender.downgrade()`), drop its sender before the loop, or end the loop with a token",
    confidence: Confidence::High,
    scenario: "config-reload",
    page: include_str!("../../rules/task-owns-its-sender.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    if !file.text.contains("channel") {
        return;
    }
    let functions = file.functions();
    for function in &functions {
        for channel in channels(file, function) {
            let mut seen = Seen { file, functions: &functions, channel: &channel, sink };
            seen.visit_block(function.block);
        }
    }
}

/// `let (sender, receiver) = mpsc::channel(16);`
struct Channel {
    /// The sender's name, and those of its clones.
    senders: Vec<String>,
    receiver: String,
}

fn channels(file: &SourceFile, function: &Function<'_>) -> Vec<Channel> {
    let mut made = Made { file, channels: Vec::new() };
    made.visit_block(function.block);
    made.channels
}

struct Made<'f> {
    file: &'f SourceFile,
    channels: Vec<Channel>,
}

/// Channels whose receivers wait until every sender is gone. Those of `watch` and `broadcast` are often kept open on purpose.
const MAKE: &[&str] = &["channel", "unbounded_channel", "sync_channel", "unbounded", "bounded"];
const OTHERS: &[&str] = &["watch", "broadcast", "oneshot"];

fn makes_channel(init: &Expr) -> bool {
    let Expr::Call(call) = init else { return false };
    let Some(path) = callee(call) else { return false };
    let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    names.last().is_some_and(|last| MAKE.contains(&last.as_str())) && !names.iter().any(|name| OTHERS.contains(&name.as_str()))
}

impl<'f> Visit<'f> for Made<'f> {
    fn visit_local(&mut self, local: &'f Local) {
        visit::visit_local(self, local);
        let Some(init) = &local.init else { return };
        if makes_channel(&init.expr) {
            if let [sender, receiver] = &names_of(&local.pat)[..] {
                self.channels.push(Channel { senders: vec![sender.clone()], receiver: receiver.clone() });
            }
        } else if let Pat::Ident(name) = &local.pat {
            self.cloned(&name.ident.to_string(), &init.expr);
        }
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

impl Made<'_> {
    fn cloned(&mut self, name: &str, init: &Expr) {
        let chain = Chain::of(init);
        let Some(root) = chain.root().filter(|_| chain.0.len() == 2 && chain.last_call() == Some("clone")) else { return };
        if let Some(channel) = self.channels.iter_mut().find(|channel| channel.senders.iter().any(|one| one == root)) {
            channel.senders.push(name.to_owned());
        }
    }
}

/// Looks for who gets both ends of one channel.
struct Seen<'s, 'f, 'r> {
    file: &'f SourceFile,
    functions: &'s [Function<'f>],
    channel: &'s Channel,
    sink: &'s mut Sink<'r>,
}

impl<'f> Seen<'_, 'f, '_> {
    /// The sender that `names` mention, if they mention one.
    fn sender(&self, look: impl FnOnce(&mut crate::names::Mentions)) -> Option<&str> {
        let names = mentioned(look);
        self.channel.senders.iter().find(|sender| names.contains(*sender)).map(String::as_str)
    }

    /// A task: `spawn(async move { .. })`.
    fn task(&mut self, block: &'f Block) {
        let mut kept = Undropped { dropped: Vec::new() };
        kept.visit_block(block);
        let Some(sender) = self.sender(|names| names.visit_block(block)).map(str::to_owned) else { return };
        if kept.dropped.contains(&sender) {
            return;
        }
        let receiver = self.channel.receiver.as_str();
        let mut receives = Receives::new(self.file, |chain| chain.root() == Some(receiver));
        receives.visit_block(block);
        if let Some(span) = receives.found.first() {
            let message = format!("this task waits until every sender of `{receiver}` is gone, and owns `{sender}`");
            self.sink.report(*span, message);
        }
    }

    /// Whether some function takes the type apart and drops the sender before it waits.
    fn is_dropped(&self, sender: &syn::Member) -> bool {
        let mut kept = Undropped { dropped: Vec::new() };
        self.functions.iter().for_each(|function| kept.visit_block(function.block));
        matches!(sender, syn::Member::Named(name) if kept.dropped.contains(&name.to_string()))
    }

    /// `Worker { jobs: receiver, again: sender.clone() }`.
    fn type_of_both(&mut self, one: &'f ExprStruct) {
        let field_with = |wanted: &[String]| {
            one.fields.iter().find(|field| {
                let names = mentioned(|names| names.visit_expr(&field.expr));
                names.iter().any(|name| wanted.contains(name)) && !names.contains("downgrade")
            })
        };
        let Some(receiver) = field_with(std::slice::from_ref(&self.channel.receiver)) else { return };
        let Some(sender) = field_with(&self.channel.senders) else { return };
        if self.is_dropped(&sender.member) {
            return;
        }
        let syn::Member::Named(field) = &receiver.member else { return };
        let field = field.to_string();
        let mut receives = Receives::new(self.file, |chain| {
            chain.0.iter().any(|step| matches!(step, Step::Name(name) | Step::Call(name) if *name == field))
        });
        self.functions.iter().for_each(|function| receives.visit_block(function.block));
        if let Some(span) = receives.found.first() {
            let name = one.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
            let message = format!("`{name}` gets both ends of a channel: whoever receives from `{field}` never sees its end");
            let found = self.sink.report(sender.span(), message);
            found.confidence(Confidence::Medium).note(*span, "received here");
        }
    }
}

impl<'f> Visit<'f> for Seen<'_, 'f, '_> {
    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        let name = callee(call).and_then(|path| path.segments.last());
        if name.is_some_and(|name| name.ident.to_string().contains("spawn")) {
            call.args.iter().for_each(|arg| bodies(arg).into_iter().for_each(|block| self.task(block)));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        if call.method.to_string().contains("spawn") {
            call.args.iter().for_each(|arg| bodies(arg).into_iter().for_each(|block| self.task(block)));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_struct(&mut self, one: &'f ExprStruct) {
        self.type_of_both(one);
        visit::visit_expr_struct(self, one);
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

/// The body of a task: `async move { .. }`, be it behind `.instrument(..)`, or `move || { .. }` of a thread.
fn bodies(arg: &Expr) -> Option<&Block> {
    match arg {
        Expr::Async(task) => Some(&task.block),
        Expr::MethodCall(call) => bodies(&call.receiver),
        Expr::Closure(closure) => match &*closure.body {
            Expr::Block(block) => Some(&block.block),
            _ => None,
        },
        _ => None,
    }
}

/// Variables that are dropped by name.
struct Undropped {
    dropped: Vec<String>,
}

impl<'f> Visit<'f> for Undropped {
    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        if callee(call).is_some_and(|path| crate::syntax::ends_with(path, &["drop"])) {
            self.dropped.extend(call.args.first().and_then(crate::syntax::variable).map(ToString::to_string));
        }
        visit::visit_expr_call(self, call);
    }
}

/// What waits for something from a channel.
const RECEIVE: &[&str] =
    &["recv", "blocking_recv", "recv_many", "poll_recv", "poll_recv_many", "next", "poll_next", "iter", "into_iter"];

/// Looks for waits on a channel that nothing but the channel's end ends.
struct Receives<'f, F> {
    file: &'f SourceFile,
    is_it: F,
    /// Something else may end the loop that is looked at.
    ends: bool,
    found: Vec<Span>,
}

impl<'f, F: Fn(&Chain) -> bool> Receives<'f, F> {
    fn new(file: &'f SourceFile, is_it: F) -> Self {
        Self { file, is_it, ends: false, found: Vec::new() }
    }

    fn is_receive(&self, expr: &Expr) -> bool {
        let chain = Chain::of(expr);
        (self.is_it)(&chain) && chain.calls().any(|call| RECEIVE.contains(&call))
    }

    /// Looks at a loop's body, from which `exits` lead out.
    fn within(&mut self, body: &'f Block) {
        let outer = self.ends;
        self.ends = outer || self.has_exit(body);
        self.visit_block(body);
        self.ends = outer;
    }

    /// What is given to a function may be cut short there: `timeout(LONG, receiver.recv())`.
    fn handed_over(&mut self, args: &'f Punctuated<Expr, Token![,]>) {
        let outer = std::mem::replace(&mut self.ends, true);
        args.iter().for_each(|arg| self.visit_expr(arg));
        self.ends = outer;
    }

    fn has_exit(&self, body: &'f Block) -> bool {
        let mut exits = Exits { receives: self, is_inner: false, found: false };
        exits.visit_block(body);
        exits.found
    }
}

impl<'f, F: Fn(&Chain) -> bool> Visit<'f> for Receives<'f, F> {
    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        if !self.ends && RECEIVE.iter().any(|name| call.method == name) && (self.is_it)(&Chain::of(&call.receiver)) {
            self.found.push(call.method.span());
        }
        self.visit_expr(&call.receiver);
        self.handed_over(&call.args);
    }

    fn visit_expr_while(&mut self, one: &'f ExprWhile) {
        let outer = self.ends;
        self.ends = outer || self.has_exit(&one.body);
        self.visit_expr(&one.cond);
        self.ends = outer;
        self.within(&one.body);
    }

    fn visit_expr_loop(&mut self, one: &'f ExprLoop) {
        self.within(&one.body);
    }

    fn visit_expr_for_loop(&mut self, one: &'f ExprForLoop) {
        let has_exit = self.has_exit(&one.body);
        let chain = Chain::of(&one.expr);
        if !self.ends && !has_exit && chain.is_variable() && (self.is_it)(&chain) {
            self.found.push(one.expr.span());
        }
        visit::visit_expr_for_loop(self, one);
    }

    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        self.handed_over(&call.args);
    }

    /// Another branch may end what this one does not.
    fn visit_macro(&mut self, mac: &'f Macro) {
        let Some(body) = self.file.body(mac) else { return };
        let outer = self.ends;
        self.ends = outer || matches!(body, MacroBody::Select(select) if select.arms.len() > 1);
        body.visit(self);
        self.ends = outer;
    }

    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

/// Looks for a way out of a loop other than the end of the channel.
struct Exits<'e, 'f, F> {
    receives: &'e Receives<'f, F>,
    /// In a loop of its own: a `break` leads no further.
    is_inner: bool,
    found: bool,
}

impl<'f, F: Fn(&Chain) -> bool> Exits<'_, 'f, F> {
    fn inner(&mut self, look: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.is_inner, true);
        look(self);
        self.is_inner = outer;
    }
}

impl<'f, F: Fn(&Chain) -> bool> Visit<'f> for Exits<'_, 'f, F> {
    fn visit_expr_break(&mut self, one: &'f syn::ExprBreak) {
        self.found |= !self.is_inner || one.label.is_some();
    }

    fn visit_expr_return(&mut self, _one: &'f syn::ExprReturn) {
        self.found = true;
    }

    fn visit_expr_try(&mut self, _one: &'f syn::ExprTry) {
        self.found = true;
    }

    /// `let Some(job) = receiver.recv().await else { return };` is the channel's end.
    fn visit_local(&mut self, local: &'f Local) {
        match &local.init {
            Some(init) if self.receives.is_receive(&init.expr) => {}
            _ => visit::visit_local(self, local),
        }
    }

    /// So is the arm for `None`.
    fn visit_arm(&mut self, arm: &'f Arm) {
        let is_none = matches!(&arm.pat, Pat::Ident(name) if name.ident == "None");
        if !is_none {
            visit::visit_arm(self, arm);
        }
    }

    fn visit_expr_while(&mut self, one: &'f ExprWhile) {
        self.inner(|exits| visit::visit_expr_while(exits, one));
    }

    fn visit_expr_loop(&mut self, one: &'f ExprLoop) {
        self.inner(|exits| visit::visit_expr_loop(exits, one));
    }

    fn visit_expr_for_loop(&mut self, one: &'f ExprForLoop) {
        self.inner(|exits| visit::visit_expr_for_loop(exits, one));
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.receives.file.body(mac) {
            body.visit(self);
        }
    }

    fn visit_expr_closure(&mut self, _closure: &'f syn::ExprClosure) {}

    fn visit_expr_async(&mut self, _task: &'f syn::ExprAsync) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    /// A task with `body`, which has the receiver and, if it mentions it, the sender.
    fn task(body: &str) -> String {
        format!(
            "fn start(tasks: &Tasks) -> Sender<Job> {{
                let (sender, mut receiver) = mpsc::channel(16);
                let again = sender.clone();
                let weak = sender.downgrade();
                tasks.spawn(async move {{
                    {body}
                }});
                sender
            }}"
        )
    }

    #[test]
    fn a_loop_that_only_the_channel_ends_is_found_in_every_form() {
        for body in [
            "while let Some(job) = receiver.recv().await { again.send(job).await.ok(); } //~ task-owns-its-sender",
            "while let Some(job) = receiver.recv().await { for one in job { break; } info!(?again); } //~ task-owns-its-sender",
            "keep(&again); loop { let Some(job) = receiver.recv().await else { return }; } //~ task-owns-its-sender",
            "loop { match receiver.recv().await { Some(job) => again.send(job), None => break } } //~ task-owns-its-sender",
        ] {
            check(&RULE, &task(body));
        }
    }

    #[test]
    fn a_task_that_ends_otherwise_or_has_no_sender_is_not() {
        for body in [
            "while let Some(job) = receiver.recv().await { carry_out(job); }",
            "while let Some(job) = receiver.recv().await { weak.upgrade(); }",
            "drop(again); while let Some(job) = receiver.recv().await { carry_out(job); }",
            "while let Some(job) = receiver.recv().await { again.send(job)?; }",
            "while let Some(job) = receiver.recv().await { if job.is_last() { break; } keep(&again); }",
            "while let Ok(Some(job)) = timeout(LONG, receiver.recv()).await { keep(&again); }",
            "loop { select! { job = receiver.recv() => keep(&again), () = stop.cancelled() => return } }",
        ] {
            check(&RULE, &task(body));
        }
    }

    #[test]
    fn a_type_that_gets_both_ends_is_found() {
        check(
            &RULE,
            r#"
            fn open() -> Channel {
                let (sender, receiver) = mpsc::channel(16);
                Channel { sender, receiver: Mutex::new(receiver) } //~ task-owns-its-sender
            }
            impl Outbox {
                fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Job>> {
                    self.channel.receiver().poll_recv(context)
                }
            }
            "#,
        );
    }

    #[test]
    fn a_type_whose_loop_has_another_end_and_one_with_two_channels_are_not() {
        check(
            &RULE,
            r#"
            fn open() -> Worker {
                let (sender, jobs) = mpsc::channel(16);
                Worker { sender, jobs }
            }
            impl Worker {
                async fn run(mut self) {
                    while let Some(job) = self.jobs.recv().await {
                        if let Job::Stop = job { return; }
                    }
                }
            }
            async fn serve() {
                let (done, mut all_done) = mpsc::channel(1);
                let server = Server { done, all_done };
                server.run().await;
                let Server { done, mut all_done } = server;
                drop(done);
                all_done.recv().await;
            }
            fn pair() -> (Side, Side) {
                let (there, from_here) = mpsc::channel(1);
                let (here, from_there) = mpsc::channel(1);
                (Side { out: there, inbox: from_there }, Side { out: here, inbox: from_here })
            }
            impl Side { async fn next(&mut self) -> Option<u8> { self.inbox.recv().await } }
            "#,
        );
    }
}

//! A task whose handle nobody has, and which nothing tells to end.

use syn::visit::{self, Visit};
use syn::{Expr, FnArg, Local, Pat};

use crate::endless::{Endless, bare, body, endless, is_watched};
use crate::finding::{Confidence, Sink};
use crate::held::waits;
use crate::names::{mentioned, names_of};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::task::{LoopKind, Names, Spawn, Spawner, Words, spawns};

pub(super) const RULE: Rule = Rule {
    name: "detached-spawn",
    title: "a task is spawned, and nobody can end it or wait for it",
    why: "a dropped `JoinHandle` detaches its task: it outlives whatever started it, with all that it captured",
    hint: "keep the handle and abort it in `drop`, give the task a `CancellationToken`, or spawn it into a `JoinSet` or `TaskTracker`",
    confidence: Confidence::Low,
    scenario: "reconnect-storm",
    page: include_str!("../../rules/detached-spawn.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    let names = Names::of(&file.functions());
    for spawn in spawns(file) {
        match spawn.spawner {
            Spawner::Runtime if spawn.is_dropped => detached(file, &spawn, &names, sink),
            Spawner::Own if spawn.in_loop == Some(LoopKind::Clock) => per_tick(&spawn, &names, sink),
            _ => {}
        }
    }
}

fn detached<'a>(file: &'a SourceFile, spawn: &Spawn<'a>, names: &Names<'a>, sink: &mut Sink<'_>) {
    if let Some(Endless { span, why, confidence }) = endless(file, spawn, names) {
        let found = sink.report(spawn.span, "this task has no handle, no token, and no end of its own");
        found.confidence(confidence).note(span, why);
        return;
    }
    if is_handed_in(file, spawn) || is_told(spawn, names) {
        return;
    }
    let words = body(spawn.task, names).map(Words::of);
    if spawn.function.name() == "main" && spawn.in_loop.is_none() || words.as_deref().is_some_and(ends) {
        return;
    }
    let (message, confidence) = match (spawn.in_loop, spawn.function.trait_name().as_deref()) {
        (_, Some("Drop")) => ("spawned while its owner is dropped: nobody is left who could end it", Confidence::Medium),
        (Some(LoopKind::Clock), _) => ("one more task at every tick, whether or not the last has ended", Confidence::Medium),
        (Some(_), _) => ("one more task at every turn of the loop: nothing ends them, waits for them, or bounds them", Confidence::Medium),
        (None, _) => ("the handle is dropped, and nothing that tells it to end is seen in the task", Confidence::Low),
    };
    sink.report(spawn.span, message).confidence(confidence);
}

/// Whether the task is one of the function's arguments, or waits for nothing else: then it is the caller who knows how it ends.
fn is_handed_in(file: &SourceFile, spawn: &Spawn<'_>) -> bool {
    let task = match bare(spawn.task) {
        Expr::Async(task) => match &waits(file, &task.block.stmts)[..] {
            [wait] if wait.names.len() == 1 => wait.names.first().cloned(),
            _ => None,
        },
        task => crate::syntax::variable(task).map(ToString::to_string),
    };
    let Some(task) = task else { return false };
    spawn.function.signature.inputs.iter().any(|argument| match argument {
        FnArg::Typed(argument) => matches!(&*argument.pat, Pat::Ident(name) if name.ident == task),
        FnArg::Receiver(_) => false,
    })
}

/// Whether what the task was given, or a function of this file that it calls, tells it to end.
fn is_told<'a>(spawn: &Spawn<'a>, names: &Names<'a>) -> bool {
    let given = mentioned(|names| names.visit_expr(spawn.task));
    if given.iter().any(|name| is_counted(name) || is_weak(name)) {
        return true;
    }
    let mut origins = Origins { given: &given, is_told: false };
    origins.visit_block(spawn.function.block);
    let mut called = Called { names, is_told: false };
    called.visit_expr(spawn.task);
    origins.is_told || called.is_told
}

/// A permit, or the guard of a counter: whoever gives them out bounds how many tasks there are.
fn is_counted(name: &str) -> bool {
    name.split('_').any(|part| part == "permit" || part == "guard")
}

/// What does not keep its owner, and finds it gone at its next turn.
fn is_weak(name: &str) -> bool {
    name == "upgrade" || name == "downgrade"
}

/// A name of a value or function that tells a task to end; `Error::Closed` only says that something did.
fn tells(name: &str) -> bool {
    !name.starts_with(char::is_uppercase) && is_watched(name)
}

/// Where a task's variables come from: `let handler = Handler { shutdown: shutdown.subscribe() };`
struct Origins<'s> {
    given: &'s std::collections::BTreeSet<String>,
    is_told: bool,
}

impl<'f> Visit<'f> for Origins<'_> {
    fn visit_local(&mut self, local: &'f Local) {
        visit::visit_local(self, local);
        let Some(init) = &local.init else { return };
        if names_of(&local.pat).iter().any(|name| self.given.contains(name)) {
            self.is_told |= mentioned(|names| names.visit_expr(&init.expr)).iter().any(|name| tells(name));
        }
    }
}

/// The functions of the file that a task calls.
struct Called<'n, 'a> {
    names: &'n Names<'a>,
    is_told: bool,
}

impl<'a> Called<'_, 'a> {
    fn look(&mut self, call: &'a Expr) {
        let Some(called) = self.names.called(call) else { return };
        self.is_told |= Words::of(called.block).iter().any(|word| tells(word) || word == "recv");
    }
}

impl<'a> Visit<'a> for Called<'_, 'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if matches!(expr, Expr::Call(_) | Expr::MethodCall(_)) {
            self.look(expr);
        }
        visit::visit_expr(self, expr);
    }
}

/// Whether the task is seen to be told to end, or to have a bound, or to end with its channel.
fn ends(words: &[String]) -> bool {
    let has = |name: &str| words.iter().any(|word| word == name);
    words.iter().any(|word| is_watched(word)) || has("timeout") || has("timeout_at") || has("recv")
}

/// Counted by whoever spawns it, but never told to end, and never fewer than there are ticks.
fn per_tick<'a>(spawn: &Spawn<'a>, names: &Names<'a>, sink: &mut Sink<'_>) {
    let Some(block) = body(spawn.task, names) else { return };
    let words = Words::of(block);
    if !ends(&words) {
        let message = "one more task at every tick, whether or not the last has ended";
        sink.report(spawn.span, message).confidence(Confidence::Medium);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, found};

    #[test]
    fn a_task_without_handle_and_without_end_is_found() {
        check(
            &RULE,
            r#"
            fn start(flags: Flags) {
                tokio::spawn(async move { //~ detached-spawn
                    loop { tick().await; flags.look(); }
                });
                let _ = tokio::task::spawn(watch(flags)); //~ detached-spawn
                let _sweeper = tokio::spawn(async move { sweep().await }); //~ detached-spawn
                drop(Handle::current().spawn(async move { sweep().await })); //~ detached-spawn
            }
            async fn watch(flags: Flags) { loop { flags.changed().await; } }
            "#,
        );
    }

    #[test]
    fn a_handle_that_is_kept_returned_awaited_or_owned_is_an_end() {
        check(
            &RULE,
            r#"
            async fn start(&mut self, set: &mut JoinSet<()>) -> JoinHandle<()> {
                self.task = tokio::spawn(endless());
                let one = tokio::spawn(endless());
                self.tasks.push(tokio::spawn(endless()));
                tokio::spawn(work()).await.expect("no panic");
                set.spawn(endless());
                self.tracker.spawn(work());
                one.abort();
                tokio::spawn(endless())
            }
            fn threads() { std::thread::spawn(move || loop { work() }); Command::new("a").spawn(); }
            async fn endless() { loop { tick().await } }
            "#,
        );
    }

    #[test]
    fn a_task_that_is_told_to_end_or_ends_with_its_channel_is_fine() {
        check(
            &RULE,
            r#"
            fn start(token: CancellationToken, mut rx: Receiver<u8>) {
                tokio::spawn(async move { loop { tokio::select! { _ = token.cancelled() => break, _ = tick() => {} } } });
                tokio::spawn(async move { while let Some(x) = rx.recv().await { take(x); } });
                tokio::spawn(async move { timeout(SOON, ask()).await });
            }
            #[tokio::main]
            async fn main() { tokio::spawn(metrics()); }
            fn execute(&self, work: impl Future) { tokio::spawn(work); }
            "#,
        );
    }

    #[test]
    fn a_task_is_told_by_what_it_was_given_and_by_what_it_calls() {
        check(
            &RULE,
            r#"
            async fn serve(&self, pool: Arc<Pool>, stop: Stop) {
                let handler = Handler { stream: accept().await, stop: stop.subscribe() };
                tokio::spawn(async move { handler.run().await });
                let stream = accept().await;
                let permit = self.limit.acquire().await;
                tokio::spawn(async move { answer(stream).await; drop(permit); });
                let weak = Arc::downgrade(&pool);
                tokio::spawn(async move { while let Some(pool) = weak.upgrade() { pool.sweep().await; } });
                tokio::spawn(Sweeper { pool: Arc::downgrade(&pool) }.run());
                tokio::spawn(async move { carry_out(jobs).await });
                tokio::spawn(async move { forward(&self.token).await });
                let other = Handler { stream: accept().await };
                tokio::spawn(async move { other.run().await }); //~ detached-spawn
                let last = answer(accept().await).map_err(|_| Error::Closed);
                tokio::spawn(async move { last.read().await; }); //~ detached-spawn
                tokio::spawn(async move { read_on(stream).await }); //~ detached-spawn
            }
            async fn carry_out(mut jobs: Receiver<Job>) { while let Some(job) = jobs.recv().await { job.run(); } }
            async fn forward(token: &Token) { while !token.is_cancelled() { turn().await; } }
            async fn read_on(stream: Stream) { while stream.read().await.is_ok() { turn().await; } }
            "#,
        );
    }

    #[test]
    fn a_future_that_is_handed_in_is_its_callers() {
        check(
            &RULE,
            r#"
            fn execute(&self, work: impl Future) { tokio::spawn(work.in_current_span()); }
            fn register(&self, work: impl Future) {
                tokio::spawn(async move { if let Err(error) = work.await { tell(error); } });
                tokio::spawn(async move { work.await; rest().await; }); //~ detached-spawn
                let own = connect();
                tokio::spawn(async move { own.await }); //~ detached-spawn
            }
            "#,
        );
    }

    #[test]
    fn how_sure_it_is_depends_on_what_is_seen() {
        let sure = |text: &str| found(&RULE, text).iter().map(|one| one.confidence).collect::<Vec<_>>();
        let (low, medium, high) = (Confidence::Low, Confidence::Medium, Confidence::High);
        assert_eq!(sure("fn f() { tokio::spawn(async { loop { tick().await } }); }"), [high]);
        assert_eq!(sure("fn f() { loop { tokio::spawn(ask(accept())); } }"), [medium]);
        assert_eq!(sure("impl Drop for A { fn drop(&mut self) { tokio::spawn(self.0.bye()); } }"), [medium]);
        assert_eq!(sure("fn f() { tokio::spawn(ask()); }"), [low]);
        let per_tick = "fn f(own: Own) { own.spawn(async move { loop { ticks.tick().await; own.spawn(async { a.send(1).await }); } }); }";
        assert_eq!(sure(per_tick), [medium]);
    }
}

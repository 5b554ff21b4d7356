//! A lock or a permit that is held while a task waits.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprLet, ExprMatch, ExprMethodCall, ExprWhile, Macro};

use crate::finding::{Confidence, Sink};
use crate::held::{Held, Wait, each_held, waits, waits_in};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::{strip, variable};

pub(super) const RULE: Rule = Rule {
    name: "guard-across-await",
    title: "a lock is held while the task waits for something that may not come",
    why: "all who want the lock wait for what its holder waits for: a silent peer then stops every one of them, each with all it owns",
    hint: "wait first and lock then, end the guard's scope before the wait, or give the wait a deadline",
    confidence: Confidence::Medium,
    scenario: "silent-peer",
    page: include_str!("../../rules/guard-across-await.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    if !file.text.contains(".await") {
        return;
    }
    let locks = Locks { has_rw: file.text.contains("RwLock") };
    if !locks.has_rw && !file.text.contains("lock") && !file.text.contains("acquire") {
        return;
    }
    each_held(file, |held| judge(file, locks, held, sink));
    Temporaries { file, locks, sink }.visit_file(&file.ast);
}

/// What gives a guard, when it is awaited.
const LOCK: &[&str] = &["lock", "lock_owned"];
const RW_LOCK: &[&str] = &["read", "write", "read_owned", "write_owned", "upgradable_read"];
const PERMIT: &[&str] = &["acquire", "acquire_owned", "acquire_many", "acquire_many_owned"];

/// Waits for others, as long as they like.
const LONG: &[&str] = &[
    "recv", "recv_many", "recv_from", "accept", "connect", "notified", "changed", "wait_for", "closed", "cancelled", "pending", "tick",
    "sleep", "sleep_until", "read", "read_exact", "read_buf", "read_to_end", "read_to_string", "read_line", "next_line",
    "readable", "writable", "join_next", "copy", "copy_bidirectional", "lookup_host",
];
/// Those of them that end when something happens, and not by themselves.
const ENDLESS: &[&str] = &["recv", "recv_many", "notified", "changed", "wait_for", "closed", "cancelled", "pending"];

#[derive(Clone, Copy, PartialEq)]
enum Guard {
    Lock,
    Permit,
}

/// Which locks a file may have.
#[derive(Clone, Copy)]
struct Locks {
    /// Without these, `read()` and `write()` are other things.
    has_rw: bool,
}

impl Locks {
    /// What `expr` takes: `self.state.lock().await`.
    fn guard(self, expr: &Expr) -> Option<Guard> {
        match strip(expr) {
            Expr::Try(inner) => self.guard(&inner.expr),
            Expr::MethodCall(call) if call.method == "unwrap" || call.method == "expect" => self.guard(&call.receiver),
            Expr::Await(inner) => match strip(&inner.base) {
                Expr::MethodCall(call) => self.taken_by(call),
                _ => None,
            },
            _ => None,
        }
    }

    fn taken_by(self, call: &ExprMethodCall) -> Option<Guard> {
        let is_one_of = |list: &[&str]| list.iter().any(|name| call.method == name);
        // `self.read()` is a method of this type, and `read(&mut buffer)` is no lock.
        let is_rw = || self.has_rw && is_one_of(RW_LOCK) && variable(&call.receiver).is_none_or(|name| name != "self");
        match call {
            _ if (is_one_of(LOCK) || is_rw()) && call.args.is_empty() => Some(Guard::Lock),
            _ if is_one_of(PERMIT) => Some(Guard::Permit),
            _ => None,
        }
    }

    /// Whether a guard of a lock is a temporary in `expr`, and not its value.
    fn holds(self, expr: &Expr) -> bool {
        let of = |base: &Expr| self.guard(base) == Some(Guard::Lock) || self.holds(base);
        match strip(expr) {
            Expr::MethodCall(call) => of(&call.receiver),
            Expr::Field(field) => of(&field.base),
            Expr::Await(inner) => self.holds(&inner.base),
            Expr::Try(inner) => self.holds(&inner.expr),
            _ => false,
        }
    }
}

fn judge(file: &SourceFile, locks: Locks, held: &Held<'_>, sink: &mut Sink<'_>) {
    let Some(guard) = held.local.init.as_ref().and_then(|init| locks.guard(&init.expr)) else { return };
    let long = if guard == Guard::Lock { LONG } else { ENDLESS };
    let is_long = |wait: &Wait| long.contains(&wait.what.as_str()) && !is_a_guard(wait, &held.name);
    let Some(wait) = waits(file, held.rest).into_iter().find(is_long) else { return };
    let what = if guard == Guard::Lock { "lock" } else { "permit" };
    let message = format!("the {what} in `{}` is held while this waits for `{}`", held.name, wait.what);
    sink.report(wait.span, message).note(held.local.span(), "taken here");
}

/// A wait on what is guarded is what the lock is for; taking another lock is not a long wait.
fn is_a_guard(wait: &Wait, name: &str) -> bool {
    let what = wait.what.as_str();
    wait.names.contains(name) || ((LOCK.contains(&what) || RW_LOCK.contains(&what)) && wait.is_bare)
}

/// Guards that no variable has: `while let Some(job) = jobs.lock().await.recv().await { .. }`.
struct Temporaries<'f, 's, 'r> {
    file: &'f SourceFile,
    locks: Locks,
    sink: &'s mut Sink<'r>,
}

impl<'f> Temporaries<'f, '_, '_> {
    /// In all of `while let` and `match`, the temporaries of what is matched live as long as the bodies.
    fn judge(&mut self, scrutinee: &'f Expr, waits: &[Wait]) {
        let Some(wait) = waits.first().filter(|_| self.locks.holds(scrutinee)) else { return };
        let message = "the lock that is taken here is held until the end of the body, which waits";
        self.sink.report(scrutinee.span(), message).note(wait.span, "waited for here");
    }
}

impl<'f> Visit<'f> for Temporaries<'f, '_, '_> {
    fn visit_expr_while(&mut self, one: &'f ExprWhile) {
        if let Expr::Let(ExprLet { expr, .. }) = &*one.cond {
            self.judge(expr, &waits(self.file, &one.body.stmts));
        }
        visit::visit_expr_while(self, one);
    }

    fn visit_expr_match(&mut self, one: &'f ExprMatch) {
        let waits: Vec<Wait> = one.arms.iter().flat_map(|arm| waits_in(self.file, &arm.body)).collect();
        self.judge(&one.expr, &waits);
        visit::visit_expr_match(self, one);
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
    use crate::testing::check;

    #[test]
    fn a_lock_that_is_held_over_a_long_wait_is_found() {
        check(
            &RULE,
            r#"
            async fn f(&self, stream: &mut TcpStream) {
                let state = self.state.lock().await;
                let event = self.events.recv().await; //~ guard-across-await
            }
            fn g(limit: Arc<Semaphore>) {
                tokio::spawn(async move {
                    let permit = limit.acquire_owned().await.expect("open");
                    if permit.is_last() { stop.cancelled().await; } //~ guard-across-await
                });
            }
            struct H { map: tokio::sync::RwLock<Map> }
            async fn h(&self) -> io::Result<()> {
                let map = self.map.write().await;
                stream.read_exact(&mut buffer).await?; //~ guard-across-await
                Ok(())
            }
            "#,
        );
    }

    #[test]
    fn a_temporary_guard_lives_as_long_as_the_body() {
        check(
            &RULE,
            r#"
            struct A { state: RwLock<State> }
            async fn f(&self) {
                while let Some(job) = self.jobs.lock().await.recv().await { //~ guard-across-await
                    job.carry_out().await;
                }
                match self.state.read().await.next() { //~ guard-across-await
                    Some(one) => one.end().await,
                    None => {}
                }
                while let Some(job) = self.jobs.lock().await.recv().await { job.note(); }
                while let Some(job) = self.jobs.recv().await { job.carry_out().await; }
            }
            "#,
        );
    }

    #[test]
    fn short_waits_own_waits_and_ended_guards_are_not() {
        check(
            &RULE,
            r#"
            async fn f(&self) {
                let mut jobs = self.jobs.lock().await;
                jobs.recv().await;
                drop(jobs);
                self.events.recv().await;
                let first = self.state.lock().await;
                let second = self.other.read().await;
                timeout(LONG, self.events.recv()).await;
                tokio::spawn(async { events.recv().await });
            }
            async fn g(&self) {
                { let state = self.state.lock().await; }
                let copy = self.state.lock().await.clone();
                let length = stream.read(&mut buffer).await;
                self.events.recv().await;
            }
            async fn h(&self) {
                let permit = self.limit.acquire().await?;
                stream.read(&mut buffer).await;
            }
            async fn read_all(&self) { let all = self.read().await; sleep(LONG).await; }
            fn sync(&self, lock: &RwLock<u8>) { let state = self.state.lock().unwrap(); }
            "#,
        );
    }
}

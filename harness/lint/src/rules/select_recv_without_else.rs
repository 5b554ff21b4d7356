//! `Some(x) = rx.recv()` in a `select!` that does not say what is to be done when the channel is closed.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprForLoop, ExprLoop, ExprWhile, Macro, Pat};

use crate::endless::has_way_out;
use crate::finding::{Confidence, Sink};
use crate::macros::{Arm, MacroBody, Select};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::{strip, way};

pub(super) const RULE: Rule = Rule {
    name: "select-recv-without-else",
    title: "a closed channel goes unnoticed: its branch is switched off, and the loop goes on",
    why: "a branch whose pattern does not match is disabled, so the task never learns that its channel is closed and lives on without it",
    hint: "match what comes (`x = rx.recv() => match x { None => break, .. }`), or add `else => break`",
    confidence: Confidence::Medium,
    scenario: "flapping-network",
    page: include_str!("../../rules/select-recv-without-else.md"),
    check,
};

/// What says by `None` or `Err` that there will be no more.
const RECEIVES: &[&str] = &["recv", "recv_async"];

/// The same where the name says that it is a stream: a set of futures has no next one as long as it is empty.
const STREAMS: &[&str] = &["stream", "rx", "recv", "incoming", "events", "messages"];

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    Selects { file, sink, in_endless: false }.visit_file(&file.ast);
}

struct Selects<'f, 's, 'r> {
    file: &'f SourceFile,
    sink: &'s mut Sink<'r>,
    /// Whether the innermost loop is one that nothing else leaves.
    in_endless: bool,
}

impl<'f> Selects<'f, '_, '_> {
    fn in_loop(&mut self, body: &'f Block, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.in_endless, !has_way_out(self.file, body));
        visit(self);
        self.in_endless = outer;
    }

    fn select(&mut self, select: &'f Select) {
        if !self.in_endless || select.otherwise.is_some() {
            return;
        }
        for arm in select.arms.iter().filter(|arm| is_deaf(arm)) {
            let way = way(&arm.future);
            let channel = way.iter().rev().find(|name| *name != "self").map_or("this channel", String::as_str);
            let message = format!("once `{channel}` is closed this branch is disabled, and the loop goes on without it");
            self.sink.report(arm.pat.span(), message);
        }
    }
}

/// `Some(x) = rx.recv()`: takes what comes, and not that nothing will come.
fn is_deaf(arm: &Arm) -> bool {
    let is_refutable = match &arm.pat {
        Pat::TupleStruct(pat) => {
            pat.path.segments.last().is_some_and(|last| last.ident == "Some" || last.ident == "Ok")
        }
        _ => false,
    };
    let receives = match strip(&arm.future) {
        Expr::MethodCall(call) if call.method == "next" => {
            way(&call.receiver).last().is_some_and(|name| STREAMS.iter().any(|part| name.contains(part)))
        }
        Expr::MethodCall(call) => RECEIVES.iter().any(|name| call.method == name),
        _ => false,
    };
    is_refutable && receives && arm.guard.is_none()
}

impl<'f> Visit<'f> for Selects<'f, '_, '_> {
    fn visit_expr_loop(&mut self, one: &'f ExprLoop) {
        self.in_loop(&one.body, |this| visit::visit_expr_loop(this, one));
    }

    fn visit_expr_while(&mut self, one: &'f ExprWhile) {
        self.in_loop(&one.body, |this| visit::visit_expr_while(this, one));
    }

    fn visit_expr_for_loop(&mut self, one: &'f ExprForLoop) {
        self.in_loop(&one.body, |this| visit::visit_expr_for_loop(this, one));
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        let Some(body) = self.file.body(mac) else { return };
        if let MacroBody::Select(select) = body {
            self.select(select);
        }
        body.visit(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn a_branch_that_cannot_see_the_end_is_found_in_a_loop() {
        check(
            &RULE,
            r#"
            async fn f() {
                loop {
                    tokio::select! {
                        Some(job) = jobs.recv() => work(job).await, //~ select-recv-without-else
                        _ = ticks.tick() => {}
                        Ok(news) = self.news.recv() => tell(news), //~ select-recv-without-else
                    }
                }
            }
            "#,
        );
    }

    #[test]
    fn whoever_sees_the_end_or_waits_only_once_is_fine() {
        check(
            &RULE,
            r#"
            async fn f() {
                tokio::select! { Some(job) = jobs.recv() => work(job).await, _ = ticks.tick() => {} }
                loop {
                    tokio::select! {
                        Some(job) = jobs.recv() => work(job).await,
                        else => break,
                    }
                    tokio::select! {
                        job = jobs.recv() => match job { Some(job) => work(job), None => break },
                        Some(job) = jobs.recv(), if is_open => work(job),
                        Some(done) = tasks.join_next() => look(done),
                    }
                }
            }
            "#,
        );
    }

    #[test]
    fn a_loop_that_is_left_in_another_way_may_well_know() {
        check(
            &RULE,
            r#"
            async fn f() {
                loop { select! { Some(a) = b.recv() => c(a), _ = token.cancelled() => break } }
                loop { select! { Some(a) = b.recv() => c(a), line = wire.next() => answer(line?) } }
                loop { select! { Some(a) = futures.next() => c(a), _ = tick() => {} } }
            }
            "#,
        );
    }
}

//! `mem::forget`: what a value holds is given back by its `Drop`, which then never runs.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{ExprCall, Macro};

use crate::finding::{Confidence, Sink};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::{callee, ends_with};

pub(super) const RULE: Rule = Rule {
    name: "forgotten-value",
    title: "a value is forgotten, and what it holds is never given back",
    why: "`mem::forget` skips `Drop`: memory, descriptors and permits that the value owns stay taken until the process ends",
    hint: "let it drop; where another owner has taken over what it holds, say so with `into_raw` or `ManuallyDrop`",
    confidence: Confidence::Medium,
    scenario: "steady",
    page: include_str!("../../rules/forgotten-value.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    Forgotten { file, sink }.visit_file(&file.ast);
}

struct Forgotten<'f, 's, 'r> {
    file: &'f SourceFile,
    sink: &'s mut Sink<'r>,
}

impl<'f> Visit<'f> for Forgotten<'f, '_, '_> {
    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        if callee(call).is_some_and(|path| ends_with(path, &["mem", "forget"])) {
            self.sink.report(call.span(), "`mem::forget` keeps what this value holds for ever");
        }
        visit::visit_expr_call(self, call);
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
    fn forgetting_is_found_wherever_it_stands() {
        check(
            &RULE,
            r#"
            fn keep(permit: Permit) {
                std::mem::forget(permit); //~ forgotten-value
                tokio::select! {
                    _ = tick() => mem::forget(guard), //~ forgotten-value
                }
            }
            "#,
        );
    }

    #[test]
    fn other_functions_of_that_name_are_not() {
        check(&RULE, "fn f(cache: Cache) { cache.forget(1); forget_me(2); }");
    }
}

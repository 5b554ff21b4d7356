//! `mem::forget`: what a value holds is given back by its `Drop`, which then never runs.

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprField, Item, Local, Macro};

use crate::chain::Chain;
use crate::finding::{Confidence, Sink};
use crate::names::{mentioned, names_of};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::{callee, ends_with, variable};

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
    if !file.text.contains("mem::forget") {
        return;
    }
    let guards: Vec<String> = file.items().into_iter().filter_map(guard).collect();
    for function in file.functions() {
        let names = mentioned(|names| names.visit_block(function.block));
        if names.contains("ManuallyDrop") {
            continue;
        }
        let mut seen = Forgotten { file, guards: &guards, handed_over: Vec::new(), together: Vec::new(), forgotten: Vec::new() };
        let is_guard = function.self_type().is_some_and(|of| guards.contains(&of));
        if is_guard && DISARM.contains(&function.name().as_str()) {
            seen.handed_over.push("self".to_owned());
        }
        seen.visit_block(function.block);
        for (span, name) in &seen.forgotten {
            if name.as_ref().is_none_or(|name| !seen.is_spared(name)) {
                let span = *span;
                sink.report(span, "`mem::forget` keeps what this value holds for ever");
            }
        }
    }
}

/// The type of this file whose `Drop` does something else than to free what it holds: a guard, that is forgotten to disarm it.
fn guard(item: &Item) -> Option<String> {
    match item {
        Item::Impl(item) => {
            let (path, _) = item.trait_.as_ref()?;
            ends_with(path, &["Drop"]).then(|| crate::syntax::type_name(&item.self_ty))?
        }
        _ => None,
    }
}

/// What a guard's method is called that has it do nothing when it goes.
const DISARM: &[&str] = &["disarm", "defuse", "dismiss", "commit", "cancel"];

struct Forgotten<'s, 'f> {
    file: &'f SourceFile,
    guards: &'s [String],
    /// Variables whose parts were taken before, that came from a raw pointer, or that are guards of this file.
    handed_over: Vec<String>,
    /// Variables that were bound together: handles to one thing, for example.
    together: Vec<Vec<String>>,
    /// Where something is forgotten, and which variable.
    forgotten: Vec<(Span, Option<String>)>,
}

impl Forgotten<'_, '_> {
    fn is_spared(&self, name: &String) -> bool {
        let mut like = self.together.iter().filter(|names| names.contains(name)).flatten();
        self.handed_over.contains(name) || like.any(|one| self.handed_over.contains(one))
    }

    fn is_handed_over(&self, init: &Expr) -> bool {
        match init {
            Expr::Struct(one) => {
                one.path.segments.last().is_some_and(|last| self.guards.contains(&last.ident.to_string()))
            }
            _ => mentioned(|names| names.visit_expr(init)).contains("from_raw"),
        }
    }
}

impl<'f> Visit<'f> for Forgotten<'_, 'f> {
    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        if callee(call).is_some_and(|path| ends_with(path, &["mem", "forget"])) {
            let name = call.args.first().and_then(variable).map(ToString::to_string);
            self.forgotten.push((call.span(), name));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_local(&mut self, local: &'f Local) {
        if local.init.as_ref().is_some_and(|init| self.is_handed_over(&init.expr)) {
            self.handed_over.extend(names_of(&local.pat));
        }
        self.together.push(names_of(&local.pat));
        visit::visit_local(self, local);
    }

    /// `let raw = self.raw; mem::forget(self);`
    fn visit_expr_field(&mut self, field: &'f ExprField) {
        self.handed_over.extend(Chain::of(&field.base).root().map(str::to_owned));
        visit::visit_expr_field(self, field);
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    /// Items in functions are functions of their own.
    fn visit_item(&mut self, _item: &'f Item) {}
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
    fn what_is_handed_over_or_disarmed_is_not() {
        check(
            &RULE,
            r#"
            impl Drop for OnUnwind<'_> { fn drop(&mut self) { self.0.abort(); } }
            fn run(self) { let raw = self.task.raw; mem::forget(self); raw.poll(); }
            fn into(task: Task) -> Other { let other = Other { raw: task.raw }; mem::forget(task); other }
            fn two() -> Other { let (a, b) = both(); let other = Other { raw: a.raw }; mem::forget(a); mem::forget(b); other }
            fn count(&self) { let me = ManuallyDrop::new(self.task()); if let Some(task) = release(&me) { mem::forget(task); } }
            fn poll(core: &Core) { let bomb = OnUnwind { core }; core.poll(); mem::forget(bomb); }
            fn look(exec: *const Exec) { let exec = Arc::from_raw(exec); exec.look(); mem::forget(exec); }
            fn lose(self) { mem::forget(self); } //~ forgotten-value
            impl OnUnwind<'_> {
                fn disarm(self) { mem::forget(self) }
                fn close(self) { mem::forget(self) } //~ forgotten-value
            }
            impl Connection { fn cancel(self) { mem::forget(self) } } //~ forgotten-value
            "#,
        );
    }

    #[test]
    fn other_functions_of_that_name_are_not() {
        check(&RULE, "fn f(cache: Cache) { cache.forget(1); forget_me(2); }");
    }
}

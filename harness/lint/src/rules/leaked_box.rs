//! `Box::leak` and its like where they run again and again.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{ExprCall, ExprMethodCall, ItemFn, ItemStatic, Macro};

use crate::finding::{Confidence, Sink};
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::{callee, ends_with};

pub(super) const RULE: Rule = Rule {
    name: "leaked-box",
    title: "memory is leaked on purpose",
    why: "what `leak` returns lives until the process ends: once is a static, once a request is a leak",
    hint: "leak once, behind a `LazyLock` or `OnceLock`; or share it with an `Arc`, which ends with its last user",
    confidence: Confidence::Medium,
    scenario: "steady",
    page: include_str!("../../rules/leaked-box.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    Leaked { file, sink }.visit_file(&file.ast);
}

struct Leaked<'f, 's, 'r> {
    file: &'f SourceFile,
    sink: &'s mut Sink<'r>,
}

/// Whether what stands in `call` runs once: `LazyLock::new(|| ..)`.
fn is_lazy(call: &ExprCall) -> bool {
    let lazy = ["LazyLock", "LazyCell", "Lazy"];
    callee(call).is_some_and(|path| lazy.iter().any(|owner| ends_with(path, &[owner, "new"])))
}

impl<'f> Visit<'f> for Leaked<'f, '_, '_> {
    // A static is made once, and so is what `main` leaks.
    fn visit_item_static(&mut self, _item: &'f ItemStatic) {}

    fn visit_item_fn(&mut self, item: &'f ItemFn) {
        if item.sig.ident != "main" {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        if is_lazy(call) {
            return;
        }
        let owner = ["Box", "String", "Vec"]
            .into_iter()
            .find(|owner| callee(call).is_some_and(|path| ends_with(path, &[owner, "leak"])));
        if let Some(owner) = owner {
            self.sink.report(call.span(), format!("`{owner}::leak`: this memory is never freed"));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let once = ["get_or_init", "get_or_try_init", "call_once"];
        if once.iter().any(|method| call.method == method) {
            return self.visit_expr(&call.receiver);
        }
        if call.method == "leak" && call.args.is_empty() {
            self.sink.report(call.method.span(), "`leak()`: this memory is never freed");
        }
        visit::visit_expr_method_call(self, call);
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
    fn a_leak_is_found() {
        check(
            &RULE,
            r#"
            fn f(s: String) -> &'static str { Box::leak(s.into_boxed_str()) } //~ leaked-box
            fn g(s: String) -> &'static str { s.leak() } //~ leaked-box
            "#,
        );
    }

    #[test]
    fn what_is_leaked_once_is_a_static() {
        check(
            &RULE,
            r#"
            static NAME: LazyLock<&'static str> = LazyLock::new(|| name().leak());
            fn main() { let config = Box::leak(Box::new(read())); }
            fn name_once() -> &'static str { NAME.get_or_init(|| name().leak()) }
            "#,
        );
    }
}

//! Something small that is kept, and keeps the large block it was cut from.

use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprClosure, ExprMethodCall, Local, Macro, Pat, Token};

use crate::chain::Chain;
use crate::finding::{Confidence, Sink};
use crate::kept::{GROW, Keep, Locals};
use crate::names::names_of;
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::callee;

pub(super) const RULE: Rule = Rule {
    name: "slice-pins-buffer",
    title: "a small part of a buffer is kept, and the whole buffer with it",
    why: "`slice`, `split_to` and `freeze` copy nothing: a few bytes that are kept own a share of the whole block",
    hint: "keep a copy of what is needed: `Bytes::copy_from_slice`, `to_vec`, or the value that was read",
    confidence: Confidence::Medium,
    scenario: "flapping-network",
    page: include_str!("../../rules/slice-pins-buffer.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    let has_slices = file.text.contains("Bytes");
    let has_closures = file.text.contains("move |");
    if !has_slices && !has_closures {
        return;
    }
    let keep = Keep::of(file);
    for function in file.functions() {
        let locals = Locals::of(&keep, &function);
        let mut seen = Seen { file, keep: &keep, locals, has_slices, sliced: Vec::new(), buffers: Vec::new(), sink };
        seen.visit_block(function.block);
    }
}

/// What cuts a part out of a `Bytes` or `BytesMut` without a copy.
const CUTS: &[&str] = &["slice", "slice_ref", "split_to", "freeze"];

/// The cut whose result `expr` is.
fn cut(expr: &Expr) -> Option<&ExprMethodCall> {
    match crate::syntax::strip(expr) {
        Expr::MethodCall(call) if CUTS.iter().any(|cut| call.method == cut) => Some(call),
        // `split` alone is a method of strings.
        Expr::MethodCall(call) if call.method == "split" && call.args.is_empty() => Some(call),
        Expr::MethodCall(call) if call.method == "clone" => cut(&call.receiver),
        _ => None,
    }
}

/// What makes a buffer that a closure may then own.
const MAKE_BUFFERS: &[&str] = &["to_vec", "to_owned", "clone", "freeze", "slice", "split_to", "copy_from_slice", "into_bytes"];

struct Seen<'s, 'f, 'r> {
    file: &'f SourceFile,
    keep: &'s Keep<'f>,
    locals: Locals,
    has_slices: bool,
    /// Variables that are cut out of a buffer.
    sliced: Vec<String>,
    /// Variables that are buffers of this function.
    buffers: Vec<String>,
    sink: &'s mut Sink<'r>,
}

impl<'f> Seen<'_, 'f, '_> {
    /// Whether `expr` is cut out of a buffer, be it as a part of a tuple or a struct.
    fn is_cut(&self, expr: &Expr) -> bool {
        if crate::syntax::variable(expr).is_some_and(|name| self.sliced.iter().any(|one| name == one)) {
            return true;
        }
        match crate::syntax::strip(expr) {
            Expr::Tuple(tuple) => tuple.elems.iter().any(|part| self.is_cut(part)),
            Expr::Struct(one) => one.fields.iter().any(|field| self.is_cut(&field.expr)),
            Expr::Call(call) => is_wrapper(call) && call.args.iter().any(|part| self.is_cut(part)),
            other => cut(other).is_some(),
        }
    }

    /// The name of the shared state or map that `expr` leads to.
    fn kept(&self, expr: &Expr) -> Option<String> {
        let at = self.keep.resolve(&Chain::of(expr), &self.locals)?;
        let kept = &self.keep.all[at];
        (kept.is_shared || kept.is_map).then(|| kept.name.clone())
    }

    /// The same for state whose type is not in this file: the lock says that it is shared.
    fn locked(&self, expr: &Expr) -> Option<String> {
        let chain = Chain::of(expr);
        let is_locked = chain.calls().any(|call| ["lock", "write", "borrow_mut"].contains(&call));
        chain.names().last().filter(|_| is_locked).map(str::to_owned)
    }

    fn stored(&mut self, into: &Expr, args: &'f Punctuated<Expr, Token![,]>) {
        let Some(name) = self.kept(into).or_else(|| self.locked(into)) else { return };
        let Some(part) = args.iter().find(|arg| self.has_slices && self.is_cut(arg)) else { return };
        self.sink.report(part.span(), format!("`{name}` keeps a part of a buffer, and so the whole of it"));
    }

    /// `note(&self.firsts, payload.slice(..4))`: a function of this file that gets both.
    fn handed_over(&mut self, args: &'f Punctuated<Expr, Token![,]>) {
        let into = args.iter().find(|arg| self.kept(arg).is_some());
        if let Some(into) = into {
            self.stored(into, args);
        }
    }

    /// `Box::new(move || .. answer.len() ..)`.
    fn boxed(&mut self, closure: &'f ExprClosure) {
        if closure.capture.is_none() {
            return;
        }
        let own: Vec<String> = closure.inputs.iter().flat_map(names_of).collect();
        for name in self.buffers.iter().filter(|name| !own.contains(name)) {
            let uses = Uses::of(name, closure);
            if uses.lengths > 0 && uses.others == 0 {
                let message = format!("this closure owns all of `{name}`, of which it needs the length");
                self.sink.report(closure.span(), message);
            }
        }
    }

    fn note(&mut self, pat: &Pat, init: &Expr) {
        let chain = Chain::of(init);
        let is_buffer = chain.last_call().is_some_and(|call| MAKE_BUFFERS.contains(&call));
        for name in names_of(pat) {
            self.sliced.retain(|one| *one != name);
            self.buffers.retain(|one| *one != name);
            if cut(init).is_some() {
                self.sliced.push(name.clone());
            }
            if is_buffer {
                self.buffers.push(name);
            }
        }
    }
}

/// `Some(..)`, `Ok(..)` and other constructors: what is put in comes out again.
fn is_wrapper(call: &ExprCall) -> bool {
    callee(call).and_then(|path| path.segments.last()).is_some_and(|last| {
        let name = last.ident.to_string();
        name.starts_with(char::is_uppercase) || name == "new" || name == "from"
    })
}

impl<'f> Visit<'f> for Seen<'_, 'f, '_> {
    fn visit_local(&mut self, local: &'f Local) {
        visit::visit_local(self, local);
        if let Some(init) = &local.init {
            self.note(&local.pat, &init.expr);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let method = call.method.to_string();
        let is_stored = GROW.contains(&method.as_str()) || method.starts_with("or_insert") || method == "or_default";
        match is_stored {
            true => self.stored(&call.receiver, &call.args),
            false => self.handed_over(&call.args),
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'f ExprCall) {
        self.handed_over(&call.args);
        let is_box = callee(call).is_some_and(|path| {
            crate::syntax::ends_with(path, &["Box", "new"]) || crate::syntax::ends_with(path, &["Arc", "new"])
        });
        if let Some(Expr::Closure(closure)) = call.args.first().filter(|_| is_box) {
            self.boxed(closure);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    /// Items in functions are functions of their own.
    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

/// How often a closure mentions a variable, and how often only to ask for its length.
struct Uses<'n> {
    name: &'n str,
    lengths: usize,
    others: usize,
}

impl<'n> Uses<'n> {
    fn of(name: &'n str, closure: &ExprClosure) -> Self {
        let mut uses = Self { name, lengths: 0, others: 0 };
        uses.visit_expr(&closure.body);
        uses
    }

    /// In macros, formatting ones too, by their tokens: `answer.len()`, and `{answer}` in a text.
    fn add_tokens(&mut self, tokens: proc_macro2::TokenStream) {
        let tokens: Vec<proc_macro2::TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                proc_macro2::TokenTree::Ident(ident) if ident == self.name => {
                    let is_length = tokens.get(at + 2).is_some_and(|next| ["len", "is_empty"].contains(&next.to_string().as_str()));
                    self.add(is_length);
                }
                proc_macro2::TokenTree::Group(group) => self.add_tokens(group.stream()),
                proc_macro2::TokenTree::Literal(text) if text.to_string().contains(&format!("{{{}", self.name)) => self.others += 1,
                _ => {}
            }
        }
    }

    fn add(&mut self, is_length: bool) {
        match is_length {
            true => self.lengths += 1,
            false => self.others += 1,
        }
    }
}

impl<'f> Visit<'f> for Uses<'_> {
    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let is_name = crate::syntax::variable(&call.receiver).is_some_and(|name| name == self.name);
        if is_name && (call.method == "len" || call.method == "is_empty") {
            return self.add(true);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_ident(&mut self, ident: &'f syn::Ident) {
        if ident == self.name {
            self.add(false);
        }
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        self.add_tokens(mac.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn a_part_that_is_stored_in_shared_state_or_a_map_is_found() {
        check(
            &RULE,
            r#"
            use bytes::Bytes;
            type Firsts = Arc<Mutex<VecDeque<Bytes>>>;
            struct A { firsts: Firsts, heads: HashMap<u64, Head> }
            impl A {
                fn take(&mut self, payload: &Bytes) {
                    note(&self.firsts, payload.slice(..4)); //~ slice-pins-buffer
                    self.firsts.lock().unwrap().push_back(payload.slice(1..)); //~ slice-pins-buffer
                    let first = payload.slice(..1);
                    self.heads.insert(1, Head { of: 2, first }); //~ slice-pins-buffer
                    self.elsewhere.lock().unwrap().push_back(payload.slice(..1)); //~ slice-pins-buffer
                    self.heads.entry(2).or_insert(Head::new(self.block.split_to(4).freeze())); //~ slice-pins-buffer
                }
            }
            "#,
        );
    }

    #[test]
    fn copies_queues_and_messages_are_not() {
        check(
            &RULE,
            r#"
            use bytes::Bytes;
            struct A { firsts: Mutex<Vec<Bytes>>, out: VecDeque<Bytes>, heads: HashMap<u64, Bytes> }
            impl A {
                fn take(&mut self, payload: &Bytes) {
                    self.firsts.lock().unwrap().push(Bytes::copy_from_slice(&payload[..4]));
                    self.heads.insert(1, payload.slice(..4).to_vec().into());
                    self.out.push_back(payload.slice(..4));
                    let mut local = HashMap::new();
                    local.insert(1, payload.slice(..4));
                    send(payload.slice(..4));
                    self.elsewhere.push_back(payload.slice(..4));
                    self.names.insert(1, path.split('/').count());
                }
            }
            "#,
        );
    }

    #[test]
    fn a_closure_that_needs_a_length_is_found() {
        check(
            &RULE,
            r#"
            fn f(journal: &Journal, payload: &[u8]) {
                let answer = payload.to_vec();
                let first = name.clone();
                journal.note(Box::new(move || format!("{} bytes of {first}", answer.len()))); //~ slice-pins-buffer
                let copy = payload.to_vec();
                journal.note(Box::new(move || copy.len())); //~ slice-pins-buffer
            }
            "#,
        );
    }

    #[test]
    fn a_closure_that_needs_the_bytes_is_not() {
        check(
            &RULE,
            r#"
            fn f(journal: &Journal, payload: &[u8]) {
                let answer = payload.to_vec();
                journal.note(Box::new(move || format!("{} bytes: {answer:?}", answer.len())));
                let answer = payload.to_vec();
                journal.note(Box::new(move || send(&answer[..answer.len() / 2])));
                let answer = payload.to_vec();
                journal.all.iter().map(move |_| answer.len());
                let bytes = answer.len();
                journal.note(Box::new(move || bytes));
            }
            "#,
        );
    }
}

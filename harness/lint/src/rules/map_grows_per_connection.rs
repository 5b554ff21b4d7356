//! A shared collection that gets an entry for whoever comes, and loses none.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ExprAssign, ExprBinary, ExprMethodCall, ExprReference, Local, Macro, Pat, Token};

use crate::chain::Chain;
use crate::finding::{Confidence, Sink};
use crate::kept::{GROW, Keep, Kept, Locals};
use crate::names::mentioned;
use crate::rule::Rule;
use crate::shape::Function;
use crate::source::SourceFile;

pub(super) const RULE: Rule = Rule {
    name: "map-grows-per-connection",
    title: "a collection gets an entry for each connection, and loses none",
    why: "what comes from the network has no end: one entry for every connection ever made is a leak that no test is long enough for",
    hint: "take the entry out when its connection ends (in a `Drop`, so that errors do it too), or bound how many there may be",
    confidence: Confidence::Medium,
    scenario: "reconnect-storm",
    page: include_str!("../../rules/map-grows-per-connection.md"),
    check,
};

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    let keep = Keep::of(file);
    if keep.all.iter().all(|kept| !may_leak(kept)) {
        return;
    }
    // What tests put in and take out says nothing of what is done elsewhere.
    let tests = crate::test_code::of(file);
    let functions = file.functions();
    let mut uses = vec![Uses::default(); keep.all.len()];
    for function in functions.iter().filter(|function| !tests.has(*function.lines().start())) {
        let locals = Locals::of(&keep, function);
        let mut seen = Seen { file, keep: &keep, locals, function, closed: Vec::new(), uses: &mut uses, elsewhere: Vec::new() };
        seen.visit_block(function.block);
        for (span, fact) in std::mem::take(&mut seen.elsewhere) {
            sink.fact(span, fact);
        }
    }
    for (kept, uses) in keep.all.iter().zip(&uses) {
        judge(kept, uses, sink);
    }
}

/// What functions do with one collection.
#[derive(Clone, Default)]
struct Uses {
    grows: Vec<Growth>,
    is_bounded: bool,
}

/// A place where an entry is put in.
#[derive(Clone)]
struct Growth {
    span: Span,
    function: String,
    /// Who comes, in the words of the code; nothing if it does not look as if anyone did.
    comes: Option<String>,
}

/// Several can reach it, or its keys never come again.
fn may_leak(kept: &Kept) -> bool {
    kept.is_shared || is_endless(kept)
}

fn judge(kept: &Kept, uses: &Uses, sink: &mut Sink<'_>) {
    if uses.is_bounded || !may_leak(kept) {
        return;
    }
    let Some(growth) = uses.grows.iter().find(|growth| growth.comes.is_some()) else { return };
    let (name, function) = (&kept.name, &growth.function);
    let what = kept.owner.as_ref().map_or_else(|| format!("`{name}`"), |owner| format!("`{owner}::{name}`"));
    let message = format!("{what} gets an entry in `{function}`, and nothing takes one out or bounds how many there are");
    let found = sink.report(growth.span, message);
    found.note(kept.span, "declared here").unless(taken_by(kept.owner.as_deref(), name));
    if kept.is_visible {
        found.unless(taken(name));
    }
    if is_endless(kept) {
        found.confidence(Confidence::High);
    }
}

/// A field that another file empties: known by its name where it is visible, else by that and its type's.
fn taken(name: &str) -> String {
    format!("{}:taken:{name}", RULE.name)
}

fn taken_by(owner: Option<&str>, name: &str) -> String {
    format!("{}:taken:{}.{name}", RULE.name, owner.unwrap_or_default())
}

/// Keys of which there is always another one.
const ENDLESS: &[&str] = &["Instant", "SystemTime", "SocketAddr", "SocketAddrV4", "SocketAddrV6", "Uuid"];

fn is_endless(kept: &Kept) -> bool {
    kept.is_map && kept.entries.first().is_some_and(|key| ENDLESS.contains(&key.as_str()))
}

/// What is only there while someone is, or comes with someone.
const RESOURCES: &[&str] = &[
    "File", "TcpStream", "UnixStream", "OwnedFd", "Sender", "UnboundedSender", "JoinHandle", "AbortHandle", "Waker", "Fn",
    "FnMut", "FnOnce",
];

/// Parts of names by which code says that someone comes.
const COMERS: &[&str] = &[
    "accept", "callback", "client", "conn", "consumer", "guest", "peer", "request", "session", "socket", "stream",
    "subscri", "tcp", "user", "visitor", "addr",
];

/// Functions that are called when someone comes.
const ENTRANCES: &[&str] = &["open", "enter", "attach", "login", "register", "receive", "handle", "serve", "dial", "join"];

/// The word by which `function` or the collection says who comes.
fn comes(kept: &Kept, function: &Function<'_>, entry: &Entry) -> Option<String> {
    if let Some(resource) = kept.entries.iter().find(|name| is_endless(kept) || RESOURCES.contains(&name.as_str())) {
        return Some(resource.clone());
    }
    let name = function.name();
    if ENTRANCES.iter().any(|entrance| name == *entrance || name.starts_with(&format!("{entrance}_"))) {
        return Some(name);
    }
    let mut words: Vec<String> = entry.iter().flat_map(|arg| mentioned(|names| names.visit_expr(arg))).collect();
    words.extend(kept.owner.clone().into_iter().chain(kept.entries.iter().cloned()));
    words.extend([name, kept.name.clone()].into_iter().chain(function.trait_name()).chain(function.self_type()));
    words.into_iter().find(|word| COMERS.iter().any(|comer| word.to_lowercase().contains(comer)))
}

/// What is put in: `peer, 1`.
type Entry = Punctuated<Expr, Token![,]>;

/// Whether there are only so many keys like `key`: a literal, `Kind::Text`, `n % SLOTS`.
fn is_closed(key: &Expr, closed: &[String]) -> bool {
    match crate::syntax::strip(key) {
        Expr::Lit(_) => true,
        Expr::Binary(both) => matches!(both.op, BinOp::Rem(_)),
        Expr::Path(path) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.starts_with(char::is_uppercase) || closed.contains(&name)
        }),
        _ => false,
    }
}

const SHRINK: &[&str] = &[
    "remove", "remove_entry", "remove_if", "swap_remove", "shift_remove", "retain", "retain_mut", "clear", "drain", "pop",
    "pop_front", "pop_back", "pop_first", "pop_last", "pop_if", "truncate", "split_off", "extract_if", "resize",
];
/// These are methods of iterators and entries as well.
const SHRINK_WHOLE: &[&str] = &["take", "replace"];

/// Looks at what one function does with what is kept.
struct Seen<'s, 'f> {
    file: &'f SourceFile,
    keep: &'s Keep<'f>,
    locals: Locals,
    function: &'s Function<'f>,
    /// Variables of which there are only so many values.
    closed: Vec<String>,
    uses: &'s mut Vec<Uses>,
    /// Facts about fields of other files.
    elsewhere: Vec<(Span, String)>,
}

impl Seen<'_, '_> {
    fn resolve(&self, expr: &Expr) -> (Chain, Option<usize>) {
        let chain = Chain::of(expr);
        let kept = self.keep.resolve(&chain, &self.locals);
        (chain, kept)
    }

    fn shrinks(&mut self, expr: &Expr) {
        match self.resolve(expr) {
            (_, Some(kept)) => self.uses[kept].is_bounded = true,
            (chain, None) => self.shrinks_elsewhere(expr.span(), &chain),
        }
    }

    /// A local name that is a field's may be that field, by a way that was not followed.
    fn shrinks_elsewhere(&mut self, span: Span, chain: &Chain) {
        let Some(name) = chain.names().last() else { return };
        if chain.is_variable() {
            let same = self.keep.all.iter().zip(self.uses.iter_mut()).filter(|(kept, _)| kept.name == name);
            return same.for_each(|(_, uses)| uses.is_bounded = true);
        }
        self.elsewhere.push((span, taken(name)));
        if chain.root() == Some("self") {
            self.elsewhere.push((span, taken_by(self.locals.self_type.as_deref(), name)));
        }
    }

    fn grows(&mut self, call: &ExprMethodCall) {
        let (_, Some(at)) = self.resolve(&call.receiver) else { return };
        let kept = &self.keep.all[at];
        if kept.is_map && call.args.first().is_some_and(|key| is_closed(key, &self.closed)) {
            return;
        }
        let comes = comes(kept, self.function, &call.args);
        let function = self.function.name();
        self.uses[at].grows.push(Growth { span: call.method.span(), function, comes });
    }

    /// `seen.len() >= SEEN_MAX`, but not `seen.len() - done >= TOGETHER`: that bounds something else.
    fn is_bound(&mut self, one: &Expr, other: &Expr) {
        let sum = match crate::syntax::strip(one) {
            Expr::Binary(ExprBinary { left, op: BinOp::Add(_), .. }) => left,
            _ => one,
        };
        let is_zero = matches!(other, Expr::Lit(lit) if matches!(&lit.lit, syn::Lit::Int(n) if n.base10_digits() == "0"));
        let (chain, kept) = self.resolve(sum);
        if let Some(kept) = kept.filter(|_| !is_zero && self.locals.is_length(&chain)) {
            self.uses[kept].is_bounded = true;
        }
    }
}

impl<'f> Visit<'f> for Seen<'_, 'f> {
    fn visit_expr_method_call(&mut self, call: &'f ExprMethodCall) {
        let method = call.method.to_string();
        if GROW.contains(&method.as_str()) {
            self.grows(call);
        }
        let is_whole = || self.locals.is_whole(self.keep, &Chain::of(&call.receiver));
        if SHRINK.contains(&method.as_str()) || (SHRINK_WHOLE.contains(&method.as_str()) && is_whole()) {
            self.shrinks(&call.receiver);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_local(&mut self, local: &'f Local) {
        if let (Pat::Ident(name), Some(init)) = (&local.pat, &local.init)
            && is_closed(&init.expr, &self.closed)
        {
            self.closed.push(name.ident.to_string());
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_binary(&mut self, binary: &'f ExprBinary) {
        let is_comparison =
            matches!(binary.op, BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) | BinOp::Eq(_) | BinOp::Ne(_));
        if is_comparison {
            self.is_bound(&binary.left, &binary.right);
            self.is_bound(&binary.right, &binary.left);
        }
        visit::visit_expr_binary(self, binary);
    }

    /// `self.seen = HashMap::new()`, `*seen = ..`; an entry that gets another value is still one entry.
    fn visit_expr_assign(&mut self, assign: &'f ExprAssign) {
        let (chain, kept) = self.resolve(&assign.left);
        if let Some(kept) = kept.filter(|_| self.locals.is_whole(self.keep, &chain)) {
            self.uses[kept].is_bounded = true;
        }
        visit::visit_expr_assign(self, assign);
    }

    /// `trim(&mut seen)`, `mem::take(&mut self.seen)`: whoever gets all of it may empty it.
    fn visit_expr_reference(&mut self, reference: &'f ExprReference) {
        let (chain, kept) = self.resolve(&reference.expr);
        if let Some(kept) = kept.filter(|_| reference.mutability.is_some() && self.locals.is_whole(self.keep, &chain)) {
            self.uses[kept].is_bounded = true;
        }
        visit::visit_expr_reference(self, reference);
    }

    fn visit_macro(&mut self, mac: &'f Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }

    /// Items in functions are functions of their own.
    fn visit_item(&mut self, _item: &'f syn::Item) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn a_map_that_only_grows_is_found_through_locals_aliases_and_helpers() {
        check(
            &RULE,
            r#"
            type Inboxes = Arc<Mutex<Vec<Inbox>>>;
            struct A { seen: Mutex<BTreeMap<String, u64>>, boxes: Inboxes, state: Mutex<State> }
            struct State { sessions: HashMap<u64, String> }
            impl A {
                fn note(&self, peer: &str) {
                    let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *seen.entry(peer.to_owned()).or_default() += 1; //~ map-grows-per-connection
                }
                fn open(&self) { lock(&self.boxes).push(Inbox::new()); } //~ map-grows-per-connection
                fn enter(&self, id: u64) { self.state().sessions.insert(id, String::new()); } //~ map-grows-per-connection
                fn state(&self) -> MutexGuard<'_, State> { self.state.lock().unwrap() }
            }
            static LOGINS: Mutex<Vec<String>> = Mutex::new(Vec::new());
            fn login(name: String) { LOGINS.lock().unwrap().push(name); } //~ map-grows-per-connection
            "#,
        );
    }

    #[test]
    fn keys_that_never_come_again_need_no_lock() {
        check(
            &RULE,
            r#"
            struct Curve { looks: BTreeMap<Instant, Sample> }
            impl Curve {
                fn push(&mut self, sample: Sample) { self.looks.insert(sample.at, sample); } //~ map-grows-per-connection
            }
            "#,
        );
    }

    #[test]
    fn what_is_taken_out_again_is_not_found() {
        for shrinks in [
            "fn left(&self, peer: u64) { self.seen.lock().unwrap().remove(&peer); }",
            "fn left(&self) { let mut all = self.lock(); all.retain(|_, n| *n > 0); }",
            "fn left(&self) { *self.seen.lock().unwrap() = HashMap::new(); }",
            "fn left(&self) { let old = mem::take(&mut *self.seen.lock().unwrap()); }",
            "fn left(&self) { if let Ok(mut all) = self.seen.lock() { trim(&mut all); } }",
            "fn full(&self) -> bool { self.seen.lock().unwrap().len() >= MAX }",
            "fn full(&self) -> bool { let n = self.lock().len(); n + 1 > MAX }",
            "fn left(&self) { match self.lock().entry(1) { Entry::Occupied(one) => one.remove(), _ => 0 }; }",
        ] {
            let code = "
                struct A { seen: Mutex<HashMap<u64, u64>> }
                impl A {
                    fn open(&self, peer: u64) { self.seen.lock().unwrap().insert(peer, 0); }
                    fn lock(&self) -> MutexGuard<'_, HashMap<u64, u64>> { self.seen.lock().unwrap() }
                    SHRINKS
                }";
            check(&RULE, &code.replace("SHRINKS", shrinks));
        }
    }

    #[test]
    fn a_length_that_is_shown_or_compared_with_nothing_is_no_bound() {
        check(
            &RULE,
            r#"
            struct A { files: Mutex<Vec<File>>, done: usize }
            impl A {
                fn write(&self, file: File) { self.files.lock().unwrap().push(file); } //~ map-grows-per-connection
                fn count(&self) -> usize { self.files.lock().unwrap().len() }
                fn busy(&self) -> bool { self.files.lock().unwrap().len() > 0 }
                fn due(&self) -> bool { self.files.lock().unwrap().len() - self.done >= TOGETHER }
            }
            "#,
        );
    }

    #[test]
    fn what_one_owner_builds_and_what_comes_from_nobody_is_not_found() {
        check(
            &RULE,
            r#"
            struct Builder { routes: HashMap<String, Route>, sessions: Vec<Session> }
            impl Builder {
                fn route(&mut self, path: &str, route: Route) { self.routes.insert(path.to_owned(), route); }
                fn session(&mut self, session: Session) { self.sessions.push(session); }
            }
            struct Names { known: Mutex<HashMap<String, u32>> }
            impl Names {
                fn intern(&self, name: &str) { self.known.lock().unwrap().insert(name.to_owned(), 1); }
            }
            struct Rounds { sessions: Mutex<HashMap<u64, u64>> }
            impl Rounds {
                fn open(&self, n: u64) {
                    let slot = n % SLOTS;
                    *self.sessions.lock().unwrap().entry(slot).or_default() += 1;
                    self.sessions.lock().unwrap().insert(Slot::Last, n);
                }
            }
            struct Log(Mutex<Vec<String>>);
            impl Log { fn on_event(&self, peer: &str) { self.0.lock().unwrap().push(peer.to_owned()); } }
            struct Run { log: Option<Log> }
            fn tell(run: &Run) { let Some(one) = &run.log else { return }; one.0.lock().unwrap().drain(..); }
            "#,
        );
    }
}

//! What outlives a call: the collections in the fields and statics of a file, and what functions do with them.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Expr, FnArg, GenericArgument, Item, Local, Pat, PathArguments, ReturnType, Type, Visibility};

use crate::chain::{Chain, Step};
use crate::names::names_of;
use crate::shape::{Function, Shapes};
use crate::source::SourceFile;

/// A collection in a field or a static.
#[derive(Debug)]
pub struct Kept {
    /// The type whose field it is; nothing for a static.
    pub owner: Option<String>,
    /// The field's or the static's.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// A map or a set, and no list.
    pub is_map: bool,
    /// Several can reach it: it is behind a lock.
    pub is_shared: bool,
    /// Other modules may use it directly.
    pub is_visible: bool,
    /// The names in the types of its entries, in order.
    pub entries: Vec<String>,
}

/// What a file keeps, and where.
pub struct Keep<'a> {
    /// In the order of the file.
    pub all: Vec<Kept>,
    file: &'a SourceFile,
    shapes: Shapes<'a>,
    /// `fn lock(&self) -> MutexGuard<'_, Vec<Line>>`, and what it locks.
    helpers: BTreeMap<String, usize>,
}

const WRAPPERS: &[&str] = &[
    "Arc",
    "Rc",
    "Box",
    "Option",
    "Pin",
    "OnceLock",
    "OnceCell",
    "LazyLock",
    "Lazy",
    "Cell",
    "UnsafeCell",
    "CachePadded",
];
const LOCKS: &[&str] = &["Mutex", "RwLock", "RefCell", "FairMutex", "ReentrantMutex"];
const GUARDS: &[&str] = &["MutexGuard", "RwLockWriteGuard", "RefMut", "MappedMutexGuard", "OwnedMutexGuard"];
/// Maps that are their own lock.
const SHARED_MAPS: &[&str] = &["DashMap", "DashSet", "SkipMap", "SkipSet"];
const MAPS: &[&str] =
    &["HashMap", "BTreeMap", "IndexMap", "HashSet", "BTreeSet", "IndexSet", "FxHashMap", "FxHashSet"];
const LISTS: &[&str] = &["Vec", "VecDeque", "LinkedList", "BinaryHeap", "SmallVec"];

/// Methods that put an entry into a collection.
pub const GROW: &[&str] =
    &["insert", "entry", "push", "push_back", "push_front", "extend", "append", "try_insert", "insert_full"];

/// Aliases of aliases, types in types: what is deeper says nothing.
const DEPTH_MAX: usize = 8;

impl<'a> Keep<'a> {
    /// That of `file`.
    pub fn of(file: &'a SourceFile) -> Self {
        let mut keep = Self { all: Vec::new(), file, shapes: file.shapes(), helpers: BTreeMap::new() };
        let (items, functions) = (file.items(), file.functions());
        let locked = keep.locked(&items, &functions);
        items.iter().for_each(|item| keep.add(item, &locked));
        if !keep.all.is_empty() {
            functions.iter().for_each(|function| keep.add_helper(function));
        }
        keep
    }

    /// The types that stand behind a lock somewhere in the file.
    fn locked(&self, items: &[&Item], functions: &[Function<'_>]) -> BTreeSet<String> {
        let fields = self.shapes.fields.values().flatten().map(|(_, ty)| *ty);
        let aliases = self.shapes.aliases.values().copied();
        let statics = items.iter().filter_map(|item| match item {
            Item::Static(item) => Some(&*item.ty),
            _ => None,
        });
        let results = functions.iter().filter_map(|function| match &function.signature.output {
            ReturnType::Type(_, ty) => Some(&**ty),
            ReturnType::Default => None,
        });
        let types = fields.chain(aliases).chain(statics).chain(results);
        types.flat_map(|ty| behind_locks(&self.names(ty))).collect()
    }

    fn add(&mut self, item: &Item, locked: &BTreeSet<String>) {
        match item {
            Item::Struct(item) => {
                let owner = item.ident.to_string();
                for (place, field) in item.fields.iter().enumerate() {
                    let name = field.ident.as_ref().map_or_else(|| place.to_string(), ToString::to_string);
                    let is_visible = !matches!(field.vis, Visibility::Inherited);
                    self.add_kept(Some(owner.clone()), name, &field.ty, is_visible, locked.contains(&owner));
                }
            }
            Item::Static(item) => {
                let is_visible = !matches!(item.vis, Visibility::Inherited);
                self.add_kept(None, item.ident.to_string(), &item.ty, is_visible, false);
            }
            _ => {}
        }
    }

    fn add_kept(
        &mut self,
        owner: Option<String>,
        name: String,
        ty: &Type,
        is_visible: bool,
        is_locked: bool,
    ) {
        let names = self.names(ty);
        let is_wrapper = |name: &String| is_in(WRAPPERS, name) || is_in(LOCKS, name);
        let Some(at) = names.iter().position(|name| !is_wrapper(name)) else { return };
        let kind = &names[at];
        let is_own_lock = is_in(SHARED_MAPS, kind);
        let is_map = is_own_lock || is_in(MAPS, kind);
        if !is_map && !is_in(LISTS, kind) {
            return;
        }
        let is_shared = is_locked || is_own_lock || names[..at].iter().any(|name| is_in(LOCKS, name));
        let entries = names[at + 1..].to_vec();
        self.all.push(Kept { owner, name, span: ty.span(), is_map, is_shared, is_visible, entries });
    }

    /// The names in `ty` from outside to inside, the file's aliases replaced by what they stand for.
    pub fn names(&self, ty: &Type) -> Vec<String> {
        let mut names = Vec::new();
        self.add_names(ty, &mut names, 0);
        names
    }

    fn add_names(&self, ty: &Type, names: &mut Vec<String>, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        match ty {
            Type::Path(path) => {
                let Some(last) = path.path.segments.last() else { return };
                let name = last.ident.to_string();
                if let Some(alias) = self.shapes.aliases.get(&name) {
                    return self.add_names(alias, names, depth + 1);
                }
                names.push(name);
                self.add_arguments(&last.arguments, names, depth);
            }
            Type::TraitObject(object) => {
                names.push("dyn".to_owned());
                names.extend(object.bounds.iter().filter_map(bound));
            }
            Type::Reference(inner) => self.add_names(&inner.elem, names, depth + 1),
            Type::Paren(inner) => self.add_names(&inner.elem, names, depth + 1),
            Type::Group(inner) => self.add_names(&inner.elem, names, depth + 1),
            Type::Tuple(tuple) => tuple.elems.iter().for_each(|ty| self.add_names(ty, names, depth + 1)),
            _ => {}
        }
    }

    fn add_arguments(&self, arguments: &PathArguments, names: &mut Vec<String>, depth: usize) {
        let PathArguments::AngleBracketed(arguments) = arguments else { return };
        for argument in &arguments.args {
            if let GenericArgument::Type(ty) = argument {
                self.add_names(ty, names, depth + 1);
            }
        }
    }

    fn add_helper(&mut self, function: &Function<'_>) {
        let ReturnType::Type(_, ty) = &function.signature.output else { return };
        if !self.names(ty).iter().any(|name| is_in(GUARDS, name)) {
            return;
        }
        let tail = crate::source::tail(function.block).map(Chain::of);
        if let Some(kept) = tail.and_then(|tail| self.resolve(&tail, &Locals::of(self, function))) {
            self.helpers.insert(function.name(), kept);
        }
    }

    /// Which of [`Keep::all`] `chain` leads to, or through.
    pub fn resolve(&self, chain: &Chain, locals: &Locals) -> Option<usize> {
        let by_steps = (0..chain.0.len()).rev().find_map(|at| self.at_step(chain, at, locals));
        by_steps.or_else(|| locals.known.get(chain.root()?).and_then(|known| known.kept))
    }

    fn at_step(&self, chain: &Chain, at: usize, locals: &Locals) -> Option<usize> {
        match &chain.0[at] {
            Step::Call(call) => self.helpers.get(call).copied(),
            // A variable is no field, but it may be a static.
            Step::Name(name) if at == 0 => self.find(|kept| kept.owner.is_none() && kept.name == *name),
            Step::Name(name) => {
                let owner = self.owner_at(chain, at, locals);
                let is_index = name.starts_with(|c: char| c.is_ascii_digit());
                if is_index && owner.is_none() {
                    return None;
                }
                let is_owner =
                    |kept: &Kept| owner.as_ref().is_none_or(|owner| kept.owner.as_ref() == Some(owner));
                self.find(|kept| kept.name == *name && kept.owner.is_some() && is_owner(kept))
            }
        }
    }

    /// The type whose field stands at `at`, if it is one of the file: that of `self`, of a parameter, of the field before.
    fn owner_at(&self, chain: &Chain, at: usize, locals: &Locals) -> Option<String> {
        let Some(Step::Name(before)) = chain.0.get(at - 1) else { return None };
        let owner = match at {
            1 if before == "self" => locals.self_type.clone(),
            1 => locals.types.get(before).cloned(),
            _ => self
                .shapes
                .fields
                .values()
                .flatten()
                .find(|(name, _)| name == before)
                .and_then(|(_, ty)| self.named(ty)),
        };
        owner.filter(|owner| self.shapes.fields.contains_key(owner))
    }

    /// That of the field which `chain` ends with.
    fn type_of(&self, chain: &Chain) -> Option<String> {
        match chain.0.last() {
            Some(Step::Name(field)) if chain.0.len() > 1 => {
                let mut fields = self.shapes.fields.values().flatten();
                fields.find(|(name, _)| name == field).and_then(|(_, ty)| self.named(ty))
            }
            _ => None,
        }
    }

    /// The type of the file that `ty` is, behind references, `Arc`s and the like.
    fn named(&self, ty: &Type) -> Option<String> {
        self.names(ty).into_iter().find(|name| !is_in(WRAPPERS, name) && !is_in(LOCKS, name))
    }

    fn find(&self, is_it: impl Fn(&Kept) -> bool) -> Option<usize> {
        self.all.iter().position(is_it)
    }

    /// A parameter whose type is that of a field: `firsts: &Firsts`.
    fn of_parameter(&self, ty: &Type) -> Option<usize> {
        let names = self.names(ty);
        let is_locked = names.iter().any(|name| is_in(LOCKS, name));
        let fields = self
            .shapes
            .fields
            .iter()
            .flat_map(|(owner, fields)| fields.iter().map(move |field| (owner, field)));
        let mut same = fields.filter(|(_, (_, field))| is_locked && self.names(field) == names);
        let (owner, (name, _)) = same.next()?;
        self.find(|kept| kept.owner.as_ref() == Some(owner) && kept.name == *name)
    }
}

fn bound(bound: &syn::TypeParamBound) -> Option<String> {
    match bound {
        syn::TypeParamBound::Trait(one) => one.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}

fn is_in(list: &[&str], name: &str) -> bool {
    list.contains(&name)
}

/// In `Arc`, `Mutex`, `State` it is `State`. A `RefCell` without an `Rc` has one owner, who fills and empties it.
fn behind_locks(names: &[String]) -> Vec<String> {
    let is_lock = |at: usize| {
        let name = &names[at];
        let is_cell = name == "RefCell" || name == "RefMut";
        (is_in(LOCKS, name) || is_in(GUARDS, name))
            && (!is_cell || names[..at].iter().any(|outer| outer == "Rc"))
    };
    let inside = |at: usize| names[at + 1..].iter().find(|name| !is_in(WRAPPERS, name)).cloned();
    (0..names.len()).filter(|at| is_lock(*at)).filter_map(inside).collect()
}

/// What the variables of a function stand for.
#[derive(Debug, Default)]
pub struct Locals {
    /// The type whose method it is.
    pub self_type: Option<String>,
    /// The types of parameters.
    types: BTreeMap<String, String>,
    known: BTreeMap<String, Known>,
}

/// What is known of a variable.
#[derive(Debug, Clone, Copy)]
struct Known {
    kept: Option<usize>,
    /// Not an entry of it, but all of it.
    is_whole: bool,
    is_length: bool,
}

/// What one may call on the way and still have all of a collection in hand.
const WHOLE: &[&str] = &[
    "lock",
    "write",
    "borrow_mut",
    "unwrap",
    "expect",
    "unwrap_or_else",
    "get_mut",
    "as_mut",
    "deref_mut",
    "clone",
    "try_lock",
    "blocking_lock",
    "upgrade",
    "lock_owned",
    "get_or_init",
    "with_mut",
];

impl Locals {
    /// Those of `function`, in any of its scopes.
    pub fn of(keep: &Keep<'_>, function: &Function<'_>) -> Self {
        let mut locals =
            Self { self_type: function.self_type(), types: BTreeMap::new(), known: BTreeMap::new() };
        for input in &function.signature.inputs {
            let FnArg::Typed(input) = input else { continue };
            let ty = keep.named(&input.ty);
            locals.types.extend(names_of(&input.pat).into_iter().zip(ty));
            let Some(kept) = keep.of_parameter(&input.ty) else { continue };
            locals.bind(&input.pat, Known { kept: Some(kept), is_whole: true, is_length: false });
        }
        let mut binding = Binding { keep, locals };
        binding.visit_block(function.block);
        binding.locals
    }

    /// Whether `chain` leads to all of what is kept, and not to one of its entries.
    pub fn is_whole(&self, keep: &Keep<'_>, chain: &Chain) -> bool {
        let begins_whole =
            chain.root().and_then(|root| self.known.get(root)).is_none_or(|known| known.is_whole);
        begins_whole && chain.calls().all(|call| is_in(WHOLE, call) || keep.helpers.contains_key(call))
    }

    /// Whether `chain` is the length of something kept.
    pub fn is_length(&self, chain: &Chain) -> bool {
        let is_known = chain.is_variable()
            && chain.root().and_then(|root| self.known.get(root)).is_some_and(|one| one.is_length);
        is_known || chain.last_call() == Some("len")
    }

    fn bind(&mut self, pat: &Pat, known: Known) {
        for name in names_of(pat) {
            match known.kept {
                Some(_) => self.known.insert(name, known),
                None => self.known.remove(&name),
            };
        }
    }
}

struct Binding<'k, 'a> {
    keep: &'k Keep<'a>,
    locals: Locals,
}

impl Binding<'_, '_> {
    fn bind(&mut self, pat: &Pat, to: &Expr) {
        let chain = Chain::of(to);
        let kept = self.keep.resolve(&chain, &self.locals);
        let is_whole = self.locals.is_whole(self.keep, &chain);
        let is_length = kept.is_some() && chain.last_call() == Some("len");
        let ty = self.keep.type_of(&chain);
        self.locals.types.extend(names_of(pat).into_iter().zip(ty));
        self.locals.bind(pat, Known { kept, is_whole, is_length });
    }
}

impl<'f> Visit<'f> for Binding<'_, 'f> {
    fn visit_local(&mut self, local: &'f Local) {
        visit::visit_local(self, local);
        if let Some(init) = &local.init {
            self.bind(&local.pat, &init.expr);
        }
    }

    fn visit_expr_let(&mut self, one: &'f syn::ExprLet) {
        self.bind(&one.pat, &one.expr);
        visit::visit_expr_let(self, one);
    }

    fn visit_expr_for_loop(&mut self, one: &'f syn::ExprForLoop) {
        self.bind(&one.pat, &one.expr);
        visit::visit_expr_for_loop(self, one);
    }

    fn visit_expr_match(&mut self, one: &'f syn::ExprMatch) {
        one.arms.iter().for_each(|arm| self.bind(&arm.pat, &one.expr));
        visit::visit_expr_match(self, one);
    }

    fn visit_macro(&mut self, mac: &'f syn::Macro) {
        if let Some(body) = self.keep.file.body(mac) {
            body.visit(self);
        }
    }

    /// Items in functions are functions of their own.
    fn visit_item(&mut self, _item: &'f Item) {}
}

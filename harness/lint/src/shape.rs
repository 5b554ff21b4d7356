//! The outline of a file: its items, functions and types.

use std::collections::BTreeMap;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, Macro, Signature, TraitItemFn, Type};

use crate::source::SourceFile;

/// A function with a body.
#[derive(Clone, Copy)]
pub struct Function<'a> {
    /// Name, arguments, result, `async`.
    pub signature: &'a Signature,
    /// What it does.
    pub block: &'a Block,
    /// `impl Type`, if it is a method.
    pub of: Option<&'a ItemImpl>,
}

impl Function<'_> {
    /// Its name.
    pub fn name(&self) -> String {
        self.signature.ident.to_string()
    }

    /// The name of the type whose method it is, without paths and generics.
    pub fn self_type(&self) -> Option<String> {
        self.of.and_then(|of| crate::syntax::type_name(&of.self_ty))
    }

    /// The last part of the trait that it implements: `Drop`.
    pub fn trait_name(&self) -> Option<String> {
        let (path, _) = self.of?.trait_.as_ref()?;
        path.segments.last().map(|segment| segment.ident.to_string())
    }

    /// From its first to its last line.
    pub fn lines(&self) -> std::ops::RangeInclusive<usize> {
        self.signature.span().start().line..=self.block.span().end().line
    }
}

/// The structs, enums and aliases of a file.
#[derive(Default)]
pub struct Shapes<'a> {
    /// Fields by type; those of tuple structs are called `0`, `1`; those of an enum's variants stand together.
    pub fields: BTreeMap<String, Vec<(String, &'a Type)>>,
    /// `type Firsts = Arc<Mutex<VecDeque<Bytes>>>`.
    pub aliases: BTreeMap<String, &'a Type>,
}

/// An alias of an alias of an alias: what is deeper stays a name.
const ALIASES_MAX: usize = 8;

impl<'a> Shapes<'a> {
    pub(crate) fn of(file: &'a SourceFile) -> Self {
        let mut shapes = Self::default();
        file.items().into_iter().for_each(|item| shapes.add(item));
        shapes
    }

    fn add(&mut self, item: &'a Item) {
        match item {
            Item::Struct(item) => self.add_fields(item.ident.to_string(), &item.fields),
            Item::Enum(item) => {
                item.variants.iter().for_each(|one| self.add_fields(item.ident.to_string(), &one.fields));
            }
            Item::Type(item) => {
                self.aliases.insert(item.ident.to_string(), &item.ty);
            }
            _ => {}
        }
    }

    fn add_fields(&mut self, of: String, fields: &'a syn::Fields) {
        let named = fields.iter().enumerate().map(|(i, field)| {
            (field.ident.as_ref().map_or_else(|| i.to_string(), ToString::to_string), &field.ty)
        });
        self.fields.entry(of).or_default().extend(named);
    }

    /// Every name in `ty`, with those behind the file's own aliases: `Arc`, `Mutex`, `VecDeque`, `Bytes`.
    pub fn names_in(&self, ty: &Type) -> Vec<String> {
        let mut names = crate::syntax::names_in_type(ty);
        let mut from = 0;
        for _depth in 0..ALIASES_MAX {
            let behind: Vec<String> = names[from..]
                .iter()
                .filter_map(|name| self.aliases.get(name))
                .flat_map(|ty| crate::syntax::names_in_type(ty))
                .collect();
            from = names.len();
            names.extend(behind);
        }
        names
    }

    /// Whether `ty` names `name`, be it behind an alias of the file.
    pub fn mentions(&self, ty: &Type, name: &str) -> bool {
        self.names_in(ty).iter().any(|one| one == name)
    }
}

pub(crate) fn items(file: &SourceFile) -> Vec<&Item> {
    let mut found = Items { file, items: Vec::new() };
    found.visit_file(&file.ast);
    found.items
}

struct Items<'a> {
    file: &'a SourceFile,
    items: Vec<&'a Item>,
}

impl<'a> Visit<'a> for Items<'a> {
    fn visit_item(&mut self, item: &'a Item) {
        self.items.push(item);
        visit::visit_item(self, item);
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }
}

pub(crate) fn functions(file: &SourceFile) -> Vec<Function<'_>> {
    let mut found = Functions { file, of: None, functions: Vec::new() };
    found.visit_file(&file.ast);
    found.functions
}

struct Functions<'a> {
    file: &'a SourceFile,
    of: Option<&'a ItemImpl>,
    functions: Vec<Function<'a>>,
}

impl<'a> Visit<'a> for Functions<'a> {
    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        let outer = self.of.replace(item);
        visit::visit_item_impl(self, item);
        self.of = outer;
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        let outer = self.of.take();
        visit::visit_item_mod(self, item);
        self.of = outer;
    }

    fn visit_item_fn(&mut self, item: &'a ItemFn) {
        self.functions.push(Function { signature: &item.sig, block: &item.block, of: None });
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'a ImplItemFn) {
        self.functions.push(Function { signature: &item.sig, block: &item.block, of: self.of });
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'a TraitItemFn) {
        if let Some(block) = &item.default {
            self.functions.push(Function { signature: &item.sig, block, of: None });
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_macro(&mut self, mac: &'a Macro) {
        if let Some(body) = self.file.body(mac) {
            body.visit(self);
        }
    }
}

//! Which lines of a file are tests: what leaks there ends with the test.

use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, ImplItemFn, Item, ItemFn, ItemMod, Lit, Meta, Token};

use crate::finding::At;
use crate::source::SourceFile;

/// The test code of a file.
#[derive(Debug, Default)]
pub(crate) struct TestCode {
    /// First and last lines.
    pub(crate) lines: Vec<(u32, u32)>,
    /// Modules of it that are files of their own: their path without `.rs`.
    pub(crate) modules: Vec<PathBuf>,
}

impl TestCode {
    /// Whether `line` is one of a test.
    pub(crate) fn has(&self, line: usize) -> bool {
        self.lines.iter().any(|(first, last)| (*first as usize..=*last as usize).contains(&line))
    }
}

/// What of `file` is compiled only for tests.
pub(crate) fn of(file: &SourceFile) -> TestCode {
    let mut found = Tests { folder: folder_of_modules(&file.path), code: TestCode::default() };
    if file.ast.attrs.iter().any(is_test) {
        found.code.lines.push((1, u32::MAX));
    }
    found.visit_file(&file.ast);
    found.code
}

/// Where the modules of `path` lie: beside `lib.rs`, `main.rs` and `mod.rs`, below any other.
fn folder_of_modules(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    match ["lib", "main", "mod"].iter().any(|root| stem == *root) {
        true => path.with_file_name(""),
        false => path.with_extension(""),
    }
}

struct Tests {
    folder: PathBuf,
    code: TestCode,
}

impl Tests {
    /// Where `mod tests` lies if the file is taken into its crate's root by `include!`.
    fn beside(&self, ident: &syn::Ident) -> Option<PathBuf> {
        let is_root = self.folder.to_string_lossy().ends_with('/') || self.folder.as_os_str().is_empty();
        let is_plain = !is_root && (ident == "tests" || ident == "test");
        is_plain.then(|| self.folder.with_file_name(ident.to_string()))
    }

    fn add(&mut self, span: proc_macro2::Span) {
        let at = At::from(span);
        self.code.lines.push((at.line, at.end_line));
    }
}

impl<'a> Visit<'a> for Tests {
    fn visit_item(&mut self, item: &'a Item) {
        match attributes(item).iter().any(is_test) {
            true => self.add(item.span()),
            false => visit::visit_item(self, item),
        }
        if let Item::Mod(ItemMod { attrs, ident, content: None, .. }) = item
            && attrs.iter().any(is_test)
        {
            self.code.modules.push(self.folder.join(ident.to_string()));
            self.code.modules.extend(self.beside(ident));
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a ImplItemFn) {
        if item.attrs.iter().any(is_test) {
            self.add(item.span());
        }
    }

    fn visit_item_fn(&mut self, _item: &'a ItemFn) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[test]`, `#[tokio::test(..)]`, `#[bench]`, and any `cfg` that needs `test`.
fn is_test(attribute: &Attribute) -> bool {
    let Some(last) = attribute.path().segments.last() else { return false };
    match &attribute.meta {
        Meta::List(list) if last.ident == "cfg" => {
            list.parse_args::<Meta>().is_ok_and(|meta| needs_test(&meta))
        }
        _ => last.ident == "test" || last.ident == "bench" || last.ident == "rstest",
    }
}

fn needs_test(meta: &Meta) -> bool {
    match meta {
        Meta::Path(path) => path.is_ident("test") || path.is_ident("loom"),
        Meta::NameValue(_) => feature(meta).is_some_and(|name| TESTS.contains(&name.as_str())),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|all| all.iter().any(needs_test)),
        Meta::List(list) if list.path.is_ident("any") => {
            list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).is_ok_and(|any| {
                any.iter().any(needs_test) && any.iter().all(|one| needs_test(one) || is_private(one))
            })
        }
        _ => false,
    }
}

/// Features that only tests turn on: helpers for those of the users.
const TESTS: &[&str] = &["test", "testing"];

/// `feature = "__private"`: by its underscores for the crate's own tests and tools.
fn is_private(meta: &Meta) -> bool {
    feature(meta).is_some_and(|name| name.starts_with("__"))
}

/// In `feature = "a"` it is `a`.
fn feature(meta: &Meta) -> Option<String> {
    match meta {
        Meta::NameValue(pair) if pair.path.is_ident("feature") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => Some(name.value()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(path: &str, text: &str) -> TestCode {
        of(&SourceFile::parse(Path::new(path), text.to_owned()).expect("Rust"))
    }

    #[test]
    fn tests_are_what_is_compiled_for_tests_alone() {
        let text = "\
#[cfg(test)]
mod tests {
    fn f() {}
}
#[cfg(any(test, feature = \"a\"))]
fn g() {}
#[tokio::test]
async fn h() {}
#[cfg(all(unix, test))]
mod other;
#[cfg(not(test))]
fn i() {}
#[cfg(any(test, feature = \"__private\"))]
fn j() {}
#[cfg(feature = \"test\")]
fn k() {}
";
        let code = code("src/a.rs", text);
        assert_eq!(code.lines, [(1, 4), (7, 8), (9, 10), (13, 14), (15, 16)]);
        assert_eq!(code.modules, [PathBuf::from("src/a/other")]);
    }

    #[test]
    fn tests_of_a_file_that_is_included_lie_beside_it() {
        let modules = code("src/inner.rs", "#[cfg(test)] mod tests; #[cfg(test)] mod kit;").modules;
        assert_eq!(modules, ["src/inner/tests", "src/tests", "src/inner/kit"].map(PathBuf::from));
    }

    #[test]
    fn modules_of_a_root_lie_beside_it() {
        assert_eq!(code("src/lib.rs", "#[cfg(test)] mod t;").modules, [PathBuf::from("src/t")]);
    }
}

//! A large buffer that a future carries along while it waits.

use std::collections::BTreeMap;

use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::visit::Visit as _;
use syn::{BinOp, Expr, ExprCall, Item, Lit, Macro, Token};

use crate::finding::{Confidence, Sink};
use crate::held::{Held, each_held, waits};
use crate::names::mentioned;
use crate::rule::Rule;
use crate::source::SourceFile;
use crate::syntax::callee;

pub(super) const RULE: Rule = Rule {
    name: "large-buffer-across-await",
    title: "a large buffer is kept while the task waits",
    why: "what is alive at an `.await` is stored with the task: each idle connection then costs its whole buffer",
    hint: "wait first (`readable`), read into a buffer that grows as needed, or take one from a pool when there is something to read",
    confidence: Confidence::Medium,
    scenario: "half-open",
    page: include_str!("../../rules/large-buffer-across-await.md"),
    check,
};

/// Arrays from this size on are reported: they are in the future itself, and are moved with it.
const ARRAY_BYTES: u64 = 16 * 1024;
/// Buffers on the heap from this size on.
const HEAP_BYTES: u64 = 64 * 1024;

fn check(file: &SourceFile, sink: &mut Sink<'_>) {
    if !file.text.contains(".await") {
        return;
    }
    let sizes = Sizes::of(file);
    each_held(file, |held| judge(file, &sizes, held, sink));
}

fn judge(file: &SourceFile, sizes: &Sizes<'_>, held: &Held<'_>, sink: &mut Sink<'_>) {
    let Some(init) = &held.local.init else { return };
    let Some((bytes, place)) = buffer(sizes, &init.expr) else { return };
    let waits = waits(file, held.rest);
    // Used while or after it waits; how far a use is from the first wait does not matter, loops lead back.
    let is_used = || {
        let names = mentioned(|names| held.rest.iter().for_each(|stmt| names.visit_stmt(stmt)));
        names.contains(&held.name)
    };
    let Some(wait) = waits.first().filter(|_| is_used()) else { return };
    let message = format!("`{}` has {} KiB {place}, and is kept while this task waits", held.name, bytes / 1024);
    sink.report(held.local.span(), message).note(wait.span, "waits here");
}

/// The size of the buffer that `init` makes, and where it is, if it is a large one.
fn buffer(sizes: &Sizes<'_>, init: &Expr) -> Option<(u64, &'static str)> {
    match init {
        Expr::Repeat(array) => sizes.bytes(&array.expr, &array.len, ARRAY_BYTES).map(|bytes| (bytes, "in the future itself")),
        Expr::Macro(one) if one.mac.path.is_ident("vec") => vec_of(sizes, &one.mac),
        Expr::Call(call) => match sizes.capacity(call) {
            Some(bytes) => Some((bytes, "on the heap")),
            None => in_a_box(call).and_then(|inner| buffer(sizes, inner)).filter(|(bytes, _)| *bytes >= HEAP_BYTES),
        },
        _ => None,
    }
}

/// `Box::new([0; N])`.
fn in_a_box(call: &ExprCall) -> Option<&Expr> {
    let is_box = callee(call).is_some_and(|path| crate::syntax::ends_with(path, &["Box", "new"]));
    call.args.first().filter(|_| is_box)
}

/// `vec![0; N]`.
fn vec_of(sizes: &Sizes<'_>, mac: &Macro) -> Option<(u64, &'static str)> {
    let (element, _, length) = mac.parse_body_with(Repeated::parse).ok()?.0;
    sizes.bytes(&element, &length, HEAP_BYTES).map(|bytes| (bytes, "on the heap"))
}

struct Repeated((Expr, Token![;], Expr));

impl Parse for Repeated {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        Ok(Self((input.parse()?, input.parse()?, input.parse()?)))
    }
}

/// The constants of a file.
struct Sizes<'f>(BTreeMap<String, &'f Expr>);

/// Constants of constants: what is deeper is not known.
const DEPTH_MAX: usize = 8;

impl<'f> Sizes<'f> {
    fn of(file: &'f SourceFile) -> Self {
        let consts = file.items().into_iter().filter_map(|item| match item {
            Item::Const(item) => Some((item.ident.to_string(), &*item.expr)),
            _ => None,
        });
        Self(consts.collect())
    }

    /// The bytes of `length` times `element`, if they are at least `min`.
    fn bytes(&self, element: &Expr, length: &Expr, min: u64) -> Option<u64> {
        let bytes = self.number(length, 0)?.checked_mul(width(element))?;
        (bytes >= min).then_some(bytes)
    }

    /// `Vec::with_capacity(N)`, `BytesMut::zeroed(N)`.
    fn capacity(&self, call: &ExprCall) -> Option<u64> {
        let name = callee(call)?.segments.last()?;
        let bytes = self.number(call.args.first()?, 0)?;
        (["with_capacity", "zeroed"].iter().any(|one| name.ident == one) && bytes >= HEAP_BYTES).then_some(bytes)
    }

    fn number(&self, expr: &Expr, depth: usize) -> Option<u64> {
        if depth > DEPTH_MAX {
            return None;
        }
        match expr {
            Expr::Lit(lit) => match &lit.lit {
                Lit::Int(number) => number.base10_parse().ok(),
                _ => None,
            },
            Expr::Path(path) => self.number(self.0.get(&path.path.segments.last()?.ident.to_string())?, depth + 1),
            Expr::Paren(inner) => self.number(&inner.expr, depth),
            Expr::Cast(inner) => self.number(&inner.expr, depth),
            Expr::Binary(both) => {
                let (left, right) = (self.number(&both.left, depth)?, self.number(&both.right, depth)?);
                match both.op {
                    BinOp::Add(_) => left.checked_add(right),
                    BinOp::Sub(_) => left.checked_sub(right),
                    BinOp::Mul(_) => left.checked_mul(right),
                    BinOp::Div(_) => left.checked_div(right),
                    BinOp::Shl(_) => left.checked_shl(u32::try_from(right).ok()?),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The bytes of one `element`; what does not say is taken for a byte.
fn width(element: &Expr) -> u64 {
    let Expr::Lit(lit) = element else { return 1 };
    let suffix = match &lit.lit {
        Lit::Int(number) => number.suffix(),
        Lit::Float(number) => number.suffix(),
        _ => "",
    };
    match suffix {
        "u16" | "i16" => 2,
        "u32" | "i32" | "f32" => 4,
        "u64" | "i64" | "f64" | "usize" | "isize" => 8,
        "u128" | "i128" => 16,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check;

    #[test]
    fn large_arrays_and_vectors_that_wait_are_found() {
        check(
            &RULE,
            r#"
            const KB: usize = 1 << 10;
            const BUFFER_BYTES: usize = 64 * KB;
            async fn f(mut stream: TcpStream) -> io::Result<()> {
                let mut buffer = [0u8; 16 * 1024]; //~ large-buffer-across-await
                loop { stream.read(&mut buffer).await?; }
            }
            fn g(stream: TcpStream) {
                tokio::spawn(async move {
                    let mut buffer = vec![0; BUFFER_BYTES]; //~ large-buffer-across-await
                    stream.read(&mut buffer).await;
                    let mut words = [0u64; 2_048]; //~ large-buffer-across-await
                    fill(&mut words).await;
                    let mut all = BytesMut::with_capacity(BUFFER_BYTES * 2); //~ large-buffer-across-await
                    stream.read_buf(&mut all).await;
                    let mut boxed = Box::new([0; BUFFER_BYTES]); //~ large-buffer-across-await
                    stream.read(&mut boxed[..]).await;
                });
            }
            "#,
        );
    }

    #[test]
    fn small_ones_those_that_do_not_wait_and_those_of_others_are_not() {
        check(
            &RULE,
            r#"
            const BUFFER_BYTES: usize = 64 * 1024;
            async fn f(mut stream: TcpStream) -> io::Result<()> {
                stream.readable().await?;
                let unused = [0; BUFFER_BYTES];
                let mut small = [0; 4096];
                stream.read(&mut small).await?;
                { let mut buffer = [0; BUFFER_BYTES]; stream.try_read(&mut buffer)?; }
                let mut list = Vec::with_capacity(1024);
                stream.read_to_end(&mut list).await?;
                let mut unknown = vec![0; size];
                stream.read(&mut unknown).await?;
                let mut buffer = vec![0; BUFFER_BYTES];
                stream.try_read(&mut buffer)?;
                Ok(())
            }
            fn g(mut stream: std::net::TcpStream) {
                let mut buffer = [0; BUFFER_BYTES];
                stream.read(&mut buffer);
            }
            "#,
        );
    }
}

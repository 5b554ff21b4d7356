//! `#[watertight::test]`, to be used through the crate `watertight`, which says what it does.

mod arguments;
mod expand;
mod function;

use proc_macro::TokenStream;

/// Runs an async test in a runtime of its own, and fails it when tasks, file descriptors, threads or heap stay behind.
///
/// In the place of `#[tokio::test]`, with the same `flavor`, `worker_threads` and `start_paused`, and
/// `cycles`, `warm_up`, `tolerance(..)`, `ignore(..)`, `timeout`, `settle`, `crate`. What they mean: the module `guard` of
/// `watertight`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(arguments.into(), item.into()).into()
}

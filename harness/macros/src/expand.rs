//! From an async test to the plain one that libtest knows.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::arguments::{Arguments, Flavor, Ignore};
use crate::function::Function;

/// The test that stands in the place of `item`; a compile error, and the function as it was, where something is wrong.
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match try_test(arguments, item.clone()) {
        Ok(test) => test,
        Err(error) => {
            let error = error.to_compile_error();
            quote! { #error #item }
        }
    }
}

fn try_test(arguments: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let function = Function::read(item)?;
    let wrong = |text: &str| Err(syn::Error::new(function.name.span(), text));
    if function.has_attribute("test") {
        return wrong("a second test attribute: keep `#[watertight::test]` alone");
    }
    let panics = function.has_attribute("should_panic");
    if panics && arguments.cycles.is_some() {
        return wrong("`cycles` and `#[should_panic]` exclude each other: the first panic ends the test");
    }
    let krate = path_of_crate(&arguments)?;
    let (plan, runtime) = (plan(&arguments, &function, &krate, panics), runtime(&arguments));
    let Function { attributes, visibility, name, output, body } = &function;
    let inner = format_ident!("{name}");
    Ok(quote! {
        #[::core::prelude::v1::test]
        #(#attributes)*
        #visibility fn #name() #output {
            async fn #inner() #output #body
            #krate::guard::play(#plan, #runtime, #inner)
        }
    })
}

fn path_of_crate(arguments: &Arguments) -> syn::Result<TokenStream> {
    match &arguments.krate {
        None => Ok(quote! { ::watertight }),
        Some(path) => path.value().parse().map_err(|_| syn::Error::new(path.span(), "expected a path")),
    }
}

/// The library's plan, with what was asked for set.
fn plan(arguments: &Arguments, function: &Function, krate: &TokenStream, panics: bool) -> TokenStream {
    let name = function.name.to_string();
    let millis = |ms: u64| quote! { ::core::time::Duration::from_millis(#ms) };
    let set = [
        panics.then(|| quote! { .should_panic() }),
        arguments.cycles.map(|cycles| quote! { .cycles(#cycles) }),
        arguments.warm_up.map(|cycles| quote! { .warm_up(#cycles) }),
        arguments.timeout_ms.map(millis).map(|time| quote! { .timeout(#time) }),
        arguments.settle_ms.map(millis).map(|time| quote! { .settle(#time) }),
    ];
    let set = set.into_iter().flatten();
    let tolerances =
        arguments.tolerances.iter().map(|(resource, amount)| quote! { .tolerate(#resource, #amount) });
    let ignores = arguments.ignores.iter().map(|Ignore { site, reason, until }| match until {
        None => quote! { .ignore(#site, #reason) },
        Some(until) => quote! { .ignore_until(#site, #reason, #until) },
    });
    quote! {
        #krate::guard::Plan::of_test(
            ::core::concat!(::core::module_path!(), "::", #name), ::core::file!(), ::core::line!(),
        ) #(#set)* #(#tolerances)* #(#ignores)*
    }
}

/// tokio's builder, named from the test's own crate: it has the features that the test asks for.
fn runtime(arguments: &Arguments) -> TokenStream {
    let tokio = quote! { ::tokio::runtime::Builder };
    let workers = arguments.worker_threads.map(|count| quote! { builder.worker_threads(#count); });
    let paused = arguments.start_paused.map(|paused| quote! { builder.start_paused(#paused); });
    let new = match arguments.flavor.unwrap_or(Flavor::CurrentThread) {
        Flavor::CurrentThread => quote! { #tokio::new_current_thread() },
        Flavor::MultiThread => quote! { #tokio::new_multi_thread() },
    };
    quote! { { let mut builder = #new; #workers #paused builder } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &str, item: &str) -> String {
        test(arguments.parse().expect("tokens"), item.parse().expect("tokens")).to_string()
    }

    #[test]
    fn the_body_and_what_stands_above_it_stay_as_they_are() {
        let text =
            expanded("", "/// Says so.\n#[ignore] pub(crate) async fn t() -> Result<(), E> { one().await }");
        for part in [
            "# [:: core :: prelude :: v1 :: test]",
            "# [ignore]",
            "pub (crate) fn t () -> Result < () , E > {",
            "async fn t () -> Result < () , E > { one () . await }",
            ":: watertight :: guard :: play (",
            "new_current_thread ()",
        ] {
            assert!(text.contains(part), "lacks {part}: {text}");
        }
    }

    #[test]
    fn what_is_asked_for_reaches_the_plan_and_the_runtime() {
        let asked = r#"flavor = "multi_thread", worker_threads = 3, cycles = 9, tolerance(fds = 2),
            ignore(site = "a.rs", reason = "known", until = "2027-01-31"), crate = "wt""#;
        let text = expanded(asked, "async fn t() {}");
        for part in [
            "new_multi_thread ()",
            "worker_threads (3usize)",
            ". cycles (9u32)",
            ". tolerate (\"fds\" , 2u64)",
            ". ignore_until (\"a.rs\" , \"known\" , \"2027-01-31\")",
            "wt :: guard :: play",
        ] {
            assert!(text.contains(part), "lacks {part}: {text}");
        }
    }

    #[test]
    fn a_function_that_cannot_be_a_test_is_an_error_that_says_why() {
        for (arguments, item, why) in [
            ("", "fn t() {}", "the `async` keyword is missing from the function declaration"),
            ("", "async fn t(n: u8) {}", "the test function takes no arguments"),
            ("", "async fn t<T>() {}", "a test has no type parameters"),
            ("", "async unsafe fn t() {}", "a test is neither `unsafe`, `const` nor `extern`"),
            ("", "struct T;", "expected a function"),
            ("", "#[tokio::test] async fn t() {}", "a second test attribute"),
            (
                "cycles = 9",
                "#[should_panic(expected = \"x\")] async fn t() {}",
                "`cycles` and `#[should_panic]`",
            ),
            ("cycle = 9", "async fn t() {}", "unknown argument `cycle`, expected one of: flavor"),
        ] {
            let text = expanded(arguments, item);
            assert!(text.contains("compile_error") && text.contains(why), "{item}: {text}");
        }
    }
}

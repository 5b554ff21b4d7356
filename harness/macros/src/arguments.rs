//! What stands in the brackets of `#[watertight::test(..)]`.

use proc_macro2::Span;
use syn::parse::{Parse, ParseBuffer, ParseStream};
use syn::{Ident, LitBool, LitInt, LitStr, Token, parenthesized, token};

/// The arguments that were given; `None`: the library's default.
#[derive(Default)]
pub struct Arguments {
    pub flavor: Option<Flavor>,
    pub worker_threads: Option<usize>,
    pub start_paused: Option<bool>,
    pub cycles: Option<u32>,
    pub warm_up: Option<u32>,
    pub timeout_ms: Option<u64>,
    pub settle_ms: Option<u64>,
    pub tolerances: Vec<(String, u64)>,
    pub ignores: Vec<Ignore>,
    pub krate: Option<LitStr>,
}

/// Which of tokio's runtimes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    CurrentThread,
    MultiThread,
}

/// A leak that is known.
pub struct Ignore {
    pub site: String,
    pub reason: String,
    pub until: Option<String>,
}

const ALLOWED: [&str; 10] = [
    "flavor",
    "worker_threads",
    "start_paused",
    "cycles",
    "warm_up",
    "timeout",
    "settle",
    "tolerance",
    "ignore",
    "crate",
];
const IGNORE_PARTS: [&str; 3] = ["site", "reason", "until"];
const RESOURCES: [&str; 4] = ["tasks", "fds", "threads", "heap"];
const FLAVORS: &str = "\"current_thread\" or \"multi_thread\"";
const TIMES: &str = "a time such as \"250ms\", \"30s\" or \"2m\"";
const IGNORE: &str = "ignore(site = \"src/pool.rs\", reason = \"..\")";
/// Fewer counted cycles cannot tell growth from what is made on first use.
const CYCLES_MIN: u32 = 5;

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self::default();
        let mut seen: Vec<String> = Vec::new();
        while !input.is_empty() {
            let name = argument_name(&ALLOWED, input)?;
            let text = name.to_string();
            if text != "ignore" && seen.contains(&text) {
                return Err(syn::Error::new(name.span(), format!("`{text}` is set twice: keep one")));
            }
            arguments.read(&name, input)?;
            seen.push(text);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        arguments.fit_together()?;
        Ok(arguments)
    }
}

impl Arguments {
    fn read(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match name.to_string().as_str() {
            "flavor" => self.flavor = Some(flavor(input)?),
            "worker_threads" => self.worker_threads = Some(at_least(1, "worker_threads", input)? as usize),
            "start_paused" => self.start_paused = Some(value::<LitBool>(input)?.value),
            "cycles" => self.cycles = Some(at_least(CYCLES_MIN, "cycles", input)?),
            "warm_up" => self.warm_up = Some(at_least(0, "warm_up", input)?),
            "timeout" => self.timeout_ms = Some(time_in_ms(input)?),
            "settle" => self.settle_ms = Some(time_in_ms(input)?),
            "tolerance" => self.tolerances = tolerances(input)?,
            "ignore" => self.ignores.push(ignore(name.span(), input)?),
            "crate" => self.krate = Some(value(input)?),
            _ => return Err(unknown(name, "argument", &ALLOWED)),
        }
        Ok(())
    }

    fn fit_together(&self) -> syn::Result<()> {
        let is_multi = self.flavor == Some(Flavor::MultiThread);
        let wrong = if self.worker_threads.is_some() && !is_multi {
            Some("`worker_threads` needs `flavor = \"multi_thread\"`")
        } else if self.start_paused == Some(true) && is_multi {
            Some("`start_paused` needs the flavor `current_thread`: tokio pauses time on one thread only")
        } else if self.warm_up.is_some() && self.cycles.is_none() {
            Some("`warm_up` needs `cycles`: a test that is played once warms nothing up")
        } else {
            None
        };
        wrong.map_or(Ok(()), |text| Err(syn::Error::new(Span::call_site(), text)))
    }
}

/// `crate` is no identifier to syn unless it is asked for any.
fn argument_name(allowed: &[&str], input: ParseStream<'_>) -> syn::Result<Ident> {
    use syn::ext::IdentExt;
    let wrong =
        |error: syn::Error| syn::Error::new(error.span(), format!("expected one of: {}", allowed.join(", ")));
    input.call(Ident::parse_any).map_err(wrong)
}

fn value<T: Parse>(input: ParseStream<'_>) -> syn::Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

/// `= ".."`: a text; `expected` is what it says.
fn text(expected: &str, input: ParseStream<'_>) -> syn::Result<LitStr> {
    let wrong = |error: syn::Error| syn::Error::new(error.span(), format!("expected {expected}, in quotes"));
    input.parse::<Token![=]>()?;
    input.parse().map_err(wrong)
}

/// What stands in parentheses; `example` shows how.
fn parts<'a>(example: &str, input: ParseStream<'a>) -> syn::Result<ParseBuffer<'a>> {
    if !input.peek(token::Paren) {
        return Err(input.error(format!("expected parentheses: {example}")));
    }
    let inner;
    parenthesized!(inner in input);
    Ok(inner)
}

fn flavor(input: ParseStream<'_>) -> syn::Result<Flavor> {
    let word = text(FLAVORS, input)?;
    match word.value().as_str() {
        "current_thread" => Ok(Flavor::CurrentThread),
        "multi_thread" => Ok(Flavor::MultiThread),
        other => {
            let text = format!("expected {FLAVORS}, found {other:?}");
            Err(syn::Error::new(word.span(), text))
        }
    }
}

fn at_least(least: u32, name: &str, input: ParseStream<'_>) -> syn::Result<u32> {
    let number: LitInt = value(input)?;
    let found: u32 = number.base10_parse()?;
    if found >= least {
        return Ok(found);
    }
    let why = if name == "cycles" { ": fewer cannot separate growth from first use" } else { "" };
    Err(syn::Error::new(number.span(), format!("`{name}` must be at least {least}, found {found}{why}")))
}

/// `"250ms"`, `"30s"` or `"2m"`.
fn time_in_ms(input: ParseStream<'_>) -> syn::Result<u64> {
    let text = text(TIMES, input)?;
    let written = text.value();
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    let read = units.iter().find_map(|(unit, ms)| {
        let number: u64 = written.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*ms)
    });
    let wrong = || format!("expected {TIMES}, found {written:?}");
    read.filter(|ms| *ms > 0).ok_or_else(|| syn::Error::new(text.span(), wrong()))
}

/// `(tasks = 1, heap = "1KiB")`.
fn tolerances(input: ParseStream<'_>) -> syn::Result<Vec<(String, u64)>> {
    let inner = parts("tolerance(tasks = 1, heap = \"1KiB\")", input)?;
    let mut tolerances = Vec::new();
    while !inner.is_empty() {
        let name = argument_name(&RESOURCES, &inner)?;
        if !RESOURCES.contains(&name.to_string().as_str()) {
            return Err(unknown(&name, "resource", &RESOURCES));
        }
        inner.parse::<Token![=]>()?;
        tolerances.push((name.to_string(), amount(&inner)?));
        if !inner.is_empty() {
            inner.parse::<Token![,]>()?;
        }
    }
    Ok(tolerances)
}

/// A number, or a size with its unit.
fn amount(input: ParseStream<'_>) -> syn::Result<u64> {
    if input.peek(LitInt) {
        return input.parse::<LitInt>()?.base10_parse();
    }
    let text: LitStr = input.parse()?;
    let written = text.value();
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("kB", 1_000), ("MB", 1_000_000), ("B", 1)];
    let read = units.iter().find_map(|(unit, bytes)| {
        let number: u64 = written.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*bytes)
    });
    let wrong = || format!("expected a number or a size such as \"64B\" or \"1KiB\", found {written:?}");
    read.ok_or_else(|| syn::Error::new(text.span(), wrong()))
}

/// `(site = "src/pool.rs", reason = "..", until = "2027-01-31")`.
fn ignore(span: Span, input: ParseStream<'_>) -> syn::Result<Ignore> {
    let inner = parts(IGNORE, input)?;
    let (mut site, mut reason, mut until) = (None, None, None);
    while !inner.is_empty() {
        let name = argument_name(&IGNORE_PARTS, &inner)?;
        let place = match name.to_string().as_str() {
            "site" => &mut site,
            "reason" => &mut reason,
            "until" => &mut until,
            _ => return Err(unknown(&name, "part of `ignore`", &IGNORE_PARTS)),
        };
        let text = text(&format!("the {name}"), &inner)?;
        if text.value().trim().is_empty() {
            return Err(syn::Error::new(text.span(), format!("`{name}` is empty: a reader needs to know")));
        }
        *place = Some(text);
        if !inner.is_empty() {
            inner.parse::<Token![,]>()?;
        }
    }
    let needed = |part: Option<LitStr>, name: &str| {
        let text = format!("`ignore` lacks `{name}`: write {IGNORE}");
        part.map(|part| part.value()).ok_or_else(|| syn::Error::new(span, text))
    };
    let until = until.map(day).transpose()?;
    Ok(Ignore { site: needed(site, "site")?, reason: needed(reason, "reason")?, until })
}

/// A day as it is written; whether there is such a day is asked when it is compared.
fn day(text: LitStr) -> syn::Result<String> {
    let day = text.value();
    let parts: Vec<&str> = day.split('-').collect();
    let digits = |part: &str, count| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_day = matches!(parts.as_slice(), [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2)
        && ("01"..="12").contains(m) && ("01"..="31").contains(d));
    let wrong = || format!("expected a day such as \"2027-01-31\", found {day:?}");
    if is_day { Ok(day) } else { Err(syn::Error::new(text.span(), wrong())) }
}

fn unknown(name: &Ident, what: &str, allowed: &[&str]) -> syn::Error {
    let text = format!("unknown {what} `{name}`, expected one of: {}", allowed.join(", "));
    syn::Error::new(name.span(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        match syn::parse_str::<Arguments>(text) {
            Ok(_) => "no error".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_argument_is_read() {
        let text = r#"flavor = "multi_thread", worker_threads = 2, cycles = 20, warm_up = 4, timeout = "30s",
            settle = "250ms", tolerance(tasks = 1, heap = "1KiB"), crate = "wt",
            ignore(site = "a.rs", reason = "known"), ignore(site = "b.rs", reason = "old", until = "2027-01-31")"#;
        let read = syn::parse_str::<Arguments>(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((read.flavor, read.worker_threads), (Some(Flavor::MultiThread), Some(2)));
        assert_eq!((read.cycles, read.warm_up), (Some(20), Some(4)));
        assert_eq!((read.timeout_ms, read.settle_ms), (Some(30_000), Some(250)));
        assert_eq!(read.tolerances, [("tasks".to_owned(), 1), ("heap".to_owned(), 1_024)]);
        let until: Vec<_> = read.ignores.iter().map(|ignore| ignore.until.as_deref()).collect();
        assert_eq!(until, [None, Some("2027-01-31")]);
        assert_eq!(read.krate.map(|krate| krate.value()).as_deref(), Some("wt"));
    }

    #[test]
    fn an_unknown_argument_is_answered_with_those_there_are() {
        let list = "flavor, worker_threads, start_paused, cycles, warm_up, timeout, settle, tolerance, ignore, crate";
        assert_eq!(error("cycle = 3"), format!("unknown argument `cycle`, expected one of: {list}"));
        assert_eq!(
            error("tolerance(rss = 1)"),
            "unknown resource `rss`, expected one of: tasks, fds, threads, heap"
        );
        assert_eq!(
            error(r#"ignore(site = "a", why = "b")"#),
            "unknown part of `ignore` `why`, expected one of: site, reason, until"
        );
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_with_what_could() {
        for (text, answer) in [
            (
                "cycles = 3",
                "`cycles` must be at least 5, found 3: fewer cannot separate growth from first use",
            ),
            ("flavor = \"threaded\"", "expected \"current_thread\" or \"multi_thread\", found \"threaded\""),
            ("timeout = \"30\"", "expected a time such as \"250ms\", \"30s\" or \"2m\", found \"30\""),
            (
                "tolerance(heap = \"1K\")",
                "expected a number or a size such as \"64B\" or \"1KiB\", found \"1K\"",
            ),
            ("flavor = multi_thread", "expected \"current_thread\" or \"multi_thread\", in quotes"),
            ("timeout = 30", "expected a time such as \"250ms\", \"30s\" or \"2m\", in quotes"),
            ("tolerance = 1", "expected parentheses: tolerance(tasks = 1, heap = \"1KiB\")"),
            ("ignore = \"a.rs\"", "expected parentheses: ignore(site = \"src/pool.rs\", reason = \"..\")"),
            ("ignore(site = a, reason = \"b\")", "expected the site, in quotes"),
            ("tolerance(1)", "expected one of: tasks, fds, threads, heap"),
            ("worker_threads = 2", "`worker_threads` needs `flavor = \"multi_thread\"`"),
            ("warm_up = 2", "`warm_up` needs `cycles`: a test that is played once warms nothing up"),
            ("cycles = 9, cycles = 9", "`cycles` is set twice: keep one"),
            (
                r#"ignore(site = "a.rs")"#,
                "`ignore` lacks `reason`: write ignore(site = \"src/pool.rs\", reason = \"..\")",
            ),
            (r#"ignore(site = "a.rs", reason = " ")"#, "`reason` is empty: a reader needs to know"),
            (
                r#"ignore(site = "a", reason = "b", until = "soon")"#,
                "expected a day such as \"2027-01-31\", found \"soon\"",
            ),
        ] {
            assert_eq!(error(text), answer, "{text}");
        }
    }
}

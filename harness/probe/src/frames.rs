//! From return addresses to functions, files and lines; and which of them is the user's own code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(feature = "serve")]
use serde::{Deserialize, Serialize};

use crate::Tenant;
use crate::alloc::sites::{self, SiteId};
use crate::heap;

/// One function in a call stack. Inlined functions have frames of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serve", derive(Serialize, Deserialize))]
pub struct Frame {
    /// The function's name as a person would write it ([`legible`]); `?` where symbols are missing.
    pub function: String,
    /// The source file, short: relative to the workspace, or from the crate's folder on.
    pub file: Option<String>,
    /// The line in it, counted from 1.
    pub line: Option<u32>,
    /// Whether it is the user's own code: no dependency, not std, not the probe.
    pub own: bool,
}

impl Frame {
    /// `path/file.rs:line`, or the function where lines are missing.
    pub fn place(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            (None, _) => self.function.clone(),
        }
    }
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.file {
            Some(_) => write!(f, "{} at {}", self.function, self.place()),
            None => f.write_str(&self.function),
        }
    }
}

/// The stacks of sites by number, each innermost frame first, without the allocator's own frames.
///
/// The first call reads the debug information (tenths of a second); results are kept.
pub fn resolve(ids: impl IntoIterator<Item = u32>) -> BTreeMap<u32, Vec<Frame>> {
    let _probe = Tenant::PROBE.enter();
    ids.into_iter().map(|id| (id, stack_of(id))).collect()
}

/// Lets go of the debug information that was read; what was resolved is kept, and anything else reads it again.
///
/// It is a hundred megabytes and more, half of it mapped and half of it parsed: in a service that goes on they would be taken
/// for its own. So the allocator is asked to give back what is free.
pub fn forget() {
    let _probe = Tenant::PROBE.enter();
    backtrace::clear_symbol_cache();
    heap::trim();
}

/// The first frame in the user's own code.
pub fn first_own(frames: &[Frame]) -> Option<&Frame> {
    frames.iter().find(|frame| frame.own)
}

/// Whether `file`, as the compiler recorded it, is the user's own code.
pub fn is_own_file(file: &str) -> bool {
    const FOREIGN: [&str; 6] =
        ["/registry/src/", "/git/checkouts/", "/rustc/", "/rustlib/src/", "/vendor/", "/.rustup/"];
    let in_std = file.starts_with("library/");
    !in_std && !FOREIGN.iter().any(|part| file.contains(part)) && !is_probes_file(file)
}

/// A path as short as it stays clear: relative to the workspace, or from a dependency's own folder on.
pub fn short_path(file: &str) -> String {
    for marker in ["/registry/src/", "/git/checkouts/"] {
        // After the marker comes the registry's (or the checkout's) folder, then the crate's.
        if let Some((_, rest)) = file.split_once(marker)
            && let Some((_, crate_on)) = rest.split_once('/')
        {
            return crate_on.to_owned();
        }
    }
    if let Some((_, rest)) = file.split_once("/rustlib/src/rust/library/") {
        return format!("std/{rest}");
    }
    if let Some((_, rest)) = file.split_once("/rustc/").and_then(|(_, rest)| rest.split_once("/library/")) {
        return format!("std/{rest}");
    }
    for root in roots() {
        if let Ok(relative) = Path::new(file).strip_prefix(root) {
            return relative.to_string_lossy().into_owned();
        }
    }
    file.to_owned()
}

/// A demangled name as a person would write it: without hashes, generic arguments and the paths of types, with the
/// function that a closure or an async block stands in; where its name is not known, the compiler's word in plain text.
pub fn legible(name: &str) -> String {
    let name = without_arguments(without_hash(name));
    let parts: Vec<&str> = parts(&name);
    let named: Vec<String> =
        parts.iter().filter(|part| !is_compilers(part)).map(|part| short(part)).collect();
    match (named.is_empty(), parts.first()) {
        (true, Some(word)) => plain(word),
        _ => named.join("::"),
    }
}

/// A legacy symbol ends with 16 digits that differ from build to build.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((head, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => head,
        _ => name,
    }
}

/// Arguments follow a name or `::`; any other `<` begins a type, as in `<T as Trait>::f`, or is an operator's.
fn without_arguments(name: &str) -> String {
    let mut kept = String::with_capacity(name.len());
    let (mut depth, mut before) = (0_usize, None);
    for (at, character) in name.char_indices() {
        let follows_a_name = before.is_some_and(|c: char| c.is_alphanumeric() || "_:}".contains(c));
        match character {
            '<' if depth == 0 && name[at..].starts_with("<impl ") => kept.push(character),
            '<' if depth > 0 || follows_a_name => depth += 1,
            '>' if depth > 0 && before != Some('-') => depth -= 1,
            _ if depth > 0 => {}
            _ => kept.push(character),
        }
        before = Some(character);
    }
    kept
}

/// The parts of a path, those in brackets left whole.
fn parts(path: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    let bytes = path.as_bytes();
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth -= 1,
            b':' if depth == 0 && at >= start && bytes.get(at + 1) == Some(&b':') => {
                parts.push(&path[start..at]);
                start = at + 2;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// `{{closure}}`, `{async_fn#0}`, `{impl#2}`: parts of a path that nobody has written.
fn is_compilers(part: &str) -> bool {
    part.starts_with('{') && part.ends_with('}')
}

/// The compiler's word for a function without a name.
fn plain(word: &str) -> String {
    for (start, plain) in [("{async_fn", "async fn"), ("{async_block", "async block")] {
        if word.starts_with(start) {
            return plain.to_owned();
        }
    }
    let closure = word.contains("closure");
    if closure { "closure".to_owned() } else { word.trim_matches(['{', '}']).to_owned() }
}

/// A type in brackets with the last parts of its paths only: `<Hub as Debug>`.
fn short(part: &str) -> String {
    if !part.starts_with('<') {
        return part.to_owned();
    }
    let mut short = String::with_capacity(part.len());
    let mut word = String::new();
    for character in part.chars() {
        match character {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                short.push_str(&std::mem::take(&mut word));
                short.push(c);
            }
        }
    }
    short + &word
}

/// The functions at one return address, innermost inlined one first.
pub(crate) fn at(return_address: usize) -> Vec<Frame> {
    let mut known = RESOLVED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(frames) = known.get(&return_address) {
        return frames.clone();
    }
    let frames = look_up(return_address);
    if known.len() < RESOLVED_MAX {
        known.insert(return_address, frames.clone());
    }
    frames
}

/// How many functions there are at one return address, those inlined into each other.
#[cfg(feature = "dhat")]
pub(crate) fn functions_at(return_address: usize) -> usize {
    let mut functions = 0;
    backtrace::resolve(call_before(return_address), |_| functions += 1);
    functions
}

/// A return address is the instruction after the call, perhaps already on the next line; one byte less is the call.
fn call_before(return_address: usize) -> *mut std::ffi::c_void {
    std::ptr::without_provenance_mut(return_address.wrapping_sub(1))
}

/// Whether a function belongs to the path from `alloc` to the allocator, which every stack starts with.
fn is_allocators_own(frame: &Frame, file: Option<&str>) -> bool {
    file.and_then(in_probe).is_some_and(|file| file.starts_with("alloc/"))
        || frame.function.contains("__rust_alloc")
        || frame.function.contains("__rust_realloc")
        || frame.function.contains("__rustc::")
}

fn stack_of(id: u32) -> Vec<Frame> {
    if heap::is_table_full(id) {
        return vec![Frame { function: heap::TABLE_FULL.to_owned(), file: None, line: None, own: false }];
    }
    sites::frames(SiteId::from_raw(id)).into_iter().flat_map(at).collect()
}

fn look_up(return_address: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    backtrace::resolve(call_before(return_address), |symbol| {
        let file = symbol.filename().map(|file| file.to_string_lossy().into_owned());
        let frame = Frame {
            function: symbol.name().map_or_else(|| "?".to_owned(), |name| legible(&format!("{name:#}"))),
            own: file.as_deref().is_some_and(is_own_file),
            line: symbol.lineno(),
            file: file.as_deref().map(short_path),
        };
        if !is_allocators_own(&frame, file.as_deref()) {
            frames.push(frame);
        }
    });
    frames
}

/// The probe's own modules are no user code, but what leaks on purpose must be named.
fn is_probes_file(file: &str) -> bool {
    in_probe(file).is_some_and(|file| file != "plant.rs")
}

/// The path inside the probe's sources; debug information has it absolute, `Location` relative to the workspace.
fn in_probe(file: &str) -> Option<&str> {
    const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    file.strip_prefix(SOURCE).or_else(|| file.strip_prefix("harness/probe/src/"))
}

/// Folders that paths are shown relative to: the workspace this was built in, then where the process runs, then the workspace around
/// that: a crate's tests run in its own folder, and what they call may stand in the one beside it.
fn roots() -> &'static [String] {
    static ROOTS: OnceLock<Vec<String>> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned);
        let here = std::env::current_dir().ok();
        let around = here.as_deref().and_then(workspace_of);
        let roots = [workspace, here, around].into_iter().flatten();
        roots.map(|root| root.to_string_lossy().into_owned()).filter(|root| root.len() > 1).collect()
    })
}

/// The nearest folder from `folder` on upwards that cargo locks.
fn workspace_of(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).map(Path::to_owned)
}

/// Addresses whose functions are remembered.
const RESOLVED_MAX: usize = 1 << 16;

static RESOLVED: Mutex<BTreeMap<usize, Vec<Frame>>> = Mutex::new(BTreeMap::new());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_of_a_crate_is_what_cargo_locks() {
        let workspace = std::env::temp_dir().join(format!("watertight-frames-{}", std::process::id()));
        let member = workspace.join("crates/a");
        std::fs::create_dir_all(&member).unwrap();
        std::fs::write(workspace.join("Cargo.lock"), "").unwrap();
        let found = workspace_of(&member);
        std::fs::remove_dir_all(&workspace).unwrap();
        assert_eq!(found, Some(workspace));
    }

    #[test]
    fn names_read_as_a_person_would_write_them() {
        for (name, plain) in [
            ("{async_fn#0}", "async fn"),
            ("{async_block#0}<gateway::tasks::{impl#2}::spawn::{async_block_env#0}>", "async block"),
            ("{closure#3}<u8>", "closure"),
            ("{{closure}}", "closure"),
            ("publish<gateway::{impl#1}::publish::{closure_env#0}>", "publish"),
            ("push::<alloc::vec::Vec<u8>>::inner", "push::inner"),
            ("call<fn(u8) -> u8>", "call"),
            ("<gateway::Hub as core::fmt::Debug>::fmt", "<Hub as Debug>::fmt"),
            ("<gateway::hub::Hub<gateway::Event>>::push::{closure#0}", "<Hub>::push"),
            ("<&mut dyn gateway::Port as core::ops::Drop>::drop", "<&mut dyn Port as Drop>::drop"),
            ("gateway::session::run::{{closure}}::{{closure}}", "gateway::session::run"),
            ("gateway::session::run::{async_fn#0}", "gateway::session::run"),
            ("gateway::tasks::{impl#2}::spawn::{async_block#0}<u8>", "gateway::tasks::spawn"),
            (
                "gateway::hub::<impl core::ops::Drop for gateway::Hub<u8>>::drop",
                "gateway::hub::<impl Drop for Hub>::drop",
            ),
            ("gateway::main::h0123456789abcdef", "gateway::main"),
            ("gateway::hash::h0123", "gateway::hash::h0123"),
        ] {
            assert_eq!(legible(name), plain, "{name}");
        }
    }
}

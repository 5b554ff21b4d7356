//! Names what leaks: sites of heap and tasks, fds, await stacks.
//!
//! Gathering reads a live process; what is here is pure: `survivors` compares snapshots of sites, `rank` says which
//! finding explains which and puts culprits first, `witness` what dhat says of the same.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::resource::Resource;

mod rank;
mod survivors;
mod tenants;
#[cfg(feature = "scenarios")]
mod witness;

pub use rank::rank;
pub use survivors::{SiteCount, SiteSnapshot, TenantCount, still_growing, survivors};
pub use tenants::{TENANTS_NAMED_MAX, TenantShare};
#[cfg(feature = "scenarios")]
pub use witness::{ALIKE, alike, second_opinion};

/// One thing that stayed behind, named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "scenarios", derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
#[cfg_attr(feature = "scenarios", schemars(transform = with_fingerprint))]
pub struct Finding {
    /// What leaks here.
    pub resource: Resource,
    /// The first frame in the user's own code, `path/file.rs:line`; for fds the kind and peer.
    pub site: String,
    /// The function at the site, where it is known.
    pub function: Option<String>,
    /// Survivors (blocks, tasks, fds) that were not there at the end of warm-up.
    pub survivors: i64,
    /// Their bytes, for heap.
    pub survivor_bytes: i64,
    /// The whole stack, outermost last, or the await stack of one such task.
    pub stack: Vec<String>,
    /// `path/file.rs:line` of the spawn of the tasks that allocated it, for heap that was allocated inside of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Whether another finding explains this one (a leaked task explains its heap).
    pub victim_of: Option<String>,
    /// The parts of the target that it belongs to, those with the most first, at most [`TENANTS_NAMED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantShare>,
    /// How many parts of the target grew here.
    #[serde(default, skip_serializing_if = "is_none")]
    pub tenants_grown: usize,
    /// The entry of `ignore:` that covers it, in words; `None`: nobody puts up with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

/// As it is, with its fingerprint: people copy it from a report into an entry of `ignore:`.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Printed<'a> {
            #[serde(flatten, serialize_with = "Finding::serialize")]
            finding: &'a Finding,
            fingerprint: String,
        }
        Serialize::serialize(&Printed { finding: self, fingerprint: self.fingerprint() }, serializer)
    }
}

impl<'de> Deserialize<'de> for Finding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

/// The schema of what is printed: with the fingerprint, which is made of other fields.
#[cfg(feature = "scenarios")]
fn with_fingerprint(schema: &mut schemars::Schema) {
    let fingerprint = serde_json::json!({
        "type": "string",
        "description": "A name that stays when lines move, as an entry of `ignore:` takes it.",
    });
    if let Some(properties) = schema.get_mut("properties").and_then(serde_json::Value::as_object_mut) {
        properties.insert("fingerprint".to_owned(), fingerprint);
    }
}

/// Gives each finding of tasks the stack on which one of them waits, by the line that spawned them.
pub fn add_awaits(findings: &mut [Finding], awaits: &[(String, Vec<String>)]) {
    for finding in findings.iter_mut().filter(|finding| finding.resource == Resource::Tasks) {
        // A probe's tasks have no stacks of their own; a foreign view's come with them.
        if let Some((_, stack)) = awaits.iter().find(|(place, _)| *place == finding.site) {
            finding.stack.clone_from(stack);
        }
    }
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Finding {
    /// The file of the site, without line and column.
    pub fn file(&self) -> &str {
        without_position(&self.site)
    }

    /// Whether the site is code of the user's own, not of a dependency or of the standard library.
    pub fn is_own(&self) -> bool {
        is_own(&self.site)
    }

    /// Whether `part` occurs in the site, in the function or in a frame of the user's own code.
    pub fn names(&self, part: &str) -> bool {
        self.site.contains(part)
            || self.function.as_deref().is_some_and(|function| function.contains(part))
            || self.stack.iter().any(|frame| is_own(frame) && frame.contains(part))
    }

    /// A name that stays the same when lines move: resource, file and function, and a short hash of the three.
    ///
    /// Hashes of closures and generics (`{{closure}}`, `::h0123456789abcdef`) are left out of the function.
    pub fn fingerprint(&self) -> String {
        let function = stable_function(self.function.as_deref().unwrap_or_default());
        let file = self.file();
        let hash = [self.resource.name(), file, &function]
            .iter()
            .flat_map(|part| part.bytes().chain([0]))
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        let name = file.rsplit('/').next().unwrap_or(file);
        format!("{}/{name}/{:08x}", self.resource, (hash ^ (hash >> 32)) as u32)
    }
}

/// The function's path without what a build may change.
fn stable_function(function: &str) -> String {
    let hash = |part: &&str| {
        part.len() == 17 && part.starts_with('h') && part[1..].bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let parts: Vec<&str> = function
        .split("::")
        .filter(|part| !hash(part) && !part.starts_with("{{closure}}") && !part.starts_with("{closure"))
        .collect();
    parts.join("::")
}

/// `path/file.rs:12:5` without `:12:5`.
fn without_position(site: &str) -> &str {
    let mut rest = site;
    while let Some((before, after)) = rest.rsplit_once(':') {
        if after.is_empty() || !after.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        rest = before;
    }
    rest
}

/// Where code that is not the user's own lies: crates from a registry or a git checkout, the toolchain.
const FOREIGN: [&str; 5] = ["/.cargo/registry/", "/.cargo/git/", "/rustc/", "/rustlib/", "/.rustup/"];

/// Whether a site or frame (`file:line`, or `function at file:line`) lies in the user's own code.
///
/// Paths are those of compilers, or short as [`watertight_probe::frames::short_path`] makes them: `bytes-1.12.1/src/..`, `std/..`.
pub fn is_own(site: &str) -> bool {
    let place = site.rsplit_once(" at ").map_or(site, |(_, place)| place);
    let folder = place.split('/').next().unwrap_or_default();
    let foreign =
        folder == "std" || is_released_crate(folder) || FOREIGN.iter().any(|part| place.contains(part));
    // A frame without a file is its function alone: `<RawVecInner>::grow_one`.
    let has_no_file = place.contains("::") && !place.contains(".rs");
    !(foreign || has_no_file || place.is_empty() || place == "?")
}

/// Whether `folder` is named as a registry names a crate's: `bytes-1.12.1`.
fn is_released_crate(folder: &str) -> bool {
    folder
        .split('-')
        .skip(1)
        .any(|part| part.split('.').count() >= 3 && part.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(site: &str, function: &str) -> Finding {
        Finding {
            resource: Resource::Tasks,
            site: site.to_owned(),
            function: Some(function.to_owned()),
            survivors: 1,
            survivor_bytes: 0,
            stack: vec![],
            task: None,
            victim_of: None,
            tenants: vec![],
            tenants_grown: 0,
            ignored: None,
        }
    }

    #[test]
    fn a_fingerprint_survives_moved_lines_and_rebuilds() {
        let before =
            finding("gateway/src/heartbeat.rs:41:9", "gateway::beat::{{closure}}::h0123456789abcdef");
        let after =
            finding("gateway/src/heartbeat.rs:57:13", "gateway::beat::{{closure}}::hfedcba9876543210");
        assert_eq!(before.fingerprint(), after.fingerprint());
        assert!(before.fingerprint().starts_with("tasks/heartbeat.rs/"), "{}", before.fingerprint());
    }

    #[test]
    fn a_fingerprint_tells_functions_files_and_resources_apart() {
        let one = finding("gateway/src/heartbeat.rs:41", "gateway::beat");
        let other_function = finding("gateway/src/heartbeat.rs:41", "gateway::skip");
        let other_file = finding("gateway/src/session.rs:41", "gateway::beat");
        let other_resource = Finding { resource: Resource::Heap, ..one.clone() };
        for other in [other_function, other_file, other_resource] {
            assert_ne!(one.fingerprint(), other.fingerprint());
        }
    }

    #[test]
    fn a_site_is_named_by_its_file_and_by_own_frames_only() {
        let mut heap = finding("gateway/src/cache.rs:7", "gateway::cache::put");
        heap.stack =
            vec!["copy at bytes-1.12.1/src/bytes.rs:9".into(), "keep at gateway/src/slice.rs:3".into()];
        assert!(heap.names("cache.rs"));
        assert!(heap.names("slice.rs"));
        assert!(!heap.names("bytes-1"));
        assert_eq!(heap.file(), "gateway/src/cache.rs");
    }

    #[test]
    fn registries_and_the_toolchain_are_not_own_code() {
        assert!(!is_own("/home/me/.cargo/registry/src/index/tokio-1.54.0/src/task/spawn.rs:1"));
        assert!(!is_own("/rustc/abc/library/alloc/src/vec/mod.rs:2"));
        assert!(!is_own("copy_from_slice at bytes-1.12.1/src/bytes.rs:348"));
        assert!(!is_own("push at std/src/collections/vec.rs:9"));
        assert!(!is_own("<RawVecInner>::try_allocate_in"));
        assert!(is_own("async fn at gateway-under-test/src/session.rs:3"));
        assert!(is_own("gateway-2/src/session.rs:3"));
    }
}

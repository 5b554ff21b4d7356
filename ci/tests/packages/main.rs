//! What others build on: what a registry shows of it, which Rust it needs, and how little comes with it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The crates that are meant for others, rather than for the command and its world.
const FOR_OTHERS: [&str; 5] = ["watertight", "watertight-macros", "watertight-probe", "s7-sim", "s7-wire"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
    rust_version: Option<String>,
    description: Option<String>,
    license: Option<String>,
    readme: Option<String>,
    documentation: Option<String>,
    keywords: Vec<String>,
    categories: Vec<String>,
    /// Registries that take it; `None`: any.
    publish: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

fn cargo(arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
    let output =
        Command::new(env!("CARGO")).args(arguments).current_dir(root).output().expect("cargo starts");
    assert!(output.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn metadata() -> Metadata {
    // One platform: crates of the others need not be downloaded.
    let platform = ["--filter-platform", "x86_64-unknown-linux-gnu"];
    let text = cargo(&[&["metadata", "--format-version", "1", "--locked"], &platform[..]].concat());
    serde_json::from_str(&text).expect("cargo's JSON")
}

/// Crates and versions that `arguments` leave, sorted, each once.
fn tree(arguments: &[&str]) -> Vec<String> {
    let text = cargo(&[&["tree", "--locked", "-e", "normal", "--prefix", "none"], arguments].concat());
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Metadata {
    fn published(&self) -> impl Iterator<Item = &Package> {
        let is_ours = |package: &&Package| self.workspace_members.contains(&package.id);
        self.packages.iter().filter(is_ours).filter(|package| package.publish.is_none())
    }

    /// The published crates and all that they are built with, tests apart.
    fn built(&self) -> Vec<&Package> {
        let nodes: BTreeMap<&str, &Node> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut open: Vec<&str> = self.published().map(|package| package.id.as_str()).collect();
        let mut found: Vec<&str> = Vec::new();
        while let Some(id) = open.pop() {
            if found.contains(&id) {
                continue;
            }
            found.push(id);
            let is_built = |dependency: &&Dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
            };
            open.extend(nodes[id].deps.iter().filter(is_built).map(|dependency| dependency.pkg.as_str()));
        }
        self.packages.iter().filter(|package| found.contains(&package.id.as_str())).collect()
    }
}

/// `1.95.0` as numbers; a part that is left out is 0.
fn version(text: &str) -> Vec<u64> {
    let mut parts: Vec<u64> = text.split('.').map(|part| part.parse().expect("a number")).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn no_dependency_needs_a_newer_rust_than_ours_states() {
    let metadata = metadata();
    let stated = version(env!("CARGO_PKG_RUST_VERSION"));
    assert!(
        metadata
            .published()
            .all(|package| package.rust_version.as_deref().map(version) == Some(stated.clone()))
    );
    let newer: Vec<String> = metadata
        .built()
        .into_iter()
        .filter_map(|package| Some((package, package.rust_version.as_deref()?)))
        .filter(|(_, needed)| version(needed) > stated)
        .map(|(package, needed)| format!("{} needs {needed}", package.name))
        .collect();
    assert!(newer.is_empty(), "raise `rust-version` or take an older release: {newer:?}");
}

#[test]
fn a_registry_is_told_what_a_crate_is_and_under_which_terms() {
    let metadata = metadata();
    for package in metadata.published() {
        let folder = Path::new(&package.manifest_path).parent().expect("a manifest lies in a folder");
        let name = &package.name;
        assert!(package.description.is_some() && package.license.is_some(), "{name}");
        let page = format!("https://docs.rs/{name}");
        assert_eq!(package.documentation.as_deref(), Some(page.as_str()));
        for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(folder.join(file).is_file(), "{name} lacks {file}: ln -s to the workspace's");
        }
    }
}

#[test]
fn what_is_for_others_can_be_found_and_has_a_page_of_its_own() {
    let metadata = metadata();
    for name in FOR_OTHERS {
        let package = metadata.published().find(|package| package.name == name).expect("it is published");
        // Source: the registry's own bounds.
        assert!((1..=5).contains(&package.keywords.len()), "{name}: {:?}", package.keywords);
        assert!((1..=5).contains(&package.categories.len()), "{name}: {:?}", package.categories);
        assert!(package.readme.is_some(), "{name}");
    }
}

#[test]
fn a_service_links_in_little_beside_tokio() {
    let without_endpoint =
        tree(&["-p", "watertight-probe", "--no-default-features", "--target", "x86_64-unknown-linux-gnu"]);
    let expected = [
        "addr2line",
        "adler2",
        "backtrace",
        "cfg-if",
        "gimli",
        "libc",
        "memchr",
        "miniz_oxide",
        "object",
        "pin-project-lite",
        "rustc-demangle",
        "tokio",
        "watertight-probe",
    ];
    assert_eq!(without_endpoint, expected);
}

#[test]
fn tests_of_a_service_build_neither_engines_nor_a_database() {
    let built = tree(&["-p", "watertight"]);
    let heavy = [
        "garde",
        "granit-parser",
        "indicatif",
        "maud",
        "miette",
        "quick-junit",
        "rusqlite",
        "schemars",
        "sysinfo",
        "ureq",
    ];
    let found: Vec<&str> = heavy.into_iter().filter(|name| built.iter().any(|built| built == name)).collect();
    assert!(found.is_empty(), "the feature `test` brings {found:?}: they belong to `scenarios`");
    assert!(tree(&["-p", "watertight", "--features", "store"]).iter().any(|name| name == "rusqlite"));
}

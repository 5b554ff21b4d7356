//! Links between chapters, to headings, to files of the project; includes; the summary; and that every rule of the lint has its page.

use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use regex::Regex;

use crate::chapter::{Chapter, all, folder, readme};
use crate::scratch::root;

/// Folders and files of the project that the guide names as code, such as `ci/README.md`.
const NAMED: &str = r"^(\.cargo|ci|gateway-under-test|harness|s7-sim|scenarios)/[\w./-]+$|^[A-Z]+\.md$";

/// Where the pages of the lint's rules lie.
const RULES: &str = "harness/lint/rules";

/// Every chapter stands in the summary, and whatever stands there is a chapter.
pub fn summary() -> Result<(), String> {
    let text = std::fs::read_to_string(folder().join("SUMMARY.md")).map_err(|error| error.to_string())?;
    let named = targets(&text);
    let missing =
        all().into_iter().map(|chapter| format!("{}.md", chapter.name)).filter(|name| !named.contains(name));
    let missing: Vec<_> = missing.map(|name| format!("{name} does not stand in SUMMARY.md")).collect();
    let absent = named.iter().filter(|name| !folder().join(name).is_file());
    let absent: Vec<_> = absent.map(|name| format!("SUMMARY.md names {name}, which is not there")).collect();
    none_of([missing, absent].concat())
}

/// Every page of a rule of the lint is a page of the guide.
pub fn rules() -> Result<(), String> {
    let pages = std::fs::read_dir(root().join(RULES)).map_err(|error| format!("{RULES}: {error}"))?;
    let names = pages.map(|page| page.map(|page| page.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|error| format!("{RULES}: {error}"))?;
    let included: Vec<String> = all().iter().flat_map(|chapter| includes(&chapter.text)).collect();
    let is_missing =
        |name: &&String| !included.iter().any(|path| path.ends_with(&format!("lint/rules/{name}")));
    none_of(
        names.iter().filter(is_missing).map(|name| format!("no chapter includes {RULES}/{name}")).collect(),
    )
}

/// Every link, include and named file of every chapter is there.
pub fn everywhere() -> Result<(), String> {
    none_of(all().iter().chain([&readme()]).flat_map(faults).collect())
}

fn faults(chapter: &Chapter) -> Vec<String> {
    let here = &chapter.folder;
    let links = targets(&chapter.text).into_iter().filter_map(|target| link(&target, here, chapter));
    let includes = includes(&chapter.text).into_iter().filter_map(|spec| include(&spec, here));
    let named = Regex::new(NAMED).expect("it is a pattern");
    let files = code_words(&chapter.text).into_iter().filter(|word| named.is_match(word));
    let files = files.filter(|word| !root().join(word).exists()).map(|word| format!("`{word}` is not there"));
    links.chain(includes).chain(files).map(|fault| format!("{}.md: {fault}", chapter.name)).collect()
}

/// What is wrong with a link to a chapter or a heading. Nothing outside is asked: links lead into the book.
fn link(target: &str, here: &Path, chapter: &Chapter) -> Option<String> {
    let (file, heading) =
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let text = match file {
        "" => chapter.text.clone(),
        _ if file.contains("://") => return Some(format!("{target}: the guide stands without the network")),
        _ => match std::fs::read_to_string(here.join(file)) {
            Ok(text) => text,
            Err(_) => return Some(format!("{target}: no such chapter")),
        },
    };
    let heading = heading?;
    let is_there = headings(&text).iter().any(|found| found == heading);
    (!is_there).then(|| format!("{target}: no such heading"))
}

/// What is wrong with `{{#include PATH:ANCHOR}}`.
fn include(spec: &str, here: &Path) -> Option<String> {
    let (path, anchor) = spec.split_once(':').map_or((spec, None), |(path, anchor)| (path, Some(anchor)));
    let Ok(text) = std::fs::read_to_string(here.join(path)) else {
        return Some(format!("includes {path}, which is not there"));
    };
    let anchor = anchor?;
    let is_there =
        text.contains(&format!("ANCHOR: {anchor}\n")) || text.contains(&format!("ANCHOR: {anchor} "));
    (!is_there).then(|| format!("includes {spec}: no `ANCHOR: {anchor}` there"))
}

fn includes(text: &str) -> Vec<String> {
    let pattern = Regex::new(r"\{\{#(?:rustdoc_)?include ([^}]+)\}\}").expect("it is a pattern");
    pattern.captures_iter(text).map(|found| found[1].trim().to_owned()).collect()
}

fn targets(text: &str) -> Vec<String> {
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    };
    Parser::new(text).filter_map(target).collect()
}

fn code_words(text: &str) -> Vec<String> {
    let word = |event| if let Event::Code(word) = event { Some(word.into_string()) } else { None };
    Parser::new(text).filter_map(word).collect()
}

/// The anchors of a page's headings, as mdBook makes them: lower case, words joined by `-`.
fn headings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for event in Parser::new(text) {
        match (event, &mut open) {
            (Event::Start(Tag::Heading { .. }), _) => open = Some(String::new()),
            (Event::Text(part) | Event::Code(part), Some(heading)) => heading.push_str(&part),
            (Event::End(TagEnd::Heading(_)), _) => found.extend(open.take().map(|heading| anchor(&heading))),
            _ => {}
        }
    }
    found
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let is_kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    kept.chars().filter(is_kept).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn none_of(wrong: Vec<String>) -> Result<(), String> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}
